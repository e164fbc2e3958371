/* SPDX-License-Identifier: Apache-2.0 */
/* Sender and receivers on loopback, a few milliseconds each: what is sent is what is counted. */
#include "test.h"

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#include <natmux/error.h>
#include "bench/netns.h"
#include "bench/receiver.h"
#include "bench/sender.h"

enum { SEND_MS = 5, STEPS = 200, FINISH_MS = 2000 };

static const struct nm_receiver_ops *const receivers[] = {
	&nm_receiver_bare, &nm_receiver_natmux, &nm_receiver_uv, &nm_receiver_uv_mmsg};

/* Steps until the sender is done and the queue empty; returns how many datagrams came. */
static uint64_t receive_all(const struct nm_receiver_ops *ops, void *self, struct nm_sender *sender,
	struct nm_sender_result *sent)
{
	bool is_finished = false;
	uint64_t before;

	for (int i = 0; i < STEPS; i++) {
		before = ops->count(self);
		ops->step(self);
		is_finished = is_finished || nm_sender_finished(sender, 0, sent);
		if (is_finished && ops->count(self) == before)
			break;
	}
	if (!is_finished)
		assert_true(nm_sender_finished(sender, FINISH_MS, sent));
	return ops->count(self);
}

static void run_with(struct nm_sender *sender, const struct nm_receiver_ops *ops,
	const struct natmux_addr *local, uint32_t size, bool is_gso)
{
	struct nm_sender_order order = {.size = size, .time_ms = SEND_MS, .is_gso = is_gso};
	struct nm_sender_result sent = {0};
	uint64_t received;
	void *self = ops->open(local, &order.destination);

	assert_non_null(self);
	assert_int_not_equal(order.destination.port, 0);
	assert_int_equal(nm_sender_start(sender, &order), 0);
	received = receive_all(ops, self, sender, &sent);
	ops->close(self);
	assert_int_equal(sent.error, 0);
	assert_true(sent.datagrams > 0);
	/* The queue may have been full; nothing comes twice or from nowhere. */
	assert_true(received > 0);
	assert_true(received <= sent.datagrams);
}

static void run_all(struct nm_sender *sender, const struct natmux_addr *local)
{
	for (size_t i = 0; i < ARRAY_SIZE(receivers); i++) {
		if (!receivers[i]->open)
			continue;
		run_with(sender, receivers[i], local, 64, false);
		run_with(sender, receivers[i], local, 1428, true);
	}
}

static void test_every_receiver_counts(void **state)
{
	struct nm_sender *sender;
	struct natmux_addr local;

	(void)state;
	assert_int_equal(natmux_addr_parse("127.0.0.1", 0, &local), 0);
	assert_int_equal(nm_sender_new(false, &sender), 0);
	run_all(sender, &local);
	nm_sender_free(sender);
}

static void test_receiver_without_traffic(void **state)
{
	struct natmux_addr addr, bound;

	(void)state;
	assert_int_equal(natmux_addr_parse("127.0.0.1", 0, &addr), 0);
	for (size_t i = 0; i < ARRAY_SIZE(receivers); i++) {
		void *self;

		if (!receivers[i]->open)
			continue;
		self = receivers[i]->open(&addr, &bound);
		assert_non_null(self);
		receivers[i]->step(self);
		assert_int_equal(receivers[i]->count(self), 0);
		receivers[i]->close(self);
	}
}

static void test_receiver_refuses_a_foreign_address(void **state)
{
	struct natmux_addr addr, bound;

	(void)state;
	assert_int_equal(natmux_addr_parse("192.0.2.1", 0, &addr), 0);
	for (size_t i = 0; i < ARRAY_SIZE(receivers); i++)
		if (receivers[i]->open)
			assert_null(receivers[i]->open(&addr, &bound));
}

static void test_sender_refuses(void **state)
{
	struct nm_sender_order order = {.size = NM_SENDER_SIZE_MAX + 1, .time_ms = 1};
	struct nm_sender_result result;
	struct nm_sender *sender;

	(void)state;
	assert_int_equal(nm_sender_new(false, &sender), 0);
	assert_int_equal(natmux_addr_parse("127.0.0.1:9", 0, &order.destination), 0);
	assert_int_equal(nm_sender_start(sender, &order), NATMUX_ERANGE);
	order.size = NM_SENDER_SIZE_MIN - 1;
	assert_int_equal(nm_sender_start(sender, &order), NATMUX_ERANGE);
	assert_false(nm_sender_finished(sender, 0, &result));
	/* An order that the kernel refuses comes back with the reason. */
	order.size = 64;
	order.destination = (struct natmux_addr){.family = NATMUX_FAMILY_NONE};
	assert_int_equal(nm_sender_start(sender, &order), 0);
	assert_true(nm_sender_finished(sender, FINISH_MS, &result));
	assert_int_not_equal(result.error, 0);
	nm_sender_free(sender);
	nm_sender_free(NULL);
}

/* Tried in a child: this process must stay where it is if the rest cannot follow. */
static bool may_make_namespaces(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (unshare(CLONE_NEWNET) == 0)
			execlp("ip", "ip", "-V", (char *)NULL);
		_exit(1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* Last: the process does not come back from its namespace. */
static void test_namespaces(void **state)
{
	struct nm_sender *sender;
	struct natmux_addr local;

	(void)state;
	if (!may_make_namespaces()) {
		print_message("skipped: needs the right to make network namespaces, and ip(8)\n");
		skip();
	}
	assert_int_equal(nm_sender_new(true, &sender), 0);
	assert_int_equal(nm_netns_connect(nm_sender_pid(sender), false, &local), 0);
	run_all(sender, &local);
	assert_int_equal(natmux_addr_parse("2001:2::1", 0, &local), 0);
	run_all(sender, &local);
	nm_sender_free(sender);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_receiver_counts),
		cmocka_unit_test(test_receiver_without_traffic),
		cmocka_unit_test(test_receiver_refuses_a_foreign_address),
		cmocka_unit_test(test_sender_refuses),
		cmocka_unit_test(test_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
