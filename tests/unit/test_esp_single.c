/* SPDX-License-Identifier: Apache-2.0 */
/* The library's seal and open: one packet, vectors, and what comes to nothing. */
#include "test.h"

#include <pthread.h>
#include <stdbool.h>
#include <natmux/error.h>
#include <natmux/sa.h>

enum { MANY = 150, ROOM = 400 };

static const uint8_t keymat[NATMUX_SUITE_KEY_MAX] = {5, 4, 3};
static uint8_t memory[MANY][ROOM];
static struct natmux_esp_packet packets[MANY];

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 1, len);
}

static const struct natmux_random randomness = {.fill = fill};

static struct natmux_sa_config config_of(
	enum natmux_suite suite, enum natmux_sa_direction direction)
{
	struct natmux_sa_config config;

	natmux_sa_config_init(&config);
	config.direction = direction;
	config.spi = 4711;
	config.suite = suite;
	config.key = keymat;
	config.key_len = natmux_suite_key_len(suite);
	return config;
}

static struct natmux_sa *make(enum natmux_suite suite, enum natmux_sa_direction direction)
{
	struct natmux_sa_config config = config_of(suite, direction);
	struct natmux_sa *sa = NULL;

	assert_int_equal(natmux_sa_new(&config, &randomness, &sa), 0);
	return sa;
}

static void make_packets(const struct natmux_sa *sa)
{
	for (size_t i = 0; i < MANY; i++) {
		packets[i] = (struct natmux_esp_packet){
			.data = memory[i], .size = ROOM, .len = i, .next_header = 4};
		memset(memory[i] + natmux_sa_headroom(sa), (int)i, i);
	}
}

static void test_round_trip_of_every_suite(void **state)
{
	(void)state;
	for (unsigned int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		struct natmux_sa *out = make((enum natmux_suite)suite, NATMUX_SA_OUT);
		struct natmux_sa *in = make((enum natmux_suite)suite, NATMUX_SA_IN);

		make_packets(out);
		assert_int_equal(natmux_sa_seal(out, packets, MANY), MANY);
		for (size_t i = 0; i < MANY; i++) {
			assert_int_equal(packets[i].len, natmux_sa_sealed_len(out, i));
			assert_int_equal(packets[i].sequence, i + 1);
		}
		assert_int_equal(natmux_sa_open(in, packets, MANY), MANY);
		for (size_t i = 0; i < MANY; i++) {
			assert_int_equal(packets[i].len, i);
			assert_int_equal(packets[i].next_header, 4);
			for (size_t j = 0; j < i; j++)
				assert_int_equal(packets[i].inner[j], i);
		}
		natmux_sa_free(out);
		natmux_sa_free(in);
	}
}

static void test_what_comes_to_nothing(void **state)
{
	struct natmux_sa *out = make(NATMUX_SUITE_AES256GCM16, NATMUX_SA_OUT);
	struct natmux_sa *in = make(NATMUX_SUITE_AES256GCM16, NATMUX_SA_IN);
	uint8_t copy[ROOM];

	(void)state;
	make_packets(out);
	packets[1].size = natmux_sa_sealed_len(out, 1) - 1;
	packets[2].len = 70000;
	assert_int_equal(natmux_sa_seal(out, packets, 5), 3);
	assert_int_equal(packets[1].error, NATMUX_ENOSPACE);
	assert_int_equal(packets[2].error, NATMUX_ERANGE);
	assert_int_equal(packets[4].sequence, 3); /* numbers in a row for those that were sealed */
	assert_int_equal(natmux_sa_seal(in, packets, 1), 0);
	assert_int_equal(packets[0].error, NATMUX_EINVAL);
	assert_int_equal(natmux_sa_open(out, packets, 1), 0);

	memcpy(copy, memory[4], ROOM);
	packets[3].len = 20;
	packets[0].data[30] ^= 1;
	assert_int_equal(natmux_sa_open(in, packets, 1), 0);
	assert_int_equal(packets[0].error, NATMUX_EAUTH);
	assert_int_equal(natmux_sa_open(in, packets + 3, 2), 1);
	assert_int_equal(packets[3].error, NATMUX_ETRUNCATED);
	memcpy(memory[4], copy, ROOM);
	packets[4].len = natmux_sa_sealed_len(out, 4);
	assert_int_equal(natmux_sa_open(in, packets + 4, 1), 0);
	assert_int_equal(packets[4].error, NATMUX_EEXISTS);
	assert_int_equal(natmux_sa_counters_of(in)->duplicate, 1);
	assert_int_equal(natmux_sa_counters_of(in)->bad_icv, 1);
	assert_int_equal(natmux_sa_counters_of(in)->too_short, 1);
	natmux_sa_free(out);
	natmux_sa_free(in);
	natmux_sa_free(NULL);
}

/* One SA opens some of what was sent, another the rest, and neither what the other has opened. */
static void test_window_goes_on(void **state)
{
	struct natmux_sa_config config = config_of(NATMUX_SUITE_AES256GCM16, NATMUX_SA_IN);
	struct natmux_sa *out = make(NATMUX_SUITE_AES256GCM16, NATMUX_SA_OUT);
	struct natmux_sa *in = make(NATMUX_SUITE_AES256GCM16, NATMUX_SA_IN), *next;
	struct natmux_replay_state replay = {.top = 77};
	struct natmux_esp_packet again[MANY];
	static uint8_t copies[MANY][ROOM];

	(void)state;
	make_packets(out);
	assert_int_equal(natmux_sa_seal(out, packets, MANY), MANY);
	memcpy(again, packets, sizeof(again));
	memcpy(copies, memory, sizeof(copies));
	assert_int_equal(natmux_sa_replay(out, &replay), NATMUX_EINVAL);
	assert_int_equal(replay.top, 77);
	for (size_t i = 0; i < 100; i += 2)
		assert_int_equal(natmux_sa_open(in, &packets[i], 1), 1);
	assert_int_equal(natmux_sa_replay(in, &replay), 0);
	assert_int_equal(replay.top, 99);
	assert_int_equal(replay.window, 1024);
	natmux_sa_free(in);
	config.sequence = replay.top;
	config.replay = &replay;
	assert_int_equal(natmux_sa_new(&config, &randomness, &next), 0);
	memset(&replay, 0, sizeof(replay)); /* it was copied */
	memcpy(memory, copies, sizeof(copies));
	for (size_t i = 0; i < MANY; i++) {
		bool is_new = i >= 100 || i % 2 == 1;

		assert_int_equal(natmux_sa_open(next, &again[i], 1), is_new);
		if (!is_new)
			assert_int_equal(again[i].error, NATMUX_EEXISTS);
	}
	natmux_sa_free(next);
	natmux_sa_free(out);
}

static void test_windows_that_are_none(void **state)
{
	const struct {
		enum natmux_sa_direction direction;
		uint64_t sequence;
		struct natmux_replay_state replay;
	} cases[] = {
		{NATMUX_SA_IN, 8, {.top = 9, .window = 64, .seen = {1}}},
		{NATMUX_SA_IN, 0, {.top = 9, .window = 64, .seen = {1}}},
		{NATMUX_SA_IN, 9, {.top = 9, .window = 64, .seen = {2}}},
		{NATMUX_SA_IN, 9, {.top = 9, .window = 64, .seen = {0x201}}},
		{NATMUX_SA_IN, 9, {.top = 9, .window = 9000, .seen = {1}}},
		{NATMUX_SA_IN, UINT64_C(1) << 32,
			{.top = UINT64_C(1) << 32, .window = 64, .seen = {1}}}, /* no ESN */
		{NATMUX_SA_OUT, 9, {.top = 9, .window = 64, .seen = {1}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct natmux_sa_config config =
			config_of(NATMUX_SUITE_AES256GCM16, cases[i].direction);
		struct natmux_sa *sa = NULL;

		config.sequence = cases[i].sequence;
		config.replay = &cases[i].replay;
		if (natmux_sa_new(&config, &randomness, &sa) != NATMUX_EINVAL)
			fail_msg("case %zu", i);
		assert_null(sa);
	}
}

/* All of a vector or nothing, when its numbers would not do for all (RFC 4303 3.3.3). */
static void test_numbers_end(void **state)
{
	struct natmux_sa_config config = config_of(NATMUX_SUITE_AES256GCM16, NATMUX_SA_OUT);
	struct natmux_sa *sa;

	(void)state;
	config.has_esn = false;
	config.sequence = UINT32_MAX - 2;
	assert_int_equal(natmux_sa_new(&config, &randomness, &sa), 0);
	make_packets(sa);
	assert_int_equal(natmux_sa_seal(sa, packets, 3), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(packets[i].error, NATMUX_EFULL);
		assert_int_equal(packets[i].len, i);
	}
	assert_int_equal(natmux_sa_seal(sa, packets, 2), 2);
	assert_int_equal(packets[1].error, 0);
	assert_int_equal(packets[1].sequence, UINT32_MAX);
	assert_int_equal(natmux_sa_seal(sa, packets + 2, 1), 0);
	natmux_sa_free(sa);
}

static void test_refusals(void **state)
{
	struct natmux_sa_config config = config_of(NATMUX_SUITE_AES256GCM16, NATMUX_SA_OUT);
	struct natmux_sa *sa = NULL;

	(void)state;
	config.key_len--;
	assert_int_equal(natmux_sa_new(&config, &randomness, &sa), NATMUX_EINVAL);
	config.key_len++;
	config.suite = NATMUX_SUITE_COUNT;
	assert_int_equal(natmux_sa_new(&config, &randomness, &sa), NATMUX_EINVAL);
	config = config_of(NATMUX_SUITE_AES256GCM16, NATMUX_SA_OUT);
	config.size--;
	assert_int_equal(natmux_sa_new(&config, &randomness, &sa), NATMUX_EINVAL);
	config = config_of(NATMUX_SUITE_AES256GCM16, NATMUX_SA_OUT);
	config.spi = 255;
	assert_int_equal(natmux_sa_new(&config, &randomness, &sa), NATMUX_EINVAL);
	assert_null(sa);
}

static uint8_t seed;

static void fill_with_seed(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, seed, len);
}

/* A key that is used again by mistake does not meet its old IVs (RFC 4106 3.1). */
static void test_ivs_begin_anywhere(void **state)
{
	const struct natmux_random random = {.fill = fill_with_seed};
	struct natmux_sa_config config = config_of(NATMUX_SUITE_AES128GCM16, NATMUX_SA_OUT);

	(void)state;
	for (seed = 0; seed < 2; seed++) {
		struct natmux_sa *sa;

		packets[seed] = (struct natmux_esp_packet){
			.data = memory[seed], .size = ROOM, .len = 1, .next_header = 4};
		assert_int_equal(natmux_sa_new(&config, &random, &sa), 0);
		assert_int_equal(natmux_sa_seal(sa, &packets[seed], 1), 1);
		natmux_sa_free(sa);
	}
	assert_memory_equal(memory[0], memory[1], 8); /* SPI and number 1, both times */
	assert_memory_not_equal(memory[0] + 8, memory[1] + 8, 8);
}

enum { THREADS = 3 };

/* What cmocka's asserts may not do from a thread: the result says whether all went well. */
static bool goes_there_and_back(enum natmux_suite suite, uint8_t *bytes)
{
	struct natmux_sa_config out_config = config_of(suite, NATMUX_SA_OUT);
	struct natmux_sa_config in_config = config_of(suite, NATMUX_SA_IN);
	struct natmux_esp_packet packet = {
		.data = bytes, .size = ROOM, .len = 100, .next_header = 4};
	struct natmux_sa *out = NULL, *in = NULL;
	bool is_good;

	is_good = natmux_sa_new(&out_config, &randomness, &out) == 0 &&
		  natmux_sa_new(&in_config, &randomness, &in) == 0 &&
		  natmux_sa_seal(out, &packet, 1) == 1 && natmux_sa_open(in, &packet, 1) == 1 &&
		  packet.len == 100;
	natmux_sa_free(out);
	natmux_sa_free(in);
	return is_good;
}

static void *use_every_suite(void *bytes)
{
	for (unsigned int suite = 0; suite < NATMUX_SUITE_COUNT; suite++)
		if (!goes_there_and_back((enum natmux_suite)suite, bytes))
			return bytes;
	return NULL;
}

/* SAs of their own need no lock, from the first one on: for -Db_sanitize=thread to look at. */
static void test_threads(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_every_suite, memory[i]), 0);
	for (size_t i = 0; i < THREADS; i++) {
		void *failed;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
}

/* No sodium_init(): the library looks after itself. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: what is found once is found by all at once. */
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_round_trip_of_every_suite),
		cmocka_unit_test(test_what_comes_to_nothing),
		cmocka_unit_test(test_window_goes_on),
		cmocka_unit_test(test_windows_that_are_none),
		cmocka_unit_test(test_numbers_end),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_ivs_begin_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
