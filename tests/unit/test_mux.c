/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mux: what may be configured, who gets which class of datagrams, and what is counted and seen on
 * the way.
 */
#include "mux_test.h"

#include <stdbool.h>
#include <natmux/error.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_is_checked),
		cmocka_unit_test(test_reconfigure),
		cmocka_unit_test(test_sinks_are_checked),
		cmocka_unit_test(test_sink_is_taken_away),
		cmocka_unit_test(test_each_class_to_its_owner),
		cmocka_unit_test(test_martians),
		cmocka_unit_test(test_mixed_train),
		cmocka_unit_test(test_vectors_of_64),
		cmocka_unit_test(test_tap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
