/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of opened packets: the replay window, its edges, and extended numbers out of step. */
#include "esp_open_test.h"

/* Twice in one vector: both pass the first check, one gets through. */
static void test_twice_in_a_vector(void **state)
{
	struct esp_tunnel tunnel;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_CHACHA20POLY1305, false, 0);
	for (size_t i = 0; i < 6; i++)
		craft(&tunnel, i, 1 + i / 2);
	/* The first of two forged: the second is good. */
	packets[4][20] ^= 1;
	nm_open(tunnel.in, items, 6);
	assert_int_equal(items[0].verdict, NM_OPEN_GOOD);
	assert_int_equal(items[1].verdict, NM_OPEN_REPLAYED);
	assert_int_equal(items[2].verdict, NM_OPEN_GOOD);
	assert_int_equal(items[3].verdict, NM_OPEN_REPLAYED);
	assert_int_equal(items[4].verdict, NM_OPEN_BAD_ICV);
	assert_int_equal(items[5].verdict, NM_OPEN_GOOD);
	assert_int_equal(tunnel.in->counters.replayed, 2);
	assert_int_equal(tunnel.in->counters.bad_icv, 1);
	assert_int_equal(tunnel.in->counters.duplicate, 0);
	assert_int_equal(tunnel.in->counters.lost, 0);
	/* In the next vector they are duplicates, and not even decrypted. */
	for (size_t i = 0; i < 3; i++) {
		uint8_t copy[ROOM];

		craft(&tunnel, i, i + 1);
		memcpy(copy, packets[i], ROOM);
		expect_one(&tunnel, i, NM_OPEN_DUPLICATE);
		assert_memory_equal(copy, packets[i], ROOM);
	}
	assert_int_equal(tunnel.in->counters.duplicate, 3);
	esp_tunnel_end(&tunnel);
}

/* New when the vector came, late when its turn came: others had moved the window. */
static void test_moved_past_in_a_vector(void **state)
{
	struct esp_tunnel tunnel;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128GCM16, false, 0);
	craft(&tunnel, 0, 1);
	craft(&tunnel, 1, 66);
	craft(&tunnel, 2, 2); /* 66 - 2 is 64: just out */
	craft(&tunnel, 3, 3); /* just in */
	nm_open(tunnel.in, items, 4);
	assert_int_equal(items[0].verdict, NM_OPEN_GOOD);
	assert_int_equal(items[1].verdict, NM_OPEN_GOOD);
	assert_int_equal(items[2].verdict, NM_OPEN_LATE);
	assert_int_equal(items[3].verdict, NM_OPEN_GOOD);
	assert_int_equal(tunnel.in->counters.late, 1);
	assert_int_equal(tunnel.in->counters.replayed, 0);
	/* 1 and 2 have left the window, and 1 had come. */
	assert_int_equal(tunnel.in->counters.lost, 1);
	esp_tunnel_end(&tunnel);
}

static void test_late(void **state)
{
	struct esp_tunnel tunnel;
	struct snapshot before;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128GCM16, false, 0);
	craft(&tunnel, 0, 1000);
	expect_one(&tunnel, 0, NM_OPEN_GOOD);
	assert_int_equal(tunnel.in->counters.lost, 1000 - 64);
	take_snapshot(tunnel.in, &before);
	craft(&tunnel, 0, 1000 - 64);
	expect_one(&tunnel, 0, NM_OPEN_LATE);
	/* Number 0 is never sent. */
	craft(&tunnel, 0, 0);
	expect_one(&tunnel, 0, NM_OPEN_LATE);
	assert_only(tunnel.in, &before, &tunnel.in->counters.late, 2);
	craft(&tunnel, 0, 1000 - 63);
	expect_one(&tunnel, 0, NM_OPEN_GOOD);
	assert_int_equal(tunnel.in->counters.lost, 1000 - 64);
	esp_tunnel_end(&tunnel);
}

/* How far behind the newest, in powers of two. */
static void test_reordering(void **state)
{
	static const uint32_t depths[] = {1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63};
	static const uint64_t want[NATMUX_REORDER_BUCKETS] = {1, 2, 2, 2, 2, 2};
	struct esp_tunnel tunnel;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128GCM16, false, 0);
	craft(&tunnel, 0, 100);
	expect_one(&tunnel, 0, NM_OPEN_GOOD);
	for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
		craft(&tunnel, 0, 100 - depths[i]);
		expect_one(&tunnel, 0, NM_OPEN_GOOD);
	}
	assert_memory_equal(tunnel.in->counters.reorder, want, sizeof(want));
	assert_int_equal(tunnel.in->counters.lost, 100 - 64);
	esp_tunnel_end(&tunnel);
}

static void test_deepest_reordering(void **state)
{
	struct esp_tunnel tunnel;

	(void)state;
	esp_tunnel_config(&tunnel, NATMUX_SUITE_AES128GCM16);
	tunnel.in_config.replay_window = NM_REPLAY_WINDOW_MAX;
	esp_tunnel_begin(&tunnel);
	craft(&tunnel, 0, 20000);
	expect_one(&tunnel, 0, NM_OPEN_GOOD);
	craft(&tunnel, 0, 20000 - NM_REPLAY_WINDOW_MAX + 1);
	expect_one(&tunnel, 0, NM_OPEN_GOOD);
	assert_int_equal(tunnel.in->counters.reorder[12], 1);
	craft(&tunnel, 0, 20000 - NM_REPLAY_WINDOW_MAX);
	expect_one(&tunnel, 0, NM_OPEN_LATE);
	esp_tunnel_end(&tunnel);
}

/* Anti-replay off: everything authentic comes in, as often as it likes, however late. */
static void test_no_window(void **state)
{
	struct esp_tunnel tunnel;

	(void)state;
	esp_tunnel_config(&tunnel, NATMUX_SUITE_AES128GCM16);
	tunnel.in_config.replay_window = 0;
	esp_tunnel_begin(&tunnel);
	for (size_t i = 0; i < 4; i++) {
		craft(&tunnel, i, i % 2 ? 1 : 1000000);
		expect_one(&tunnel, i, NM_OPEN_GOOD);
	}
	/* Who keeps no window does not know what is missing. */
	assert_int_equal(tunnel.in->counters.lost, 0);
	assert_int_equal(tunnel.in->counters.reorder[13], 2);
	craft(&tunnel, 0, 0);
	expect_one(&tunnel, 0, NM_OPEN_LATE);
	craft(&tunnel, 0, 5);
	packets[0][items[0].len - 1] ^= 1;
	expect_one(&tunnel, 0, NM_OPEN_BAD_ICV);
	esp_tunnel_end(&tunnel);
}

/* Across 2^32 in one vector and out of order: each gets the half that its sender meant. */
static void test_extended_numbers(void **state)
{
	const uint64_t two32 = UINT64_C(1) << 32;
	const uint64_t numbers[] = {two32 - 2, two32 + 1, two32 - 1, two32, two32 + 40, two32 - 3};
	struct esp_tunnel tunnel;

	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		begin(&tunnel, (enum natmux_suite)suite, true, two32 - 10);
		for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
			craft(&tunnel, i, numbers[i]);
		nm_open(tunnel.in, items, ARRAY_SIZE(numbers));
		for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
			assert_int_equal(items[i].verdict, NM_OPEN_GOOD);
			assert_true(items[i].sequence == numbers[i]);
		}
		/* The same low half of another subspace is another packet, and forged. */
		craft(&tunnel, 0, two32 + two32 + 50);
		expect_one(&tunnel, 0, NM_OPEN_BAD_ICV);
		assert_true(tunnel.in->replay.top == two32 + 40);
		esp_tunnel_end(&tunnel);
	}
}

static const uint64_t two32 = UINT64_C(1) << 32;

/* So many packets that are forged, one by one. */
static void fail_times(struct esp_tunnel *tunnel, unsigned int n)
{
	while (n-- > 0) {
		craft(tunnel, 0, tunnel->in->replay.top + 100);
		packets[0][items[0].len - 1] ^= 1;
		expect_one(tunnel, 0, NM_OPEN_BAD_ICV);
	}
}

/* RFC 4303 A3: after 128 failures in a row one packet is tried, with 8 high halves. */
static void test_resynchronisation(void **state)
{
	static const struct {
		uint64_t top, comes;
		bool is_found;
	} cases[] = {
		{1000, 2 * 4294967296 + 5000, true}, /* 2^33 and more */
		{1000, 4294967296 + 5000, true},
		{1000, 8 * 4294967296 + 5000, true},
		{1000, 9 * 4294967296 + 5000, false},
		{4294967295, 3 * 4294967296, true},
		{4294967296 + 5, 3 * 4294967296 + 1000, true},
		/* what is behind the end of all numbers is not looked for */
		{(UINT64_C(0xffffffff) << 32) + 7, 5000, false},
	};

	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			struct esp_tunnel tunnel;

			begin(&tunnel, (enum natmux_suite)suite, true, cases[i].top);
			fail_times(&tunnel, NM_SA_RESYNC_AFTER - 1);
			craft(&tunnel, 0, cases[i].comes);
			expect_one(&tunnel, 0, NM_OPEN_BAD_ICV);
			assert_true(tunnel.in->replay.top == cases[i].top);
			craft(&tunnel, 0, cases[i].comes + 1);
			if (cases[i].is_found) {
				expect_one(&tunnel, 0, NM_OPEN_GOOD);
				assert_memory_equal(items[0].inner, "hello", 5);
				assert_true(items[0].sequence == cases[i].comes + 1);
				assert_true(tunnel.in->replay.top == cases[i].comes + 1);
				craft(&tunnel, 0, cases[i].comes + 2);
				expect_one(&tunnel, 0, NM_OPEN_GOOD);
				craft(&tunnel, 0, cases[i].comes + 1);
				expect_one(&tunnel, 0, NM_OPEN_DUPLICATE);
			} else {
				expect_one(&tunnel, 0, NM_OPEN_BAD_ICV);
				assert_true(tunnel.in->replay.top == cases[i].top);
			}
			esp_tunnel_end(&tunnel);
		}
	}
}

/* Who counts engine calls: as many as are allowed, whatever comes. */
static unsigned int opens;
static struct nm_engine counting;

static void count_opens(void *key, struct nm_engine_job *jobs, size_t n)
{
	opens += (unsigned int)n;
	esp_engine_of(NATMUX_SUITE_AES128GCM16)->open(key, jobs, n);
}

static void test_resynchronisation_is_bounded(void **state)
{
	struct esp_tunnel tunnel;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128GCM16, true, 1000);
	counting = *tunnel.in->engine;
	counting.open = count_opens;
	tunnel.in->engine = &counting;
	opens = 0;
	fail_times(&tunnel, 100 * NM_SA_RESYNC_AFTER);
	assert_in_range(opens, 100 * NM_SA_RESYNC_AFTER + 1,
		100 * (NM_SA_RESYNC_AFTER + NM_SA_RESYNC_TRIES));
	assert_true(tunnel.in->replay.top == 1000);

	/* One good packet in between, and the count begins again. */
	craft(&tunnel, 0, 1001);
	expect_one(&tunnel, 0, NM_OPEN_GOOD);
	fail_times(&tunnel, NM_SA_RESYNC_AFTER - 1);
	craft(&tunnel, 0, 1002);
	expect_one(&tunnel, 0, NM_OPEN_GOOD);
	craft(&tunnel, 0, two32 + 5000);
	expect_one(&tunnel, 0, NM_OPEN_BAD_ICV);
	esp_tunnel_end(&tunnel);
}

/* Switched off, or without ESN, no packet is looked at twice; the others of a vector go on. */
static void test_no_resynchronisation(void **state)
{
	struct esp_tunnel tunnel;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128GCM16, true, 1000);
	tunnel.in->no_resync = true;
	fail_times(&tunnel, NM_SA_RESYNC_AFTER);
	craft(&tunnel, 0, two32 + 5000);
	expect_one(&tunnel, 0, NM_OPEN_BAD_ICV);
	esp_tunnel_end(&tunnel);

	begin(&tunnel, NATMUX_SUITE_AES128GCM16, true, 1000);
	fail_times(&tunnel, NM_SA_RESYNC_AFTER);
	/* Too short to be tried, then a vector that begins with one to try. */
	craft(&tunnel, 0, two32 + 5000);
	items[0].len = 9;
	nm_open(tunnel.in, items, 1);
	assert_int_equal(items[0].verdict, NM_OPEN_TOO_SHORT);
	for (size_t i = 0; i < VECTOR; i++)
		craft(&tunnel, i, two32 + 5000 + i);
	packets[7][items[7].len - 1] ^= 1;
	nm_open(tunnel.in, items, VECTOR);
	for (size_t i = 0; i < VECTOR; i++)
		assert_int_equal(items[i].verdict, i == 7 ? NM_OPEN_BAD_ICV : NM_OPEN_GOOD);
	assert_true(tunnel.in->replay.top == two32 + 5000 + VECTOR - 1);
	esp_tunnel_end(&tunnel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twice_in_a_vector),
		cmocka_unit_test(test_moved_past_in_a_vector),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_reordering),
		cmocka_unit_test(test_deepest_reordering),
		cmocka_unit_test(test_no_window),
		cmocka_unit_test(test_extended_numbers),
		cmocka_unit_test(test_resynchronisation),
		cmocka_unit_test(test_resynchronisation_is_bounded),
		cmocka_unit_test(test_no_resynchronisation),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
