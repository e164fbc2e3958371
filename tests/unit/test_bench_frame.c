/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <natmux/addr.h>
#include "base/bytes.h"
#include "bench/frame.h"
#include "bench/machine.h"
#include "wire/udp.h"

enum { FRAME_MAX = 256, PACKET_MAX = 128 };

static const uint8_t payload[] = {0xff, 1, 2, 3, 4, 5, 6};

/* Headers of the links up to the IP packet, as tcpdump.org/linktypes.html draws them. */
static const struct {
	int link;
	size_t len;
	uint8_t header[24];
} links[] = {
	{0, 4, {2, 0, 0, 0}},
	{1, 14, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0x08, 0x00}},
	{1, 18, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0x81, 0x00, 0, 7, 0x08, 0x00}},
	{1, 22,
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0x88, 0xa8, 0, 7, 0x81, 0x00, 0, 8, 0x08,
			0x00}},
	{101, 0, {0}},
	{108, 4, {0, 0, 0, 2}},
	{113, 16, {0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x08, 0x00}},
	{228, 0, {0}},
	{276, 20, {0x08, 0x00, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0}},
};

static size_t make_packet(uint8_t *packet, const char *from, const char *to)
{
	struct natmux_addr source, destination;
	size_t len;

	assert_int_equal(natmux_addr_parse(from, 4500, &source), 0);
	assert_int_equal(natmux_addr_parse(to, 4500, &destination), 0);
	len = nm_udp_encode(packet, &source, &destination, 0, payload, sizeof(payload));
	memcpy(packet + len, payload, sizeof(payload));
	return len + sizeof(payload);
}

static void test_finds_payload_behind_every_link(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		size_t at = links[i].len, len;
		const uint8_t *found;

		memcpy(frame, links[i].header, at);
		at += make_packet(frame + at, "192.0.2.1", "192.0.2.2");
		assert_true(nm_frame_link_is_known(links[i].link));
		found = nm_frame_udp_payload(links[i].link, frame, at, &len);
		assert_non_null(found);
		assert_int_equal(len, sizeof(payload));
		assert_memory_equal(found, payload, len);
		/* Padding of short Ethernet frames is not payload. */
		assert_ptr_equal(nm_frame_udp_payload(links[i].link, frame, at + 9, &len), found);
		assert_int_equal(len, sizeof(payload));
	}
}

static void test_finds_ipv6(void **state)
{
	uint8_t packet[PACKET_MAX];
	size_t len, end = make_packet(packet, "2001:db8::1", "2001:db8::2");

	(void)state;
	assert_non_null(nm_frame_udp_payload(NM_FRAME_LINK_IPV6, packet, end, &len));
	assert_int_equal(len, sizeof(payload));
}

/* A capture of what the sender left to its network card has no right checksum. */
static void test_ignores_the_udp_checksum(void **state)
{
	uint8_t packet[PACKET_MAX];
	size_t len, end = make_packet(packet, "192.0.2.1", "192.0.2.2");

	(void)state;
	packet[26] ^= 0xff;
	assert_non_null(nm_frame_udp_payload(NM_FRAME_LINK_RAW, packet, end, &len));
}

static void test_every_truncation_is_refused(void **state)
{
	uint8_t frame[FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		size_t end = links[i].len, len = 99;

		memcpy(frame, links[i].header, end);
		end += make_packet(frame + end, "192.0.2.1", "192.0.2.2");
		for (size_t cut = 0; cut < end; cut++)
			assert_null(nm_frame_udp_payload(links[i].link, frame, cut, &len));
		assert_int_equal(len, 99);
	}
}

static void test_refuses_what_is_no_whole_udp(void **state)
{
	/* A change to byte `at` of a raw IPv4 packet; the header's checksum is put right. */
	static const struct {
		size_t at;
		uint8_t value;
	} cases[] = {
		{0, 0x55},  /* version 5 */
		{0, 0x44},  /* header of 16 bytes */
		{6, 0x20},  /* more fragments */
		{7, 1},     /* a later fragment */
		{9, 6},     /* TCP */
		{25, 7},    /* UDP length below its header */
		{25, 16},   /* UDP length beyond the packet */
		{24, 0xff}, /* the same, far */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t packet[PACKET_MAX];
		size_t len, end = make_packet(packet, "192.0.2.1", "192.0.2.2");

		packet[cases[i].at] = cases[i].value;
		nm_put16(packet + 10, 0);
		nm_sum_put(packet + 10, nm_sum_bytes(0, packet, 20));
		if (nm_frame_udp_payload(NM_FRAME_LINK_RAW, packet, end, &len))
			fail_msg("case %zu was accepted", i);
	}
}

static void test_refuses_other_links_and_types(void **state)
{
	uint8_t frame[FRAME_MAX] = {[12] = 0x08, [13] = 0x06};
	size_t len, end = 14 + make_packet(frame + 14, "192.0.2.1", "192.0.2.2");

	(void)state;
	assert_null(nm_frame_udp_payload(NM_FRAME_LINK_ETHERNET, frame, end, &len));
	assert_false(nm_frame_link_is_known(147));
	assert_null(nm_frame_udp_payload(147, frame + 14, end - 14, &len));
}

static void test_cpu_model(void **state)
{
	static const struct {
		const char *cpuinfo, *model;
	} cases[] = {
		{"processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags: x\n", "Some CPU @ 3 GHz"},
		{"model name\t:\tA\n", "A"},
		{"processor: 0\nHardware\t: Board\n", "Board"},
		{"", "unknown"},
		{"model name", "unknown"},
		{"model name: 0123456789012345678901234567890123456789",
			"0123456789012345678901234567890"},
	};
	char model[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		nm_machine_cpu_model(cases[i].cpuinfo, model, sizeof(model));
		assert_string_equal(model, cases[i].model);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_payload_behind_every_link),
		cmocka_unit_test(test_finds_ipv6),
		cmocka_unit_test(test_ignores_the_udp_checksum),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_refuses_what_is_no_whole_udp),
		cmocka_unit_test(test_refuses_other_links_and_types),
		cmocka_unit_test(test_cpu_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
