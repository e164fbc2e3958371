/* SPDX-License-Identifier: Apache-2.0 */
#include "stun_test.h"

#include "stun/crc32.h"

enum { SIZE = 2048 };

static void fill(uint8_t *data, size_t len, uint64_t seed)
{
	struct dice dice = {seed};

	roll_bytes(&dice, data, len);
}

static void test_known_values(void **state)
{
	static const struct {
		const char *text;
		uint32_t crc;
	} cases[] = {
		{"", 0},
		{"a", 0xe8b7be43},
		{"123456789", 0xcbf43926}, /* the check value of CRC-32/ISO-HDLC */
		{"The quick brown fox jumps over the lazy dog", 0x414fa339},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const uint8_t *data = (const uint8_t *)cases[i].text;

		assert_int_equal(nm_crc32(data, strlen(cases[i].text)), cases[i].crc);
		assert_int_equal(slow_crc32(data, strlen(cases[i].text)), cases[i].crc);
	}
}

/* Every entry of every table decides about some length and byte here. */
static void test_slicing_is_right_for_single_bytes(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 17; len++) {
		for (size_t at = 0; at < len; at++) {
			for (unsigned int value = 0; value < 256; value++) {
				uint8_t data[17] = {0};

				data[at] = (uint8_t)value;
				assert_int_equal(~nm_crc32_slice(0xffffffff, data, len),
					slow_crc32(data, len));
			}
		}
	}
}

static void test_every_length_and_alignment(void **state)
{
	static uint8_t data[SIZE + 16];

	(void)state;
	fill(data, sizeof(data), 1);
	for (size_t len = 0; len <= 600; len++)
		for (size_t shift = 0; shift < 16; shift += len % 3 + 1)
			assert_int_equal(
				nm_crc32(data + shift, len), slow_crc32(data + shift, len));
}

static void test_fold_is_right_where_it_is_usable(void **state)
{
	static uint8_t data[SIZE];

	(void)state;
	if (!nm_crc32_fold_usable()) {
		print_message("skipped: this CPU has no carry-less multiplication we use\n");
		skip();
	}
	fill(data, sizeof(data), 2);
	for (size_t len = NM_CRC32_FOLD_MIN; len <= SIZE; len++) {
		uint8_t *copy = exact_copy(data, len);

		assert_int_equal(nm_crc32_fold(0xffffffff, copy, len),
			nm_crc32_slice(0xffffffff, copy, len));
		free(copy);
	}
}

/* The register goes in as well: bit by bit, for it is XORed into the first four bytes. */
static void test_fold_carries_the_register(void **state)
{
	uint8_t data[100];

	(void)state;
	if (!nm_crc32_fold_usable()) {
		print_message("skipped: this CPU has no carry-less multiplication we use\n");
		skip();
	}
	fill(data, sizeof(data), 3);
	for (unsigned int bit = 0; bit < 32; bit++)
		assert_int_equal(nm_crc32_fold(UINT32_C(1) << bit, data, sizeof(data)),
			nm_crc32_slice(UINT32_C(1) << bit, data, sizeof(data)));
}

static void test_every_flipped_bit_is_noticed(void **state)
{
	uint8_t data[104];
	uint32_t crc;

	(void)state;
	fill(data, sizeof(data), 4);
	crc = nm_crc32(data, sizeof(data));
	for (size_t bit = 0; bit < 8 * sizeof(data); bit++) {
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(nm_crc32(data, sizeof(data)), crc);
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_values),
		cmocka_unit_test(test_slicing_is_right_for_single_bytes),
		cmocka_unit_test(test_every_length_and_alignment),
		cmocka_unit_test(test_fold_is_right_where_it_is_usable),
		cmocka_unit_test(test_fold_carries_the_register),
		cmocka_unit_test(test_every_flipped_bit_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
