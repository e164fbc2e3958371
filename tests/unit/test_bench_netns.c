/* SPDX-License-Identifier: Apache-2.0 */
/* The sender of natmux-bench in a network namespace of its own, with a cable to ours. */
#include "bench_receive_test.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench/netns.h"

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
		cmocka_unit_test(test_namespaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
