/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header that goes before each packet of a TUN device: byte for byte in little-endian order on
 * every host, and held against the packet, whatever it says.
 */
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include "base/bytes.h"
#include "io/inner_tun_vnet.h"

enum { NEEDS = 1, VALID = 2, TCP4 = 1, UFO = 3, TCP6 = 4, USO = 5, ECN = 0x80, LEN = 2000 };

/* The fields as on the wire: flags, type, then four little-endian numbers. */
struct header {
	uint8_t flags, type;
	uint16_t header_len, segment, start, offset;
};

static void put_le16(uint8_t *p, uint16_t value)
{
	p[0] = (uint8_t)value;
	p[1] = (uint8_t)(value >> 8);
}

static void put_header(const struct header *header, uint8_t bytes[static NM_VNET_LEN])
{
	bytes[0] = header->flags;
	bytes[1] = header->type;
	put_le16(bytes + 2, header->header_len);
	put_le16(bytes + 4, header->segment);
	put_le16(bytes + 6, header->start);
	put_le16(bytes + 8, header->offset);
}

enum packet {
	P4_TCP,        /* 20 + 20 */
	P4_TCP_LONG,   /* 24 + 32: options in both */
	P6_TCP,        /* 40 + 20 */
	P6_TCP_BEHIND, /* 40 + 8 + 20: behind an extension header */
	P4_UDP,        /* 20 + 8 */
	P6_UDP,        /* 40 + 8 */
	P4_TCP_SHORT,  /* 20 + 20, of which TCP says that it has 16 */
	P4_BROKEN,     /* IP header of 16 octets */
	P4_ESP,
	PX_ODD, /* IP version 5 */
};

/* Headers only; the rest is zero. */
static void put_packet(enum packet packet, uint8_t data[static LEN])
{
	static const struct {
		uint8_t first, protocol_at, protocol;
		uint8_t tcp_offset_at, tcp_offset;
	} packets[] = {
		[P4_TCP] = {0x45, 9, 6, 32, 0x50},
		[P4_TCP_LONG] = {0x46, 9, 6, 36, 0x80},
		[P6_TCP] = {0x60, 6, 6, 52, 0x50},
		[P6_TCP_BEHIND] = {0x60, 6, 60, 60, 0x50},
		[P4_UDP] = {0x45, 9, 17, 0, 0x45},
		[P6_UDP] = {0x60, 6, 17, 0, 0x60},
		[P4_TCP_SHORT] = {0x45, 9, 6, 32, 0x40},
		[P4_BROKEN] = {0x44, 9, 6, 28, 0x50},
		[P4_ESP] = {0x45, 9, 50, 32, 0x50},
		[PX_ODD] = {0x55, 9, 6, 32, 0x50},
	};

	memset(data, 0, LEN);
	data[0] = packets[packet].first;
	data[packets[packet].protocol_at] = packets[packet].protocol;
	data[packets[packet].tcp_offset_at] = packets[packet].tcp_offset;
}

static void test_decode(void **state)
{
	static const struct {
		struct header header;
		enum packet packet;
		struct natmux_offload offload;
	} cases[] = {
		{{0}, P4_TCP, {0}},
		{{0}, PX_ODD, {0}}, /* what it is, is asked elsewhere */
		{{VALID, 0, 0, 0, 0, 0}, P4_TCP, {0}},
		{{VALID, ECN, 99, 99, 99, 99}, P4_TCP, {0}},
		{{NEEDS, 0, 0, 0, 20, 16}, P4_TCP, {0, 1, 0, 0, 20, 16}},
		{{NEEDS, 0, 0, 1400, 20, 6}, P4_UDP, {0, 1, 0, 0, 20, 6}},
		{{NEEDS, 0, 0, 0, 20, 4}, P4_ESP, {0, 1, 0, 0, 20, 4}},
		{{NEEDS, 0, 0, 0, LEN - 2, 0}, P4_ESP, {0, 1, 0, 0, LEN - 2, 0}},
		{{NEEDS, TCP4, 66, 1400, 20, 16}, P4_TCP,
			{NATMUX_OFFLOAD_TCP4, 1, 40, 1400, 20, 16}},
		{{NEEDS, TCP4, 0, 1400, 20, 16}, P4_TCP,
			{NATMUX_OFFLOAD_TCP4, 1, 40, 1400, 20, 16}},
		{{NEEDS, TCP4, 9, 1, 24, 16}, P4_TCP_LONG, {NATMUX_OFFLOAD_TCP4, 1, 56, 1, 24, 16}},
		{{NEEDS, TCP4 | ECN, 9, 536, 20, 16}, P4_TCP,
			{NATMUX_OFFLOAD_TCP4, 1, 40, 536, 20, 16}},
		{{NEEDS, TCP6, 0xffff, 1280, 40, 16}, P6_TCP,
			{NATMUX_OFFLOAD_TCP6, 1, 60, 1280, 40, 16}},
		{{NEEDS, TCP6 | ECN, 0, 0xfffe, 48, 16}, P6_TCP_BEHIND,
			{NATMUX_OFFLOAD_TCP6, 1, 68, 0xfffe, 48, 16}},
		{{NEEDS, USO, 1, 1000, 20, 6}, P4_UDP, {NATMUX_OFFLOAD_UDP, 1, 28, 1000, 20, 6}},
		{{NEEDS, USO, 1, 1000, 40, 6}, P6_UDP, {NATMUX_OFFLOAD_UDP, 1, 48, 1000, 40, 6}},
		/* Without the flag the other two fields mean nothing. */
		{{0, TCP4, 9, 700, 99, 99}, P4_TCP_LONG, {NATMUX_OFFLOAD_TCP4, 0, 56, 700, 0, 0}},
		{{VALID, TCP6, 9, 700, 0, 0}, P6_TCP, {NATMUX_OFFLOAD_TCP6, 0, 60, 700, 0, 0}},
		{{0, USO, 9, 700, 0, 0}, P6_UDP, {NATMUX_OFFLOAD_UDP, 0, 48, 700, 0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t vnet[NM_VNET_LEN], data[LEN];
		struct natmux_offload offload;

		put_header(&cases[i].header, vnet);
		put_packet(cases[i].packet, data);
		assert_true(nm_vnet_decode(vnet, true, data, LEN, &offload));
		assert_memory_equal(&offload, &cases[i].offload, sizeof(offload));
	}
}

static void test_decode_refuses(void **state)
{
	static const struct {
		struct header header;
		enum packet packet;
		uint32_t len;
	} cases[] = {
		/* Kinds that nobody asked for. */
		{{NEEDS, UFO, 28, 1400, 20, 6}, P4_UDP, LEN},
		{{NEEDS, 2, 28, 1400, 20, 6}, P4_UDP, LEN},
		{{NEEDS, 6, 40, 1400, 20, 16}, P4_TCP, LEN},
		{{NEEDS, 0x7f, 40, 1400, 20, 16}, P4_TCP, LEN},
		{{NEEDS, 0x21, 40, 1400, 20, 16}, P4_TCP, LEN},
		{{0, 0xff, 0, 0, 0, 0}, P4_TCP, LEN},
		/* Checksum fields that do not lie in the packet. */
		{{NEEDS, 0, 0, 0, LEN - 1, 0}, P4_TCP, LEN},
		{{NEEDS, 0, 0, 0, LEN, 0}, P4_TCP, LEN},
		{{NEEDS, 0, 0, 0, 20, LEN}, P4_TCP, LEN},
		{{NEEDS, 0, 0, 0, 0xffff, 0xffff}, P4_TCP, LEN},
		{{NEEDS, 0, 0, 0, 0xfff0, 0x10}, P4_TCP, LEN},
		{{NEEDS, 0, 0, 0, 20, 16}, P4_TCP, 37},
		{{NEEDS, 0, 0, 0, 0, 0}, P4_TCP, 1},
		{{NEEDS, 0, 0, 0, 0, 10}, P4_TCP, LEN},
		/* No segments. */
		{{NEEDS, TCP4, 40, 0, 20, 16}, P4_TCP, LEN},
		{{NEEDS, TCP6, 60, 0, 40, 16}, P6_TCP, LEN},
		{{NEEDS, USO, 28, 0, 20, 6}, P4_UDP, LEN},
		/* The packet is of another kind. */
		{{NEEDS, TCP6, 40, 1400, 20, 16}, P4_TCP, LEN},
		{{NEEDS, TCP4, 60, 1400, 40, 16}, P6_TCP, LEN},
		{{NEEDS, TCP4, 40, 1400, 20, 16}, P4_UDP, LEN},
		{{NEEDS, TCP4, 40, 1400, 20, 16}, P4_ESP, LEN},
		{{NEEDS, TCP4, 40, 1400, 20, 16}, PX_ODD, LEN},
		{{NEEDS, USO, 28, 1400, 20, 6}, P4_TCP, LEN},
		{{NEEDS, USO, 28, 1400, 20, 6}, PX_ODD, LEN},
		{{NEEDS, USO, 48, 1400, 40, 6}, P4_UDP, LEN},
		/* The header begins elsewhere. */
		{{NEEDS, TCP4, 40, 1400, 24, 16}, P4_TCP, LEN},
		{{NEEDS, TCP4, 40, 1400, 20, 16}, P4_TCP_LONG, LEN},
		{{NEEDS, TCP6, 40, 1400, 48, 16}, P6_TCP, LEN},
		{{NEEDS, TCP6, 40, 1400, 40, 16}, P6_TCP_BEHIND, LEN},
		{{NEEDS, TCP6, 40, 1400, 24, 16}, P6_TCP_BEHIND, LEN},
		{{0, TCP6, 68, 1400, 48, 16}, P6_TCP_BEHIND, LEN},
		{{NEEDS, TCP4, 36, 1400, 16, 16}, P4_BROKEN, LEN},
		/* Another field is to be completed. */
		{{NEEDS, TCP4, 40, 1400, 20, 6}, P4_TCP, LEN},
		{{NEEDS, USO, 28, 1400, 20, 16}, P4_UDP, LEN},
		{{NEEDS, USO, 28, 1400, 20, 0}, P4_UDP, LEN},
		/* Headers that are cut off, or lie about themselves. */
		{{NEEDS, TCP4, 40, 1400, 20, 16}, P4_TCP, 39},
		{{NEEDS, TCP4, 56, 1400, 24, 16}, P4_TCP_LONG, 55},
		{{NEEDS, TCP6, 60, 1400, 40, 16}, P6_TCP, 59},
		{{NEEDS, TCP6, 60, 1400, 40, 16}, P6_TCP, 39},
		{{NEEDS, USO, 28, 1400, 20, 6}, P4_UDP, 27},
		{{NEEDS, USO, 48, 1400, 40, 6}, P6_UDP, 47},
		{{0, TCP4, 40, 1400, 0, 0}, P4_TCP, 19},
		{{0, USO, 40, 1400, 0, 0}, P4_TCP, 1},
		{{NEEDS, TCP4, 40, 1400, 20, 16}, P4_TCP_SHORT, LEN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_offload offload, before;
		uint8_t vnet[NM_VNET_LEN], data[LEN];

		put_header(&cases[i].header, vnet);
		put_packet(cases[i].packet, data);
		memset(&offload, 0xa5, sizeof(offload));
		before = offload;
		if (nm_vnet_decode(vnet, true, data, cases[i].len, &offload))
			fail_msg("case %zu was accepted", i);
		assert_memory_equal(&offload, &before, sizeof(offload));
	}
}

/* What is read, written again, is read the same; the bytes are those of the standard. */
static void test_encode(void **state)
{
	static const struct {
		struct natmux_offload offload;
		struct header header;
	} cases[] = {
		{{0}, {0}},
		{{0, 1, 0, 0, 20, 6}, {NEEDS, 0, 0, 0, 20, 6}},
		{{NATMUX_OFFLOAD_TCP4, 1, 0x128, 0x5b4, 0x114, 0x210},
			{NEEDS, TCP4, 0x128, 0x5b4, 0x114, 0x210}},
		{{NATMUX_OFFLOAD_TCP6, 1, 60, 1280, 40, 16}, {NEEDS, TCP6, 60, 1280, 40, 16}},
		{{NATMUX_OFFLOAD_UDP, 1, 28, 1000, 20, 6}, {NEEDS, USO, 28, 1000, 20, 6}},
		{{NATMUX_OFFLOAD_TCP4, 0, 40, 1000, 0, 0}, {0, TCP4, 40, 1000, 0, 0}},
		/* Fields that say nothing are not said. */
		{{0, 0, 40, 1000, 20, 16}, {0}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t vnet[NM_VNET_LEN], wanted[NM_VNET_LEN];

		put_header(&cases[i].header, wanted);
		memset(vnet, 0xa5, sizeof(vnet));
		nm_vnet_encode(&cases[i].offload, true, vnet);
		assert_memory_equal(vnet, wanted, sizeof(vnet));
	}
}

/* A kernel that does not know TUNSETVNETLE uses the host's order. */
static void test_host_order(void **state)
{
	const struct natmux_offload offload = {NATMUX_OFFLOAD_TCP4, 1, 40, 1400, 20, 16};
	uint8_t vnet[NM_VNET_LEN], data[LEN];
	struct natmux_offload again;
	uint16_t segment;

	(void)state;
	nm_vnet_encode(&offload, false, vnet);
	memcpy(&segment, vnet + 4, sizeof(segment));
	assert_int_equal(segment, 1400);
	put_packet(P4_TCP, data);
	assert_true(nm_vnet_decode(vnet, false, data, LEN, &again));
	assert_memory_equal(&again, &offload, sizeof(again));
}

/* Any header before any packet: what is accepted points into the packet. */
static void test_random(void **state)
{
	uint32_t seed = 1, accepted = 0;

	(void)state;
	for (uint32_t round = 0; round < 300000; round++) {
		uint8_t vnet[NM_VNET_LEN], whole[LEN], *data;
		struct natmux_offload offload;
		uint32_t len;

		seed = seed * 1664525 + 1013904223;
		len = 1 + seed / 65536 % 120;
		put_packet(seed / 256 % (PX_ODD + 1), whole);
		for (size_t i = 0; i < sizeof(vnet); i++) {
			seed = seed * 1664525 + 1013904223;
			vnet[i] = (uint8_t)(seed >> (seed & 0x1000 ? 24 : 29));
		}
		whole[seed % 80] ^= (uint8_t)(seed & 0x800 ? seed >> 16 : 0);
		vnet[7] = vnet[9] = seed & 0x2000 ? 0 : vnet[7];
		vnet[6] = seed & 0x4000 ? 20 : vnet[6];
		data = malloc(len); /* of its exact size: who reads behind it is seen */
		assert_non_null(data);
		memcpy(data, whole, len);
		if (nm_vnet_decode(vnet, true, data, len, &offload)) {
			accepted++;
			assert_true(offload.kind <= NATMUX_OFFLOAD_UDP);
			assert_true(offload.header_len <= len);
			assert_true(offload.kind == NATMUX_OFFLOAD_NONE ||
				    (offload.segment > 0 && offload.header_len >= 28));
			assert_true(!offload.needs_checksum ||
				    offload.checksum_start + offload.checksum_offset + 2u <= len);
		}
		free(data);
	}
	assert_true(accepted > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_decode_refuses),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_host_order),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
