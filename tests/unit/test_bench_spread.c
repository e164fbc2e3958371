/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "bench/spread.h"

static void test_order_statistics(void **state)
{
	static const struct {
		double samples[5];
		size_t n;
		double min, median, max;
	} cases[] = {
		{{7}, 1, 7, 7, 7},
		{{4, 2}, 2, 2, 3, 4},
		{{9, 1, 5}, 3, 1, 5, 9},
		{{1, 100, 3, 2}, 4, 1, 2.5, 100},
		{{-1, -5, 0, 5, 1}, 5, -5, 0, 5},
		{{2, 2, 2, 2, 2}, 5, 2, 2, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		double samples[5];
		struct nm_spread spread;

		memcpy(samples, cases[i].samples, sizeof(samples));
		spread = nm_spread_of(samples, cases[i].n);
		assert_int_equal(spread.n, cases[i].n);
		assert_true(spread.min == cases[i].min);
		assert_true(spread.median == cases[i].median);
		assert_true(spread.max == cases[i].max);
	}
}

static void test_nothing_measured(void **state)
{
	struct nm_spread spread = nm_spread_of(NULL, 0);

	(void)state;
	assert_int_equal(spread.n, 0);
	assert_true(spread.median == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_statistics),
		cmocka_unit_test(test_nothing_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
