/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Super-packets cut, against a naive machine that shares nothing with it; single packets whose
 * checksum is left to us; and a device that contradicts the packet. Ledger row N8.
 */
#include "test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/bytes.h"
#include "esp/split.h"
#include "tests/fakes/inner_packets.h"

enum { TCP = 6, UDP = 17 };

static uint8_t packet[INNER_MAX + 1000];

/* What the kernel's device says about a super-packet made of this. */
static struct natmux_inner super_of(const struct inner_spec *spec, uint16_t segment)
{
	struct natmux_inner inner = {.data = packet, .len = (uint32_t)inner_build(spec, packet)};
	bool is_tcp = spec->protocol == TCP;
	uint32_t transport = (spec->family == 4 ? 20u : 40u) + spec->ip_options;

	inner.offload = (struct natmux_offload){
		.kind = NATMUX_OFFLOAD_UDP,
		.needs_checksum = 1,
		.header_len = (uint16_t)(transport + (is_tcp ? 20u + spec->tcp_options : 8u)),
		.segment = segment,
		.checksum_start = (uint16_t)transport,
		.checksum_offset = is_tcp ? 16 : 6,
	};
	if (is_tcp)
		inner.offload.kind = spec->family == 4 ? NATMUX_OFFLOAD_TCP4 : NATMUX_OFFLOAD_TCP6;
	return inner;
}

/* The split under test, held against each packet of the naive machine in turn. */
struct comparison {
	struct nm_split split;
	uint32_t next;
};

static void compare(void *user, const uint8_t *want, size_t len)
{
	struct comparison *comparison = user;
	uint32_t i = comparison->next++;
	uint8_t *out;

	if (i >= comparison->split.count || nm_split_len(&comparison->split, i) != len)
		fail_msg("packet %u of %u: %u octets for %zu", i, comparison->split.count,
			nm_split_len(&comparison->split, i), len);
	/* A block of exactly that length, so that a sanitizer sees the first octet more. */
	out = malloc(len);
	assert_non_null(out);
	nm_split_write(&comparison->split, i, out);
	for (size_t at = 0; at < len; at++)
		if (out[at] != want[at])
			fail_msg("packet %u of %u, octet %zu of %zu: %02x for %02x", i,
				comparison->split.count, at, len, out[at], want[at]);
	assert_true(inner_is_right(out, len));
	free(out);
}

static void check_super(const struct inner_spec *spec, uint16_t segment)
{
	struct natmux_inner inner = super_of(spec, segment);
	struct comparison comparison = {.next = 0};
	uint8_t *before = malloc(inner.len);

	assert_non_null(before);
	memcpy(before, packet, inner.len);
	assert_true(nm_split_init(&comparison.split, &inner));
	assert_int_equal(inner_cut(packet, inner.len, segment, compare, &comparison),
		comparison.split.count);
	/* The super-packet is only read. */
	assert_memory_equal(before, packet, inner.len);
	free(before);
}

static const uint16_t segments[] = {1, 2, 3, 7, 536, 1000, 1447, 1448, 9000, 65535};

/* Payloads around multiples of the segment, as long as they fit into a packet. */
static void check_payloads(struct inner_spec spec, uint16_t segment)
{
	static const uint32_t times[] = {0, 1, 2, 3, 17, 44, 64};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		for (int more = -1; more <= 1; more++) {
			int64_t len = (int64_t)times[i] * segment + more;

			if (len < 0 || len > 65000)
				continue;
			spec.payload_len = (uint32_t)len;
			spec.seed = (uint8_t)(7 * len);
			check_super(&spec, segment);
		}
	}
}

static void check_kind(uint8_t family, uint8_t protocol)
{
	static const uint8_t ip4_options[] = {0, 4, 40}, ip6_options[] = {0, 8, 48};
	static const uint8_t tcp_options[] = {0, 12, 40};
	struct inner_spec spec = inner_spec(family, protocol);

	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		for (size_t j = 0; j < 3; j++) {
			spec.ip_options = family == 4 ? ip4_options[j] : ip6_options[j];
			spec.tcp_options = protocol == TCP ? tcp_options[j] : 0;
			spec.timestamp = 0xdeadbeef;
			spec.tos = (uint8_t)(j * 33);
			spec.flow_label = 0x54321;
			check_payloads(spec, segments[i]);
		}
	}
}

static void test_tcp4(void **state)
{
	(void)state;
	check_kind(4, TCP);
}

static void test_tcp6(void **state)
{
	(void)state;
	check_kind(6, TCP);
}

static void test_udp4(void **state)
{
	(void)state;
	check_kind(4, UDP);
}

static void test_udp6(void **state)
{
	(void)state;
	check_kind(6, UDP);
}

/* All flags there are, and numbers at their ends. */
static void test_flags_and_numbers(void **state)
{
	struct inner_spec spec = inner_spec(4, TCP);

	(void)state;
	spec.payload_len = 3500;
	for (unsigned int flags = 0; flags < 256; flags++) {
		spec.flags = (uint8_t)flags;
		spec.reserved = flags % 16;
		spec.urgent = (uint16_t)(flags * 257);
		spec.sequence = UINT32_MAX - flags * 7;
		spec.id = (uint16_t)(UINT16_MAX - flags % 5);
		spec.fragment = flags % 2 ? INNER_DF : 0;
		check_super(&spec, 1000);
		check_super(&spec, 3500);
	}
}

static uint8_t flags_of(const struct nm_split *split, uint32_t i)
{
	uint8_t out[2000];

	nm_split_write(split, i, out);
	return out[20 + 13];
}

/* The same in words, for the naive machine could be wrong alike: RFC 3168 6.1.2 and the kernel's. */
static void test_flags_in_words(void **state)
{
	struct inner_spec spec = inner_spec(4, TCP);
	struct nm_split split;
	struct natmux_inner inner;

	(void)state;
	spec.payload_len = 3000;
	spec.flags = INNER_ACK | INNER_PSH | INNER_FIN | INNER_CWR | INNER_ECE;
	inner = super_of(&spec, 1000);
	assert_true(nm_split_init(&split, &inner));
	assert_int_equal(split.count, 3);
	assert_int_equal(flags_of(&split, 0), INNER_ACK | INNER_CWR | INNER_ECE);
	assert_int_equal(flags_of(&split, 1), INNER_ACK | INNER_ECE);
	assert_int_equal(flags_of(&split, 2), INNER_ACK | INNER_PSH | INNER_FIN | INNER_ECE);
}

/* RFC 768: a sum of zero goes out as all ones. */
static void test_udp_sum_of_zero(void **state)
{
	struct inner_spec spec = inner_spec(4, UDP);
	struct natmux_inner inner;
	struct nm_split split;
	uint8_t out[200];

	(void)state;
	spec.payload_len = 20;
	inner = super_of(&spec, 10);
	/* The first ten octets' sum is made zero by what it is now. */
	assert_true(nm_split_init(&split, &inner));
	nm_split_write(&split, 0, out);
	nm_put16(packet + 28, (uint16_t)(nm_get16(out + 28) + nm_get16(out + 26)));
	nm_split_write(&split, 0, out);
	if (nm_get16(out + 26) != 0xffff) {
		/* the carry */
		nm_put16(packet + 28, (uint16_t)(nm_get16(packet + 28) + 1));
		nm_split_write(&split, 0, out);
	}
	assert_int_equal(nm_get16(out + 26), 0xffff);
	assert_true(inner_is_right(out, nm_split_len(&split, 0)));
}

/* Single packets. */

static void expect_copy(const struct natmux_inner *inner, const uint8_t *want)
{
	struct nm_split split;
	uint8_t *out = malloc(inner->len);

	assert_non_null(out);
	assert_true(nm_split_init(&split, inner));
	assert_int_equal(split.count, 1);
	assert_int_equal(nm_split_len(&split, 0), inner->len);
	nm_split_write(&split, 0, out);
	assert_memory_equal(out, want, inner->len);
	free(out);
}

/* Nothing is asked, nothing is changed, be it ever so wrong. */
static void test_single_as_it_is(void **state)
{
	static const uint8_t protocols[] = {TCP, UDP, 1, 47, 50, 58, 132};
	struct inner_spec spec = inner_spec(4, UDP);
	struct natmux_inner inner;

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(protocols); i++) {
		spec.family = i % 2 ? 6 : 4;
		inner = super_of(&spec, 0);
		inner.offload = (struct natmux_offload){0};
		packet[i % 2 ? 6 : 9] = protocols[i / 2];
		packet[60] ^= 0xff;
		expect_copy(&inner, packet);
	}
}

/* Puts the sum of the pseudo header where the transport's checksum is to be (virtio 1.2, 5.1.6.2). */
static void leave_checksum(struct natmux_inner *inner, size_t start, size_t offset)
{
	const uint8_t *ip = inner->data;
	bool is_v4 = ip[0] >> 4 == 4;
	uint8_t pseudo[40] = {0};
	size_t addrs = is_v4 ? 8 : 32;

	memcpy(pseudo, ip + (is_v4 ? 12 : 8), addrs);
	nm_put32(pseudo + addrs, (uint32_t)(inner->len - start));
	pseudo[addrs + 5] = is_v4 ? ip[9] : ip[6];
	nm_put16(inner->data + start + offset, (uint16_t)~inner_sum(0, pseudo, addrs + 6));
	inner->offload = (struct natmux_offload){
		.needs_checksum = 1,
		.checksum_start = (uint16_t)start,
		.checksum_offset = (uint16_t)offset,
	};
}

static void test_single_checksums(void **state)
{
	uint8_t want[2000];

	(void)state;
	for (unsigned int i = 0; i < 400; i++) {
		struct inner_spec spec = inner_spec(i % 2 ? 6 : 4, i / 2 % 2 ? UDP : TCP);
		struct natmux_inner inner;

		spec.payload_len = i;
		spec.seed = (uint8_t)(i * 31);
		spec.host = (uint8_t)i;
		inner = super_of(&spec, 0);
		memcpy(want, packet, inner.len);
		leave_checksum(&inner, spec.family == 4 ? 20 : 40, spec.protocol == TCP ? 16 : 6);
		expect_copy(&inner, want);
	}
}

/*
 * A TCP segment inside another tunnel's packet: its checksum is left to the device like any other, and
 * lies wherever it lies.
 */
static void test_checksum_inside_a_tunnel(void **state)
{
	static const uint8_t protocols[] = {4, 47, UDP};
	static const size_t headers[] = {0, 4, 8 + 8 + 14};
	struct inner_spec spec = inner_spec(4, TCP);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		size_t behind = 20 + headers[i], len;
		struct natmux_inner inner;
		uint8_t want[2000];

		len = inner_build(&spec, packet + behind);
		inner = (struct natmux_inner){.data = packet + behind, .len = (uint32_t)len};
		memcpy(want + behind, packet + behind, len);
		leave_checksum(&inner, 20, 16);
		/* IPIP, GRE, VXLAN without a checksum of its own */
		memset(packet, 0, behind);
		packet[0] = 0x45;
		nm_put16(packet + 2, (uint16_t)(behind + len));
		packet[8] = 64;
		packet[9] = protocols[i];
		if (protocols[i] == UDP)
			nm_put16(packet + 24, (uint16_t)(behind + len - 20));
		memcpy(want, packet, behind);
		inner.data = packet;
		inner.len = (uint32_t)(behind + len);
		inner.offload.checksum_start = (uint16_t)(behind + 20);
		expect_copy(&inner, want);
	}
}

/* The device and the packet contradict each other. */
struct lie {
	const char *name;
	uint8_t family, protocol;
	void (*tell)(struct natmux_inner *inner);
};

static void say_tcp4(struct natmux_inner *inner)
{
	inner->offload.kind = NATMUX_OFFLOAD_TCP4;
}

static void say_tcp6(struct natmux_inner *inner)
{
	inner->offload.kind = NATMUX_OFFLOAD_TCP6;
}

static void say_udp(struct natmux_inner *inner)
{
	inner->offload.kind = NATMUX_OFFLOAD_UDP;
}

static void say_something(struct natmux_inner *inner)
{
	inner->offload.kind = NATMUX_OFFLOAD_UDP + 1;
}

static void say_255(struct natmux_inner *inner)
{
	inner->offload.kind = 255;
}

static void no_segment(struct natmux_inner *inner)
{
	inner->offload.segment = 0;
}

static void longer(struct natmux_inner *inner)
{
	inner->len++;
}

static void shorter(struct natmux_inner *inner)
{
	inner->len--;
}

static void empty(struct natmux_inner *inner)
{
	inner->len = 0;
}

static void fragment(struct natmux_inner *inner)
{
	inner->data[6] = 0x20;
}

static void no_ip(struct natmux_inner *inner)
{
	inner->data[0] = 0x15;
}

static void tcp_offset_4(struct natmux_inner *inner)
{
	inner->data[20 + 12] = 0x40;
}

static void tcp_offset_0(struct natmux_inner *inner)
{
	inner->data[20 + 12] = 0;
}

/* A packet that ends in its transport header. */
static void cut_to(struct natmux_inner *inner, uint16_t len)
{
	inner->len = len;
	nm_put16(inner->data + 2, len);
}

static void half_tcp(struct natmux_inner *inner)
{
	cut_to(inner, 39);
}

static void half_tcp_options(struct natmux_inner *inner)
{
	cut_to(inner, 40);
	inner->data[20 + 12] = 0x60;
}

static void half_udp(struct natmux_inner *inner)
{
	cut_to(inner, 27);
}

static void no_transport(struct natmux_inner *inner)
{
	cut_to(inner, 20);
}

static void single(struct natmux_inner *inner)
{
	inner->offload.kind = NATMUX_OFFLOAD_NONE;
}

static void single_fragment(struct natmux_inner *inner)
{
	single(inner);
	fragment(inner);
}

static void checksum_behind(struct natmux_inner *inner)
{
	single(inner);
	inner->offload.checksum_start = (uint16_t)(inner->len - 7);
	inner->offload.checksum_offset = 6;
}

static void checksum_far_behind(struct natmux_inner *inner)
{
	single(inner);
	inner->offload.checksum_offset = 65535;
}

static void checksum_start_far_behind(struct natmux_inner *inner)
{
	single(inner);
	inner->offload.checksum_start = 65535;
	inner->offload.checksum_offset = 65535;
}

static void checksum_in_ip(struct natmux_inner *inner)
{
	single(inner);
	inner->offload.checksum_start = 19;
}

static void checksum_of_all(struct natmux_inner *inner)
{
	single(inner);
	inner->offload.checksum_start = 0;
	inner->offload.checksum_offset = 10;
}

static const struct lie lies[] = {
	{"TCP4 of IPv6", 6, TCP, say_tcp4},
	{"TCP6 of IPv4", 4, TCP, say_tcp6},
	{"TCP4 of UDP", 4, UDP, say_tcp4},
	{"TCP6 of UDP", 6, UDP, say_tcp6},
	{"UDP of TCP", 4, TCP, say_udp},
	{"a kind that is none", 4, TCP, say_something},
	{"kind 255", 6, TCP, say_255},
	{"kind 255 of UDP", 4, UDP, say_255},
	{"no segment", 4, TCP, no_segment},
	{"no segment, UDP", 6, UDP, no_segment},
	{"longer", 4, TCP, longer},
	{"longer, IPv6", 6, UDP, longer},
	{"shorter", 4, TCP, shorter},
	{"shorter, IPv6", 6, UDP, shorter},
	{"empty", 4, TCP, empty},
	{"fragment", 4, TCP, fragment},
	{"fragment, UDP", 4, UDP, fragment},
	{"no IP", 4, TCP, no_ip},
	{"TCP header of 16", 4, TCP, tcp_offset_4},
	{"TCP header of 0", 4, TCP, tcp_offset_0},
	{"TCP header cut", 4, TCP, half_tcp},
	{"TCP options cut", 4, TCP, half_tcp_options},
	{"no TCP header", 4, TCP, no_transport},
	{"UDP header cut", 4, UDP, half_udp},
	{"no UDP header", 4, UDP, no_transport},
	{"checksum of a fragment", 4, UDP, single_fragment},
	{"checksum behind the end", 4, UDP, checksum_behind},
	{"checksum far behind the end", 4, UDP, checksum_far_behind},
	{"start far behind the end", 6, UDP, checksum_start_far_behind},
	{"checksum in the IP header", 4, UDP, checksum_in_ip},
	{"checksum of the IP header", 4, TCP, checksum_of_all},
	{"checksum in the IPv6 header", 6, TCP, checksum_of_all},
};

static void test_lies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct inner_spec spec = inner_spec(lies[i].family, lies[i].protocol);
		struct natmux_inner inner = super_of(&spec, 300);
		struct nm_split split;

		assert_true(nm_split_init(&split, &inner));
		lies[i].tell(&inner);
		if (nm_split_init(&split, &inner))
			fail_msg("%s: believed", lies[i].name);
	}
}

/* A routing header hides the destination that belongs to the sum: such a train is refused. */
static void test_routing_header(void **state)
{
	static uint8_t bytes[4000];
	struct natmux_inner inner = {.data = bytes};
	struct inner_spec spec = inner_spec(6, 17);
	struct nm_split split;

	(void)state;
	spec.ip_options = 8;
	spec.payload_len = 2000;
	inner.len = (uint32_t)inner_build(&spec, bytes);
	inner.offload = (struct natmux_offload){.kind = NATMUX_OFFLOAD_UDP,
		.needs_checksum = 1,
		.header_len = 56,
		.segment = 1000,
		.checksum_start = 48,
		.checksum_offset = 6};
	assert_true(nm_split_init(&split, &inner));
	bytes[6] = 43;
	assert_false(nm_split_init(&split, &inner));
	/* Alone it is somebody else's sum, and passes. */
	inner.offload = (struct natmux_offload){0};
	assert_true(nm_split_init(&split, &inner));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp4),
		cmocka_unit_test(test_tcp6),
		cmocka_unit_test(test_udp4),
		cmocka_unit_test(test_udp6),
		cmocka_unit_test(test_flags_and_numbers),
		cmocka_unit_test(test_flags_in_words),
		cmocka_unit_test(test_udp_sum_of_zero),
		cmocka_unit_test(test_single_as_it_is),
		cmocka_unit_test(test_single_checksums),
		cmocka_unit_test(test_checksum_inside_a_tunnel),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_routing_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
