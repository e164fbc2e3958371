/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which packets are put together and which never: one rule a line, after the kernel's GRO. Whatever comes
 * out is cut again and held against what went in. Ledger row N9.
 */
#include "test.h"

#include <stdbool.h>
#include <stdio.h>
#include "base/bytes.h"
#include "tests/fakes/coalesce_check.h"
#include "tests/fakes/inner_packets.h"

enum { TCP = 6, UDP = 17 };

static struct coalesce_check check;

static void add_bytes(const uint8_t *packet, size_t len)
{
	assert_true(coalesce_check_add(&check, packet, len));
}

static void add(const struct inner_spec *spec)
{
	static uint8_t packet[INNER_MAX + 100];

	add_bytes(packet, inner_build(spec, packet));
}

static void end(void)
{
	const char *wrong = coalesce_check_end(&check);

	if (wrong)
		fail_msg("%s", wrong);
}

/* What comes behind it: the next octets, the next identification. */
static struct inner_spec next_of(const struct inner_spec *spec)
{
	struct inner_spec next = *spec;

	next.sequence += spec->payload_len;
	next.id++;
	next.seed = (uint8_t)(spec->seed + 5);
	return next;
}

/* What is special about the first packet, the second, or both. */
typedef void change(struct inner_spec *spec);

static void nothing(struct inner_spec *spec)
{
	(void)spec;
}

static void psh(struct inner_spec *spec)
{
	spec->flags |= INNER_PSH;
}

static void fin(struct inner_spec *spec)
{
	spec->flags |= INNER_FIN;
}

static void syn(struct inner_spec *spec)
{
	spec->flags |= INNER_SYN;
}

static void rst(struct inner_spec *spec)
{
	spec->flags |= INNER_RST;
}

static void urg(struct inner_spec *spec)
{
	spec->flags |= INNER_URG;
}

static void ece(struct inner_spec *spec)
{
	spec->flags |= INNER_ECE;
}

static void cwr(struct inner_spec *spec)
{
	spec->flags |= INNER_CWR;
}

static void no_ack(struct inner_spec *spec)
{
	spec->flags = 0;
}

static void reserved(struct inner_spec *spec)
{
	spec->reserved = 1;
}

static void ack(struct inner_spec *spec)
{
	spec->ack++;
}

static void window(struct inner_spec *spec)
{
	spec->window--;
}

static void urgent(struct inner_spec *spec)
{
	spec->urgent = 1;
}

static void gap(struct inner_spec *spec)
{
	spec->sequence++;
}

static void overlap(struct inner_spec *spec)
{
	spec->sequence--;
}

static void repeat(struct inner_spec *spec)
{
	spec->sequence -= spec->payload_len;
}

static void far_ahead(struct inner_spec *spec)
{
	spec->sequence += UINT32_C(1) << 31;
}

static void wrap(struct inner_spec *spec)
{
	spec->sequence = UINT32_MAX - 500;
}

static void options(struct inner_spec *spec)
{
	spec->tcp_options = 12;
	spec->timestamp = 1000;
}

static void other_options(struct inner_spec *spec)
{
	spec->tcp_options = 16;
	spec->timestamp = 1000;
}

static void later_options(struct inner_spec *spec)
{
	spec->tcp_options = 12;
	spec->timestamp = 1001;
}

static void shorter(struct inner_spec *spec)
{
	spec->payload_len--;
}

static void longer(struct inner_spec *spec)
{
	spec->payload_len++;
}

static void one_octet(struct inner_spec *spec)
{
	spec->payload_len = 1;
}

static void empty(struct inner_spec *spec)
{
	spec->payload_len = 0;
}

static void tos(struct inner_spec *spec)
{
	spec->tos = 0xb8;
}

static void ecn(struct inner_spec *spec)
{
	spec->tos |= 3;
}

static void ttl(struct inner_spec *spec)
{
	spec->ttl--;
}

static void no_df(struct inner_spec *spec)
{
	spec->fragment = 0;
}

static void reserved_flag(struct inner_spec *spec)
{
	spec->fragment |= 0x8000;
}

static void same_id(struct inner_spec *spec)
{
	spec->id--;
}

static void far_id(struct inner_spec *spec)
{
	spec->id++;
}

static void last_id(struct inner_spec *spec)
{
	spec->id = UINT16_MAX;
}

static void first_fragment(struct inner_spec *spec)
{
	spec->fragment = INNER_MF;
}

static void later_fragment(struct inner_spec *spec)
{
	spec->fragment = 100;
}

static void ip4_options(struct inner_spec *spec)
{
	spec->ip_options = 4;
}

static void ip6_options(struct inner_spec *spec)
{
	spec->ip_options = 8;
}

static void flow_label(struct inner_spec *spec)
{
	spec->flow_label = 1;
}

static void source_port(struct inner_spec *spec)
{
	spec->source_port++;
}

static void destination_port(struct inner_spec *spec)
{
	spec->destination_port++;
}

static void host(struct inner_spec *spec)
{
	spec->host++;
}

enum { V4 = 1, V6 = 2, ANY = 3 };

static const struct {
	const char *name;
	uint8_t protocol;
	int families;
	change *both, *first, *second;
	bool is_merged;
} rules[] = {
	{"in a row", TCP, ANY, nothing, nothing, nothing, true},
	{"PSH ends it", TCP, ANY, nothing, nothing, psh, true},
	{"PSH on the first", TCP, ANY, nothing, psh, nothing, false},
	{"PSH on both", TCP, ANY, psh, nothing, nothing, false},
	{"FIN", TCP, ANY, nothing, nothing, fin, false},
	{"FIN on the first", TCP, ANY, nothing, fin, nothing, false},
	{"SYN", TCP, ANY, nothing, nothing, syn, false},
	{"SYN on both", TCP, ANY, syn, nothing, nothing, false},
	{"RST", TCP, ANY, nothing, nothing, rst, false},
	{"RST on both", TCP, ANY, rst, nothing, nothing, false},
	{"URG", TCP, ANY, nothing, nothing, urg, false},
	{"URG on both", TCP, ANY, urg, nothing, nothing, false},
	{"ECE", TCP, ANY, nothing, nothing, ece, false},
	{"ECE on both", TCP, ANY, ece, nothing, nothing, false},
	{"CWR", TCP, ANY, nothing, nothing, cwr, false},
	{"CWR on the first", TCP, ANY, nothing, cwr, nothing, false},
	{"no ACK", TCP, ANY, nothing, nothing, no_ack, false},
	{"no ACK on both", TCP, ANY, no_ack, nothing, nothing, false},
	{"reserved bits", TCP, ANY, nothing, nothing, reserved, false},
	{"reserved bits on both", TCP, ANY, reserved, nothing, nothing, true},
	{"acknowledgement", TCP, ANY, nothing, nothing, ack, false},
	{"window", TCP, ANY, nothing, nothing, window, false},
	{"urgent pointer", TCP, ANY, nothing, nothing, urgent, false},
	{"urgent pointer on both", TCP, ANY, urgent, nothing, nothing, true},
	{"gap", TCP, ANY, nothing, nothing, gap, false},
	{"overlap", TCP, ANY, nothing, nothing, overlap, false},
	{"repeat", TCP, ANY, nothing, nothing, repeat, false},
	{"far ahead", TCP, ANY, nothing, nothing, far_ahead, false},
	{"around 2^32", TCP, ANY, wrap, nothing, nothing, true},
	{"timestamps", TCP, ANY, options, nothing, nothing, true},
	{"later timestamp", TCP, ANY, nothing, options, later_options, false},
	{"more options", TCP, ANY, nothing, options, other_options, false},
	{"options on the second", TCP, ANY, nothing, nothing, options, false},
	{"options on the first", TCP, ANY, nothing, options, nothing, false},
	{"shorter", TCP, ANY, nothing, nothing, shorter, true},
	{"one octet", TCP, ANY, nothing, nothing, one_octet, true},
	{"longer", TCP, ANY, nothing, nothing, longer, false},
	{"acknowledgement alone", TCP, ANY, nothing, nothing, empty, false},
	{"acknowledgements alone", TCP, ANY, empty, nothing, nothing, false},
	{"octet by octet", TCP, ANY, one_octet, nothing, nothing, true},
	{"TOS", TCP, ANY, nothing, nothing, tos, false},
	{"TOS on both", TCP, ANY, tos, nothing, nothing, true},
	{"ECN", TCP, ANY, nothing, nothing, ecn, false},
	{"ECN on both", TCP, ANY, ecn, nothing, nothing, true},
	{"TTL", TCP, ANY, nothing, nothing, ttl, false},
	{"DF on the first", TCP, V4, nothing, nothing, no_df, false},
	{"DF on the second", TCP, V4, nothing, no_df, nothing, false},
	{"no DF", TCP, V4, no_df, nothing, nothing, true},
	{"reserved flag", TCP, V4, nothing, nothing, reserved_flag, false},
	{"same identification", TCP, V4, nothing, nothing, same_id, false},
	{"identification ahead", TCP, V4, nothing, nothing, far_id, false},
	{"identification around 2^16", TCP, V4, last_id, nothing, nothing, true},
	{"options of IPv4", TCP, V4, ip4_options, nothing, nothing, false},
	{"options of the first", TCP, V4, nothing, ip4_options, nothing, false},
	{"extension headers", TCP, V6, ip6_options, nothing, nothing, false},
	{"extension header of the second", TCP, V6, nothing, nothing, ip6_options, false},
	{"flow label", TCP, V6, nothing, nothing, flow_label, false},
	{"source port", TCP, ANY, nothing, nothing, source_port, false},
	{"destination port", TCP, ANY, nothing, nothing, destination_port, false},
	{"addresses", TCP, ANY, nothing, nothing, host, false},
	{"first fragments", TCP, V4, first_fragment, nothing, nothing, false},
	{"fragment behind", TCP, V4, nothing, nothing, first_fragment, false},
	{"later fragments", TCP, V4, later_fragment, nothing, nothing, false},
	{"datagrams", UDP, ANY, nothing, nothing, nothing, true},
	{"shorter datagram", UDP, ANY, nothing, nothing, shorter, true},
	{"datagram of one octet", UDP, ANY, nothing, nothing, one_octet, true},
	{"longer datagram", UDP, ANY, nothing, nothing, longer, false},
	{"empty datagram", UDP, ANY, nothing, nothing, empty, false},
	{"empty datagrams", UDP, ANY, empty, nothing, nothing, false},
	{"TOS of a datagram", UDP, ANY, nothing, nothing, tos, false},
	{"TTL of a datagram", UDP, ANY, nothing, nothing, ttl, false},
	{"DF of a datagram", UDP, V4, nothing, nothing, no_df, false},
	{"identification of a datagram", UDP, V4, nothing, nothing, far_id, false},
	{"flow label of a datagram", UDP, V6, nothing, nothing, flow_label, false},
	{"options of a datagram", UDP, V4, ip4_options, nothing, nothing, false},
	{"extensions of a datagram", UDP, V6, ip6_options, nothing, nothing, false},
	{"port of a datagram", UDP, ANY, nothing, nothing, source_port, false},
	{"fragments of datagrams", UDP, V4, first_fragment, nothing, nothing, false},
};

static void check_rule(size_t line, uint8_t family)
{
	struct inner_spec first = inner_spec(family, rules[line].protocol), second;

	coalesce_check_begin(&check, true, true);
	rules[line].both(&first);
	second = next_of(&first);
	rules[line].first(&first);
	rules[line].second(&second);
	add(&first);
	add(&second);
	coalesce_check_flush(&check);
	if (check.wrong)
		fail_msg("%s, IPv%u: %s", rules[line].name, family, check.wrong);
	if (check.delivered != (rules[line].is_merged ? 1 : 2))
		fail_msg("%s, IPv%u: %zu packets", rules[line].name, family, check.delivered);
	end();
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		if (rules[i].families & V4)
			check_rule(i, 4);
		if (rules[i].families & V6)
			check_rule(i, 6);
	}
}

/* Behind what ends a super-packet comes another one. */
static void test_what_ends(void **state)
{
	static change *const ends[] = {psh, shorter};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct inner_spec spec = inner_spec(4, TCP);

		coalesce_check_begin(&check, true, true);
		for (int packet = 0; packet < 9; packet++) {
			struct inner_spec one = spec;

			if (packet % 3 == 2)
				ends[i](&one);
			add(&one);
			spec = next_of(&one);
			spec.flags = INNER_ACK;
			spec.payload_len = 1000;
		}
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, 3);
		assert_int_equal(check.merged, 9);
		end();
	}
}

/* A packet of which one octet is changed and no checksum put right. */
static void add_spoilt(const struct inner_spec *spec, size_t at, uint8_t flip)
{
	uint8_t packet[2000];
	size_t len = inner_build(spec, packet);

	packet[at] ^= flip;
	add_bytes(packet, len);
}

/* RFC 3948 3.1.2: what was wrong must not become right in here. */
static void check_spoilt(uint8_t family, uint8_t protocol, size_t at)
{
	struct inner_spec first = inner_spec(family, protocol), second = next_of(&first),
			  third = next_of(&second);

	coalesce_check_begin(&check, true, true);
	add(&first);
	add_spoilt(&second, at, 1);
	add(&third);
	coalesce_check_flush(&check);
	if (check.delivered != 3 || check.merged > 0)
		fail_msg("IPv%u, protocol %u: octet %zu does not count", family, protocol, at);
	end();
}

static void test_wrong_checksums(void **state)
{
	(void)state;
	/* Payload, checksum field. */
	check_spoilt(4, TCP, 20 + 20 + 500);
	check_spoilt(4, TCP, 20 + 16);
	check_spoilt(6, TCP, 40 + 20 + 999);
	check_spoilt(6, TCP, 40 + 17);
	check_spoilt(4, UDP, 20 + 8 + 500);
	check_spoilt(4, UDP, 20 + 6);
	check_spoilt(6, UDP, 40 + 8 + 1);
	check_spoilt(6, UDP, 40 + 7);
	/* IPv4's own. */
	check_spoilt(4, TCP, 10);
	check_spoilt(4, TCP, 11);
	check_spoilt(4, UDP, 11);
}

/* All of a row with wrong IPv4 checksums: none may come out with a right one. */
static void test_wrong_header_checksums(void **state)
{
	struct inner_spec spec = inner_spec(4, TCP);

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (int i = 0; i < 5; i++) {
		add_spoilt(&spec, 10, 0x40);
		spec = next_of(&spec);
	}
	coalesce_check_flush(&check);
	assert_int_equal(check.delivered, 5);
	end();
}

/*
 * Changes two octets until a checksum field is `want`: what is left of the sum goes into them, and once
 * more for the carry.
 */
static void tune(uint8_t *packet, size_t field, size_t octets, uint16_t want)
{
	for (int i = 0; i < 3 && nm_get16(packet + field) != want; i++) {
		nm_put16(packet + octets,
			(uint16_t)(nm_get16(packet + octets) + nm_get16(packet + field)));
		inner_fix(packet);
	}
	assert_int_equal(nm_get16(packet + field), want);
}

/* Three in a row, of which the second has such a field, written otherwise. */
static void check_field(
	uint8_t protocol, size_t field, size_t octets, uint16_t right, uint16_t written)
{
	struct inner_spec spec = inner_spec(4, protocol);
	uint8_t packet[2000];
	size_t len;

	coalesce_check_begin(&check, true, true);
	add(&spec);
	spec = next_of(&spec);
	len = inner_build(&spec, packet);
	tune(packet, field, octets, right);
	nm_put16(packet + field, written);
	assert_true(inner_is_right(packet, len));
	add_bytes(packet, len);
	spec = next_of(&spec);
	add(&spec);
	end();
}

/* The same with IPv4's own checksum, which the identification brings there. */
static void check_ip_field(uint8_t protocol)
{
	struct inner_spec spec = inner_spec(4, protocol);
	uint8_t packet[2000];
	size_t len = inner_build(&spec, packet);

	tune(packet, 10, 4, 0);
	spec.id = (uint16_t)(nm_get16(packet + 4) - 1);
	coalesce_check_begin(&check, true, true);
	add(&spec);
	spec = next_of(&spec);
	inner_build(&spec, packet);
	assert_int_equal(nm_get16(packet + 10), 0);
	nm_put16(packet + 10, 0xffff);
	assert_true(inner_is_right(packet, len));
	add_bytes(packet, len);
	spec = next_of(&spec);
	add(&spec);
	end();
}

/*
 * All ones is zero to those who check, but not what anybody writes: it would not come out again. Nor
 * would a datagram without checksum whose sum happens to be right.
 */
static void test_other_zeros(void **state)
{
	(void)state;
	check_field(TCP, 36, 60, 0, 0xffff);
	check_field(UDP, 26, 60, 0xffff, 0);
	check_ip_field(TCP);
	check_ip_field(UDP);
}

static void test_udp_without_checksum(void **state)
{
	struct inner_spec spec = inner_spec(4, UDP);
	uint8_t packet[2000];

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (int i = 0; i < 3; i++) {
		size_t len = inner_build(&spec, packet);

		nm_put16(packet + 26, 0);
		add_bytes(packet, len);
		spec = next_of(&spec);
	}
	coalesce_check_flush(&check);
	assert_int_equal(check.delivered, 3);
	end();
}

/* UDP that says that it is shorter than IP does: octets behind it are nobody's. */
static void test_udp_length(void **state)
{
	static const uint16_t lens[] = {0, 7, 8, 100, 1007, 1009, 65535};
	uint8_t packet[2000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		struct inner_spec spec = inner_spec(4, UDP);

		coalesce_check_begin(&check, true, true);
		for (int n = 0; n < 3; n++) {
			size_t len = inner_build(&spec, packet);

			nm_put16(packet + 24, lens[i]);
			inner_fix(packet);
			add_bytes(packet, len);
			spec = next_of(&spec);
		}
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, 3);
		end();
	}
}

static void test_broken_tcp_headers(void **state)
{
	static const uint8_t offsets[] = {0, 0x10, 0x40, 0xf0};
	uint8_t packet[2000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct inner_spec spec = inner_spec(4, TCP);

		spec.payload_len = 30;
		coalesce_check_begin(&check, true, true);
		for (int n = 0; n < 3; n++) {
			size_t len = inner_build(&spec, packet);

			packet[20 + 12] = offsets[i];
			inner_fix(packet);
			add_bytes(packet, len);
			spec = next_of(&spec);
		}
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, 3);
		end();
	}
	/* Transport headers that are cut, down to nothing. */
	for (unsigned int len = 20; len < 40; len++) {
		struct inner_spec spec = inner_spec(4, len % 2 ? TCP : UDP);

		coalesce_check_begin(&check, true, true);
		inner_build(&spec, packet);
		nm_put16(packet + 2, (uint16_t)len);
		add_bytes(packet, len);
		add_bytes(packet, len);
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, 2);
		end();
	}
}

/* TFC padding is behind the packet, and stays there. */
static void test_tfc_padding(void **state)
{
	struct inner_spec spec = inner_spec(6, UDP);
	uint8_t packet[2000] = {0};

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (int i = 0; i < 10; i++) {
		size_t len = inner_build(&spec, packet);

		memset(packet + len, 0, 300);
		add_bytes(packet, len + 300);
		spec = next_of(&spec);
	}
	coalesce_check_flush(&check);
	assert_int_equal(check.delivered, 1);
	end();
}

/* Packets of these lengths in a row; how many come out. */
static size_t row_of(uint8_t family, uint8_t protocol, const uint32_t *lens, size_t n)
{
	struct inner_spec spec = inner_spec(family, protocol);

	coalesce_check_begin(&check, true, true);
	for (size_t i = 0; i < n; i++) {
		spec.payload_len = lens[i];
		add(&spec);
		spec = next_of(&spec);
	}
	coalesce_check_flush(&check);
	end();
	return check.delivered;
}

static size_t run_of(uint8_t family, uint8_t protocol, uint32_t payload_len, size_t n)
{
	uint32_t lens[1000];

	for (size_t i = 0; i < n; i++)
		lens[i] = payload_len;
	return row_of(family, protocol, lens, n);
}

/* No more parts than a write to the device takes, no longer than a packet can say that it is. */
static void test_limits(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		uint8_t family = i % 2 ? 6 : 4, protocol = i / 2 ? UDP : TCP;

		assert_int_equal(run_of(family, protocol, 100, 64), 1);
		assert_int_equal(check.most_parts, 64);
		assert_int_equal(run_of(family, protocol, 100, 65), 2);
		assert_int_equal(run_of(family, protocol, 1, 1000), 16);
		assert_int_equal(run_of(family, protocol, 1400, 100), 3);
		assert_in_range(check.longest, 65535 - 1400, 65535);
		assert_int_equal(run_of(family, protocol, 9000, 100), 15);
		assert_int_equal(run_of(family, protocol, 40000, 3), 3);
	}
}

/* To the octet: 20 or 40 and 20 of headers, and the rest of 65535. */
static void test_longest(void **state)
{
	static const struct {
		uint8_t family, protocol;
		uint32_t headers;
	} kinds[] = {{4, TCP, 40}, {6, TCP, 60}, {4, UDP, 28}, {6, UDP, 48}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint32_t lens[5] = {13200, 13200, 13200, 13200};

		lens[4] = 65535 - kinds[i].headers - 4 * 13200;
		assert_int_equal(row_of(kinds[i].family, kinds[i].protocol, lens, 5), 1);
		assert_int_equal(check.longest, 65535);
		lens[4]++;
		assert_int_equal(row_of(kinds[i].family, kinds[i].protocol, lens, 5), 2);
		assert_int_equal(check.longest, kinds[i].headers + 4 * 13200);
	}
}

/* Flows that take turns are put together side by side, up to the number of slots. */
static void take_turns(uint8_t flows, size_t each)
{
	struct inner_spec specs[64];

	coalesce_check_begin(&check, true, true);
	for (uint8_t i = 0; i < flows; i++) {
		specs[i] = inner_spec(i % 2 ? 6 : 4, i % 3 ? TCP : UDP);
		specs[i].host = i;
	}
	for (size_t n = 0; n < each; n++) {
		for (uint8_t i = 0; i < flows; i++) {
			add(&specs[i]);
			specs[i] = next_of(&specs[i]);
		}
	}
	coalesce_check_flush(&check);
	end();
}

static void test_many_flows(void **state)
{
	(void)state;
	take_turns(NM_COALESCE_SLOTS, 10);
	assert_int_equal(check.delivered, NM_COALESCE_SLOTS);
	assert_int_equal(check.merged, 10 * NM_COALESCE_SLOTS);
	/* One more, and each makes room for the next before it grew. */
	take_turns(NM_COALESCE_SLOTS + 1, 10);
	assert_int_equal(check.packets, 10 * (NM_COALESCE_SLOTS + 1));
	take_turns(60, 20);
	assert_int_equal(check.packets, 60 * 20);
}

/* It is the oldest that makes room, not the one that came last. */
static void test_who_makes_room(void **state)
{
	struct inner_spec spec = inner_spec(4, UDP), ninth = spec;

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (unsigned int i = 0; i < NM_COALESCE_SLOTS + 2; i++) {
		spec.host = (uint8_t)i;
		add(&spec);
		if (i == NM_COALESCE_SLOTS)
			ninth = next_of(&spec);
	}
	assert_int_equal(check.delivered, 2);
	add(&ninth);
	coalesce_check_flush(&check);
	assert_int_equal(check.merged, 2);
	end();
}

static void test_what_the_device_takes(void **state)
{
	struct inner_spec tcp = inner_spec(4, TCP), udp = inner_spec(4, UDP);

	(void)state;
	for (int takes = 0; takes < 4; takes++) {
		coalesce_check_begin(&check, takes & 1, takes & 2);
		for (int i = 0; i < 5; i++) {
			add(&tcp);
			add(&udp);
			tcp = next_of(&tcp);
			udp = next_of(&udp);
		}
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, (takes & 1 ? 1 : 5) + (takes & 2 ? 1 : 5));
		end();
	}
}

/* Whatever cannot be put together goes behind what its flow has under way. */
static void test_order(void **state)
{
	static change *const odd[] = {fin, empty, ip4_options, first_fragment, tos, repeat};
	struct inner_spec spec = inner_spec(4, TCP);

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (size_t i = 0; i < 20 * ARRAY_SIZE(odd); i++) {
		struct inner_spec one = spec;

		if (i % 5 == 4)
			odd[i / 5 % ARRAY_SIZE(odd)](&one);
		add(&one);
		spec = next_of(&spec);
	}
	assert_true(check.delivered > 0);
	end();
	assert_true(check.merged > 0);
}

/* A flush leaves nothing behind: the next packet begins anew. */
static void test_flush(void **state)
{
	struct inner_spec spec = inner_spec(4, TCP);

	(void)state;
	coalesce_check_begin(&check, true, true);
	coalesce_check_flush(&check);
	assert_int_equal(check.delivered, 0);
	for (int i = 0; i < 10; i++) {
		add(&spec);
		spec = next_of(&spec);
		coalesce_check_flush(&check);
		coalesce_check_flush(&check);
		assert_int_equal(check.delivered, i + 1);
		assert_int_equal(check.last_kind, NATMUX_OFFLOAD_NONE);
	}
	end();
}

/* Packets without ports, or of other protocols, go straight through. */
static void test_other_protocols(void **state)
{
	static const uint8_t protocols[] = {1, 2, 4, 47, 50, 132, 136};
	struct inner_spec spec = inner_spec(4, UDP);
	uint8_t packet[2000];

	(void)state;
	coalesce_check_begin(&check, true, true);
	for (size_t i = 0; i < 10 * ARRAY_SIZE(protocols); i++) {
		size_t len = inner_build(&spec, packet);

		packet[9] = protocols[i / 10];
		add_bytes(packet, len);
		spec = next_of(&spec);
		assert_int_equal(check.delivered, i + 1);
	}
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_what_ends),
		cmocka_unit_test(test_wrong_checksums),
		cmocka_unit_test(test_wrong_header_checksums),
		cmocka_unit_test(test_other_zeros),
		cmocka_unit_test(test_udp_without_checksum),
		cmocka_unit_test(test_udp_length),
		cmocka_unit_test(test_broken_tcp_headers),
		cmocka_unit_test(test_tfc_padding),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_many_flows),
		cmocka_unit_test(test_who_makes_room),
		cmocka_unit_test(test_what_the_device_takes),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_other_protocols),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
