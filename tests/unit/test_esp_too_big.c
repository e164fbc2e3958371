/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger rows E22, A7: who is told that a packet was too big, in which words, and how one is cut. */
#include "test.h"

#include <stdbool.h>

#include "base/bytes.h"
#include "esp/too_big.h"
#include "tests/fakes/inner_packets.h"

enum { TCP = 6, UDP = 17, MTU = 1400, ROOM = 65535 };

static uint8_t packet[ROOM], icmp[NM_TOO_BIG_MAX], piece[ROOM], whole[ROOM];

static struct nm_inner_info read_packet(size_t len)
{
	struct nm_inner_info info;

	assert_true(nm_inner_read(packet, len, &info));
	return info;
}

static size_t build(const struct inner_spec *spec, struct nm_inner_info *info)
{
	size_t len = inner_build(spec, packet);

	*info = read_packet(len);
	return len;
}

/* What is changed of a plain UDP packet before it is judged; the first octet behind the IP header
 * is the ICMP type where the protocol is ICMP. */
static const struct {
	const char *what;
	uint8_t family, protocol, type, source, destination;
	uint16_t fragment;
	bool is_told;
} cases[] = {
	{"IPv4", 4, UDP, 0, 10, 10, INNER_DF, true},
	{"an echo request", 4, NM_PROTO_ICMP, 8, 10, 10, INNER_DF, true},
	{"an echo reply", 4, NM_PROTO_ICMP, 0, 10, 10, INNER_DF, true},
	{"an unreachable", 4, NM_PROTO_ICMP, 3, 10, 10, INNER_DF, false},
	{"a time exceeded", 4, NM_PROTO_ICMP, 11, 10, 10, INNER_DF, false},
	{"a parameter problem", 4, NM_PROTO_ICMP, 12, 10, 10, INNER_DF, false},
	{"the first fragment", 4, UDP, 0, 10, 10, INNER_DF | INNER_MF, true},
	{"another fragment", 4, UDP, 0, 10, 10, INNER_DF | 1, false},
	{"the last fragment of the longest packet", 4, UDP, 0, 10, 10, INNER_DF | 0x1000, false},
	{"to a multicast", 4, UDP, 0, 10, 224, INNER_DF, false},
	{"to everybody", 4, UDP, 0, 10, 255, INNER_DF, false},
	{"to the last unicast", 4, UDP, 0, 10, 223, INNER_DF, true},
	{"from nobody", 4, UDP, 0, 0, 10, INNER_DF, false},
	{"from a multicast", 4, UDP, 0, 224, 10, INNER_DF, false},
	{"from everybody", 4, UDP, 0, 255, 10, INNER_DF, false},
	{"from the last unicast", 4, UDP, 0, 223, 10, INNER_DF, true},
	{"IPv6", 6, UDP, 0, 0xfd, 0xfd, 0, true},
	{"an ICMPv6 echo request", 6, NM_PROTO_ICMPV6, 128, 0xfd, 0xfd, 0, true},
	{"the last ICMPv6 error", 6, NM_PROTO_ICMPV6, 127, 0xfd, 0xfd, 0, false},
	{"an ICMPv6 unreachable", 6, NM_PROTO_ICMPV6, 1, 0xfd, 0xfd, 0, false},
	{"a too big", 6, NM_PROTO_ICMPV6, 2, 0xfd, 0xfd, 0, false},
	{"from an IPv6 multicast", 6, UDP, 0, 0xff, 0xfd, 0, false},
	{"from no IPv6 address", 6, UDP, 0, 0, 0xfd, 0, false},
	/* RFC 4443 2.4 (e.3): so that path MTUs of multicasts are found. */
	{"to an IPv6 multicast", 6, UDP, 0, 0xfd, 0xff, 0, true},
};

/* RFC 1122 3.2.2, RFC 1812 4.3.2.7, RFC 4443 2.4 (e). */
static void test_who_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct inner_spec spec = inner_spec(cases[i].family, UDP);
		size_t addr_len = cases[i].family == 4 ? 4 : 16, len, at;
		struct nm_inner_info info;
		uint32_t got;

		spec.fragment = cases[i].fragment;
		len = build(&spec, &info);
		at = cases[i].family == 4 ? 12 : 8;
		memset(packet + at, 0, addr_len);
		packet[at] = cases[i].source;
		packet[at + addr_len] = cases[i].destination;
		packet[cases[i].family == 4 ? 9 : 6] = cases[i].protocol;
		if (cases[i].protocol != UDP)
			packet[info.transport] = cases[i].type;
		info = read_packet(len);
		assert_true(nm_too_big_wants_icmp(packet, &info));
		got = nm_too_big_make(packet, &info, MTU, icmp);
		if ((got > 0) != cases[i].is_told)
			fail_msg("%s: %u octets", cases[i].what, got);
	}
}

/* An ICMP that ends before its type: no error that anybody knows of. */
static void test_icmp_without_type(void **state)
{
	struct inner_spec spec = inner_spec(4, UDP);
	struct nm_inner_info info;
	size_t len;

	(void)state;
	spec.payload_len = 0;
	len = build(&spec, &info);
	packet[9] = NM_PROTO_ICMP;
	nm_put16(packet + 2, (uint16_t)(len - 8));
	info = read_packet(len - 8);
	assert_int_equal(nm_too_big_make(packet, &info, MTU, icmp), 20 + 8 + 20);
}

static void test_without_df(void **state)
{
	struct inner_spec spec = inner_spec(4, UDP);
	struct nm_inner_info info;

	(void)state;
	spec.fragment = 0;
	build(&spec, &info);
	assert_false(nm_too_big_wants_icmp(packet, &info));
	spec.fragment = INNER_MF;
	build(&spec, &info);
	assert_false(nm_too_big_wants_icmp(packet, &info));
}

/* RFC 1191 4, RFC 1812 4.3.2.3: at most 576 octets, the MTU where routers write it. */
static void test_words4(void **state)
{
	static const uint32_t payloads[] = {0, 1, 519, 520, 521, 1400};
	struct nm_inner_info info;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
		struct inner_spec spec = inner_spec(4, UDP);
		uint32_t len, got, quoted;

		spec.payload_len = payloads[i];
		len = (uint32_t)build(&spec, &info);
		quoted = len < 548 ? len : 548;
		got = nm_too_big_make(packet, &info, MTU, icmp);
		assert_int_equal(got, 20 + 8 + quoted);
		assert_int_equal(nm_get16(icmp + 2), got);
		assert_int_equal(icmp[9], NM_PROTO_ICMP);
		assert_memory_equal(icmp + 12, packet + 16, 4);
		assert_memory_equal(icmp + 16, packet + 12, 4);
		assert_int_equal(inner_sum(0, icmp, 20), 0);
		assert_int_equal(nm_get16(icmp + 20), 0x0304);
		assert_int_equal(nm_get16(icmp + 24), 0);
		assert_int_equal(nm_get16(icmp + 26), MTU);
		assert_memory_equal(icmp + 28, packet, quoted);
		assert_int_equal(inner_sum(0, icmp + 20, 8 + quoted), 0);
	}
}

/* RFC 4443 3.2, 2.4 (c): at most 1280 octets, and the MTU has 32 bits. */
static void test_words6(void **state)
{
	static const uint32_t payloads[] = {0, 1183, 1184, 1185, 9000};
	struct nm_inner_info info;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
		struct inner_spec spec = inner_spec(6, TCP);
		uint32_t len, got, quoted;
		uint8_t pseudo[40] = {0};

		spec.payload_len = payloads[i];
		len = (uint32_t)build(&spec, &info);
		quoted = len < 1232 ? len : 1232;
		got = nm_too_big_make(packet, &info, 70000, icmp);
		assert_int_equal(got, 40 + 8 + quoted);
		assert_int_equal(nm_get16(icmp + 4), 8 + quoted);
		assert_int_equal(icmp[6], NM_PROTO_ICMPV6);
		assert_memory_equal(icmp + 8, packet + 24, 16);
		assert_memory_equal(icmp + 24, packet + 8, 16);
		assert_int_equal(nm_get16(icmp + 40), 0x0200);
		assert_int_equal(nm_get32(icmp + 44), 70000);
		assert_memory_equal(icmp + 48, packet, quoted);
		memcpy(pseudo, icmp + 8, 32);
		nm_put32(pseudo + 32, 8 + quoted);
		pseudo[39] = NM_PROTO_ICMPV6;
		assert_int_equal(
			inner_sum((uint16_t)~inner_sum(0, pseudo, 40), icmp + 40, 8 + quoted), 0);
	}
}

/*
 * RFC 791 3.2: puts together what was cut, as the receiver does; `copied` are the octets of options
 * that each fragment has to have.
 */
static void check_pieces(
	const struct nm_inner_info *info, uint32_t mtu, const uint8_t *copied, uint32_t copied_len)
{
	unsigned int before = nm_get16(packet + 6);
	uint32_t at = 0, len, sum = 0, payload = (uint32_t)info->len - info->transport;
	bool is_over = false;

	while ((len = nm_fragment_next(packet, info, mtu, &at, piece)) > 0) {
		unsigned int field = nm_get16(piece + 6);
		uint32_t offset = ((field & 0x1fff) - (before & 0x1fff)) * 8;
		uint32_t header = (piece[0] & 15u) * 4, carried = len - header;

		assert_false(is_over);
		assert_int_equal(header, sum == 0 ? info->transport : 20 + copied_len);
		assert_memory_equal(piece + 20, sum == 0 ? packet + 20 : copied, header - 20);
		assert_in_range(len, header + 1, mtu);
		assert_int_equal(nm_get16(piece + 2), len);
		assert_int_equal(inner_sum(0, piece, header), 0);
		assert_int_equal(piece[0] >> 4, 4);
		assert_int_equal(piece[1], packet[1]);
		assert_memory_equal(piece + 4, packet + 4, 2);
		assert_memory_equal(piece + 8, packet + 8, 2);
		assert_memory_equal(piece + 12, packet + 12, 8);
		assert_int_equal(offset, sum);
		memcpy(whole + offset, piece + header, carried);
		sum += carried;
		is_over = sum == payload;
		/* More fragments: of ours, or of whoever cut it before. */
		assert_int_equal((field & INNER_MF) != 0, !is_over || (before & INNER_MF));
		assert_int_equal(is_over || carried % 8 == 0, true);
	}
	assert_true(is_over);
	assert_int_equal(at, payload);
	assert_memory_equal(whole, packet + info->transport, payload);
}

static void test_cutting(void **state)
{
	static const uint32_t mtus[] = {28, 29, 68, 576, 1279, 1280, 1399, 1400};
	static const uint16_t fragments[] = {0, INNER_MF, 3, INNER_MF | 3, 0x0800};
	struct nm_inner_info info;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mtus); i++)
		for (size_t j = 0; j < ARRAY_SIZE(fragments); j++)
			for (uint32_t payload = 1392; payload < 1392 + 25; payload += 8) {
				struct inner_spec spec = inner_spec(4, UDP);

				/* Of a fragment that others follow the length is a multiple of 8. */
				spec.payload_len = payload - (j % 2 ? 0 : 3);
				spec.fragment = fragments[j];
				build(&spec, &info);
				check_pieces(&info, mtus[i], NULL, 0);
			}
}

/* RFC 791 3.1: which options go into every fragment stands in their first bit. */
static void test_options(void **state)
{
	static const struct {
		const char *what;
		uint8_t options[40];
		uint8_t len;
		uint8_t copied[40];
		uint8_t copied_len;
	} kinds[] = {
		{"router alert (RFC 2113)", {0x94, 4, 0, 0}, 4, {0x94, 4, 0, 0}, 4},
		{"record route", {7, 7, 4, 0, 0, 0, 0, 0}, 8, {0}, 0},
		{"both", {7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0}, 12, {0x94, 4, 0, 0}, 4},
		{"padded again", {1, 0x82, 3, 9, 1, 1, 1, 0}, 8, {0x82, 3, 9, 0}, 4},
		{"behind the end", {0, 0x94, 4, 0, 0, 0, 0, 0}, 8, {0}, 0},
		{"no length", {0x94, 4, 0, 0, 1, 1, 1, 0x82}, 8, {0x94, 4, 0, 0}, 4},
		{"a length of 0", {0x94, 4, 0, 0, 0x82, 0, 1, 1}, 8, {0x94, 4, 0, 0}, 4},
		{"of 1", {0x82, 1, 1, 1}, 4, {0}, 0},
		{"beyond the header", {0x94, 4, 0, 0, 0x82, 5, 1, 1}, 8, {0x94, 4, 0, 0}, 4},
		{"all there can be", {0x89, 39, 4}, 40, {0x89, 39, 4}, 40},
	};
	static const uint32_t mtus[] = {68, 69, 576, 1400};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (size_t j = 0; j < ARRAY_SIZE(mtus); j++) {
			struct inner_spec spec = inner_spec(4, UDP);
			struct nm_inner_info info;

			spec.payload_len = 1500;
			spec.ip_options = kinds[i].len;
			build(&spec, &info);
			memcpy(packet + 20, kinds[i].options, kinds[i].len);
			check_pieces(&info, mtus[j], kinds[i].copied, kinds[i].copied_len);
		}
}

static void test_what_is_not_cut(void **state)
{
	struct inner_spec spec = inner_spec(4, UDP);
	struct nm_inner_info info;
	uint32_t at = 0;

	(void)state;
	build(&spec, &info);
	assert_int_equal(nm_fragment_next(packet, &info, 27, &at, piece), 0);
	at = (uint32_t)info.len - 20;
	assert_int_equal(nm_fragment_next(packet, &info, 500, &at, piece), 0);
	/* No room for the header and a block. */
	at = 0;
	spec.ip_options = 4;
	build(&spec, &info);
	assert_int_equal(nm_fragment_next(packet, &info, 31, &at, piece), 0);
	assert_int_equal(at, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_is_told),
		cmocka_unit_test(test_icmp_without_type),
		cmocka_unit_test(test_without_df),
		cmocka_unit_test(test_words4),
		cmocka_unit_test(test_words6),
		cmocka_unit_test(test_cutting),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_what_is_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
