/* SPDX-License-Identifier: Apache-2.0 */
/*
 * More SAs than a cache holds: planes look ahead at what comes next, in both directions, and what
 * they see there may have changed, or never have made sense, when its turn comes.
 */
#include "test.h"

#include <sodium.h>
#include <natmux/error.h>
#include <natmux/esp.h>
#include <natmux/inner.h>

#include "base/bytes.h"
#include "esp/sad.h"

enum { PAIRS = 511, /* 7 * 73 */ BATCH = 3 * NM_SAD_PREFETCH + 5, LEN = 60, WIRE = 1 << 16 };

static struct natmux_esp *out, *in;
static struct natmux_train trains[2 * BATCH];
static uint8_t wire[WIRE], memory[BATCH][LEN];
static struct natmux_inner packets[BATCH];
static size_t trains_n, wire_len, delivered_n;
static uint32_t delivered[BATCH];
static uint64_t drops[NATMUX_DROP_COUNT];

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 0x5a, len);
}

static void keep(void *user, const struct natmux_train *from, size_t n)
{
	(void)user;
	for (size_t i = 0; i < n; i++) {
		assert_true(trains_n < ARRAY_SIZE(trains) && wire_len + from[i].len <= WIRE);
		trains[trains_n] = from[i];
		memcpy(wire + wire_len, from[i].data, from[i].len);
		trains[trains_n++].data = wire + wire_len;
		wire_len += from[i].len;
	}
}

/* The destination's low half: which SA it was for. */
static void note_delivered(void *user, const struct natmux_gathered *packet)
{
	(void)user;
	assert_true(delivered_n < BATCH);
	delivered[delivered_n++] = nm_get16(packet->parts[0].data + 18);
}

static void count_drop(void *user, enum natmux_drop drop, uint64_t n)
{
	(void)user;
	drops[drop] += n;
}

/* An SA that reached its limit is deleted, while others wait that were looked at before. */
static void on_event(void *user, const struct natmux_esp_event *event)
{
	(void)user;
	if (event->type != NATMUX_ESP_EVENT_HARD)
		return;
	assert_int_equal(
		natmux_esp_sa_delete(out, NATMUX_SA_OUT, event->spi, &event->path.remote), 0);
}

static struct natmux_esp *make_plane(void)
{
	struct natmux_esp_config config;
	struct natmux_esp *plane;

	natmux_esp_config_init(&config);
	config.random.fill = fill;
	config.send = keep;
	config.deliver = note_delivered;
	config.drop = count_drop;
	config.event = on_event;
	assert_int_equal(natmux_esp_new(&config, &plane), 0);
	return plane;
}

static void add_sa(struct natmux_esp *plane, enum natmux_sa_direction direction, uint32_t number)
{
	static const uint8_t keymat[NATMUX_SUITE_KEY_MAX] = {1, 2, 3};
	struct natmux_sa_config config;

	natmux_sa_config_init(&config);
	config.direction = direction;
	config.spi = 0x1000 + number;
	config.suite = NATMUX_SUITE_AES128GCM16;
	config.key = keymat;
	config.key_len = natmux_suite_key_len(config.suite);
	config.reqid = 1 + number;
	/* Every seventh ends with its first packet. */
	config.hard.packets = direction == NATMUX_SA_OUT && number % 7 == 6 ? 1 : 0;
	config.path.local = (struct natmux_addr){.ip = {192, 0, 2, 1}, .port = 4500, .family = 4};
	config.path.remote = (struct natmux_addr){.ip = {192, 0, 2, 2}, .port = 4500, .family = 4};
	assert_int_equal(natmux_esp_sa_add(plane, 0, &config), 0);
}

static void add_policy(uint32_t number)
{
	struct natmux_policy policy = {
		.priority = 10,
		.action = NATMUX_POLICY_PROTECT,
		.reqid = 1 + number,
		.selector = {.source_ports = {0, 65535}, .destination_ports = {0, 65535}},
	};

	assert_int_equal(natmux_prefix_parse("10.1.0.1/32", &policy.selector.source), 0);
	policy.selector.destination = policy.selector.source;
	nm_put16(policy.selector.destination.base.ip + 2, (uint16_t)number);
	assert_int_equal(natmux_esp_policy_add(out, &policy), 0);
}

static int begin(void **state)
{
	(void)state;
	trains_n = wire_len = delivered_n = 0;
	memset(drops, 0, sizeof(drops));
	out = make_plane();
	in = make_plane();
	for (uint32_t i = 0; i < PAIRS; i++) {
		add_sa(out, NATMUX_SA_OUT, i);
		add_sa(in, NATMUX_SA_IN, i);
	}
	/* One policy more than there are SAs. */
	for (uint32_t i = 0; i <= PAIRS; i++)
		add_policy(i);
	return 0;
}

static int end(void **state)
{
	(void)state;
	natmux_esp_free(out);
	natmux_esp_free(in);
	return 0;
}

static void make_packet(uint32_t i, uint32_t number)
{
	uint8_t *packet = memory[i];

	memset(packet, 0, LEN);
	packet[0] = 0x45;
	nm_put16(packet + 2, LEN);
	packet[8] = 64;
	packet[9] = 17;
	nm_put32(packet + 12, 0x0a010001);
	nm_put16(packet + 16, 0x0a01);
	nm_put16(packet + 18, (uint16_t)number);
	nm_put16(packet + 24, LEN - 20);
	packets[i] = (struct natmux_inner){.data = packet, .len = LEN};
}

/* Any number of packets, all for different SAs: each by its own, in order. */
static void test_each_its_own(void **state)
{
	static const uint32_t counts[] = {1, 2, NM_SAD_PREFETCH - 1, NM_SAD_PREFETCH,
		NM_SAD_PREFETCH + 1, 2 * NM_SAD_PREFETCH, BATCH};

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(counts); c++) {
		trains_n = wire_len = delivered_n = 0;
		for (uint32_t i = 0; i < counts[c]; i++)
			make_packet(i, (i * 7 + (uint32_t)c * 70) % PAIRS);
		natmux_esp_output(out, 0, packets, counts[c]);
		assert_int_equal(trains_n, counts[c]);
		for (uint32_t i = 0; i < counts[c]; i++)
			assert_int_equal(nm_get32(trains[i].data),
				0x1000 + (i * 7 + (uint32_t)c * 70) % PAIRS);
		natmux_esp_input(in, 0, trains, trains_n);
		assert_int_equal(delivered_n, counts[c]);
		for (uint32_t i = 0; i < counts[c]; i++)
			assert_int_equal(delivered[i], (i * 7 + (uint32_t)c * 70) % PAIRS);
	}
}

/* What is no packet, has no SA, or no policy, between those that are well. */
static void test_nonsense_between(void **state)
{
	static const uint8_t zero;
	uint32_t good = 0;

	(void)state;
	for (uint32_t i = 0; i < BATCH; i++) {
		switch (i % 4) {
		case 0: make_packet(i, i * 7); break;
		case 1:
			packets[i] = (struct natmux_inner){.data = (uint8_t *)&zero, .len = 1};
			break;
		case 2: make_packet(i, PAIRS); break;
		default: make_packet(i, PAIRS + 1); break;
		}
		good += i % 4 == 0;
	}
	natmux_esp_output(out, 0, packets, BATCH);
	assert_int_equal(trains_n, good);
	assert_int_equal(drops[NATMUX_DROP_OUT_FORMAT], (BATCH + 2) / 4);
	assert_int_equal(drops[NATMUX_DROP_OUT_NO_SA], (BATCH + 1) / 4);
	assert_int_equal(drops[NATMUX_DROP_OUT_POLICY], BATCH / 4);
	/* On the way in: too short for an SPI, and SPIs that nobody has. */
	for (uint32_t i = 0; i < good; i += 2)
		trains[i].len = trains[i].segment = i % 4 == 0 ? 3 : 40;
	for (uint32_t i = 2; i < good; i += 4)
		nm_put32(wire + (trains[i].data - wire), 0x77777777);
	natmux_esp_input(in, 0, trains, good);
	assert_int_equal(delivered_n, good / 2);
	assert_int_equal(drops[NATMUX_DROP_ESP_SHORT], (good + 3) / 4);
	assert_int_equal(drops[NATMUX_DROP_ESP_NO_SA], (good + 1) / 4);
}

/* An SA goes with its first train, at which the next packets for it had been looked at already. */
static void test_gone_before_its_turn(void **state)
{
	(void)state;
	make_packet(0, 6); /* ends with one train */
	for (uint32_t i = 1; i < 12; i++)
		make_packet(i, i % 2 == 0 ? 6 : 7);
	natmux_esp_output(out, 0, packets, 12);
	/* The packet whose coming ended the SA is lost with it; the others of 7 are one train. */
	assert_int_equal(trains_n, 2);
	assert_int_equal(natmux_train_count(&trains[1]), 5);
	assert_int_equal(drops[NATMUX_DROP_OUT_NO_SA], 1 + 5);
	natmux_esp_input(in, 0, trains, trains_n);
	assert_int_equal(delivered_n, 1 + 5);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_each_its_own),
		TEST(test_nonsense_between),
		TEST(test_gone_before_its_turn),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests_name("esp_many", tests, NULL, NULL);
}
