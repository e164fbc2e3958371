/* SPDX-License-Identifier: Apache-2.0 */
/* The relay towards the IKE daemon: aliases, packets for it, and what has none. */
#include "handoff_relay_test.h"

#include <natmux/error.h>
#include "../fakes/inet_sum.h"
#include "bench/alloc.h"

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
		cmocka_unit_test(test_flow_without_path),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
