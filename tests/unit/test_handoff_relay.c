/* SPDX-License-Identifier: Apache-2.0 */
/* The relay between a made-up mux and a made-up TUN device: what passes, and what does not. */
#include "test.h"

#include <stdlib.h>
#include <natmux/error.h>
#include "../fakes/fake_mux.h"
#include "../fakes/fake_tun.h"
#include "../fakes/inet_sum.h"
#include "base/bytes.h"
#include "bench/alloc.h"
#include "dispatcher/handoff_relay.h"
#include "wire/udp.h"

enum { TRAINS_MAX = 300 };

static struct natmux_mux mux;
static struct fake_tun tun;
static struct nm_relay *relay;
static struct natmux_train trains[TRAINS_MAX];
static uint8_t bytes[4][65536];

static struct natmux_addr addr(const char *text)
{
	struct natmux_addr result;

	assert_int_equal(natmux_addr_parse(text, 0, &result), 0);
	return result;
}

static struct nm_relay_config config_of(uint32_t super_max)
{
	struct nm_relay_config config = {
		.daemon4 = addr("100.64.0.1:14500"),
		.daemon6 = addr("[fd00::1]:14500"),
		.peer_port = 4500,
		.flows_max = FAKE_FLOWS,
		.port = fake_tun_port(&tun, super_max),
		.mux = &mux,
	};

	assert_int_equal(natmux_prefix_parse("100.64.0.0/24", &config.pool4), 0);
	assert_int_equal(natmux_prefix_parse("fd00::/120", &config.pool6), 0);
	return config;
}

/* Even flows are IPv4, odd ones IPv6. */
static void start(uint32_t super_max)
{
	struct nm_relay_config config;

	memset(&mux, 0, sizeof(mux));
	for (unsigned int i = 0; i < FAKE_FLOWS; i++) {
		mux.paths[i].local = addr(i % 2 ? "[2001:db8::1]:4500" : "192.0.2.1:4500");
		mux.paths[i].remote = addr(i % 2 ? "[2001:db8::9]:4500" : "203.0.113.9:4500");
		mux.paths[i].remote.port = (uint16_t)(1024 + i);
	}
	fake_tun_init(&tun);
	config = config_of(super_max);
	assert_int_equal(nm_relay_new(&config, &relay), 0);
}

static void stop(void)
{
	fake_tun_clear(&tun);
	nm_relay_free(relay);
	relay = NULL;
}

/* A train of ESP: 0x11 in every first byte, so that no datagram looks like anything else. */
static struct natmux_train esp(uint8_t *data, uint32_t flow, uint32_t len, uint32_t segment)
{
	struct natmux_train train = {
		.data = data,
		.len = len,
		.segment = segment,
		.flow = flow,
		.path = mux.paths[flow % FAKE_FLOWS],
	};

	for (uint32_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + flow);
	for (uint32_t at = 0; at<len; at += segment> 0 ? segment : len)
		data[at] = 0x11;
	return train;
}

static void to_daemon(const struct natmux_train *train)
{
	nm_relay_sink.input(relay, 0, train, 1);
}

/* All that the device has, back into the relay as if the daemon had sent it to the peers. */
static size_t echo(void)
{
	struct nm_relay_packet packets[FAKE_TUN_PACKETS];

	for (size_t i = 0; i < tun.n; i++) {
		fake_echo(tun.packets[i].data);
		packets[i] = (struct nm_relay_packet){tun.packets[i].data, tun.packets[i].len};
	}
	return nm_relay_packets(relay, packets, tun.n, trains, TRAINS_MAX);
}

static void assert_train(
	const struct natmux_train *train, const struct natmux_train *expected, uint32_t offset)
{
	assert_int_equal(train->flow, expected->flow);
	assert_int_equal(train->tos, expected->tos);
	assert_true(natmux_addr_equal(&train->path.local, &expected->path.local));
	assert_true(natmux_addr_equal(&train->path.remote, &expected->path.remote));
	assert_true(offset + train->len <= expected->len);
	assert_memory_equal(train->data, expected->data + offset, train->len);
}

static void test_new_refuses(void **state)
{
	struct nm_relay *none = NULL;
	struct nm_relay_config config;

	(void)state;
	start(0);
	config = config_of(0);
	config.peer_port = 0;
	assert_int_equal(nm_relay_new(&config, &none), NATMUX_EINVAL);
	config = config_of(0);
	config.daemon4.port = 0;
	assert_int_equal(nm_relay_new(&config, &none), NATMUX_EINVAL);
	config = config_of(0);
	config.daemon6.port = 0;
	assert_int_equal(nm_relay_new(&config, &none), NATMUX_EINVAL);
	config = config_of(0);
	config.mux = NULL;
	assert_int_equal(nm_relay_new(&config, &none), NATMUX_EINVAL);
	config = config_of(0);
	config.port.write = NULL;
	assert_int_equal(nm_relay_new(&config, &none), NATMUX_EINVAL);
	config = config_of(0);
	config.pool4.bits = 32;
	config.pool4.base = config.daemon4;
	assert_int_equal(nm_relay_new(&config, &none), NATMUX_EINVAL);
	config = config_of(0);
	memset(&config.daemon4, 0, sizeof(config.daemon4));
	memset(&config.daemon6, 0, sizeof(config.daemon6));
	assert_int_equal(nm_relay_new(&config, &none), NATMUX_EINVAL);
	assert_null(none);
	nm_relay_free(NULL);
	stop();
}

/* What the daemon sees of one datagram: alias and daemon, ports, TOS, checksums by another hand. */
static void test_packet(void **state)
{
	struct natmux_train train;
	const uint8_t *p;

	(void)state;
	start(0);
	train = esp(bytes[0], 4, 1001, 0);
	train.tos = 0xba | 3;
	to_daemon(&train);
	assert_int_equal(tun.n, 1);
	p = tun.packets[0].data;
	assert_int_equal(tun.packets[0].len, 28 + 1001);
	assert_int_equal(p[0], 0x45);
	assert_int_equal(p[1], 0xbb);
	assert_int_equal(nm_get16(p + 2), 28 + 1001);
	assert_memory_equal(p + 12, "\x64\x40\x00\x02", 4);
	assert_memory_equal(p + 16, "\x64\x40\x00\x01", 4);
	assert_int_equal(nm_get16(p + 20), 4500);
	assert_int_equal(nm_get16(p + 22), 14500);
	assert_int_equal(inet_sum(p, 20, 0), 0xffff);
	assert_int_equal(inet_sum(p + 20, 1009, 17 + 1009U + inet_sum(p + 12, 8, 0)), 0xffff);
	train = esp(bytes[0], 5, 999, 0);
	train.tos = 1;
	to_daemon(&train);
	p = tun.packets[1].data;
	assert_int_equal(tun.packets[1].len, 48 + 999);
	assert_int_equal(nm_get32(p), 0x60100000);
	assert_int_equal(nm_get16(p + 4), 1007);
	assert_memory_equal(p + 8, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
	assert_memory_equal(p + 24, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	assert_int_equal(inet_sum(p + 40, 1007, 17 + 1007U + inet_sum(p + 8, 32, 0)), 0xffff);
	assert_int_equal(fake_mux_drops(&mux), 0);
	stop();
}

/* Every shape of train comes back as it went, whichever way it was written. */
static void test_round_trip(void **state)
{
	static const struct {
		uint32_t flow, len, segment, super_max;
		size_t packets, supers, trains;
	} cases[] = {
		{0, 100, 0, 0, 1, 0, 1},
		{1, 100, 100, 0, 1, 0, 1},
		{2, 1000, 100, 0, 10, 0, 1},
		{3, 1010, 100, 0, 11, 0, 1},
		{2, 1000, 100, 65507, 10, 1, 1},
		{3, 1010, 100, 65507, 11, 1, 1},
		{4, 1010, 100, 1000, 11, 1, 1}, /* ten in one, the last one alone */
		{5, 1050, 100, 250, 11, 5, 1},  /* by two */
		{6, 1050, 100, 100, 11, 0, 1},  /* too small for two */
		{6, 1050, 100, 99, 11, 0, 1},
		{7, 6500, 100, 65507, 65, 1, 2}, /* 64 and 1 */
		{8, 12800, 100, 65507, 128, 2, 2},
		{9, 45 * 1428 + 100, 1428, 65507, 46, 1, 1},
		{10, 45 * 1428 + 100, 1428, 0, 46, 0, 1},
		{11, 65535, 9000, 65507, 8, 1, 2},
		{12, 65507, 65507, 65507, 1, 0, 1},
		{13, 65527, 65527, 65507, 1, 0, 1},
		{14, 40000, 20000, 30000, 2, 0, 1},
		{15, 65000, 1000, 65507, 65, 1, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_train train;
		uint32_t offset = 0;
		size_t n;

		start(cases[i].super_max);
		train = esp(bytes[0], cases[i].flow, cases[i].len, cases[i].segment);
		train.tos = (uint8_t)(i * 5);
		to_daemon(&train);
		if (tun.n != cases[i].packets || tun.supers != cases[i].supers)
			fail_msg("case %zu: %zu packets, %zu supers", i, tun.n, tun.supers);
		n = echo();
		if (n != cases[i].trains)
			fail_msg("case %zu: %zu trains", i, n);
		for (size_t j = 0; j < n; j++) {
			assert_train(&trains[j], &train, offset);
			if (natmux_train_count(&trains[j]) > 1)
				assert_int_equal(trains[j].segment, cases[i].segment);
			offset += trains[j].len;
		}
		assert_int_equal(offset, train.len);
		assert_int_equal(fake_mux_drops(&mux), 0);
		stop();
	}
}

/* Sizes that a family cannot carry; the other datagrams of the vector go on. */
static void test_too_large(void **state)
{
	struct natmux_train v[3];

	(void)state;
	start(0);
	v[0] = esp(bytes[0], 0, 65508, 0);
	v[1] = esp(bytes[1], 1, 65528, 0);
	v[2] = esp(bytes[2], 0, 100, 0);
	nm_relay_sink.input(relay, 0, v, 3);
	assert_int_equal(tun.n, 1);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_SIZE], 2);
	assert_int_equal(fake_mux_drops(&mux), 2);
	stop();
}

/* One write for up to 64 packets. */
static void test_vectors(void **state)
{
	struct natmux_train v[64];

	(void)state;
	start(0);
	for (uint32_t i = 0; i < 64; i++)
		v[i] = esp(bytes[0], i, 100, 0);
	nm_relay_sink.input(relay, 0, v, 64);
	assert_int_equal(tun.n, 64);
	assert_int_equal(tun.writes, 1);
	for (uint32_t i = 0; i < 33; i++)
		v[i] = esp(bytes[0], i, 200, 100);
	nm_relay_sink.input(relay, 0, v, 33);
	assert_int_equal(tun.n, 64 + 66);
	assert_int_equal(tun.writes, 3);
	nm_relay_sink.input(relay, 0, v, 0);
	assert_int_equal(tun.writes, 3);
	stop();
}

static void test_device_refuses(void **state)
{
	struct natmux_train v[4];

	(void)state;
	start(65507);
	tun.refuse_after = 1;
	v[0] = esp(bytes[0], 0, 100, 0);
	v[1] = esp(bytes[1], 1, 1000, 100);
	v[2] = esp(bytes[2], 2, 1001, 100);
	v[3] = esp(bytes[3], 3, 100, 0);
	nm_relay_sink.input(relay, 0, v, 4);
	assert_int_equal(tun.n, 1);
	assert_int_equal(mux.drops[NATMUX_DROP_TUN_WRITE], 10 + 11 + 1);
	tun.refuse_after = 0;
	to_daemon(&v[1]);
	assert_int_equal(mux.drops[NATMUX_DROP_TUN_WRITE], 10 + 11 + 1 + 10);
	stop();
}

static void test_no_flow_no_alias(void **state)
{
	struct natmux_train train;
	struct natmux_addr reserved = addr("100.64.0.77");

	(void)state;
	start(0);
	train = esp(bytes[0], 0, 300, 100);
	train.flow = NATMUX_FLOW_NONE;
	to_daemon(&train);
	assert_int_equal(mux.drops[NATMUX_DROP_ESP_NO_FLOW], 3);
	train.flow = FAKE_FLOWS;
	to_daemon(&train);
	assert_int_equal(mux.drops[NATMUX_DROP_ALIAS_NONE], 3);
	assert_int_equal(tun.n, 0);
	assert_int_equal(nm_relay_alias_reserve(relay, FAKE_FLOWS, &reserved), NATMUX_EINVAL);
	stop();
}

/* Small pools: who comes too late is dropped, who is there goes on, who leaves makes room. */
static void test_exhaustion(void **state)
{
	struct nm_relay_config config;
	struct natmux_train train;

	(void)state;
	start(0);
	nm_relay_free(relay);
	config = config_of(0);
	memset(&config.daemon6, 0, sizeof(config.daemon6));
	config.pool4.bits = 30;
	assert_int_equal(nm_relay_new(&config, &relay), 0);
	train = esp(bytes[0], 4, 100, 0);
	to_daemon(&train);
	train = esp(bytes[0], 6, 300, 100);
	to_daemon(&train);
	assert_int_equal(mux.drops[NATMUX_DROP_ALIAS_NONE], 3);
	train = esp(bytes[0], 4, 100, 0);
	to_daemon(&train);
	assert_int_equal(tun.n, 2);
	nm_relay_sink.flow_closed(relay, 4, &mux.paths[4]);
	nm_relay_sink.flow_closed(relay, 4, &mux.paths[4]);
	train = esp(bytes[0], 6, 100, 0);
	to_daemon(&train);
	assert_int_equal(tun.n, 3);
	assert_memory_equal(tun.packets[2].data + 12, "\x64\x40\x00\x02", 4);
	/* The daemon's last words to flow 4 do not go to flow 6: it says them to the same alias. */
	assert_int_equal(echo(), 1);
	assert_int_equal(trains[0].flow, 6);
	assert_int_equal(natmux_train_count(&trains[0]), 3);
	stop();
}

static void test_reserved(void **state)
{
	struct natmux_addr alias = addr("100.64.0.200");
	struct natmux_train train;

	(void)state;
	start(0);
	assert_int_equal(nm_relay_alias_reserve(relay, 10, &alias), 0);
	train = esp(bytes[0], 10, 100, 0);
	to_daemon(&train);
	assert_memory_equal(tun.packets[0].data + 12, "\x64\x40\x00\xc8", 4);
	assert_int_equal(echo(), 1);
	assert_train(&trains[0], &train, 0);
	nm_relay_alias_release(relay, 10);
	fake_echo(tun.packets[0].data);
	assert_int_equal(echo(), 0);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_ALIAS], 1);
	stop();
}

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

/* The mux has forgotten a flow of which the relay has not heard. */
static void test_flow_without_path(void **state)
{
	struct natmux_train train;

	(void)state;
	start(0);
	train = esp(bytes[0], 0, 300, 100);
	to_daemon(&train);
	memset(&mux.paths[0], 0, sizeof(mux.paths[0]));
	assert_int_equal(echo(), 0);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_ALIAS], 3);
	stop();
}

static void see_alias(void *user, const struct nm_alias *alias)
{
	*(uint64_t *)user += alias->flow;
}

static void test_aliases(void **state)
{
	uint64_t sum = 0;
	struct natmux_train train;

	(void)state;
	start(0);
	train = esp(bytes[0], 20, 100, 0);
	to_daemon(&train);
	train = esp(bytes[0], 21, 100, 0);
	to_daemon(&train);
	nm_relay_aliases(relay, see_alias, &sum);
	assert_int_equal(sum, 41);
	stop();
}

static size_t swallow(void *user, const struct nm_packet *packets, size_t n)
{
	(void)packets;
	*(size_t *)user += n;
	return n;
}

/* New aliases, supers, drops and trains back: none of it asks for memory. */
static void test_allocates_nothing(void **state)
{
	struct nm_relay_config config;
	struct nm_relay_packet packets[64];
	size_t taken = 0, n;
	uint64_t before;

	(void)state;
	start(0);
	for (uint32_t i = 0; i < 64; i++) {
		struct natmux_train train = esp(bytes[0], i, 1000, 0);

		to_daemon(&train);
		fake_echo(tun.packets[i].data);
		packets[i] = (struct nm_relay_packet){tun.packets[i].data, tun.packets[i].len};
	}
	nm_relay_free(relay);
	config = config_of(65507);
	config.port = (struct nm_packet_port){swallow, &taken, 65507};
	assert_int_equal(nm_relay_new(&config, &relay), 0);
	before = nm_alloc_count();
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 64; i++) {
			struct natmux_train train = esp(bytes[0], i, 60000, 1000);

			to_daemon(&train);
		}
		n = nm_relay_packets(relay, packets, 64, trains, 64);
		assert_int_equal(n, 64);
		for (uint32_t i = 64; i < FAKE_FLOWS; i++)
			nm_relay_sink.flow_closed(relay, i, &mux.paths[i]);
	}
	assert_true(nm_alloc_count() == before);
	assert_int_equal(taken, 3 * 64);
	stop();
	start(0);
	assert_true(nm_alloc_count() > before); /* so the counter does count */
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_refuses),
		cmocka_unit_test(test_packet),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_device_refuses),
		cmocka_unit_test(test_no_flow_no_alias),
		cmocka_unit_test(test_exhaustion),
		cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_kernel_noise),
		cmocka_unit_test(test_family_off),
		cmocka_unit_test(test_coalescing),
		cmocka_unit_test(test_two_peers),
		cmocka_unit_test(test_buffer_full),
		cmocka_unit_test(test_runts_and_no_room),
		cmocka_unit_test(test_flow_without_path),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
