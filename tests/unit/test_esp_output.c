/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that come one by one: sealed together, sent as trains, looked up once, never out of order. */
#include "esp_test.h"

#include <natmux/error.h>
#include <natmux/inner.h>

enum { SPI = 0x1000, REQID = 7, OTHER = 8, LEN_MAX = 1400, PACKETS_MAX = 200, WIRE = 1 << 20 };

static struct natmux_esp *esp, *peer;
static struct natmux_train trains[PACKETS_MAX];
static size_t trains_n, wire_len;
static uint8_t wire[WIRE], memory[PACKETS_MAX][LEN_MAX];
static struct natmux_inner packets[PACKETS_MAX];
static uint64_t drops[NATMUX_DROP_COUNT], bypassed;
static uint32_t delivered[PACKETS_MAX];
static size_t delivered_n;
static bool deletes_when_told;

static void keep(void *user, const struct natmux_train *from, size_t n)
{
	(void)user;
	for (size_t i = 0; i < n; i++) {
		trains[trains_n] = from[i];
		memcpy(wire + wire_len, from[i].data, from[i].len);
		trains[trains_n++].data = wire + wire_len;
		wire_len += from[i].len;
	}
}

/* The number that make_packet() put behind the headers. */
static void note_delivered(void *user, const struct natmux_gathered *packet)
{
	(void)user;
	assert_int_equal(packet->parts_len, 1);
	delivered[delivered_n++] = nm_get32(packet->parts[0].data + 28);
}

static void count_bypassed(void *user, const uint8_t *packet, size_t len)
{
	(void)user;
	/* As it is, super-packet or not. */
	assert_ptr_equal(packet, packets[1].data);
	assert_int_equal(len, packets[1].len);
	bypassed++;
}

static void count_drop(void *user, enum natmux_drop drop, uint64_t n)
{
	(void)user;
	drops[drop] += n;
}

static void on_event(void *user, const struct natmux_esp_event *event)
{
	(void)user;
	if (deletes_when_told && event->type == NATMUX_ESP_EVENT_HARD)
		assert_int_equal(
			natmux_esp_sa_delete(esp, NATMUX_SA_OUT, event->spi, &event->path.remote),
			0);
}

static struct natmux_esp *make_plane(void)
{
	struct natmux_esp_config config;
	struct natmux_esp *plane;

	natmux_esp_config_init(&config);
	config.random.fill = esp_fill;
	config.send = keep;
	config.deliver = note_delivered;
	config.bypass = count_bypassed;
	config.drop = count_drop;
	config.event = on_event;
	assert_int_equal(natmux_esp_new(&config, &plane), 0);
	return plane;
}

static void add_sa(struct natmux_esp *plane, enum natmux_sa_direction direction, uint32_t reqid,
	uint64_t hard_packets)
{
	struct natmux_sa_config config;

	esp_config(&config, direction, NATMUX_SUITE_AES128GCM16);
	config.spi = SPI + reqid;
	config.reqid = reqid;
	config.hard.packets = hard_packets;
	assert_int_equal(natmux_esp_sa_add(plane, 0, &config), 0);
}

static struct natmux_policy policy(
	const char *destination, uint32_t priority, enum natmux_policy_action action)
{
	struct natmux_policy result =
		esp_policy(action == NATMUX_POLICY_PROTECT ? REQID : 0, "10.0.0.0/8", destination);

	result.priority = priority;
	result.action = action;
	return result;
}

static void add_policy(const struct natmux_policy *added)
{
	assert_int_equal(natmux_esp_policy_add(esp, added), 0);
}

static void start(uint64_t hard_packets)
{
	struct natmux_policy to_first = policy("10.2.0.0/16", 10, NATMUX_POLICY_PROTECT);
	struct natmux_policy to_other = policy("10.3.0.0/16", 10, NATMUX_POLICY_PROTECT);
	struct natmux_policy around = policy("10.4.0.0/16", 10, NATMUX_POLICY_BYPASS);

	memset(drops, 0, sizeof(drops));
	trains_n = wire_len = delivered_n = bypassed = 0;
	deletes_when_told = false;
	esp = make_plane();
	peer = make_plane();
	add_sa(esp, NATMUX_SA_OUT, REQID, hard_packets);
	add_sa(esp, NATMUX_SA_OUT, OTHER, 0);
	add_sa(peer, NATMUX_SA_IN, REQID, 0);
	add_sa(peer, NATMUX_SA_IN, OTHER, 0);
	to_other.reqid = OTHER;
	add_policy(&to_first);
	add_policy(&to_other);
	add_policy(&around);
}

static void stop(void)
{
	natmux_esp_free(esp);
	natmux_esp_free(peer);
}

/* UDP to 10.`net`.0.1, numbered. */
static void make_packet(uint32_t i, uint8_t net, uint32_t len, uint8_t tos)
{
	uint8_t *packet = memory[i];

	memset(packet, 0, len);
	packet[0] = 0x45;
	packet[1] = tos;
	nm_put16(packet + 2, (uint16_t)len);
	packet[8] = 64;
	packet[9] = 17;
	nm_put32(packet + 12, 0x0a010001);
	nm_put32(packet + 16, 0x0a000001 | (uint32_t)net << 16);
	nm_put16(packet + 20, 1000);
	nm_put16(packet + 22, 2000);
	nm_put16(packet + 24, (uint16_t)(len - 20));
	nm_put32(packet + 28, i);
	packets[i] = (struct natmux_inner){.data = packet, .len = len};
}

struct expected {
	uint32_t datagrams, inner_len; /* of all but perhaps the last */
};

/* All packets in, these trains out, and the peer opens them in order. */
static void check(uint32_t n, const struct expected *expected, size_t expected_n)
{
	natmux_esp_output(esp, 0, packets, n);
	assert_int_equal(trains_n, expected_n);
	for (size_t i = 0; i < expected_n; i++) {
		assert_int_equal(natmux_train_count(&trains[i]), expected[i].datagrams);
		/* 8 + 8 + text and trailer, a multiple of four, + 16 */
		assert_int_equal(trains[i].segment, 32 + (expected[i].inner_len + 2 + 3) / 4 * 4);
	}
	natmux_esp_input(peer, 0, trains, trains_n);
	assert_int_equal(delivered_n, n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(delivered[i], i);
}

static void test_one_flow_is_one_train(void **state)
{
	static const struct expected expected[] = {{10, 100}};

	(void)state;
	start(0);
	for (uint32_t i = 0; i < 10; i++)
		make_packet(i, 2, 100, 0);
	check(10, expected, 1);
	stop();
}

static void test_only_the_last_is_shorter(void **state)
{
	static const uint32_t lens[] = {100, 100, 60, 100, 60, 60, 104, 100, 99};
	static const struct expected expected[] = {{3, 100}, {2, 100}, {1, 60}, {2, 104}, {1, 99}};

	(void)state;
	start(0);
	for (uint32_t i = 0; i < ARRAY_SIZE(lens); i++)
		make_packet(i, 2, lens[i], 0);
	check(ARRAY_SIZE(lens), expected, ARRAY_SIZE(expected));
	stop();
}

/* 64 datagrams, or what one UDP datagram's length can say. */
static void test_a_train_is_full(void **state)
{
	static const struct expected many[] = {{64, 50}, {6, 50}},
				     large[] = {{45, 1400}, {5, 1400}};

	(void)state;
	start(0);
	for (uint32_t i = 0; i < 70; i++)
		make_packet(i, 2, 50, 0);
	check(70, many, ARRAY_SIZE(many));
	stop();
	start(0);
	for (uint32_t i = 0; i < 50; i++)
		make_packet(i, 2, 1400, 0);
	check(50, large, ARRAY_SIZE(large));
	stop();
}

/* More than the buffer holds: sent in between, nothing lost. */
static void test_many_bytes(void **state)
{
	(void)state;
	start(0);
	for (uint32_t i = 0; i < PACKETS_MAX; i++)
		make_packet(i, 2, 1400, 0);
	natmux_esp_output(esp, 0, packets, PACKETS_MAX);
	natmux_esp_input(peer, 0, trains, trains_n);
	assert_int_equal(delivered_n, PACKETS_MAX);
	for (uint32_t i = 0; i < PACKETS_MAX; i++)
		assert_int_equal(delivered[i], i);
	stop();
}

static void test_sas_and_marks_part_trains(void **state)
{
	static const struct expected expected[] = {{2, 80}, {1, 80}, {1, 80}, {2, 80}};

	(void)state;
	start(0);
	make_packet(0, 2, 80, 0);
	make_packet(1, 2, 80, 0);
	make_packet(2, 3, 80, 0);
	make_packet(3, 2, 80, 0);
	make_packet(4, 2, 80, 46 << 2);
	make_packet(5, 2, 80, 46 << 2);
	check(6, expected, ARRAY_SIZE(expected));
	assert_int_equal(trains[2].tos, 0);
	assert_int_equal(trains[3].tos, 46 << 2);
	stop();
}

/* A policy that comes or goes, and an SA, matter from the next call on. */
static void test_changes_are_noticed(void **state)
{
	struct natmux_policy discard = policy("10.2.0.0/16", 5, NATMUX_POLICY_DISCARD);
	struct natmux_addr remote = {.ip = {192, 0, 2, 2}, .port = 4500, .family = 4};

	(void)state;
	start(0);
	make_packet(0, 2, 80, 0);
	natmux_esp_output(esp, 0, packets, 1);
	assert_int_equal(trains_n, 1);
	add_policy(&discard);
	natmux_esp_output(esp, 0, packets, 1);
	assert_int_equal(trains_n, 1);
	assert_int_equal(drops[NATMUX_DROP_OUT_POLICY], 1);
	assert_int_equal(natmux_esp_policy_delete(esp, &discard), 0);
	natmux_esp_output(esp, 0, packets, 1);
	assert_int_equal(trains_n, 2);
	assert_int_equal(natmux_esp_sa_delete(esp, NATMUX_SA_OUT, SPI + REQID, &remote), 0);
	natmux_esp_output(esp, 0, packets, 1);
	assert_int_equal(trains_n, 2);
	assert_int_equal(drops[NATMUX_DROP_OUT_NO_SA], 1);
	add_sa(esp, NATMUX_SA_OUT, REQID, 0);
	natmux_esp_output(esp, 0, packets, 1);
	assert_int_equal(trains_n, 3);
	stop();
}

static void test_bypass_in_between(void **state)
{
	(void)state;
	start(0);
	make_packet(0, 2, 80, 0);
	make_packet(1, 4, 80, 0);
	make_packet(2, 2, 80, 0);
	natmux_esp_output(esp, 0, packets, 3);
	assert_int_equal(bypassed, 1);
	assert_int_equal(trains_n, 2);
	packets[1].offload = (struct natmux_offload){.kind = NATMUX_OFFLOAD_UDP,
		.needs_checksum = 1,
		.header_len = 28,
		.segment = 20,
		.checksum_start = 20,
		.checksum_offset = 6};
	natmux_esp_output(esp, 0, packets, 3);
	assert_int_equal(bypassed, 2);
	assert_int_equal(trains_n, 4);
	assert_int_equal(drops[NATMUX_DROP_OUT_POLICY], 0);
	stop();
}

/* An owner that deletes the SA the moment it is told of its end: the rest finds none. */
static void test_sa_goes_while_packets_wait(void **state)
{
	(void)state;
	start(5);
	deletes_when_told = true;
	for (uint32_t i = 0; i < 70; i++)
		make_packet(i, 2, 50, 0);
	natmux_esp_output(esp, 0, packets, 70);
	assert_int_equal(trains_n, 1);
	assert_int_equal(natmux_train_count(&trains[0]), 64);
	assert_int_equal(drops[NATMUX_DROP_OUT_NO_SA], 6);
	stop();
}

/* The same within one super-packet. */
static void test_sa_goes_within_a_super_packet(void **state)
{
	static uint8_t super[28 + 100 * 50];

	(void)state;
	start(5);
	deletes_when_told = true;
	make_packet(0, 2, 50, 0);
	memcpy(super, memory[0], 28);
	nm_put16(super + 2, sizeof(super));
	nm_put16(super + 24, sizeof(super) - 20);
	packets[0] = (struct natmux_inner){.data = super,
		.len = sizeof(super),
		.offload = {.kind = NATMUX_OFFLOAD_UDP,
			.needs_checksum = 1,
			.header_len = 28,
			.segment = 50,
			.checksum_start = 20,
			.checksum_offset = 6}};
	natmux_esp_output(esp, 0, packets, 1);
	assert_int_equal(trains_n, 1);
	assert_int_equal(natmux_train_count(&trains[0]), 64);
	assert_int_equal(drops[NATMUX_DROP_OUT_NO_SA], 36);
	stop();
}

/* The same between two fragments: IPv4 without DF, longer than the path takes. */
static void test_sa_goes_between_fragments(void **state)
{
	static uint8_t large[8000];

	(void)state;
	start(1);
	deletes_when_told = true;
	make_packet(0, 2, 50, 0);
	memcpy(large, memory[0], 28);
	nm_put16(large + 2, sizeof(large));
	nm_put16(large + 24, sizeof(large) - 20);
	/* The first fragment does not fit behind the short one: that is sealed, and the SA ends. */
	packets[1] = (struct natmux_inner){.data = large, .len = sizeof(large)};
	natmux_esp_output(esp, 0, packets, 2);
	assert_int_equal(trains_n, 1);
	assert_int_equal(natmux_train_count(&trains[0]), 1);
	assert_int_equal(drops[NATMUX_DROP_OUT_NO_SA], 1);
	stop();
}

/* The newest has done enough: the one before it, which lives, goes on. */
static void test_the_newest_that_lives(void **state)
{
	struct natmux_sa_config config;

	(void)state;
	start(0);
	natmux_sa_config_init(&config);
	config.direction = NATMUX_SA_OUT;
	config.spi = SPI + 99;
	config.suite = NATMUX_SUITE_AES128GCM16;
	config.key = esp_keymat();
	config.key_len = natmux_suite_key_len(config.suite);
	config.reqid = REQID;
	config.hard.packets = 1;
	config.path.remote = (struct natmux_addr){.ip = {192, 0, 2, 2}, .port = 4500, .family = 4};
	assert_int_equal(natmux_esp_sa_add(esp, 0, &config), 0);
	make_packet(0, 2, 80, 0);
	for (uint32_t i = 0; i < 3; i++)
		natmux_esp_output(esp, 0, packets, 1);
	assert_int_equal(trains_n, 3);
	assert_int_equal(nm_get32(trains[0].data), SPI + 99);
	assert_int_equal(nm_get32(trains[1].data), SPI + REQID);
	assert_int_equal(nm_get32(trains[2].data), SPI + REQID);
	assert_int_equal(drops[NATMUX_DROP_OUT_NO_SA], 0);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_flow_is_one_train),
		cmocka_unit_test(test_only_the_last_is_shorter),
		cmocka_unit_test(test_a_train_is_full),
		cmocka_unit_test(test_many_bytes),
		cmocka_unit_test(test_sas_and_marks_part_trains),
		cmocka_unit_test(test_changes_are_noticed),
		cmocka_unit_test(test_bypass_in_between),
		cmocka_unit_test(test_sa_goes_while_packets_wait),
		cmocka_unit_test(test_sa_goes_within_a_super_packet),
		cmocka_unit_test(test_sa_goes_between_fragments),
		cmocka_unit_test(test_the_newest_that_lives),
	};

	assert_true(sodium_init() >= 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
