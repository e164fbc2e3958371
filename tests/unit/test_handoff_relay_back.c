/* SPDX-License-Identifier: Apache-2.0 */
/* The relay's way back: packets of the daemon, and hostile ones that only look like them. */
#include "handoff_relay_test.h"

#include <stdlib.h>
#include "../fakes/inet_sum.h"

/* A packet of the daemon to the alias of flow 0 or 1, in `tun.packets[0]`, ready to be spoilt. */
static uint8_t *from_daemon(uint32_t flow, uint32_t len)
{
	struct natmux_train train = esp(bytes[0], flow, len, 0);

	fake_tun_clear(&tun);
	to_daemon(&train);
	fake_echo(tun.packets[0].data);
	return tun.packets[0].data;
}

static size_t give(const uint8_t *packet, size_t len)
{
	struct nm_relay_packet one;
	uint8_t *exact = malloc(len > 0 ? len : 1);
	size_t n;

	memcpy(exact, packet, len);
	one = (struct nm_relay_packet){exact, len};
	n = nm_relay_packets(relay, &one, 1, trains, 1);
	free(exact);
	return n;
}

static void test_truncations(void **state)
{
	(void)state;
	for (uint32_t flow = 0; flow < 2; flow++) {
		start(0);
		from_daemon(flow, 60);
		for (size_t len = 0; len < tun.packets[0].len; len++)
			assert_int_equal(give(tun.packets[0].data, len), 0);
		assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_FORMAT], tun.packets[0].len);
		assert_int_equal(fake_mux_drops(&mux), tun.packets[0].len);
		assert_int_equal(give(tun.packets[0].data, tun.packets[0].len), 1);
		stop();
	}
}

/* One thing wrong with a packet of the daemon. Checksums are right again where it says so. */
static void test_hostile(void **state)
{
	static const struct {
		const char *what;
		uint32_t flow;
		size_t at;
		uint8_t value;
		bool is_fixed;
		enum natmux_drop drop;
	} cases[] = {
		{"source is not the daemon", 0, 15, 3, true, NATMUX_DROP_HANDOFF_FORMAT},
		{"from another port", 0, 20, 1, true, NATMUX_DROP_HANDOFF_FORMAT},
		{"to another port", 0, 22, 1, true, NATMUX_DROP_HANDOFF_FORMAT},
		{"to the daemon", 0, 19, 1, true, NATMUX_DROP_HANDOFF_ALIAS},
		{"to the network address", 0, 19, 0, true, NATMUX_DROP_HANDOFF_ALIAS},
		{"to everybody", 0, 19, 255, true, NATMUX_DROP_HANDOFF_ALIAS},
		{"to nobody's alias", 0, 19, 3, true, NATMUX_DROP_HANDOFF_ALIAS},
		{"to an address outside of the pool", 0, 18, 1, true, NATMUX_DROP_HANDOFF_ALIAS},
		{"multicast", 0, 16, 224, true, NATMUX_DROP_HANDOFF_ALIAS},
		{"ICMP", 0, 9, 1, true, NATMUX_DROP_HANDOFF_FORMAT},
		{"first fragment", 0, 6, 0x20, true, NATMUX_DROP_HANDOFF_FRAGMENT},
		{"last fragment", 0, 7, 9, true, NATMUX_DROP_HANDOFF_FRAGMENT},
		{"IP checksum", 0, 10, 0, false, NATMUX_DROP_HANDOFF_CHECKSUM},
		{"UDP checksum", 0, 27, 0x5a, false, NATMUX_DROP_HANDOFF_CHECKSUM},
		{"payload", 0, 40, 0x5a, false, NATMUX_DROP_HANDOFF_CHECKSUM},
		{"version 7", 0, 0, 0x75, false, NATMUX_DROP_HANDOFF_FORMAT},
		{"UDP length too long", 0, 25, 69, false, NATMUX_DROP_HANDOFF_FORMAT},
		{"IPv6: source is not the daemon", 1, 23, 9, true, NATMUX_DROP_HANDOFF_FORMAT},
		{"IPv6: to nobody's alias", 1, 39, 9, true, NATMUX_DROP_HANDOFF_ALIAS},
		{"IPv6: outside of the pool", 1, 38, 1, true, NATMUX_DROP_HANDOFF_ALIAS},
		{"IPv6: multicast", 1, 24, 0xff, true, NATMUX_DROP_HANDOFF_ALIAS},
		{"IPv6: hop-by-hop", 1, 6, 0, false, NATMUX_DROP_HANDOFF_FORMAT},
		{"IPv6: destination options", 1, 6, 60, false, NATMUX_DROP_HANDOFF_FORMAT},
		{"IPv6: ICMPv6", 1, 6, 58, false, NATMUX_DROP_HANDOFF_FORMAT},
		{"IPv6: fragment", 1, 6, 44, false, NATMUX_DROP_HANDOFF_FRAGMENT},
		{"IPv6: payload", 1, 60, 0x5a, false, NATMUX_DROP_HANDOFF_CHECKSUM},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t *packet;

		start(0);
		packet = from_daemon(cases[i].flow, 60);
		packet[cases[i].at] = cases[i].value;
		if (cases[i].is_fixed)
			fake_fix_checksums(packet, tun.packets[0].len);
		if (give(packet, tun.packets[0].len) != 0)
			fail_msg("passed: %s", cases[i].what);
		if (mux.drops[cases[i].drop] != 1 || fake_mux_drops(&mux) != 1)
			fail_msg("counted otherwise: %s", cases[i].what);
		stop();
	}
}

/* What the kernel itself says on a new TUN device: a router solicitation and an MLD report. */
static void test_kernel_noise(void **state)
{
	static const uint8_t solicitation[48] = {0x60, 0, 0, 0, 0, 8, 58, 255, 0xfe, 0x80};
	static const uint8_t mld[76] = {0x60, 0, 0, 0, 0, 36, 0, 1, 0xfe, 0x80};

	(void)state;
	start(0);
	assert_int_equal(give(solicitation, sizeof(solicitation)), 0);
	assert_int_equal(give(mld, sizeof(mld)), 0);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_FORMAT], 2);
	stop();
}

/* A family that is off has no daemon, not even one at :: or 0.0.0.0. */
static void test_family_off(void **state)
{
	struct nm_relay_config config;
	uint8_t *packet;

	(void)state;
	start(0);
	packet = from_daemon(1, 60);
	memset(packet + 8, 0, 16);
	fake_fix_checksums(packet, tun.packets[0].len);
	nm_relay_free(relay);
	config = config_of(0);
	memset(&config.daemon6, 0, sizeof(config.daemon6));
	assert_int_equal(nm_relay_new(&config, &relay), 0);
	assert_int_equal(give(packet, tun.packets[0].len), 0);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_FORMAT], 1);
	stop();
}

/* A datagram of `len` bytes from the daemon to flow 0, beginning with these four. */
static struct nm_relay_packet crafted(uint32_t first, size_t len, uint8_t tos)
{
	struct natmux_addr alias = addr("100.64.0.2:4500"), daemon = addr("100.64.0.1:14500");
	uint8_t *packet = calloc(1, 28 + len), payload[2000] = {0};

	nm_put32(payload, first);
	nm_udp_encode(packet, &daemon, &alias, tos, payload, len);
	memcpy(packet + 28, payload, len);
	return (struct nm_relay_packet){packet, 28 + len};
}

/* Where a train ends: another size, TOS or class, too many, too long. */
static void test_coalescing(void **state)
{
	enum { IKE = 0, ESP = 0x11223344 };
	static const struct {
		uint32_t first[6];
		size_t len[6];
		uint8_t tos[6];
		size_t trains;
		uint32_t count[6];
	} cases[] = {
		{{ESP, ESP, ESP}, {100, 100, 100}, {0}, 1, {3}},
		{{ESP, ESP, ESP}, {100, 100, 40}, {0}, 1, {3}},
		{{ESP, ESP, ESP, ESP}, {100, 40, 40, 40}, {0}, 2, {2, 2}},
		{{ESP, ESP, ESP}, {40, 100, 100}, {0}, 2, {1, 2}},
		{{ESP, ESP, ESP}, {100, 40, 100}, {0}, 2, {2, 1}},
		{{ESP, ESP, ESP}, {100, 100, 100}, {0, 0, 3}, 2, {2, 1}},
		{{ESP, IKE, ESP}, {100, 100, 100}, {0}, 3, {1, 1, 1}},
		{{IKE, IKE, ESP, ESP}, {100, 100, 100, 100}, {0}, 2, {2, 2}},
		{{ESP, 0xff000000, ESP}, {100, 1, 100}, {0}, 3, {1, 1, 1}}, /* a keepalive */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_relay_packet packets[6];
		size_t n = 0;

		start(0);
		from_daemon(0, 100);
		while (n < 6 && cases[i].len[n] > 0) {
			packets[n] = crafted(cases[i].first[n], cases[i].len[n], cases[i].tos[n]);
			n++;
		}
		if (nm_relay_packets(relay, packets, n, trains, n) != cases[i].trains)
			fail_msg("case %zu", i);
		for (size_t j = 0; j < cases[i].trains; j++)
			if (natmux_train_count(&trains[j]) != cases[i].count[j])
				fail_msg("case %zu, train %zu", i, j);
		assert_int_equal(fake_mux_drops(&mux), 0);
		for (size_t j = 0; j < n; j++)
			free((void *)(uintptr_t)packets[j].data);
		stop();
	}
}

/* Two peers that take turns never share a train; what is between them does not end one. */
static void test_two_peers(void **state)
{
	struct natmux_train v[4];
	size_t n;

	(void)state;
	start(0);
	for (uint32_t i = 0; i < 4; i++)
		v[i] = esp(bytes[i], i % 2 * 2, 300, 100);
	nm_relay_sink.input(relay, 0, v, 4);
	n = echo();
	assert_int_equal(n, 4);
	for (size_t i = 0; i < 4; i++)
		assert_train(&trains[i], &v[i], 0);
	stop();
}

/* The buffer holds no more than two trains of the largest kind: the rest goes one by one. */
static void test_buffer_full(void **state)
{
	struct natmux_train v[4];
	size_t n, bytes_seen = 0, i;

	(void)state;
	start(0);
	for (i = 0; i < 4; i++)
		v[i] = esp(bytes[i], 2 * (uint32_t)i, 64000, 1000);
	nm_relay_sink.input(relay, 0, v, 4);
	assert_int_equal(tun.n, 256);
	n = echo();
	assert_int_equal(n, 2 + 64 + 64);
	for (i = 0; i < n; i++)
		bytes_seen += trains[i].len;
	assert_int_equal(bytes_seen, 4 * 64000);
	assert_train(&trains[1], &v[1], 0);
	assert_train(&trains[2], &v[2], 0);
	assert_train(&trains[n - 1], &v[3], 63000);
	stop();
}

static void test_runts_and_no_room(void **state)
{
	struct nm_relay_packet packets[3];

	(void)state;
	start(0);
	from_daemon(0, 100);
	packets[0] = crafted(0x11223344, 0, 0);
	packets[1] = crafted(0x11223344, 3, 0);
	packets[2] = crafted(0, 31, 0); /* a marker, and no IKE header behind it */
	assert_int_equal(nm_relay_packets(relay, packets, 3, trains, 3), 0);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_FORMAT], 3);
	for (size_t i = 0; i < 3; i++)
		free((void *)(uintptr_t)packets[i].data);
	for (size_t i = 0; i < 3; i++)
		packets[i] = crafted(0x11223344, 100 + i, 0);
	assert_int_equal(nm_relay_packets(relay, packets, 3, trains, 2), 2);
	assert_int_equal(mux.drops[NATMUX_DROP_TXQ_FULL], 1);
	assert_int_equal(nm_relay_packets(relay, packets, 3, trains, 0), 0);
	for (size_t i = 0; i < 3; i++)
		free((void *)(uintptr_t)packets[i].data);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_kernel_noise),
		cmocka_unit_test(test_family_off),
		cmocka_unit_test(test_coalescing),
		cmocka_unit_test(test_two_peers),
		cmocka_unit_test(test_buffer_full),
		cmocka_unit_test(test_runts_and_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
