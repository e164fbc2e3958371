/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network without a kernel: peers, the real mux, the real relay, and a daemon behind a made-up
 * TUN device. From the first IKE message of a stranger to the last of its alias.
 */
#include "test.h"

#include <stdio.h>
#include <natmux/mux.h>
#include "../fakes/fake_tun.h"
#include "dispatcher/handoff_relay.h"
#include "wire/ike.h"

enum { TRAINS_MAX = 16, IKE_LEN = 40 };

static struct natmux_mux *mux;
static struct nm_relay *relay;
static struct fake_tun tun;
static struct natmux_train trains[TRAINS_MAX];

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 7, len);
}

static struct natmux_addr addr(const char *text)
{
	struct natmux_addr result;

	assert_int_equal(natmux_addr_parse(text, 0, &result), 0);
	return result;
}

static void start(uint32_t flows_max, const char *pool)
{
	struct natmux_random random = {.fill = fill};
	struct natmux_mux_config config;
	struct nm_relay_config relay_config = {
		.daemon4 = addr("100.64.0.1:14500"),
		.peer_port = 4500,
		.flows_max = flows_max,
	};

	natmux_mux_config_init(&config);
	config.flows_max = flows_max;
	assert_int_equal(natmux_mux_new(&config, &random, &mux), 0);
	fake_tun_init(&tun);
	relay_config.port = fake_tun_port(&tun, 0);
	relay_config.mux = mux;
	assert_int_equal(natmux_prefix_parse(pool, &relay_config.pool4), 0);
	assert_int_equal(nm_relay_new(&relay_config, &relay), 0);
	natmux_mux_set_sink(mux, NATMUX_CLASS_IKE, &nm_relay_sink, relay);
	natmux_mux_set_sink(mux, NATMUX_CLASS_ESP, &nm_relay_sink, relay);
}

static void stop(void)
{
	natmux_mux_free(mux); /* tells the relay of every flow */
	nm_relay_free(relay);
	fake_tun_clear(&tun);
}

static void make_ike(uint8_t ike[IKE_LEN], uint8_t exchange, uint8_t flags, uint8_t payload)
{
	memset(ike, 0, IKE_LEN);
	memset(ike + NM_IKE_AT_INITIATOR_SPI, 0x11, 8);
	if (exchange != NM_IKE2_SA_INIT)
		memset(ike + NM_IKE_AT_RESPONDER_SPI, 0x22, 8);
	ike[NM_IKE_AT_NEXT_PAYLOAD] = payload;
	ike[NM_IKE_AT_VERSION] = 0x20;
	ike[NM_IKE_AT_EXCHANGE] = exchange;
	ike[NM_IKE_AT_FLAGS] = flags;
	nm_put32(ike + NM_IKE_AT_LENGTH, IKE_LEN - NM_NATT_MARKER_LEN);
	nm_put16(ike + NM_IKE_MIN + 2, 8);
}

/* Datagrams from peers, at once; up to two. */
static void from_network(uint64_t now_ms, const char *peers, const uint8_t *data, uint32_t len)
{
	char one[NATMUX_ADDR_TEXT], two[NATMUX_ADDR_TEXT];
	int n = sscanf(peers, "%63s %63s", one, two);
	struct natmux_train v[2] = {{.data = data, .len = len}, {.data = data, .len = len}};

	v[0].path.remote = addr(one);
	v[1].path.remote = addr(n == 2 ? two : one);
	v[0].path.local = v[1].path.local = addr("192.0.2.1:4500");
	natmux_mux_input(mux, now_ms, v, (size_t)n);
}

/* A stranger asks for an IKE SA. */
static void knock(uint64_t now_ms, const char *peers)
{
	uint8_t ike[IKE_LEN];

	make_ike(ike, NM_IKE2_SA_INIT, NM_IKE2_FLAG_INITIATOR, 33);
	from_network(now_ms, peers, ike, sizeof(ike));
}

/* The daemon answers every packet it has got; returns the trains to be sent. */
static size_t daemon_says(uint64_t now_ms, uint8_t exchange, uint8_t payload)
{
	struct nm_relay_packet packets[TRAINS_MAX];
	size_t n;

	for (size_t i = 0; i < tun.n; i++) {
		uint8_t *packet = tun.packets[i].data;

		assert_int_equal(tun.packets[i].len, 28 + IKE_LEN);
		fake_echo(packet);
		make_ike(packet + 28, exchange, NM_IKE2_FLAG_RESPONSE, payload);
		fake_fix_checksums(packet, tun.packets[i].len);
		packets[i] = (struct nm_relay_packet){packet, tun.packets[i].len};
	}
	n = nm_relay_packets(relay, packets, tun.n, trains, TRAINS_MAX);
	natmux_mux_sent(mux, now_ms, trains, n);
	fake_tun_clear(&tun);
	return n;
}

static void see_alias(void *user, const struct nm_alias *alias)
{
	*(struct nm_alias *)user = *alias;
}

static uint8_t alias_of_last(void)
{
	assert_true(tun.n > 0);
	return tun.packets[tun.n - 1].data[15];
}

static void test_life_of_a_peer(void **state)
{
	static const uint8_t esp[100] = {0x11, 0x22, 0x33, 0x44};
	uint8_t ike[IKE_LEN];
	struct nm_alias alias = {.flow = NATMUX_FLOW_NONE};
	char text[NATMUX_ADDR_TEXT];

	(void)state;
	start(100, "100.64.0.0/24");
	from_network(1, "203.0.113.7:31022", esp, sizeof(esp)); /* who is that? */
	assert_int_equal(tun.n, 0);
	assert_int_equal(natmux_mux_stats(mux)->drops[NATMUX_DROP_ESP_NO_FLOW], 1);
	knock(2, "203.0.113.7:31022");
	assert_int_equal(tun.n, 1);
	assert_int_equal(alias_of_last(), 2);
	nm_relay_aliases(relay, see_alias, &alias);
	assert_string_equal(natmux_addr_format(&alias.addr, text), "100.64.0.2:4500");
	assert_int_equal(daemon_says(3, NM_IKE2_SA_INIT, 33), 1);
	assert_string_equal(natmux_addr_format(&trains[0].path.remote, text), "203.0.113.7:31022");
	assert_string_equal(natmux_addr_format(&trains[0].path.local, text), "192.0.2.1:4500");
	assert_int_equal(trains[0].flow, alias.flow);
	make_ike(ike, NM_IKE2_AUTH, NM_IKE2_FLAG_INITIATOR, NM_IKE2_PAYLOAD_SK);
	from_network(4, "203.0.113.7:31022", ike, sizeof(ike));
	assert_int_equal(daemon_says(5, NM_IKE2_AUTH, NM_IKE2_PAYLOAD_SK), 1);
	from_network(6, "203.0.113.7:31022", esp, sizeof(esp));
	assert_int_equal(tun.n, 1);
	assert_int_equal(alias_of_last(), 2);
	assert_int_equal(natmux_mux_stats(mux)->drops[NATMUX_DROP_ESP_NO_FLOW], 1);
	stop();
}

/* Nobody answers: the flow goes, its alias with it, and the next stranger gets another one. */
static void test_expiry(void **state)
{
	struct nm_alias alias = {.flow = NATMUX_FLOW_NONE};

	(void)state;
	start(100, "100.64.0.0/24");
	knock(0, "203.0.113.7:1");
	natmux_mux_timeout(mux, 30001);
	nm_relay_aliases(relay, see_alias, &alias);
	assert_true(alias.flow == NATMUX_FLOW_NONE);
	assert_int_equal(daemon_says(30002, NM_IKE2_SA_INIT, 33), 0);
	assert_int_equal(natmux_mux_stats(mux)->drops[NATMUX_DROP_HANDOFF_ALIAS], 1);
	knock(30003, "203.0.113.8:1");
	assert_int_equal(alias_of_last(), 3);
	stop();
}

/*
 * The table is full, and one vector brings a known peer and a stranger who takes its place: what
 * the first one said must not reach the daemon as the other's word.
 */
static void test_eviction_within_a_vector(void **state)
{
	(void)state;
	start(1, "100.64.0.0/24");
	knock(0, "203.0.113.7:1");
	fake_tun_clear(&tun);
	knock(1, "203.0.113.7:1 203.0.113.8:1");
	assert_int_equal(tun.n, 1);
	assert_int_equal(alias_of_last(), 3);
	assert_int_equal(natmux_mux_stats(mux)->drops[NATMUX_DROP_ESP_NO_FLOW], 1);
	assert_int_equal(daemon_says(2, NM_IKE2_SA_INIT, 33), 1);
	assert_int_equal(trains[0].path.remote.ip[3], 8);
	stop();
}

static void test_configured_peer(void **state)
{
	struct natmux_path path = {
		.local = {.family = NATMUX_FAMILY_IPV4},
		.remote = addr("203.0.113.9:4500"),
	};
	struct natmux_addr alias = addr("100.64.0.9");
	uint32_t flow = NATMUX_FLOW_NONE;

	(void)state;
	start(100, "100.64.0.0/24");
	assert_int_equal(natmux_mux_peer_add(mux, 0, "branch", &path, &flow), 0);
	assert_int_equal(nm_relay_alias_reserve(relay, flow, &alias), 0);
	knock(1, "203.0.113.9:4500");
	assert_int_equal(alias_of_last(), 9);
	/* The daemon may also begin: the path's local address is the kernel's choice. */
	assert_int_equal(daemon_says(2, NM_IKE2_SA_INIT, 33), 1);
	assert_int_equal(trains[0].path.local.port, 0);
	assert_int_equal(natmux_mux_peer_remove(mux, "branch"), 0);
	knock(3, "203.0.113.9:4500");
	assert_int_equal(alias_of_last(), 2); /* a stranger now */
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life_of_a_peer),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_eviction_within_a_vector),
		cmocka_unit_test(test_configured_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
