/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over payloads, wide and while copying, against nm_sum_bytes() and its own tests. */
#include "test.h"

#include <stdlib.h>

#include "esp/sum.h"

enum { LEN_MAX = 2100, OFFSETS = 9, ROOM = LEN_MAX + 2 * OFFSETS };

static uint8_t data[ROOM], copy[ROOM + 64];

static void fill(unsigned int kind)
{
	for (size_t i = 0; i < ROOM; i++)
		data[i] = kind == 0 ? 0xff : kind == 1 ? 0 : (uint8_t)rand();
}

static void check(uint64_t start, const uint8_t *from, size_t len)
{
	uint16_t want = nm_sum_fold(nm_sum_bytes(start, from, len));

	assert_int_equal(nm_sum_fold(nm_sum_long(start, from, len)), want);
	memset(copy, 0xa5, sizeof(copy));
	assert_int_equal(nm_sum_fold(nm_sum_copy(start, copy + 7, from, len)), want);
	assert_memory_equal(copy + 7, from, len);
	assert_int_equal(copy[6], 0xa5);
	for (size_t i = 0; i < 40; i++)
		assert_int_equal(copy[7 + len + i], 0xa5);
}

/* All lengths, all alignments, all ones whose carries run on and on, zeros that stay zero. */
static void test_sums_agree(void **state)
{
	static const uint64_t starts[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, 0x123456789abcdef0};

	(void)state;
	srand(1);
	for (unsigned int kind = 0; kind < 4; kind++) {
		fill(kind);
		for (size_t len = 0; len <= LEN_MAX; len += len < 300 ? 1 : 37)
			check(starts[len % 5], data + len % OFFSETS, len);
	}
}

/* 64 KiB of ones in every word: the most that a lane has to hold. */
static void test_largest(void **state)
{
	size_t len = 65536;
	uint8_t *ones = malloc(len), *to = malloc(len);
	uint16_t want;

	(void)state;
	assert_non_null(ones);
	assert_non_null(to);
	memset(ones, 0xff, len);
	want = nm_sum_fold(nm_sum_bytes(0, ones, len));
	assert_int_equal(want, 0xffff);
	assert_int_equal(nm_sum_fold(nm_sum_long(0, ones, len)), want);
	assert_int_equal(nm_sum_fold(nm_sum_copy(0, to, ones, len)), want);
	assert_memory_equal(to, ones, len);
	free(ones);
	free(to);
}

/* In two pieces of which the first is even, as headers and payload are. */
static void test_pieces(void **state)
{
	(void)state;
	fill(2);
	for (size_t cut = 0; cut <= 1400; cut += 2)
		assert_int_equal(
			nm_sum_fold(nm_sum_long(nm_sum_long(0, data, cut), data + cut, 1401 - cut)),
			nm_sum_fold(nm_sum_bytes(0, data, 1401)));
}

static void test_fields(void **state)
{
	(void)state;
	fill(2);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(nm_sum_fold(nm_sum_2(UINT64_MAX - i, data + i)),
			nm_sum_fold(nm_sum_bytes(UINT64_MAX - i, data + i, 2)));
		assert_int_equal(nm_sum_fold(nm_sum_4(UINT64_MAX - i, data + i)),
			nm_sum_fold(nm_sum_bytes(UINT64_MAX - i, data + i, 4)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums_agree),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
