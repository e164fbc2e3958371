/* SPDX-License-Identifier: Apache-2.0 */
/* What "crypto" and "esp" measure is what they say: bare calls seal as engines do, nothing is lost. */
#include "test.h"

#include <sodium.h>
#include <time.h>
#include <natmux/error.h>

#include "bench/packets.h"
#include "bench/sealing.h"
#include "bench/turns.h"
#include "bench/workload.h"

static const struct nm_engine *const engines[NM_ENGINES_MAX] = {
	&nm_engine_ipsecmb, &nm_engine_openssl, &nm_engine_sodium};

static const enum natmux_suite suites[] = {NATMUX_SUITE_AES128GCM16, NATMUX_SUITE_AES192GCM12,
	NATMUX_SUITE_AES256GCM16, NATMUX_SUITE_CHACHA20POLY1305};

/* The nonce of sequence number 1 under a salt that is zero: as nm_seal() makes it. */
static void check_bare(const struct nm_engine *engine, enum natmux_suite suite)
{
	struct nm_sealing sealing;
	uint8_t text[200];
	uint32_t len;

	assert_int_equal(nm_sealing_init(&sealing, engine, suite, sizeof(text) - 2), 0);
	assert_non_null(sealing.raw_key);
	/* Without ESN, whose high half the bare call is not given. */
	sealing.out->has_esn = false;
	sealing.out->engine->key_done(sealing.out->key);
	assert_int_equal(engine->key_init(sealing.out->key, suite, false, nm_packets_keymat), 0);
	nm_sealing_seal(&sealing);
	len = sealing.calls[0].len;
	assert_int_equal(len, sizeof(text));
	memcpy(text, sealing.calls[0].text, len);
	sealing.nonces[0][11] = 1;
	sealing.raw->open(sealing.raw_key, sealing.calls, 1);
	assert_memory_not_equal(text, sealing.calls[0].text, len);
	assert_int_equal(sealing.calls[0].text[len - 1], 4);
	sealing.raw->seal(sealing.raw_key, sealing.calls, 1);
	assert_memory_equal(text, sealing.calls[0].text, len);
	nm_sealing_done(&sealing);
}

static void test_bare_calls_are_the_engines(void **state)
{
	(void)state;
	for (size_t e = 0; e < NM_ENGINES_MAX; e++)
		for (size_t s = 0; s < ARRAY_SIZE(suites); s++)
			if (engines[e]->has_suite(suites[s]))
				check_bare(engines[e], suites[s]);
	assert_null(nm_raw_aead_find("abacus"));
	assert_null(nm_raw_openssl.open_key(NATMUX_SUITE_NULL_SHA256, nm_packets_keymat));
	assert_null(nm_raw_sodium.open_key(NATMUX_SUITE_AES128GCM16, nm_packets_keymat));
}

static void test_sealing_goes_round(void **state)
{
	struct nm_sealing sealing;

	(void)state;
	assert_int_equal(
		nm_sealing_init(&sealing, &nm_engine_openssl, NATMUX_SUITE_AES128_SHA256, 64), 0);
	assert_null(sealing.raw_key);
	for (int i = 0; i < 3; i++) {
		nm_sealing_seal(&sealing);
		nm_sealing_open(&sealing);
		assert_true(nm_sealing_is_good(&sealing));
	}
	/* What was opened already is a replay. */
	nm_sealing_open(&sealing);
	assert_false(nm_sealing_is_good(&sealing));
	nm_sealing_done(&sealing);
}

static void check_workload(const struct nm_workload_config *config)
{
	static struct nm_workload workload;
	uint64_t packets;

	assert_int_equal(nm_workload_init(&workload, config), 0);
	packets = nm_workload_packets(&workload);
	assert_true(packets <= NM_WORKLOAD_PACKETS);
	assert_int_equal(packets % config->train, 0);
	for (uint64_t i = 1; i <= 3; i++) {
		nm_workload_prepare_output(&workload);
		nm_workload_output(&workload);
		nm_workload_prepare_input(&workload);
		nm_workload_input(&workload);
		assert_int_equal(workload.sent, i * packets);
		assert_int_equal(workload.delivered, i * packets);
		assert_int_equal(workload.dropped, 0);
	}
	nm_workload_done(&workload);
}

static void test_workloads_lose_nothing(void **state)
{
	static const struct nm_workload_config configs[] = {
		{NULL, NATMUX_SUITE_AES128GCM16, 1420, 40, 1, 1, false},
		{NULL, NATMUX_SUITE_AES128GCM16, 64, 1, 1, 1, false},
		{"openssl", NATMUX_SUITE_CHACHA20POLY1305, 64, 7, 1, 300, false},
		{"sodium", NATMUX_SUITE_AES256GCM16, 1420, 1, 500, 100, true},
		{NULL, NATMUX_SUITE_AES128_SHA256, 300, 40, 500, 500, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++)
		check_workload(&configs[i]);
}

static void test_workloads_that_are_none(void **state)
{
	static const struct nm_workload_config configs[] = {
		{NULL, NATMUX_SUITE_AES128GCM16, 40, 1, 1, 1, false},
		{NULL, NATMUX_SUITE_AES128GCM16, 64, 0, 1, 1, false},
		{NULL, NATMUX_SUITE_AES128GCM16, 64, NM_WORKLOAD_TRAIN_MAX + 1, 1, 1, false},
		{NULL, NATMUX_SUITE_AES128GCM16, 64, 1, 0, 1, false},
		{NULL, NATMUX_SUITE_AES128GCM16, 64, 1, 1, 0, false},
	};
	static struct nm_workload workload;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(configs); i++)
		assert_int_equal(nm_workload_init(&workload, &configs[i]), NATMUX_ERANGE);
}

static void count(void *user)
{
	++*(unsigned int *)user;
}

static void wait_a_little(void *user)
{
	struct timespec time = {.tv_nsec = 1000000};

	(void)user;
	nanosleep(&time, NULL);
}

static void test_turns(void **state)
{
	const struct nm_turn_step steps[] = {{count, 1}, {wait_a_little, 10}};
	unsigned int turns = 0;
	double ns[2];

	(void)state;
	nm_turns_measure(steps, 2, &turns, 1, ns);
	/* A few even without time for them, and one that does not count. */
	assert_int_equal(turns, 6);
	assert_true(ns[0] >= 0 && ns[0] < ns[1]);
	assert_true(ns[1] >= 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bare_calls_are_the_engines),
		cmocka_unit_test(test_sealing_goes_round),
		cmocka_unit_test(test_workloads_lose_nothing),
		cmocka_unit_test(test_workloads_that_are_none),
		cmocka_unit_test(test_turns),
	};

	assert_true(sodium_init() >= 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
