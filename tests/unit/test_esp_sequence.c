/* SPDX-License-Identifier: Apache-2.0 */
/* Outbound numbers: in a row, never twice, never around. Ledger rows E3, E4. */
#include "test.h"

#include <stdlib.h>
#include <pthread.h>
#include <sched.h>
#include "esp/sequence.h"

#define LAST32 UINT64_C(0xffffffff)

static void test_in_a_row(void **state)
{
	struct nm_sequence *sequence = nm_sequence_new(0, false);

	(void)state;
	assert_int_equal(nm_sequence_last(sequence), 0);
	/* RFC 4303 3.3.3: the first is 1. */
	assert_int_equal(nm_sequence_take(sequence, 1), 1);
	assert_int_equal(nm_sequence_take(sequence, 64), 2);
	assert_int_equal(nm_sequence_take(sequence, 1), 66);
	assert_int_equal(nm_sequence_last(sequence), 66);
	nm_sequence_unref(sequence);
	nm_sequence_unref(NULL);
}

static void test_it_goes_on(void **state)
{
	struct nm_sequence *sequence = nm_sequence_new(1000, false);

	(void)state;
	assert_int_equal(nm_sequence_take(sequence, 2), 1001);
	nm_sequence_unref(sequence);
}

static void test_the_end(void **state)
{
	struct nm_sequence *sequence = nm_sequence_new(LAST32 - 10, false);

	(void)state;
	assert_int_equal(nm_sequence_take(sequence, 11), 0);
	/* What was too much to ask took nothing. */
	assert_int_equal(nm_sequence_take(sequence, 8), LAST32 - 9);
	assert_int_equal(nm_sequence_take(sequence, 3), 0);
	assert_int_equal(nm_sequence_take(sequence, 2), LAST32 - 1);
	for (int i = 0; i < 100000; i++)
		assert_int_equal(nm_sequence_take(sequence, 1 + (uint32_t)i % 64), 0);
	/* It stands still: asking cannot carry it around. */
	assert_int_equal(nm_sequence_last(sequence), LAST32);
	nm_sequence_unref(sequence);
}

static void test_the_end_of_extended_numbers(void **state)
{
	struct nm_sequence *sequence = nm_sequence_new(LAST32 - 1, true);
	uint64_t limit = sequence->limit;

	(void)state;
	assert_true(nm_sequence_take(sequence, 4) == LAST32);
	assert_true(nm_sequence_take(sequence, 1) == LAST32 + 4);
	nm_sequence_unref(sequence);
	sequence = nm_sequence_new(limit - 1, true);
	assert_true(nm_sequence_take(sequence, 2) == 0);
	assert_true(nm_sequence_take(sequence, 1) == limit);
	assert_true(nm_sequence_take(sequence, 1) == 0);
	nm_sequence_unref(sequence);
	sequence = nm_sequence_new(UINT64_MAX, true);
	assert_true(nm_sequence_take(sequence, 64) == 0);
	nm_sequence_unref(sequence);
}

static void test_references(void **state)
{
	struct nm_sequence *sequence = nm_sequence_new(0, false);

	(void)state;
	assert_ptr_equal(nm_sequence_ref(sequence), sequence);
	nm_sequence_unref(sequence);
	assert_int_equal(nm_sequence_take(sequence, 1), 1);
	nm_sequence_unref(sequence);
}

enum { THREADS = 4, TAKES = 20000, RUN_MAX = 7 };

static uint8_t taken[THREADS * TAKES * RUN_MAX + 1];

struct taker {
	struct nm_sequence *sequence;
	unsigned int first_run;
	uint64_t first; /* what the counter stood at */
	unsigned long got;
};

/* Marks what it got; a number that two got is seen by the sum. */
static void *take_many(void *user)
{
	struct taker *taker = user;

	for (unsigned int i = 0; i < TAKES; i++) {
		uint32_t n = 1 + (i + taker->first_run) % RUN_MAX;
		uint64_t first = nm_sequence_take(taker->sequence, n);

		for (uint32_t j = 0; first > 0 && j < n; j++)
			__atomic_add_fetch(&taken[first + j - taker->first], 1, __ATOMIC_RELAXED);
		taker->got += first > 0 ? n : 0;
	}
	return NULL;
}

static unsigned long run_takers(struct nm_sequence *sequence, uint64_t first)
{
	struct taker takers[THREADS];
	pthread_t threads[THREADS];
	unsigned long got = 0;

	memset(taken, 0, sizeof(taken));
	for (unsigned int i = 0; i < THREADS; i++) {
		takers[i] = (struct taker){sequence, i, first, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		got += takers[i].got;
	}
	return got;
}

static void test_workers_share_it(void **state)
{
	struct nm_sequence *sequence = nm_sequence_new(0, true);
	unsigned long got = run_takers(sequence, 0);

	(void)state;
	assert_int_equal(nm_sequence_last(sequence), got);
	for (unsigned long i = 1; i <= got; i++)
		assert_int_equal(taken[i], 1);
	nm_sequence_unref(sequence);
}

/*
 * At the end of the numbers some run past the limit, and get nothing. All start at once, again and again,
 * where few are left: what one sees before it takes, another has taken.
 */
enum { ROUNDS = 3000, LEFT = 12, RUN = 5 };

static struct nm_sequence *contested;
static _Atomic unsigned int waiting, round_number, beyond;

static void meet(unsigned int round)
{
	if (atomic_fetch_add(&waiting, 1) == 2 * THREADS * round + THREADS - 1)
		atomic_store(&round_number, 2 * round + 1);
	while (atomic_load(&round_number) < 2 * round + 1)
		sched_yield();
}

/* The last to come back puts the counter where it was. */
static void part(unsigned int round)
{
	if (atomic_fetch_add(&waiting, 1) == 2 * THREADS * round + 2 * THREADS - 1) {
		atomic_store(&contested->last, LAST32 - LEFT);
		atomic_store(&round_number, 2 * round + 2);
	}
	while (atomic_load(&round_number) < 2 * round + 2)
		sched_yield();
}

static void *contest(void *user)
{
	(void)user;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		uint64_t first;

		meet(round);
		while ((first = nm_sequence_take(contested, RUN)) > 0)
			if (first + RUN - 1 > LAST32)
				atomic_fetch_add(&beyond, 1);
		part(round);
	}
	return NULL;
}

static void test_workers_at_the_end(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	contested = nm_sequence_new(LAST32 - LEFT, false);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, contest, NULL), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(beyond, 0);
	nm_sequence_unref(contested);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_a_row),
		cmocka_unit_test(test_it_goes_on),
		cmocka_unit_test(test_the_end),
		cmocka_unit_test(test_the_end_of_extended_numbers),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_workers_share_it),
		cmocka_unit_test(test_workers_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
