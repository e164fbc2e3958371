/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <natmux/error.h>

#include "base/htab.h"

enum { MAX = 300 };

static uint32_t keys[MAX];

static bool key_is(const void *owner, uint32_t value, const void *key)
{
	return ((const uint32_t *)owner)[value] == *(const uint32_t *)key;
}

static uint32_t find(const struct nm_htab *htab, uint32_t hash, uint32_t key)
{
	return nm_htab_find(htab, hash, key_is, keys, &key);
}

static void test_limits(void **state)
{
	struct nm_htab htab;

	(void)state;
	assert_int_equal(nm_htab_init(&htab, 0), NATMUX_ERANGE);
	assert_int_equal(nm_htab_init(&htab, (1u << 30) + 1), NATMUX_ERANGE);
	assert_int_equal(nm_htab_init(&htab, 1), 0);
	assert_int_equal(nm_htab_add(&htab, 5, 0), 0);
	assert_int_equal(nm_htab_add(&htab, 6, 1), NATMUX_EFULL);
	nm_htab_remove(&htab, 5, 1); /* not there: another number */
	assert_int_equal(htab.count, 1);
	nm_htab_remove(&htab, 5, 0);
	assert_int_equal(htab.count, 0);
	nm_htab_done(&htab);
}

/* One home slot for all: the longest run, with holes closed in every order. */
static void test_collisions(void **state)
{
	struct nm_htab htab;

	(void)state;
	for (uint32_t victim = 0; victim < 8; victim++) {
		assert_int_equal(nm_htab_init(&htab, 8), 0);
		for (uint32_t i = 0; i < 8; i++) {
			keys[i] = i;
			assert_int_equal(nm_htab_add(&htab, 15, i), 0); /* wraps around */
		}
		nm_htab_remove(&htab, 15, victim);
		for (uint32_t i = 0; i < 8; i++)
			assert_int_equal(find(&htab, 15, i), i == victim ? NM_HTAB_NONE : i);
		nm_htab_done(&htab);
	}
}

/* Against a plain array, with hashes that collide a lot. */
static void test_random(void **state)
{
	bool is_there[MAX] = {false};
	uint32_t hashes[MAX];
	struct nm_htab htab;

	(void)state;
	srand(1);
	assert_int_equal(nm_htab_init(&htab, MAX), 0);
	for (uint32_t i = 0; i < MAX; i++) {
		keys[i] = i * 7;
		hashes[i] = (uint32_t)rand() % 40 + 480;
	}
	for (int step = 0; step < 20000; step++) {
		uint32_t i = (uint32_t)rand() % MAX;

		if (is_there[i])
			nm_htab_remove(&htab, hashes[i], i);
		else
			assert_int_equal(nm_htab_add(&htab, hashes[i], i), 0);
		is_there[i] = !is_there[i];
		if (step % 100)
			continue;
		for (uint32_t j = 0; j < MAX; j++)
			assert_int_equal(
				find(&htab, hashes[j], keys[j]), is_there[j] ? j : NM_HTAB_NONE);
	}
	nm_htab_done(&htab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
