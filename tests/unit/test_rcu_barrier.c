/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel that has the barrier, and ones that refuse it. */
#include "test.h"

#include <errno.h>
#include "io/rcu_barrier.h"
#include "tests/fakes/fake_sys.h"

static int membarriers, waits, last_command, last_timeout_ms;
static nfds_t last_n;
static int refusal; /* errno of membarrier; 0: it works */

static int note_membarrier(int command)
{
	membarriers++;
	last_command = command;
	errno = refusal;
	return refusal ? -1 : 0;
}

static int note_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	(void)fds;
	waits++;
	last_n = n;
	last_timeout_ms = timeout_ms;
	return 0;
}

static void test_asks_or_waits(void **state)
{
	static const int refusals[] = {0, EINVAL /* nohz_full= */, EPERM /* a filter */, ENOSYS};
	const struct nm_sys sys = {.membarrier = note_membarrier, .poll = note_poll};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		refusal = refusals[i];
		membarriers = waits = last_timeout_ms = 0;
		assert_int_equal(nm_rcu_barrier(&sys), refusal == 0);
		assert_int_equal(membarriers, 1);
		assert_int_equal(last_command, 1); /* MEMBARRIER_CMD_GLOBAL, since Linux 4.3 */
		assert_int_equal(waits, refusal != 0);
		assert_int_equal(last_timeout_ms, refusal ? 20 : 0);
		assert_int_equal(last_n, 0);
	}
}

/* With the machine's own calls: it comes back, and says what it was. */
static void test_refused_by_this_machine(void **state)
{
	(void)state;
	fake_sys_reset();
	fake_sys_fail(FAKE_MEMBARRIER, 0, 1, EINVAL);
	assert_false(nm_rcu_barrier(&fake_sys));
	fake_sys_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asks_or_waits),
		cmocka_unit_test(test_refused_by_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
