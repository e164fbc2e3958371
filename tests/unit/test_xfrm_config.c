/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel is asked for when natmux is asked for an SA; suites, windows, counters. */
#include "xfrm_test.h"

#include <natmux/suite.h>
#include "xfrm/stat.h"
#include "xfrm/suite.h"

static uint8_t key[NATMUX_SUITE_KEY_MAX];

static struct natmux_sa_config config_of(enum natmux_sa_direction direction)
{
	struct natmux_sa_config config;

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i + 1);
	natmux_sa_config_init(&config);
	config.direction = direction;
	config.spi = 0x1000;
	config.suite = NATMUX_SUITE_AES128GCM16;
	config.key = key;
	config.key_len = 20;
	config.has_esn = false;
	config.path.local = xfrm_test_addr("192.0.2.1:4500");
	config.path.remote = xfrm_test_addr("192.0.2.2:4501");
	config.reqid = 3;
	return config;
}

static int convert(const struct natmux_sa_config *config, struct nm_xfrm_state *state)
{
	const char *why = NULL;
	int err = nm_xfrm_state_from_config(config, state, &why);

	assert_int_equal(err != 0, why != NULL);
	return err;
}

static void test_out(void **state)
{
	struct natmux_sa_config config = config_of(NATMUX_SA_OUT);
	struct nm_xfrm_state got;

	(void)state;
	config.soft = (struct natmux_lifetime){.bytes = 1, .packets = 2, .seconds = 3};
	config.hard = (struct natmux_lifetime){.bytes = 4, .packets = 5, .seconds = 6};
	config.sequence = 77;
	config.df = NATMUX_DF_CLEAR;
	config.dscp = 0;
	config.no_ecn = true;
	config.tfc_pad = 100;
	assert_int_equal(convert(&config, &got), 0);
	assert_true(natmux_addr_equal(&got.source, &config.path.local));
	assert_true(natmux_addr_equal(&got.destination, &config.path.remote));
	assert_int_equal(got.encap, NM_XFRM_ENCAP_UDP);
	assert_int_equal(got.mode, XFRM_MODE_TUNNEL);
	assert_int_equal(got.reqid, 3);
	assert_int_equal(got.limits.soft_bytes, 1);
	assert_int_equal(got.limits.soft_packets, 2);
	assert_int_equal(got.limits.soft_seconds, 3);
	assert_int_equal(got.limits.hard_bytes, 4);
	assert_int_equal(got.limits.hard_packets, 5);
	assert_int_equal(got.limits.hard_seconds, 6);
	assert_int_equal(got.replay.out, 77);
	assert_int_equal(got.replay.in, 0);
	assert_int_equal(got.replay.window, 0);
	assert_int_equal(
		got.flags, XFRM_STATE_NOECN | XFRM_STATE_NOPMTUDISC | XFRM_STATE_AF_UNSPEC);
	assert_int_equal(got.extra_flags, XFRM_SA_XFLAG_DONT_ENCAP_DSCP);
	assert_int_equal(got.tfc_pad, 100);
	assert_ptr_equal(got.aead.key, key);
	/* Extended numbers come with a window, wanted or not. */
	config.has_esn = true;
	config.sequence = UINT64_C(0x100000000);
	assert_int_equal(convert(&config, &got), 0);
	assert_true(got.flags & XFRM_STATE_ESN);
	assert_true(got.replay.is_ring);
	assert_int_equal(got.replay.window, 1);
	assert_int_equal(got.replay.out, UINT64_C(0x100000000));
}

static void test_in(void **state)
{
	struct natmux_sa_config config = config_of(NATMUX_SA_IN);
	struct natmux_selector selector = {
		.source = {xfrm_test_addr("10.1.0.0"), 16},
		.destination = {xfrm_test_addr("10.2.0.0"), 16},
		.source_ports = {0, 65535},
		.destination_ports = {22, 22},
	};
	struct nm_xfrm_state got;

	(void)state;
	config.sequence = 1000;
	config.replay_window = 100;
	config.df = NATMUX_DF_CLEAR;
	config.dscp = 0;
	assert_int_equal(convert(&config, &got), 0);
	/* Linux 6.10 refuses inbound what is about the header that is made. */
	assert_int_equal(got.flags, XFRM_STATE_AF_UNSPEC);
	assert_int_equal(got.extra_flags, 0);
	assert_true(natmux_addr_equal(&got.source, &config.path.remote));
	assert_true(natmux_addr_equal(&got.destination, &config.path.local));
	assert_true(got.replay.is_ring);
	assert_int_equal(got.replay.window, 128); /* a ring of 100 misplaces the first packet */
	assert_int_equal(got.replay.in, 1000);
	/* All before counts as seen: nobody knows what the one before had seen. */
	for (uint64_t n = 1; n <= 1000; n++)
		assert_true(nm_xfrm_replay_is_seen(&got.replay, n));
	assert_false(nm_xfrm_replay_is_seen(&got.replay, 1001));
	config.replay_window = 0;
	assert_int_equal(convert(&config, &got), 0);
	assert_int_equal(got.replay.window, 0);
	/* From anywhere, bare, transport, one selector. */
	config = config_of(NATMUX_SA_IN);
	config.path.remote = (struct natmux_addr){0};
	config.path.local.port = 0;
	config.mode = NATMUX_SA_TRANSPORT;
	config.selectors = &selector;
	config.selectors_len = 1;
	assert_int_equal(convert(&config, &got), 0);
	assert_int_equal(got.source.family, 0);
	assert_int_equal(got.encap, 0);
	assert_int_equal(got.mode, XFRM_MODE_TRANSPORT);
	assert_int_equal(got.selector.destination_port, 22);
	assert_int_equal(got.flags, 0);
}

static void spi_low(struct natmux_sa_config *c)
{
	c->spi = 255;
}

static void no_address(struct natmux_sa_config *c)
{
	c->path.local = c->path.remote = (struct natmux_addr){0};
}

static void no_source(struct natmux_sa_config *c)
{
	c->path.local = (struct natmux_addr){0};
}

static void two_families(struct natmux_sa_config *c)
{
	c->path.local = xfrm_test_addr("[2001:db8::1]:4500");
}

static void one_port(struct natmux_sa_config *c)
{
	c->path.local.port = 0;
}

static void odd_dscp(struct natmux_sa_config *c)
{
	c->dscp = 64;
}

static void low_dscp(struct natmux_sa_config *c)
{
	c->dscp = -2;
}

static void short_key(struct natmux_sa_config *c)
{
	c->key_len--;
}

static void no_suite(struct natmux_sa_config *c)
{
	c->suite = NATMUX_SUITE_COUNT;
}

static void long_number(struct natmux_sa_config *c)
{
	c->sequence = UINT64_C(0x100000000);
}

static void df_set(struct natmux_sa_config *c)
{
	c->df = NATMUX_DF_SET;
}

static void dscp_fixed(struct natmux_sa_config *c)
{
	c->dscp = 46;
}

static void wide_window(struct natmux_sa_config *c)
{
	c->direction = NATMUX_SA_IN;
	c->replay_window = 4097;
}

static void no_window(struct natmux_sa_config *c)
{
	c->direction = NATMUX_SA_IN;
	c->replay_window = 0;
	c->has_esn = true;
}

static const struct natmux_selector two_selectors[2];
static const struct natmux_selector odd_selector = {.source_ports = {1, 2}};

static void two(struct natmux_sa_config *c)
{
	c->selectors = two_selectors;
	c->selectors_len = 2;
}

static void odd(struct natmux_sa_config *c)
{
	c->selectors = &odd_selector;
	c->selectors_len = 1;
}

static void pad_transport(struct natmux_sa_config *c)
{
	c->tfc_pad = 1;
	c->mode = NATMUX_SA_TRANSPORT;
}

static void test_refused(void **state)
{
	static const struct {
		void (*change)(struct natmux_sa_config *config);
		int error;
		const char *word; /* of the sentence that says why */
	} cases[] = {
		{spi_low, NATMUX_EINVAL, "spi"},
		{no_address, NATMUX_EINVAL, "path"},
		{no_source, NATMUX_EINVAL, "path"},
		{two_families, NATMUX_EINVAL, "two families"},
		{one_port, NATMUX_EINVAL, "two ports"},
		{odd_dscp, NATMUX_EINVAL, "dscp"},
		{low_dscp, NATMUX_EINVAL, "dscp"},
		{short_key, NATMUX_EINVAL, "key"},
		{no_suite, NATMUX_EINVAL, "suite"},
		{long_number, NATMUX_EINVAL, "32 bits"},
		{df_set, NATMUX_EUNSUPPORTED, "df = set"},
		{dscp_fixed, NATMUX_EUNSUPPORTED, "dscp"},
		{wide_window, NATMUX_EUNSUPPORTED, "4096"},
		{no_window, NATMUX_EUNSUPPORTED, "replay-window = 0"},
		{two, NATMUX_EUNSUPPORTED, "selectors"},
		{odd, NATMUX_EUNSUPPORTED, "ports"},
		{pad_transport, NATMUX_EUNSUPPORTED, "tfc-pad"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_sa_config config = config_of(NATMUX_SA_OUT);
		struct nm_xfrm_state got = {.spi = 77};
		const char *why = NULL;

		cases[i].change(&config);
		assert_int_equal(nm_xfrm_state_from_config(&config, &got, &why), cases[i].error);
		assert_non_null(why);
		if (!strstr(why, cases[i].word))
			fail_msg("case %zu says: %s", i, why);
		assert_int_equal(got.spi, 77);
	}
}

static void test_suites(void **state)
{
	struct nm_xfrm_state s;
	enum natmux_suite found = NATMUX_SUITE_COUNT;

	(void)state;
	config_of(NATMUX_SA_IN);
	for (unsigned int i = 0; i < NATMUX_SUITE_COUNT; i++) {
		enum natmux_suite suite = (enum natmux_suite)i;
		size_t len = natmux_suite_key_len(suite);
		uint8_t joined[NATMUX_SUITE_KEY_MAX];

		nm_xfrm_state_init(&s);
		assert_int_equal(nm_xfrm_suite_set(&s, suite, key, len), 0);
		assert_int_equal(nm_xfrm_suite_find(&s, &found), 0);
		assert_int_equal(found, suite);
		assert_int_equal(nm_xfrm_key_join(&s, joined), len);
		assert_memory_equal(joined, key, len);
		assert_int_equal(nm_xfrm_suite_set(&s, suite, key, len - 1), NATMUX_EINVAL);
		assert_int_equal(nm_xfrm_suite_set(&s, suite, key, len + 1), NATMUX_EINVAL);
	}
	assert_int_equal(nm_xfrm_suite_set(&s, NATMUX_SUITE_COUNT, key, 20), NATMUX_EINVAL);
	assert_int_equal(nm_xfrm_suite_set(&s, NATMUX_SUITE_AES128GCM16, NULL, 20), NATMUX_EINVAL);
	/* Near, and not one of them. */
	assert_int_equal(nm_xfrm_suite_set(&s, NATMUX_SUITE_AES128_SHA256, key, 48), 0);
	s.auth.icv_bits = 96;
	assert_int_equal(nm_xfrm_suite_find(&s, &found), NATMUX_ENOTFOUND);
	s.auth.icv_bits = 128;
	s.aead.name = "rfc4106(gcm(aes))";
	assert_int_equal(nm_xfrm_suite_find(&s, &found), NATMUX_ENOTFOUND);
	s.aead.name = NULL;
	s.cipher.name = "cbc(camellia)";
	assert_int_equal(nm_xfrm_suite_find(&s, &found), NATMUX_ENOTFOUND);
	s.cipher.name = NULL;
	assert_int_equal(nm_xfrm_suite_find(&s, &found), NATMUX_ENOTFOUND);
}

static void test_hidden_key(void **state)
{
	static const uint8_t zeros[NATMUX_SUITE_KEY_MAX];
	uint8_t out[NATMUX_SUITE_KEY_MAX];
	struct nm_xfrm_state s;

	(void)state;
	nm_xfrm_state_init(&s);
	assert_false(nm_xfrm_key_is_hidden(&s));
	assert_int_equal(nm_xfrm_suite_set(&s, NATMUX_SUITE_AES128_SHA256, zeros, 48), 0);
	assert_true(nm_xfrm_key_is_hidden(&s));
	config_of(NATMUX_SA_IN);
	assert_int_equal(nm_xfrm_suite_set(&s, NATMUX_SUITE_AES128_SHA256, key, 48), 0);
	assert_false(nm_xfrm_key_is_hidden(&s));
	s.auth.key_len = 90;
	assert_int_equal(nm_xfrm_key_join(&s, out), 0);
}

/* A set of numbers, as plain as can be, beside each form of window. */
enum { NUMBERS = 3000 };

static void walk(uint32_t size, bool has_esn, uint64_t base)
{
	static bool seen[NUMBERS];
	struct nm_xfrm_replay replay;
	uint64_t top = base;
	uint32_t random = 1;

	memset(seen, 0, sizeof(seen));
	assert_int_equal(nm_xfrm_replay_init(&replay, size, has_esn), 0);
	nm_xfrm_replay_close(&replay, base);
	assert_true(replay.window >= size);
	for (unsigned int i = 0; i < 2000; i++) {
		uint64_t n;

		random = random * 1103515245 + 12345;
		n = top + 1 + (random >> 16) % 50;
		n = n > 60 + base ? n - (random >> 24) % 60 : n;
		if (n - base >= NUMBERS)
			break;
		nm_xfrm_replay_mark(&replay, n);
		if (n > top)
			top = n;
		if (top - n < replay.window)
			seen[n - base] = true;
		for (uint64_t k = base + 1; k < base + NUMBERS; k++) {
			bool want = k <= top && (top - k >= replay.window || seen[k - base]);

			if (nm_xfrm_replay_is_seen(&replay, k) != want)
				fail_msg("window %u, number %llu of %llu", size,
					(unsigned long long)k, (unsigned long long)top);
		}
	}
	assert_int_equal(replay.in, top);
}

static void test_windows(void **state)
{
	static const uint32_t sizes[] = {1, 2, 31, 32, 33, 64, 100, 1000, 1024};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		walk(sizes[i], false, 0);
		walk(sizes[i], false, 5000);
		walk(sizes[i], true, 0);
		walk(sizes[i], true, UINT64_C(0x1fffffff0)); /* crosses a multiple of 2^32 */
	}
}

/* A window that an SA brings along, and one that is none. */
static void test_window_goes_on(void **state)
{
	struct natmux_replay_state replay = {.top = 1000, .window = 100, .seen = {5}};
	struct natmux_sa_config config = config_of(NATMUX_SA_IN);
	struct nm_xfrm_state got;
	const char *why = NULL;

	(void)state;
	config.replay_window = 64;
	config.sequence = 1000;
	config.replay = &replay;
	assert_int_equal(nm_xfrm_state_from_config(&config, &got, &why), 0);
	assert_int_equal(got.replay.in, 1000);
	for (uint64_t n = 1; n <= 1001; n++)
		assert_int_equal(nm_xfrm_replay_is_seen(&got.replay, n),
			n == 1000 || n == 998 || n <= 1000 - 64);
	config.sequence = 999;
	assert_int_equal(nm_xfrm_state_from_config(&config, &got, &why), NATMUX_EINVAL);
	assert_string_equal(why, "replay: no window of an inbound SA with that sequence");
	config.sequence = 1000;
	replay.seen[3] = 1;
	assert_int_equal(nm_xfrm_state_from_config(&config, &got, &why), NATMUX_EINVAL);
	replay.seen[3] = 0;
	config.direction = NATMUX_SA_OUT;
	assert_int_equal(nm_xfrm_state_from_config(&config, &got, &why), NATMUX_EINVAL);
}

static void test_window_forms(void **state)
{
	struct nm_xfrm_replay replay = {.window = 77};

	(void)state;
	assert_int_equal(nm_xfrm_replay_init(&replay, 4097, false), NATMUX_ERANGE);
	assert_int_equal(nm_xfrm_replay_init(&replay, UINT32_MAX, true), NATMUX_ERANGE);
	assert_int_equal(replay.window, 77);
	assert_int_equal(nm_xfrm_replay_init(&replay, 32, false), 0);
	assert_false(replay.is_ring);
	assert_int_equal(nm_xfrm_replay_init(&replay, 33, false), 0);
	assert_true(replay.is_ring);
	assert_int_equal(replay.words, 2);
	assert_int_equal(nm_xfrm_replay_init(&replay, 1000, true), 0);
	assert_int_equal(replay.window, 1024);
	assert_int_equal(replay.words, 32);
	assert_int_equal(nm_xfrm_replay_init(&replay, 4096, true), 0);
	assert_int_equal(replay.words, NM_XFRM_BITMAP_WORDS);
	/* No window: nothing was seen, but for what never is. */
	assert_int_equal(nm_xfrm_replay_init(&replay, 0, false), 0);
	nm_xfrm_replay_mark(&replay, 9);
	assert_int_equal(replay.in, 9);
	assert_false(nm_xfrm_replay_is_seen(&replay, 5));
	assert_true(nm_xfrm_replay_is_seen(&replay, 0));
}

static void test_jump(void **state)
{
	static const struct {
		uint64_t out, margin;
		bool has_esn;
		int error;
	} cases[] = {
		{0, 1000, false, 0},
		{UINT32_MAX - 1001, 1000, false, 0},
		{UINT32_MAX - 1000, 1000, false, NATMUX_EFULL},
		{UINT32_MAX, 0, false, NATMUX_EFULL},
		{UINT32_MAX - 5, UINT64_MAX, false, NATMUX_EFULL},
		{UINT32_MAX, 1000, true, 0},
		{UINT64_MAX - 1001, 1000, true, 0},
		{UINT64_MAX - 1000, 1000, true, NATMUX_EFULL},
		{UINT64_MAX, 1, true, NATMUX_EFULL},
		{1, UINT64_MAX, true, NATMUX_EFULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_xfrm_replay replay = {.out = cases[i].out};
		uint64_t want = cases[i].out + (cases[i].error == 0 ? cases[i].margin : 0);

		assert_int_equal(nm_xfrm_replay_jump(&replay, cases[i].has_esn, cases[i].margin),
			cases[i].error);
		assert_true(replay.out == want);
	}
}

static const char stat_text[] = "XfrmInError             \t0\n"
				"XfrmInNoStates          \t12\n"
				"XfrmInStateSeqError     \t18446744073709551615\n"
				"XfrmOfTomorrow          \t5\n"
				"XfrmOutNoStates         \t7\n";

static void test_stat(void **state)
{
	struct nm_xfrm_stat before = {0}, now, since;

	(void)state;
	assert_int_equal(nm_xfrm_stat_parse(stat_text, sizeof(stat_text) - 1, &now), 0);
	assert_int_equal(now.value[NM_XFRM_COUNTER_InNoStates], 12);
	assert_true(now.value[NM_XFRM_COUNTER_InStateSeqError] == UINT64_MAX);
	assert_int_equal(now.value[NM_XFRM_COUNTER_OutNoStates], 7);
	assert_int_equal(now.unknown, 5);
	assert_true(now.has >> NM_XFRM_COUNTER_InNoStates & 1);
	assert_false(now.has >> NM_XFRM_COUNTER_InStateInvalid & 1);
	before.value[NM_XFRM_COUNTER_InNoStates] = 2;
	before.value[NM_XFRM_COUNTER_OutNoStates] = 9;
	before.unknown = 6;
	nm_xfrm_stat_since(&before, &now, &since);
	assert_int_equal(since.value[NM_XFRM_COUNTER_InNoStates], 10);
	assert_int_equal(since.value[NM_XFRM_COUNTER_OutNoStates], 7);
	assert_int_equal(since.unknown, 5);
	assert_int_equal(nm_xfrm_stat_parse("", 0, &now), 0);
	assert_int_equal(now.has, 0);
	for (unsigned int i = 0; i < NM_XFRM_COUNTER_COUNT; i++) {
		assert_int_equal(
			strncmp(nm_xfrm_counter_name((enum nm_xfrm_counter)i), "Xfrm", 4), 0);
		assert_true(strlen(nm_xfrm_counter_text((enum nm_xfrm_counter)i)) > 10);
	}
	assert_null(nm_xfrm_counter_name(NM_XFRM_COUNTER_COUNT));
	assert_null(nm_xfrm_counter_text(NM_XFRM_COUNTER_COUNT));
}

static void test_bad_stat(void **state)
{
	static const char *const texts[] = {"\n", "XfrmInError\n", "XfrmInError \n", " 5\n",
		"XfrmInError 5 6\n", "XfrmInError -1\n", "XfrmInError 5x\n",
		"XfrmInError 18446744073709551616\n", "XfrmInError 99999999999999999999999\n",
		"XfrmInError 1\n\nXfrmInNoStates 1\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct nm_xfrm_stat stat = {.unknown = 77};

		assert_int_equal(
			nm_xfrm_stat_parse(texts[i], strlen(texts[i]), &stat), NATMUX_EMALFORMED);
		assert_int_equal(stat.unknown, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out),
		cmocka_unit_test(test_in),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_suites),
		cmocka_unit_test(test_hidden_key),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_window_goes_on),
		cmocka_unit_test(test_window_forms),
		cmocka_unit_test(test_jump),
		cmocka_unit_test(test_stat),
		cmocka_unit_test(test_bad_stat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
