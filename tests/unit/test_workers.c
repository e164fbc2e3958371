/* SPDX-License-Identifier: Apache-2.0 */
/* Threads with loops: woken, paused while they work as hard as they can, ended in every state. */
#include "test.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <natmux/error.h>

#include "daemon/user/workers.h"

enum { THREADS = 3, PAUSES = 300 };

/* What a thread has: nobody else may touch it, unless in a pause. No lock, on purpose. */
struct own {
	uv_idle_t idle;
	uint64_t turns;
	_Atomic uint64_t wakes; /* looked at from outside */
	uint64_t pair[2];       /* always the same number */
	bool is_closed, has_idle;
};

static struct nm_workers *workers;
static struct own own[THREADS];

static void turn(uv_idle_t *idle)
{
	struct own *mine = idle->data;

	mine->turns++;
	mine->pair[0]++;
	mine->pair[1]++;
}

static void on_wake(void *user, uint32_t i)
{
	assert_ptr_equal(user, own);
	own[i].wakes++;
}

static void on_close(void *user, uint32_t i)
{
	assert_ptr_equal(user, own);
	assert_false(own[i].is_closed);
	own[i].is_closed = true;
	if (own[i].has_idle)
		uv_close((uv_handle_t *)&own[i].idle, NULL);
}

static void make(uint32_t count)
{
	struct nm_workers_setup setup = {count, on_wake, on_close, own};

	memset(own, 0, sizeof(own));
	assert_int_equal(nm_workers_new(&setup, &workers), 0);
}

/* From now on each is never idle. */
static void keep_busy(void)
{
	for (uint32_t i = 0; i < THREADS; i++) {
		uv_idle_init(nm_workers_loop(workers, i), &own[i].idle);
		own[i].idle.data = &own[i];
		own[i].has_idle = true;
		uv_idle_start(&own[i].idle, turn);
	}
}

static void test_counts(void **state)
{
	struct nm_workers_setup setup = {0, on_wake, on_close, own};

	(void)state;
	workers = NULL;
	assert_int_equal(nm_workers_new(&setup, &workers), NATMUX_EINVAL);
	setup.count = NM_WORKERS_MAX + 1;
	assert_int_equal(nm_workers_new(&setup, &workers), NATMUX_EINVAL);
	assert_null(workers);
	nm_workers_pause(NULL);
	nm_workers_resume(NULL);
	nm_workers_stop(NULL);
	nm_workers_free(NULL);
}

static void test_ended_before_they_began(void **state)
{
	(void)state;
	make(THREADS);
	keep_busy();
	nm_workers_pause(workers);
	nm_workers_resume(workers);
	nm_workers_free(workers);
	for (uint32_t i = 0; i < THREADS; i++) {
		assert_true(own[i].is_closed);
		assert_int_equal(own[i].wakes, 0);
	}
}

static void test_ended_at_once(void **state)
{
	(void)state;
	make(1);
	assert_int_equal(nm_workers_start(workers), 0);
	nm_workers_stop(workers);
	nm_workers_stop(workers);
	assert_true(own[0].is_closed);
	nm_workers_pause(workers);
	nm_workers_resume(workers);
	nm_workers_free(workers);
}

static void test_woken(void **state)
{
	(void)state;
	make(THREADS);
	assert_int_equal(nm_workers_start(workers), 0);
	nm_workers_wake(workers, 1);
	for (int i = 0; i < 20000 && own[1].wakes == 0; i++)
		usleep(1000);
	assert_int_equal(own[1].wakes, 1);
	assert_int_equal(own[0].wakes + own[2].wakes, 0);
	nm_workers_free(workers);
}

static void test_nobody_works_in_a_pause(void **state)
{
	uint64_t turns = 0;

	(void)state;
	make(THREADS);
	keep_busy();
	assert_int_equal(nm_workers_start(workers), 0);
	for (unsigned int n = 0; n < PAUSES; n++) {
		nm_workers_pause(workers);
		for (uint32_t i = 0; i < THREADS; i++) {
			assert_int_equal(own[i].pair[0], own[i].pair[1]);
			own[i].pair[0] = own[i].pair[1] = n;
			turns += own[i].turns;
		}
		/* In each other, as a reload by a request. */
		nm_workers_pause(workers);
		nm_workers_resume(workers);
		if (n % 50 == 0)
			usleep(1000);
		for (uint32_t i = 0; i < THREADS; i++)
			assert_int_equal(own[i].pair[0], n);
		nm_workers_resume(workers);
	}
	assert_true(turns > 0);
	nm_workers_free(workers);
}

static void test_ended_in_a_pause(void **state)
{
	(void)state;
	make(THREADS);
	keep_busy();
	assert_int_equal(nm_workers_start(workers), 0);
	nm_workers_pause(workers);
	nm_workers_pause(workers);
	nm_workers_stop(workers);
	nm_workers_resume(workers);
	nm_workers_resume(workers);
	for (uint32_t i = 0; i < THREADS; i++)
		assert_true(own[i].is_closed);
	nm_workers_free(workers);
}

/* A signal is the main thread's. */
static volatile sig_atomic_t signals;
static _Thread_local bool is_main;

static void on_signal(int number)
{
	(void)number;
	signals += is_main ? 1 : 100;
}

static void test_signals_are_not_theirs(void **state)
{
	(void)state;
	is_main = true;
	signal(SIGUSR1, on_signal);
	make(THREADS);
	keep_busy();
	assert_int_equal(nm_workers_start(workers), 0);
	for (int i = 0; i < 20; i++)
		kill(getpid(), SIGUSR1);
	for (int i = 0; i < 20000 && signals == 0; i++)
		usleep(1000);
	assert_in_range(signals, 1, 20);
	nm_workers_free(workers);
	signal(SIGUSR1, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_ended_before_they_began),
		cmocka_unit_test(test_ended_at_once),
		cmocka_unit_test(test_woken),
		cmocka_unit_test(test_nobody_works_in_a_pause),
		cmocka_unit_test(test_ended_in_a_pause),
		cmocka_unit_test(test_signals_are_not_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
