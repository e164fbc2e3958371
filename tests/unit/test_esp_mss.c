/* SPDX-License-Identifier: Apache-2.0 */
/* Lowering the MSS of a SYN: what is found, what is left alone, and that the checksum stays right. */
#include "test.h"

#include <stdbool.h>

#include "base/bytes.h"
#include "esp/mss.h"
#include "tests/fakes/inner_packets.h"

enum { MTU = 1400, MSS4 = MTU - 40, MSS6 = MTU - 60 };

/* A TCP packet with these options (a multiple of four octets). */
static size_t make(
	uint8_t *packet, uint8_t family, uint8_t flags, const uint8_t *options, uint8_t len)
{
	struct inner_spec spec = inner_spec(family, 6);
	size_t size;

	spec.flags = flags;
	spec.payload_len = 0;
	spec.tcp_options = len;
	size = inner_build(&spec, packet);
	memcpy(packet + size - len, options, len);
	inner_fix(packet);
	return size;
}

static bool clamp(uint8_t *packet, size_t len, uint32_t mtu, bool has_checksum)
{
	struct nm_inner_info info;

	assert_true(nm_inner_read(packet, len, &info));
	return nm_mss_clamp(packet, &info, mtu, has_checksum);
}

/* `at`: where the value stands among the options; 0: nothing may change. */
static const struct {
	const char *name;
	uint8_t flags, len, options[40], at;
} cases[] = {
	{"alone", INNER_SYN, 4, {2, 4, 5, 0xb4}, 2},
	{"SYN and ACK", INNER_SYN | INNER_ACK, 4, {2, 4, 5, 0xb4}, 2},
	{"SYN, ECE and CWR", INNER_SYN | INNER_ECE | INNER_CWR, 4, {2, 4, 5, 0xb4}, 2},
	{"behind one", INNER_SYN, 8, {1, 2, 4, 5, 0xb4, 0}, 3},
	{"behind two", INNER_SYN, 8, {1, 1, 2, 4, 5, 0xb4}, 4},
	{"behind three", INNER_SYN, 8, {1, 1, 1, 2, 4, 5, 0xb4, 0}, 5},
	{"at the end", INNER_SYN, 12, {3, 3, 7, 4, 2, 1, 1, 1, 2, 4, 5, 0xb4}, 10},
	{"at an odd end", INNER_SYN, 8, {3, 3, 7, 2, 4, 5, 0xb4, 1}, 5},
	{"after the timestamps", INNER_SYN, 16, {8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 2, 4, 0xff, 0xff},
		12},
	{"small enough", INNER_SYN, 4, {2, 4, 4, 0}, 0},
	{"just so", INNER_SYN, 4, {2, 4, MSS6 >> 8, MSS6 & 0xff}, 0},
	{"no SYN", INNER_ACK, 4, {2, 4, 5, 0xb4}, 0},
	{"no option", INNER_SYN, 4, {1, 1, 1, 1}, 0},
	{"behind the end", INNER_SYN, 8, {0, 2, 1, 1, 2, 4, 5, 0xb4}, 0},
	{"too short", INNER_SYN, 4, {2, 3, 0xff, 0}, 0},
	{"too long", INNER_SYN, 8, {2, 6, 0xff, 0xff, 0, 0}, 0},
	{"cut", INNER_SYN, 4, {1, 1, 2, 4}, 0},
	{"an option of no length before", INNER_SYN, 8, {5, 0, 1, 1, 2, 4, 5, 0xb4}, 0},
	{"an option of one octet before", INNER_SYN, 8, {5, 1, 1, 1, 2, 4, 5, 0xb4}, 0},
	{"an option that ends nowhere", INNER_SYN, 8, {5, 200, 1, 1, 2, 4, 5, 0xb4}, 0},
	{"a length that is cut", INNER_SYN, 4, {1, 1, 1, 2}, 0},
};

static void check(size_t i, uint8_t family)
{
	uint8_t packet[256], before[256];
	size_t len, value;
	uint16_t mss = family == 4 ? MSS4 : MSS6;
	size_t sum = (family == 4 ? 20u : 40u) + 16;

	/* What lies behind the packet would be a large MSS, too. */
	memset(packet, 0xff, sizeof(packet));
	len = make(packet, family, cases[i].flags, cases[i].options, cases[i].len);
	value = len - cases[i].len + cases[i].at;
	memcpy(before, packet, sizeof(before));
	if (clamp(packet, len, MTU, true) != (cases[i].at > 0))
		fail_msg("%s, IPv%u", cases[i].name, family);
	assert_true(inner_is_right(packet, len));
	if (cases[i].at > 0) {
		assert_int_equal(nm_get16(packet + value), mss);
		memcpy(before + value, packet + value, 2);
		memcpy(before + sum, packet + sum, 2);
	}
	/* Nothing else has changed. */
	assert_memory_equal(packet, before, sizeof(before));
	assert_false(clamp(packet, len, MTU, true));
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++)
		check(i / 2, i % 2 ? 6 : 4);
}

/* Any value at any place, odd and even: the sum is that of whoever adds all up. */
static void test_sums(void **state)
{
	(void)state;
	for (uint32_t mss = 0; mss < 65536; mss += 13) {
		for (uint8_t before = 0; before < 4; before++) {
			uint8_t options[8] = {1, 1, 1, 1, 1, 1, 1, 1}, packet[256];
			size_t len;

			options[before] = 2;
			options[before + 1] = 4;
			nm_put16(options + before + 2, (uint16_t)mss);
			len = make(packet, 4, INNER_SYN, options, sizeof(options));
			assert_int_equal(
				clamp(packet, len, 60 + mss % 1500, true), mss > 20 + mss % 1500);
			assert_true(inner_is_right(packet, len));
		}
	}
}

/* A checksum that the kernel has left to us is not there yet. */
static void test_without_checksum(void **state)
{
	static const uint8_t options[] = {2, 4, 5, 0xb4};
	uint8_t packet[256];
	size_t len = make(packet, 4, INNER_SYN, options, sizeof(options));
	uint16_t sum = nm_get16(packet + 36);

	(void)state;
	assert_true(clamp(packet, len, MTU, false));
	assert_int_equal(nm_get16(packet + 36), sum);
	assert_int_equal(nm_get16(packet + 42), MSS4);
}

/* What is no whole TCP header is not read as one. */
static void test_others(void **state)
{
	static const uint8_t options[] = {2, 4, 5, 0xb4};
	uint8_t packet[256], before[256];
	size_t len = make(packet, 4, INNER_SYN, options, sizeof(options));

	(void)state;
	memcpy(before, packet, len);
	assert_false(clamp(packet, len, 40, true)); /* there is no such segment */
	packet[9] = 17;
	assert_false(clamp(packet, len, MTU, true));
	packet[9] = 6;
	packet[7] = 1; /* a later fragment */
	assert_false(clamp(packet, len, MTU, true));
	packet[7] = 0;
	packet[6] = 0x20; /* a first one */
	assert_false(clamp(packet, len, MTU, true));
	memcpy(packet, before, len);
	packet[32] = 0xf0; /* a header that is longer than the packet */
	assert_false(clamp(packet, len, MTU, true));
	packet[32] = 0x40; /* shorter than one */
	assert_false(clamp(packet, len, MTU, true));
	memcpy(packet, before, len);
	nm_put16(packet + 2, 39);
	assert_false(clamp(packet, len, MTU, true));
	memcpy(packet, before, len);
	assert_true(clamp(packet, len, MTU, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_without_checksum),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
