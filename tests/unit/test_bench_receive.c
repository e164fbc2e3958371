/* SPDX-License-Identifier: Apache-2.0 */
/* The receivers of natmux-bench, and the sender that they are measured with. */
#include "bench_receive_test.h"

#include <natmux/error.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_receiver_counts),
		cmocka_unit_test(test_receiver_without_traffic),
		cmocka_unit_test(test_receiver_refuses_a_foreign_address),
		cmocka_unit_test(test_sender_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
