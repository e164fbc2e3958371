/* SPDX-License-Identifier: Apache-2.0 */
/* The mux from outside: a virtual clock, made-up datagrams, sinks that remember what they got. */
#include "test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>
#include <natmux/mux.h>

#include "base/bytes.h"
#include "dispatcher/mux.h"

enum { MINUTE = 60000, KEPT_MAX = 300 };

struct kept {
	size_t trains, datagrams, closed, calls;
	struct natmux_train train[KEPT_MAX];
	uint8_t first[KEPT_MAX][8];
};

static struct natmux_mux *mux;
static struct kept ike, esp, ice;
static size_t events[NATMUX_EVENT_COUNT];
static struct natmux_event last_event;

static void keep(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	struct kept *kept = self;

	(void)now_ms;
	kept->calls++;
	assert_in_range(n, 1, 64);
	for (size_t i = 0; i < n; i++) {
		assert_in_range(kept->trains, 0, KEPT_MAX - 1);
		kept->train[kept->trains] = trains[i];
		memcpy(kept->first[kept->trains++], trains[i].data,
			trains[i].len < 8 ? trains[i].len : 8);
		kept->datagrams += natmux_train_count(&trains[i]);
	}
}

static void keep_closed(void *self, uint32_t flow, const struct natmux_path *path)
{
	(void)flow;
	(void)path;
	((struct kept *)self)->closed++;
}

static const struct natmux_sink_ops keeper = {
	.name = "keeper",
	.input = keep,
	.flow_closed = keep_closed,
};

static void on_event(void *user, const struct natmux_event *event)
{
	(void)user;
	events[event->type]++;
	last_event = *event;
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)rand();
}

static const struct natmux_random randomness = {.fill = fill};

static void start_with(const struct natmux_mux_config *config)
{
	memset(&ike, 0, sizeof(ike));
	memset(&esp, 0, sizeof(esp));
	memset(&ice, 0, sizeof(ice));
	memset(events, 0, sizeof(events));
	assert_int_equal(natmux_mux_new(config, &randomness, &mux), 0);
	assert_int_equal(natmux_mux_set_sink(mux, NATMUX_CLASS_IKE, &keeper, &ike), 0);
	assert_int_equal(natmux_mux_set_sink(mux, NATMUX_CLASS_ESP, &keeper, &esp), 0);
	natmux_mux_set_event_handler(mux, on_event, NULL);
}

static void start(void)
{
	struct natmux_mux_config config;

	natmux_mux_config_init(&config);
	start_with(&config);
}

static void stop(void)
{
	natmux_mux_free(mux);
	mux = NULL;
}

static struct natmux_path path_of(const char *remote)
{
	struct natmux_path path;

	assert_int_equal(natmux_addr_parse(remote, 4500, &path.remote), 0);
	assert_int_equal(
		natmux_addr_parse(path.remote.family == NATMUX_FAMILY_IPV4 ? "192.0.2.1:4500"
									   : "[2001:db8::1]:4500",
			0, &path.local),
		0);
	return path;
}

static void input_train(
	uint64_t now, const char *remote, const uint8_t *data, uint32_t len, uint32_t segment)
{
	struct natmux_train train = {
		.data = data, .len = len, .segment = segment, .path = path_of(remote)};

	natmux_mux_input(mux, now, &train, 1);
}

static void input(uint64_t now, const char *remote, const uint8_t *data, uint32_t len)
{
	input_train(now, remote, data, len, len);
}

/* A train that ends in IKE or STUN, as a worker's socket may get it. */
static struct kept strays;

static void keep_stray(void *user, const struct natmux_train *run)
{
	keep(user, 0, run, 1);
}

static void sent(uint64_t now, const char *remote, const uint8_t *data, uint32_t len)
{
	struct natmux_train train = {.data = data,
		.len = len,
		.segment = len,
		.flow = NATMUX_FLOW_NONE,
		.path = path_of(remote)};

	natmux_mux_sent(mux, now, &train, 1);
}

static uint64_t drops(enum natmux_drop drop)
{
	return natmux_mux_stats(mux)->drops[drop];
}

static uint64_t drops_in_all(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < NATMUX_DROP_COUNT; i++)
		sum += drops(i);
	return sum;
}

enum { IKE_LEN = 4 + 28 + 8 };

/* IKE_SA_INIT request with one small payload (RFC 7296 3.1, 3.2). */
static const uint8_t ike_init[IKE_LEN] = {
	0, 0, 0, 0,                             /* marker */
	1, 2, 3, 4, 5, 6, 7, 8,                 /* initiator SPI */
	0, 0, 0, 0, 0, 0, 0, 0,                 /* responder SPI */
	33, 0x20, 34, 0x08, 0, 0, 0, 0,         /* SA, 2.0, IKE_SA_INIT, initiator, id 0 */
	0, 0, 0, IKE_LEN - 4, 0, 0, 0, 8, 0, 0, /* length; payload header: none, length 8 */
};
/* Its answer. */
static const uint8_t ike_init_answer[IKE_LEN] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9,
	9, 9, 9, 33, 0x20, 34, 0x20, 0, 0, 0, 0, 0, 0, 0, IKE_LEN - 4, 0, 0, 0, 8};
/* IKE_AUTH with an encrypted payload, request and answer. */
static const uint8_t ike_auth[IKE_LEN] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9,
	9, 46, 0x20, 35, 0x08, 0, 0, 0, 1, 0, 0, 0, IKE_LEN - 4, 0, 0, 0, 8};
static const uint8_t ike_auth_answer[IKE_LEN] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9,
	9, 9, 9, 46, 0x20, 35, 0x20, 0, 0, 0, 1, 0, 0, 0, IKE_LEN - 4, 0, 0, 0, 8};
static const uint8_t esp_packet[40] = {0xc0, 1, 2, 3, 0, 0, 0, 1};
static const uint8_t keepalive[1] = {0xff};

static void establish(uint64_t now, const char *remote)
{
	input(now, remote, ike_init, IKE_LEN);
	sent(now, remote, ike_init_answer, IKE_LEN);
	input(now, remote, ike_auth, IKE_LEN);
	sent(now, remote, ike_auth_answer, IKE_LEN);
}

/* CRC-32 bit by bit, apart from the table that is tested. */
static uint32_t slow_crc(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffff;

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
	}
	return ~crc;
}

/* A STUN message of `len` bytes (a multiple of 4, 28 or 36 and more): SOFTWARE fills it up. */
static void make_stun(uint8_t *msg, uint16_t type, size_t len)
{
	memset(msg, 0, len);
	nm_put16(msg, type);
	nm_put16(msg + 2, (uint16_t)(len - 20));
	nm_put32(msg + 4, 0x2112a442);
	memset(msg + 8, 0x77, 12);
	if (len > 28) {
		nm_put16(msg + 20, 0x8022);
		nm_put16(msg + 22, (uint16_t)(len - 20 - 4 - 8));
	}
	nm_put16(msg + len - 8, 0x8028);
	nm_put16(msg + len - 6, 4);
	nm_put32(msg + len - 4, slow_crc(msg, len - 8) ^ 0x5354554e);
}

static void test_config_is_checked(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
	} bad[] = {
#define FIELD(name, v) {offsetof(struct natmux_mux_config, name), v}
		FIELD(flows_max, 0),
		FIELD(flows_max, 1048577),
		FIELD(flow_new_ms, 0),
		FIELD(flow_new_ms, 999),
		FIELD(flow_answered_ms, UINT32_MAX),
		FIELD(flow_idle_ms, 0),
		FIELD(keepalive_ms, 999),
		FIELD(stun_refresh_ms, 0),
		FIELD(ike_prefix.burst, 0),
		FIELD(ike_all.per_s, 1000001),
		FIELD(stun_prefix.burst, 1000001),
		FIELD(stun_all.burst, 0),
		FIELD(responder, 3),
		FIELD(keepalive, 3),
#undef FIELD
	};
	struct natmux_mux_config config;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		natmux_mux_config_init(&config);
		memcpy((char *)&config + bad[i].offset, &bad[i].value, sizeof(uint32_t));
		mux = (void *)&config;
		assert_int_equal(natmux_mux_new(&config, &randomness, &mux), NATMUX_ERANGE);
		assert_ptr_equal(mux, &config); /* untouched */
	}
	natmux_mux_config_init(&config);
	config.prefix4_bits = 33;
	assert_int_equal(natmux_mux_new(&config, &randomness, &mux), NATMUX_ERANGE);
	natmux_mux_config_init(&config);
	config.prefix6_bits = 129;
	assert_int_equal(natmux_mux_new(&config, &randomness, &mux), NATMUX_ERANGE);
	natmux_mux_config_init(&config);
	config.size--;
	assert_int_equal(natmux_mux_new(&config, &randomness, &mux), NATMUX_EINVAL);
	natmux_mux_free(NULL);
}

static void test_reconfigure(void **state)
{
	struct natmux_mux_config config;

	(void)state;
	start();
	natmux_mux_config_init(&config);
	config.flows_max = 5;
	assert_int_equal(natmux_mux_reconfigure(mux, &config), NATMUX_EINVAL);
	natmux_mux_config_init(&config);
	config.flow_new_ms = 0;
	assert_int_equal(natmux_mux_reconfigure(mux, &config), NATMUX_ERANGE);
	natmux_mux_config_init(&config);
	config.flow_new_ms = 5000;
	config.size--;
	assert_int_equal(natmux_mux_reconfigure(mux, &config), NATMUX_EINVAL);
	config.size++;
	assert_int_equal(natmux_mux_reconfigure(mux, &config), 0);
	input(0, "203.0.113.9:4500", ike_init, IKE_LEN);
	assert_int_equal(natmux_mux_next_deadline(mux), 5000);
	stop();
}

static void test_sinks_are_checked(void **state)
{
	(void)state;
	start();
	assert_int_equal(natmux_mux_set_sink(mux, NATMUX_CLASS_RUNT, &keeper, NULL), NATMUX_EINVAL);
	assert_int_equal(
		natmux_mux_set_sink(mux, NATMUX_CLASS_KEEPALIVE, &keeper, NULL), NATMUX_EINVAL);
	assert_int_equal(natmux_mux_set_sink(mux, NATMUX_CLASS_ESP, NULL, NULL), 0);
	input(0, "203.0.113.9:4500", esp_packet, sizeof(esp_packet));
	assert_int_equal(drops(NATMUX_DROP_NO_SINK), 1);
	stop();
}

static void take_esp_away(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	keep(self, now_ms, trains, n);
	assert_int_equal(natmux_mux_set_sink(mux, NATMUX_CLASS_ESP, NULL, NULL), 0);
}

/* What waited for a sink that another one has taken away in the meantime is a drop, not a crash. */
static void test_sink_is_taken_away(void **state)
{
	static const struct natmux_sink_ops taker = {.name = "taker", .input = take_esp_away};
	struct natmux_train trains[2] = {{.data = esp_packet, .len = sizeof(esp_packet)},
		{.data = ike_init, .len = IKE_LEN}};

	(void)state;
	start();
	assert_int_equal(natmux_mux_set_sink(mux, NATMUX_CLASS_IKE, &taker, &ike), 0);
	trains[0].path = trains[1].path = path_of("203.0.113.9:4500");
	natmux_mux_input(mux, 0, trains, 2);
	assert_int_equal(ike.datagrams, 1);
	assert_int_equal(esp.datagrams, 0);
	assert_int_equal(drops(NATMUX_DROP_NO_SINK), 1);
	stop();
}

static void test_each_class_to_its_owner(void **state)
{
	const struct natmux_stats *stats;
	uint8_t stun[48];

	(void)state;
	start();
	stats = natmux_mux_stats(mux);
	make_stun(stun, 0x0001, sizeof(stun));
	input(0, "203.0.113.9:4500", ike_init, IKE_LEN);
	input(0, "203.0.113.9:4500", esp_packet, sizeof(esp_packet));
	input(0, "203.0.113.9:4500", keepalive, 1);
	input(0, "203.0.113.9:4500", esp_packet, 3);
	input(0, "203.0.113.9:4500", NULL, 0);
	input(0, "203.0.113.9:4500", stun, sizeof(stun));
	assert_int_equal(ike.datagrams, 1);
	assert_int_equal(esp.datagrams, 1);
	assert_int_equal(stats->rx[NATMUX_CLASS_IKE].bytes, IKE_LEN);
	assert_int_equal(stats->rx[NATMUX_CLASS_ESP].bytes, sizeof(esp_packet));
	assert_int_equal(stats->rx[NATMUX_CLASS_KEEPALIVE].datagrams, 1);
	assert_int_equal(stats->rx[NATMUX_CLASS_RUNT].datagrams, 2);
	assert_int_equal(stats->rx[NATMUX_CLASS_STUN].datagrams, 1);
	assert_int_equal(drops(NATMUX_DROP_RUNT), 2);
	assert_int_equal(drops_in_all(), 2);
	assert_int_equal(stats->rx_trains, 6);
	stop();
}

static void test_martians(void **state)
{
	static const char *const martians[] = {"0.0.0.0:4500", "0.1.2.3:4500", "224.0.0.1:4500",
		"255.255.255.255:4500", "240.0.0.1:9", "203.0.113.9:0", "[::]:4500",
		"[ff02::1]:4500", "[2001:db8::2]:0"};

	(void)state;
	start();
	for (size_t i = 0; i < ARRAY_SIZE(martians); i++)
		input(0, martians[i], ike_init, IKE_LEN);
	assert_int_equal(drops(NATMUX_DROP_MARTIAN), ARRAY_SIZE(martians));
	assert_int_equal(ike.datagrams, 0);
	assert_int_equal(events[NATMUX_EVENT_FLOW_OPENED], 0);
	stop();
}

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

/* A train in which the class changes with every datagram. */
static void test_mixed_train(void **state)
{
	uint8_t train[6 * 40] = {0};

	(void)state;
	start();
	for (size_t i = 0; i < 6; i++)
		memcpy(train + 40 * i, i % 2 ? esp_packet : ike_init, 40);
	input_train(0, "203.0.113.9:4500", train, 5 * 40 + 2, 40);
	assert_int_equal(ike.trains, 3);
	assert_int_equal(esp.trains, 2);
	assert_int_equal(ike.calls, 1);
	assert_int_equal(esp.calls, 1);
	assert_int_equal(drops(NATMUX_DROP_RUNT), 1);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(ike.train[i].len, 40);
		assert_memory_equal(ike.first[i], ike_init, 8);
		assert_int_equal(ike.train[i].flow, ike.train[0].flow);
	}
	/* The flow that the first datagram opened is the second's too. */
	assert_int_equal(esp.train[0].flow, ike.train[0].flow);
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

static void test_vectors_of_64(void **state)
{
	struct natmux_train trains[200];

	(void)state;
	start();
	for (size_t i = 0; i < 200; i++)
		trains[i] = (struct natmux_train){.data = esp_packet,
			.len = sizeof(esp_packet),
			.path = path_of("203.0.113.9:4500")};
	natmux_mux_input(mux, 0, trains, 200);
	assert_int_equal(esp.trains, 200);
	assert_int_equal(esp.calls, 4);
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

static size_t answers(uint64_t now, const char *remote, const uint8_t *msg, uint32_t len,
	struct natmux_train *out)
{
	input(now, remote, msg, len);
	return natmux_mux_output(mux, out, 1);
}

static void test_responder(void **state)
{
	struct natmux_train out[1];
	uint8_t stun[100];

	(void)state;
	start();
	make_stun(stun, 0x0001, 28);
	assert_int_equal(answers(0, "203.0.113.9:1", stun, 28, out), 0);
	assert_int_equal(drops(NATMUX_DROP_STUN_LARGER), 1);
	make_stun(stun, 0x0001, 40);
	assert_int_equal(answers(0, "203.0.113.9:1", stun, 40, out), 1);
	assert_in_range(out[0].len, 20, 40);
	assert_int_equal(out[0].path.remote.port, 1);
	assert_int_equal(nm_get16(out[0].data), 0x0101);
	make_stun(stun, 0x0011, 40); /* indication */
	assert_int_equal(answers(0, "203.0.113.9:1", stun, 40, out), 0);
	assert_int_equal(drops(NATMUX_DROP_STUN_INDICATION), 1);
	make_stun(stun, 0x0101, 40); /* an answer that nobody asked for */
	assert_int_equal(answers(0, "203.0.113.9:1", stun, 40, out), 0);
	assert_int_equal(drops(NATMUX_DROP_STUN_UNASKED), 1);
	stop();
}

static void test_responder_rates(void **state)
{
	struct natmux_mux_config config;
	struct natmux_train out[1];
	uint8_t stun[100];
	size_t sum = 0;

	(void)state;
	natmux_mux_config_init(&config);
	config.stun_prefix = (struct natmux_rate){10, 20};
	start_with(&config);
	make_stun(stun, 0x0001, sizeof(stun));
	for (int i = 0; i < 1000; i++)
		sum += answers(0, "203.0.113.9:1", stun, sizeof(stun), out);
	assert_int_equal(sum, 20);
	assert_int_equal(drops(NATMUX_DROP_STUN_RATE), 980);
	assert_int_equal(answers(0, "203.0.113.10:1", stun, sizeof(stun), out), 1);
	for (int i = 0; i < 1000; i++)
		sum += answers(1000, "203.0.113.9:1", stun, sizeof(stun), out);
	assert_int_equal(sum, 30);
	stop();
}

static void test_responder_off(void **state)
{
	struct natmux_mux_config config;
	struct natmux_train out[1];
	uint8_t stun[100];

	(void)state;
	natmux_mux_config_init(&config);
	config.responder = NATMUX_RESPONDER_OFF;
	start_with(&config);
	make_stun(stun, 0x0001, sizeof(stun));
	assert_int_equal(answers(0, "203.0.113.9:1", stun, sizeof(stun), out), 0);
	assert_int_equal(drops(NATMUX_DROP_STUN_OFF), 1);
	stop();
}

/* A Binding request of 20 bytes without FINGERPRINT is ESP, but for a responder that is open. */
static void test_bare_binding(void **state)
{
	struct natmux_mux_config config;
	struct natmux_train out[1];
	uint8_t stun[28];

	(void)state;
	make_stun(stun, 0x0001, 28);
	nm_put16(stun + 2, 0);
	start();
	assert_int_equal(answers(0, "203.0.113.9:1", stun, 20, out), 0);
	assert_int_equal(esp.datagrams, 1);
	assert_int_equal(natmux_mux_stats(mux)->stun_lookalikes, 1);
	stop();
	natmux_mux_config_init(&config);
	config.responder = NATMUX_RESPONDER_OPEN;
	start_with(&config);
	assert_int_equal(answers(0, "203.0.113.9:1", stun, 20, out), 1);
	assert_int_equal(out[0].len, 32);
	assert_int_equal(esp.datagrams, 0);
	stop();
}

/* The queue of answers is bounded, and says so. */
static void test_output_is_bounded(void **state)
{
	struct natmux_mux_config config;
	struct natmux_train out[256];
	uint8_t stun[100];

	(void)state;
	natmux_mux_config_init(&config);
	config.stun_prefix = config.stun_all = (struct natmux_rate){1000000, 1000000};
	start_with(&config);
	make_stun(stun, 0x0001, sizeof(stun));
	for (int i = 0; i < 1000; i++)
		input(0, "203.0.113.9:1", stun, sizeof(stun));
	assert_int_equal(natmux_mux_output(mux, out, 256), 128);
	assert_int_equal(drops(NATMUX_DROP_TXQ_FULL), 872);
	stop();
}

static void test_mapped_address(void **state)
{
	struct natmux_addr server, local;
	struct natmux_train out[4];
	uint8_t answer[32] = {0x01, 0x01, 0, 12};

	(void)state;
	start();
	assert_int_equal(natmux_addr_parse("198.51.100.7:3478", 0, &server), 0);
	assert_int_equal(natmux_addr_parse("192.0.2.1:4500", 0, &local), 0);
	assert_int_equal(natmux_mux_server_add(mux, 0, "a", &server), 0);
	assert_int_equal(natmux_mux_server_add(mux, 0, "a", &server), NATMUX_EEXISTS);
	assert_int_equal(natmux_mux_server_remove(mux, "b"), NATMUX_ENOTFOUND);
	assert_int_equal(natmux_mux_set_locals(mux, 0, &local, 1), 0);
	natmux_mux_timeout(mux, 0);
	assert_int_equal(natmux_mux_output(mux, out, 4), 1);
	assert_true(natmux_addr_equal(&out[0].path.remote, &server));

	/* The answer has no FINGERPRINT: STUN all the same, for it was asked for. */
	memcpy(answer + 4, out[0].data + 4, 16);
	nm_put16(answer + 20, 0x0020);
	nm_put16(answer + 22, 8);
	answer[25] = 1;
	nm_put16(answer + 26, 4501 ^ 0x2112);
	nm_put32(answer + 28, 0xcb007105 ^ 0x2112a442);
	input(10, "198.51.100.8:3478", answer, sizeof(answer)); /* another source: ESP */
	assert_int_equal(esp.datagrams, 1);
	input(10, "198.51.100.7:3478", answer, sizeof(answer));
	assert_int_equal(esp.datagrams, 1);
	assert_int_equal(events[NATMUX_EVENT_MAPPED_CHANGED], 1);
	assert_int_equal(last_event.mapped.port, 4501);
	assert_int_equal(nm_get32(last_event.mapped.ip), 0xcb007105);
	input(11, "198.51.100.7:3478", answer, sizeof(answer)); /* again: not pending any more */
	assert_int_equal(esp.datagrams, 2);
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

static size_t tapped[2];

static void tap(void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train)
{
	(void)user;
	assert_true(cls == NATMUX_CLASS_IKE || cls == NATMUX_CLASS_STUN);
	tapped[is_sent] += natmux_train_count(train);
}

static void test_tap(void **state)
{
	struct natmux_train out[1];
	uint8_t stun[100];

	(void)state;
	start();
	tapped[0] = tapped[1] = 0;
	natmux_mux_set_tap(mux, 1u << NATMUX_CLASS_IKE, tap, NULL);
	establish(0, "203.0.113.9:4500");
	input(0, "203.0.113.9:4500", esp_packet, sizeof(esp_packet));
	assert_int_equal(tapped[0], 2);
	assert_int_equal(tapped[1], 2);
	natmux_mux_set_tap(mux, 0, NULL, NULL);
	establish(0, "203.0.113.9:4500");
	assert_int_equal(tapped[0], 2);
	/* What the mux itself says is shown as well. */
	natmux_mux_set_tap(mux, 1u << NATMUX_CLASS_STUN, tap, NULL);
	make_stun(stun, 0x0001, sizeof(stun));
	assert_int_equal(answers(0, "203.0.113.9:1", stun, sizeof(stun), out), 1);
	assert_int_equal(tapped[0], 3);
	assert_int_equal(tapped[1], 3);
	stop();
}

static void test_strays_are_anothers(void **state)
{
	uint8_t train[4 * 32] = {0};
	const struct natmux_stats *stats;

	(void)state;
	start();
	memset(&strays, 0, sizeof(strays));
	nm_mux_set_stray(mux, keep_stray, &strays);
	for (unsigned int i = 0; i < 2; i++)
		nm_put32(train + 32 * i, 0x1000);
	/* ESP twice, an IKE header after the marker, a keepalive. */
	nm_put32(train + 64 + 4, 1);
	train[64 + 4 + 17] = 0x20;
	train[64 + 4 + 18] = 34;
	train[64 + 4 + 19] = 0x08;
	train[64 + 4 + 27] = 28;
	train[96] = 0xff;
	input_train(1, "198.51.100.1", train, 97, 32);
	assert_int_equal(esp.datagrams, 2);
	assert_int_equal(ike.datagrams, 0);
	assert_int_equal(strays.datagrams, 1);
	assert_int_equal(strays.train[0].len, 32);
	assert_int_equal(nm_get32(strays.first[0] + 4), 1);
	/* Whoever it goes to counts it. */
	stats = natmux_mux_stats(mux);
	assert_int_equal(stats->rx[NATMUX_CLASS_ESP].datagrams, 2);
	assert_int_equal(stats->rx[NATMUX_CLASS_IKE].datagrams, 0);
	assert_int_equal(stats->rx[NATMUX_CLASS_KEEPALIVE].datagrams, 1);
	assert_int_equal(drops_in_all(), 0);
	assert_int_equal(events[NATMUX_EVENT_FLOW_OPENED], 0);
	nm_mux_set_stray(mux, NULL, NULL);
	input(1, "198.51.100.1", train + 64, 32);
	assert_int_equal(strays.datagrams, 1);
	assert_int_equal(stats->rx[NATMUX_CLASS_IKE].datagrams, 1);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_is_checked),
		cmocka_unit_test(test_reconfigure),
		cmocka_unit_test(test_sinks_are_checked),
		cmocka_unit_test(test_sink_is_taken_away),
		cmocka_unit_test(test_each_class_to_its_owner),
		cmocka_unit_test(test_martians),
		cmocka_unit_test(test_ike_opens_a_flow),
		cmocka_unit_test(test_flow_states),
		cmocka_unit_test(test_glued_fragments),
		cmocka_unit_test(test_mixed_train),
		cmocka_unit_test(test_broken_ike_before_good_one),
		cmocka_unit_test(test_vectors_of_64),
		cmocka_unit_test(test_ike_rates),
		cmocka_unit_test(test_flood_spares_the_established),
		cmocka_unit_test(test_one_source_cannot_fill_the_table),
		cmocka_unit_test(test_keepalives),
		cmocka_unit_test(test_keepalives_off),
		cmocka_unit_test(test_keepalives_of_many),
		cmocka_unit_test(test_responder),
		cmocka_unit_test(test_responder_rates),
		cmocka_unit_test(test_responder_off),
		cmocka_unit_test(test_bare_binding),
		cmocka_unit_test(test_output_is_bounded),
		cmocka_unit_test(test_mapped_address),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_owner_begins_anywhere),
		cmocka_unit_test(test_flow_counters),
		cmocka_unit_test(test_tap),
		cmocka_unit_test(test_strays_are_anothers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
