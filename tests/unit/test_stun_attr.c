/* SPDX-License-Identifier: Apache-2.0 */
/* Values of attributes: read from bytes written by hand, and written to bytes read by hand. */
#include "stun_test.h"

#include <natmux/error.h>
#include "stun/attr.h"
#include "stun/build.h"
#include "../vectors/stun_rfc.h"

static struct raw m;
static const uint8_t zeros[1024];

static struct nm_stun_msg decoded(const uint8_t *data, size_t len)
{
	struct nm_stun_msg msg;

	assert_int_equal(nm_stun_decode(data, len, &msg), 0);
	return msg;
}

/* A message with one attribute. */
static struct nm_stun_msg one(unsigned int type, const void *value, size_t len)
{
	raw_begin(&m, 0x0101);
	raw_attr(&m, type, value, len);
	return decoded(m.data, m.len);
}

static void assert_addr(const struct natmux_addr *addr, const char *text)
{
	struct natmux_addr wanted = addr_of(text);

	assert_true(natmux_addr_equal(addr, &wanted));
}

static void test_rfc5769_mapped_addresses(void **state)
{
	struct nm_stun_msg msg = decoded(rfc5769_response4, sizeof(rfc5769_response4));
	struct natmux_addr addr;

	(void)state;
	assert_int_equal(nm_stun_get_addr(&msg, NM_STUN_XOR_MAPPED_ADDRESS, &addr), 0);
	assert_addr(&addr, "192.0.2.1:32853");
	msg = decoded(rfc5769_response6, sizeof(rfc5769_response6));
	assert_int_equal(nm_stun_get_addr(&msg, NM_STUN_XOR_MAPPED_ADDRESS, &addr), 0);
	assert_addr(&addr, "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

static void test_plain_addresses(void **state)
{
	static const uint16_t types[] = {NM_STUN_MAPPED_ADDRESS, NM_STUN_ALTERNATE_SERVER,
		NM_STUN_RESPONSE_ORIGIN, NM_STUN_OTHER_ADDRESS};
	struct natmux_addr addr;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		/* The first byte is to be ignored (RFC 8489 14.1). */
		struct nm_stun_msg msg = one(types[i], "\x7f\x01\x11\x94\xc0\x00\x02\x07", 8);

		assert_int_equal(nm_stun_get_addr(&msg, types[i], &addr), 0);
		assert_addr(&addr, "192.0.2.7:4500");
	}
}

/* struct natmux_addr never holds an IPv4-mapped IPv6 address. */
static void test_ipv4_mapped_becomes_ipv4(void **state)
{
	static const uint8_t value[20] = {
		0, 2, 0x11, 0x94, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 9};
	struct nm_stun_msg msg = one(NM_STUN_MAPPED_ADDRESS, value, sizeof(value));
	struct natmux_addr addr;

	(void)state;
	assert_int_equal(nm_stun_get_addr(&msg, NM_STUN_MAPPED_ADDRESS, &addr), 0);
	assert_addr(&addr, "192.0.2.9:4500");
}

static void test_addresses_refused(void **state)
{
	static const uint16_t types[] = {NM_STUN_MAPPED_ADDRESS, NM_STUN_XOR_MAPPED_ADDRESS};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		for (unsigned int family = 0; family < 256; family++) {
			for (size_t len = 0; len <= 24; len++) {
				uint8_t value[24] = {0, (uint8_t)family, 1, 1, 1};
				struct nm_stun_msg msg = one(types[i], value, len);
				struct natmux_addr addr = addr_of("10.1.1.1:1"), before = addr;
				bool fits = (family == 1 && len == 8) || (family == 2 && len == 20);

				assert_int_equal(nm_stun_get_addr(&msg, types[i], &addr),
					fits ? 0 : NATMUX_EMALFORMED);
				assert_int_equal(natmux_addr_equal(&addr, &before), !fits);
			}
		}
	}
}

static void test_missing_attributes(void **state)
{
	struct nm_stun_msg msg = one(NM_STUN_SOFTWARE, "x", 1);
	struct natmux_addr addr;
	struct nm_stun_error_info error;
	const uint8_t *text;
	uint16_t types[NM_STUN_UNKNOWN_MAX], port;
	uint32_t u32;
	uint64_t u64;
	size_t n;

	(void)state;
	assert_int_equal(
		nm_stun_get_addr(&msg, NM_STUN_XOR_MAPPED_ADDRESS, &addr), NATMUX_ENOTFOUND);
	assert_int_equal(nm_stun_get_u32(&msg, NM_STUN_PRIORITY, &u32), NATMUX_ENOTFOUND);
	assert_int_equal(nm_stun_get_port(&msg, NM_STUN_RESPONSE_PORT, &port), NATMUX_ENOTFOUND);
	assert_int_equal(nm_stun_get_u64(&msg, NM_STUN_ICE_CONTROLLED, &u64), NATMUX_ENOTFOUND);
	assert_int_equal(nm_stun_get_flag(&msg, NM_STUN_USE_CANDIDATE), NATMUX_ENOTFOUND);
	assert_int_equal(nm_stun_get_text(&msg, NM_STUN_USERNAME, &text, &n), NATMUX_ENOTFOUND);
	assert_int_equal(nm_stun_get_error(&msg, &error), NATMUX_ENOTFOUND);
	assert_int_equal(nm_stun_get_unknown(&msg, types, &n), NATMUX_ENOTFOUND);
}

static void test_rfc5769_ice_attributes(void **state)
{
	struct nm_stun_msg msg = decoded(rfc5769_request, sizeof(rfc5769_request));
	const uint8_t *text;
	uint32_t priority;
	uint64_t tie;
	size_t len;

	(void)state;
	assert_int_equal(nm_stun_get_u32(&msg, NM_STUN_PRIORITY, &priority), 0);
	assert_int_equal(priority, 0x6e0001ff);
	assert_int_equal(nm_stun_get_u64(&msg, NM_STUN_ICE_CONTROLLED, &tie), 0);
	assert_true(tie == UINT64_C(0x932ff9b151263b36));
	assert_int_equal(nm_stun_get_text(&msg, NM_STUN_USERNAME, &text, &len), 0);
	assert_int_equal(len, strlen(RFC5769_USERNAME));
	assert_memory_equal(text, RFC5769_USERNAME, len);
	assert_int_equal(nm_stun_get_text(&msg, NM_STUN_SOFTWARE, &text, &len), 0);
	assert_int_equal(len, 16);
	assert_memory_equal(text, "STUN test client", len);
}

static void test_numbers_of_other_sizes(void **state)
{
	(void)state;
	for (size_t len = 0; len <= 12; len++) {
		struct nm_stun_msg msg = one(NM_STUN_PRIORITY, zeros, len);
		uint64_t u64 = 7;
		uint32_t u32 = 7;

		assert_int_equal(nm_stun_get_u32(&msg, NM_STUN_PRIORITY, &u32),
			len == 4 ? 0 : NATMUX_EMALFORMED);
		assert_int_equal(u32, len == 4 ? 0 : 7);
		assert_int_equal(nm_stun_get_u64(&msg, NM_STUN_PRIORITY, &u64),
			len == 8 ? 0 : NATMUX_EMALFORMED);
		assert_int_equal(u64, len == 8 ? 0 : 7);
		assert_int_equal(
			nm_stun_get_flag(&msg, NM_STUN_PRIORITY), len == 0 ? 0 : NATMUX_EMALFORMED);
	}
}

static void test_response_port(void **state)
{
	struct nm_stun_msg msg = one(NM_STUN_RESPONSE_PORT, "\x30\x39\xff\xff", 4);
	uint16_t port = 0;

	(void)state;
	assert_int_equal(nm_stun_get_port(&msg, NM_STUN_RESPONSE_PORT, &port), 0);
	assert_int_equal(port, 12345);
	msg = one(NM_STUN_RESPONSE_PORT, "\x30\x39", 2);
	assert_int_equal(nm_stun_get_port(&msg, NM_STUN_RESPONSE_PORT, &port), NATMUX_EMALFORMED);
}

static void test_texts_have_a_longest(void **state)
{
	const uint8_t *text;
	size_t len;

	(void)state;
	for (size_t i = 500; i < 800; i++) {
		struct nm_stun_msg msg = one(NM_STUN_USERNAME, zeros, i);

		assert_int_equal(nm_stun_get_text(&msg, NM_STUN_USERNAME, &text, &len),
			i <= 508 ? 0 : NATMUX_EMALFORMED);
		msg = one(NM_STUN_REALM, zeros, i);
		assert_int_equal(nm_stun_get_text(&msg, NM_STUN_REALM, &text, &len),
			i <= 763 ? 0 : NATMUX_EMALFORMED);
	}
}

static void test_error_code(void **state)
{
	static const struct {
		const char *value;
		size_t len;
		int code; /* 0: refused */
	} cases[] = {
		{"\0\0\4\1Unauthorized", 16, 401},
		{"\0\0\3\0", 4, 300},
		{"\0\0\6\x63", 4, 699},
		{"\xff\xff\xfc\x14", 4, 420}, /* reserved bits are ignored */
		{"\0\0\2\x63", 4, 0},
		{"\0\0\7\0", 4, 0},
		{"\0\0\0\0", 4, 0},
		{"\0\0\4\x64", 4, 0},
		{"\0\0\4", 3, 0},
		{"", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_stun_msg msg = one(NM_STUN_ERROR_CODE, cases[i].value, cases[i].len);
		struct nm_stun_error_info error = {.code = 1};
		int err = nm_stun_get_error(&msg, &error);

		assert_int_equal(err, cases[i].code > 0 ? 0 : NATMUX_EMALFORMED);
		assert_int_equal(error.code, cases[i].code > 0 ? cases[i].code : 1);
		if (err == 0)
			assert_memory_equal(error.reason, cases[i].value + 4, error.reason_len);
	}
}

static void test_error_reason_has_a_longest(void **state)
{
	uint8_t value[4 + 800] = {0, 0, 4, 0};
	struct nm_stun_error_info error;

	(void)state;
	for (size_t len = 760; len < 768; len++) {
		struct nm_stun_msg msg = one(NM_STUN_ERROR_CODE, value, 4 + len);

		assert_int_equal(
			nm_stun_get_error(&msg, &error), len <= 763 ? 0 : NATMUX_EMALFORMED);
	}
}

static void test_s4_unknown_attributes(void **state)
{
	uint16_t types[NM_STUN_UNKNOWN_MAX + 1] = {0};
	struct nm_stun_msg msg = one(NM_STUN_UNKNOWN_ATTRIBUTES, "\0\3\x7f\xff\0\x26", 6);
	size_t n = 99;

	(void)state;
	assert_int_equal(nm_stun_get_unknown(&msg, types, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(types[0], 3);
	assert_int_equal(types[1], 0x7fff);
	assert_int_equal(types[2], 0x26);
	msg = one(NM_STUN_UNKNOWN_ATTRIBUTES, "\0\3\x7f", 3);
	assert_int_equal(nm_stun_get_unknown(&msg, types, &n), NATMUX_EMALFORMED);
	assert_int_equal(n, 3);
	types[NM_STUN_UNKNOWN_MAX] = 0xa5a5;
	msg = one(NM_STUN_UNKNOWN_ATTRIBUTES, zeros, 1000);
	assert_int_equal(nm_stun_get_unknown(&msg, types, &n), 0);
	assert_int_equal(n, NM_STUN_UNKNOWN_MAX);
	assert_int_equal(types[NM_STUN_UNKNOWN_MAX], 0xa5a5);
}

/* What is put is what is got, for every type that carries an address. */
static void test_addresses_round_trip(void **state)
{
	static const uint16_t types[] = {NM_STUN_MAPPED_ADDRESS, NM_STUN_XOR_MAPPED_ADDRESS,
		NM_STUN_XOR_PEER_ADDRESS, NM_STUN_XOR_RELAYED_ADDRESS, NM_STUN_ALTERNATE_SERVER,
		NM_STUN_RESPONSE_ORIGIN, NM_STUN_OTHER_ADDRESS};
	static const char *const texts[] = {"0.0.0.0:1", "255.255.255.255:65535",
		"33.18.164.66:8466", "[::1]:1", "[2001:db8::ffff]:4500",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"};
	uint8_t buf[64], tid[12];
	struct dice dice = {3};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++) {
			struct natmux_addr addr = addr_of(texts[k]), back;
			struct nm_stun_builder b;
			struct nm_stun_msg msg;

			roll_bytes(&dice, tid, sizeof(tid));
			nm_stun_begin(&b, buf, sizeof(buf), NM_STUN_BINDING, NM_STUN_SUCCESS, tid);
			nm_stun_put_addr(&b, types[i], &addr);
			msg = decoded(buf, nm_stun_end(&b));
			assert_int_equal(nm_stun_get_addr(&msg, types[i], &back), 0);
			assert_true(natmux_addr_equal(&addr, &back));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5769_mapped_addresses),
		cmocka_unit_test(test_plain_addresses),
		cmocka_unit_test(test_ipv4_mapped_becomes_ipv4),
		cmocka_unit_test(test_addresses_refused),
		cmocka_unit_test(test_missing_attributes),
		cmocka_unit_test(test_rfc5769_ice_attributes),
		cmocka_unit_test(test_numbers_of_other_sizes),
		cmocka_unit_test(test_response_port),
		cmocka_unit_test(test_texts_have_a_longest),
		cmocka_unit_test(test_error_code),
		cmocka_unit_test(test_error_reason_has_a_longest),
		cmocka_unit_test(test_s4_unknown_attributes),
		cmocka_unit_test(test_addresses_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
