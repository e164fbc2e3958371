/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows of IKE in the mux: what opens one, what keeps it, what it may not cost; peers and keepalives.
 */
#include "mux_test.h"

#include <stdio.h>
#include <natmux/error.h>

static void test_ike_opens_a_flow(void **state)
{
	uint8_t broken[IKE_LEN];

	(void)state;
	start();
	for (size_t at = 4; at < 32; at++) {
		memcpy(broken, ike_init, IKE_LEN);
		broken[31] ^= 1; /* the length */
		input(0, "203.0.113.9:4500", broken, IKE_LEN);
	}
	assert_int_equal(drops(NATMUX_DROP_IKE_HEADER), 28);
	assert_int_equal(ike.datagrams, 0);
	input(0, "203.0.113.9:4500", ike_init_answer, IKE_LEN); /* an answer nobody asked for */
	assert_int_equal(drops(NATMUX_DROP_IKE_HEADER), 29);
	input(0, "203.0.113.9:4500", ike_init, IKE_LEN);
	assert_int_equal(ike.datagrams, 1);
	assert_true(ike.train[0].flow != NATMUX_FLOW_NONE);
	assert_int_equal(events[NATMUX_EVENT_FLOW_OPENED], 1);
	/* With a flow the daemon judges the rest. */
	input(0, "203.0.113.9:4500", broken, IKE_LEN);
	assert_int_equal(ike.datagrams, 2);
	assert_int_equal(ike.train[1].flow, ike.train[0].flow);
	input(0, "[2001:db8::2]:4500", ike_init, IKE_LEN);
	assert_int_equal(events[NATMUX_EVENT_FLOW_OPENED], 2);
	assert_true(ike.train[2].flow != ike.train[0].flow);
	stop();
}

static void test_flow_states(void **state)
{
	(void)state;
	start();
	input(0, "203.0.113.9:4500", ike_init, IKE_LEN);
	sent(0, "203.0.113.9:4500", ike_init_answer, IKE_LEN);
	assert_int_equal(events[NATMUX_EVENT_FLOW_ESTABLISHED], 0);
	input(0, "203.0.113.9:4500", ike_auth, IKE_LEN);
	assert_int_equal(events[NATMUX_EVENT_FLOW_ESTABLISHED], 0);
	sent(0, "203.0.113.9:4500", ike_auth_answer, IKE_LEN);
	assert_int_equal(events[NATMUX_EVENT_FLOW_ESTABLISHED], 1);
	natmux_mux_timeout(mux, 3599999);
	assert_int_equal(events[NATMUX_EVENT_FLOW_CLOSED], 0);
	natmux_mux_timeout(mux, 3600000);
	assert_int_equal(events[NATMUX_EVENT_FLOW_CLOSED], 1);
	assert_int_equal(ike.closed, 1);
	stop();
}

/* GRO glues IKE fragments of one length: each stays a datagram (strongswan#3114). */
static void test_glued_fragments(void **state)
{
	uint8_t glued[3 * IKE_LEN + 36];

	(void)state;
	start();
	for (int i = 0; i < 3; i++)
		memcpy(glued + i * IKE_LEN, ike_init, IKE_LEN);
	memcpy(glued + (ptrdiff_t)3 * IKE_LEN, ike_init, 36);
	input_train(0, "203.0.113.9:4500", glued, sizeof(glued), IKE_LEN);
	assert_int_equal(ike.trains, 1);
	assert_int_equal(ike.datagrams, 4);
	assert_int_equal(ike.train[0].segment, IKE_LEN);
	assert_int_equal(ike.train[0].len, sizeof(glued));
	stop();
}

static void test_broken_ike_before_good_one(void **state)
{
	uint8_t train[3 * IKE_LEN];

	(void)state;
	start();
	for (size_t i = 0; i < 3; i++)
		memcpy(train + i * IKE_LEN, ike_init, IKE_LEN);
	train[21] = 0x70; /* major version 7 */
	input_train(0, "203.0.113.9:4500", train, sizeof(train), IKE_LEN);
	assert_int_equal(drops(NATMUX_DROP_IKE_HEADER), 1);
	assert_int_equal(ike.datagrams, 2);
	assert_int_equal(ike.train[0].len, 2 * IKE_LEN);
	stop();
}

static void test_ike_rates(void **state)
{
	struct natmux_mux_config config;
	char remote[64];

	(void)state;
	natmux_mux_config_init(&config);
	config.ike_prefix = (struct natmux_rate){1, 3};
	config.ike_all = (struct natmux_rate){1, 5};
	config.prefix4_bits = 24;
	start_with(&config);
	for (int i = 1; i <= 5; i++) {
		snprintf(remote, sizeof(remote), "203.0.113.%d:4500", i);
		input(0, remote, ike_init, IKE_LEN);
	}
	assert_int_equal(drops(NATMUX_DROP_IKE_RATE), 2);
	for (int i = 1; i <= 5; i++) {
		snprintf(remote, sizeof(remote), "198.51.%d.1:4500", i);
		input(0, remote, ike_init, IKE_LEN);
	}
	assert_int_equal(drops(NATMUX_DROP_IKE_RATE_ALL), 3);
	assert_int_equal(events[NATMUX_EVENT_FLOW_OPENED], 5);
	/* Those that have a flow pay nothing. */
	for (int i = 0; i < 100; i++)
		input(0, "203.0.113.1:4500", ike_init, IKE_LEN);
	assert_int_equal(ike.datagrams, 5 + 100);
	stop();
}

/* 10 000 sources of valid first messages against a small table with a working tunnel. */
static void test_flood_spares_the_established(void **state)
{
	struct natmux_mux_config config;
	size_t before;

	(void)state;
	natmux_mux_config_init(&config);
	config.flows_max = 64;
	config.ike_prefix = config.ike_all = (struct natmux_rate){1000000, 1000000};
	start_with(&config);
	establish(0, "203.0.113.9:4500");
	for (uint32_t i = 0; i < 10000; i++) {
		struct natmux_train train = {
			.data = ike_init, .len = IKE_LEN, .path = path_of("198.51.100.1:4500")};

		nm_put32(train.path.remote.ip, 0x0b000000 + i);
		ike.trains = 0;
		natmux_mux_input(mux, i, &train, 1);
		/* The daemon answers each of them: a forged source gets that far. */
		train.data = ike_init_answer;
		train.flow = NATMUX_FLOW_NONE;
		natmux_mux_sent(mux, i, &train, 1);
	}
	before = ike.datagrams;
	input(10000, "203.0.113.9:4500", ike_auth, IKE_LEN);
	assert_int_equal(ike.datagrams, before + 1);
	assert_int_equal(events[NATMUX_EVENT_FLOW_OPENED], 10001); /* not opened once more */
	stop();
}

/*
 * One real host establishes a flow from each of its ports: it gets an eighth of the table, and
 * everybody else still gets in.
 */
static void test_one_source_cannot_fill_the_table(void **state)
{
	struct natmux_mux_config config;
	char remote[64];

	(void)state;
	natmux_mux_config_init(&config);
	config.flows_max = 256;
	config.ike_prefix = config.ike_all = (struct natmux_rate){1000000, 1000000};
	start_with(&config);
	for (int port = 1; port <= 1000; port++) {
		snprintf(remote, sizeof(remote), "198.51.100.7:%d", port);
		input(0, remote, ike_init, IKE_LEN);
		if (port <= 256 / 8)
			sent(0, remote, ike_auth_answer, IKE_LEN);
		ike.trains = 0;
	}
	assert_int_equal(events[NATMUX_EVENT_FLOW_OPENED], 256 / 8);
	assert_int_equal(drops(NATMUX_DROP_FLOWS_PREFIX), 1000 - 256 / 8);
	input(0, "198.51.100.8:500", ike_init, IKE_LEN);
	assert_int_equal(events[NATMUX_EVENT_FLOW_OPENED], 256 / 8 + 1);
	/* What expires gives its place back. */
	natmux_mux_timeout(mux, 3600000);
	input(3600001, "198.51.100.7:1", ike_init, IKE_LEN);
	assert_int_equal(events[NATMUX_EVENT_FLOW_OPENED], 256 / 8 + 2);
	stop();
}

static void test_keepalives(void **state)
{
	struct natmux_train out[4];

	(void)state;
	start();
	establish(0, "203.0.113.9:4500");
	assert_int_equal(natmux_mux_next_deadline(mux), 20000);
	natmux_mux_timeout(mux, 19999);
	assert_int_equal(natmux_mux_output(mux, out, 4), 0);
	natmux_mux_timeout(mux, 20000);
	assert_int_equal(natmux_mux_output(mux, out, 4), 1);
	assert_int_equal(out[0].len, 1);
	assert_int_equal(out[0].data[0], 0xff);
	assert_int_equal(out[0].path.remote.port, 4500);
	assert_int_equal(natmux_mux_output(mux, out, 4), 0);
	assert_int_equal(natmux_mux_next_deadline(mux), 40000);
	/* What the daemon sends puts it off. */
	sent(30000, "203.0.113.9:4500", esp_packet, sizeof(esp_packet));
	assert_int_equal(natmux_mux_next_deadline(mux), 50000);
	stop();
}

static void test_keepalives_off(void **state)
{
	struct natmux_mux_config config;
	struct natmux_train out[4];

	(void)state;
	natmux_mux_config_init(&config);
	config.keepalive = NATMUX_KEEPALIVE_OFF;
	start_with(&config);
	establish(0, "203.0.113.9:4500");
	natmux_mux_timeout(mux, 20000);
	assert_int_equal(natmux_mux_output(mux, out, 4), 0);
	assert_int_equal(natmux_mux_next_deadline(mux), 40000);
	stop();
}

/* More keepalives due than the queue holds: drained in rounds, none lost. */
static void test_keepalives_of_many(void **state)
{
	struct natmux_mux_config config;
	struct natmux_train out[64];
	size_t n, sum = 0;

	(void)state;
	natmux_mux_config_init(&config);
	config.ike_prefix = config.ike_all = (struct natmux_rate){1000000, 1000000};
	start_with(&config);
	for (uint32_t i = 0; i < 1000; i++) {
		struct natmux_train train = {.data = ike_auth_answer,
			.len = IKE_LEN,
			.flow = NATMUX_FLOW_NONE,
			.path = path_of("198.51.100.1:4500")};

		nm_put32(train.path.remote.ip, 0x0b000000 + i);
		natmux_mux_sent(mux, 0, &train, 1);
	}
	for (int round = 0; natmux_mux_next_deadline(mux) <= 20000; round++) {
		assert_in_range(round, 0, 20);
		natmux_mux_timeout(mux, 20000);
		while ((n = natmux_mux_output(mux, out, 64)) > 0)
			sum += n;
	}
	assert_int_equal(sum, 1000);
	stop();
}

static void test_peers(void **state)
{
	struct natmux_path path = {0};
	uint32_t flow;

	(void)state;
	start();
	assert_int_equal(natmux_mux_peer_add(mux, 0, "x", &path, &flow), NATMUX_EINVAL);
	path = path_of("203.0.113.9:4500");
	input(0, "203.0.113.9:4500", ike_init, IKE_LEN); /* was a stranger before */
	path.local = (struct natmux_addr){0};
	assert_int_equal(natmux_mux_peer_add(mux, 0, "branch", &path, &flow), 0);
	assert_int_equal(events[NATMUX_EVENT_FLOW_CLOSED], 1);
	input(0, "203.0.113.9:4500", esp_packet, sizeof(esp_packet));
	assert_int_equal(esp.train[0].flow, flow);
	assert_non_null(natmux_mux_flow_path(mux, flow));
	assert_string_equal(natmux_mux_flow_peer(mux, flow), "branch");
	assert_int_equal(natmux_mux_flow_close(mux, flow), NATMUX_EINVAL);
	assert_int_equal(natmux_mux_peer_remove(mux, "branch"), 0);
	assert_null(natmux_mux_flow_path(mux, flow));
	assert_null(natmux_mux_flow_peer(mux, flow));
	assert_int_equal(natmux_mux_peer_remove(mux, "branch"), NATMUX_ENOTFOUND);
	assert_int_equal(natmux_mux_flow_close(mux, flow), NATMUX_ENOTFOUND);
	input(0, "203.0.113.9:4500", ike_init, IKE_LEN);
	assert_null(natmux_mux_flow_peer(mux, ike.train[1].flow));
	assert_int_equal(natmux_mux_flow_close(mux, ike.train[1].flow), 0);
	assert_null(natmux_mux_flow_path(mux, ike.train[1].flow));
	stop();
}

/* The owner begins and leaves the local address to the kernel: the answer opens no flow, it has one. */
static void test_owner_begins_anywhere(void **state)
{
	static const uint8_t zeros[16];
	uint8_t answer[IKE_LEN];
	struct natmux_train first = {.data = ike_init, .len = IKE_LEN};

	(void)state;
	start();
	first.flow = NATMUX_FLOW_NONE;
	first.path = path_of("203.0.113.9:4500");
	first.path.local.port = 0;
	memcpy(first.path.local.ip, zeros, sizeof(zeros));
	natmux_mux_sent(mux, 0, &first, 1);
	memcpy(answer, ike_init, IKE_LEN);
	answer[12] = 1;    /* the responder's SPI */
	answer[23] = 0x20; /* a response (RFC 7296 3.1): opens nothing */
	input(1, "203.0.113.9:4500", answer, IKE_LEN);
	assert_int_equal(ike.datagrams, 1);
	assert_int_equal(drops(NATMUX_DROP_IKE_HEADER), 0);
	input(1, "203.0.113.8:4500", answer, IKE_LEN);
	assert_int_equal(drops(NATMUX_DROP_IKE_HEADER), 1);
	stop();
}

static void check_flow(void *user, const struct natmux_flow_info *info)
{
	(*(size_t *)user)++;
	assert_int_equal(info->rx[NATMUX_CLASS_IKE].datagrams, 2);
	assert_int_equal(info->rx[NATMUX_CLASS_ESP].bytes, sizeof(esp_packet));
	assert_int_equal(info->tx.datagrams, 2);
	assert_int_equal(info->last_rx_ms, 9);
	assert_int_equal(info->last_tx_ms, 5);
	assert_int_equal(info->keepalives_rx, 1);
	assert_int_equal(info->state, NATMUX_FLOW_ESTABLISHED);
	assert_null(info->peer);
}

/* The datagram that opens a flow counts as one of it. */
static void test_flow_counters(void **state)
{
	size_t flows = 0;

	(void)state;
	start();
	establish(5, "203.0.113.9:4500");
	input(8, "203.0.113.9:4500", esp_packet, sizeof(esp_packet));
	input(9, "203.0.113.9:4500", keepalive, 1);
	natmux_mux_flows(mux, check_flow, &flows);
	assert_int_equal(flows, 1);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ike_opens_a_flow),
		cmocka_unit_test(test_flow_states),
		cmocka_unit_test(test_glued_fragments),
		cmocka_unit_test(test_broken_ike_before_good_one),
		cmocka_unit_test(test_ike_rates),
		cmocka_unit_test(test_flood_spares_the_established),
		cmocka_unit_test(test_one_source_cannot_fill_the_table),
		cmocka_unit_test(test_keepalives),
		cmocka_unit_test(test_keepalives_off),
		cmocka_unit_test(test_keepalives_of_many),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_owner_begins_anywhere),
		cmocka_unit_test(test_flow_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
