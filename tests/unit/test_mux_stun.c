/* SPDX-License-Identifier: Apache-2.0 */
/* STUN in the mux: the responder, the client's own requests, and answers that are somebody else's. */
#include "mux_test.h"

#include <natmux/error.h>

/* A train that ends in IKE or STUN, as a worker's socket may get it. */
static struct kept strays;

static void keep_stray(void *user, const struct natmux_train *run)
{
	keep(user, 0, run, 1);
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
		cmocka_unit_test(test_responder),
		cmocka_unit_test(test_responder_rates),
		cmocka_unit_test(test_responder_off),
		cmocka_unit_test(test_bare_binding),
		cmocka_unit_test(test_output_is_bounded),
		cmocka_unit_test(test_mapped_address),
		cmocka_unit_test(test_strays_are_anothers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
