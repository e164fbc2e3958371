/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ESP on its way in: what is too short, forged, repeated, late, badly padded, or a dummy; that each is
 * counted once and under its name; and that what is not authentic changes nothing. Ledger rows
 * E5-E9, E13, E15-E19, E24.
 */
#include "esp_test.h"
#include "tests/fakes/naive_esp.h"

enum { ROOM = 2048, VECTOR = NM_ENGINE_VECTOR };

static uint8_t packets[VECTOR][ROOM];
static struct nm_open_item items[VECTOR];

/* A packet with this number and text, whatever the text says. */
static void craft_text(const struct esp_tunnel *tunnel, size_t i, uint64_t sequence,
	const uint8_t *text, size_t text_len)
{
	uint8_t iv[NM_ESP_IV_MAX];
	struct naive_esp esp = {
		.suite = tunnel->in_config.suite,
		.keymat = esp_keymat(),
		.has_esn = tunnel->in_config.has_esn,
		.spi = ESP_SPI,
		.sequence = sequence,
		.iv = iv,
		.text = text,
		.text_len = text_len,
	};

	esp_fill(NULL, iv, sizeof(iv));
	items[i] = (struct nm_open_item){
		.packet = packets[i], .len = (uint32_t)naive_seal(&esp, packets[i])};
}

static void craft(const struct esp_tunnel *tunnel, size_t i, uint64_t sequence)
{
	static const uint8_t text[16] = {'h', 'e', 'l', 'l', 'o', 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 4};

	craft_text(tunnel, i, sequence, text, sizeof(text));
}

/* A window of 64 that has seen everything up to `last`. */
static void begin(struct esp_tunnel *tunnel, enum natmux_suite suite, bool has_esn, uint64_t last)
{
	esp_tunnel_config(tunnel, suite);
	tunnel->in_config.replay_window = 64;
	tunnel->out_config.has_esn = tunnel->in_config.has_esn = has_esn;
	tunnel->in_config.sequence = last;
	esp_tunnel_begin(tunnel);
}

/* All that a packet may not change. */
struct snapshot {
	struct nm_replay replay;
	uint64_t ring[256];
	struct natmux_path path;
	struct natmux_sa_counters counters;
};

static void take_snapshot(const struct nm_sa *sa, struct snapshot *snapshot)
{
	memset(snapshot, 0, sizeof(*snapshot));
	snapshot->replay = sa->replay;
	assert_in_range(nm_replay_bytes(sa->replay.size), 0, sizeof(snapshot->ring));
	if (sa->replay.size > 0)
		memcpy(snapshot->ring, sa->replay.ring, nm_replay_bytes(sa->replay.size));
	snapshot->path = sa->path;
	snapshot->counters = sa->counters;
}

/* `counter` counts `n` more, and nothing else is another. */
static void assert_only(
	const struct nm_sa *sa, const struct snapshot *before, const uint64_t *counter, uint64_t n)
{
	struct snapshot after;
	size_t at = (size_t)((const uint8_t *)counter - (const uint8_t *)&sa->counters);
	uint64_t count;

	take_snapshot(sa, &after);
	memcpy(&count, (uint8_t *)&after.counters + at, sizeof(count));
	count -= n;
	memcpy((uint8_t *)&after.counters + at, &count, sizeof(count));
	assert_memory_equal(&after, before, sizeof(after));
}

static void expect_one(struct esp_tunnel *tunnel, size_t i, enum nm_open_verdict verdict)
{
	nm_open(tunnel->in, &items[i], 1);
	assert_int_equal(items[i].verdict, verdict);
}

/* Nothing comes of garbage of any length, and too short is what has no room or the wrong one. */
static void garbage(enum natmux_suite suite, bool has_esn)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	uint32_t fixed = 8 + (uint32_t)info->iv_len + info->icv_len;
	struct esp_tunnel tunnel;
	struct snapshot before;

	begin(&tunnel, suite, has_esn, 500);
	for (uint32_t len = 0; len <= 200; len++) {
		bool is_short = len < fixed + info->align || (len - fixed) % info->align != 0;
		/* A block of exactly that length, so that a sanitizer sees the first octet more. */
		uint8_t *packet = malloc(len > 0 ? len : 1);

		assert_non_null(packet);
		esp_fill(NULL, packet, len);
		if (len >= 8)
			nm_put32(packet + 4, 501 + len);
		items[0] = (struct nm_open_item){.packet = packet, .len = len};
		take_snapshot(tunnel.in, &before);
		expect_one(&tunnel, 0, is_short ? NM_OPEN_TOO_SHORT : NM_OPEN_BAD_ICV);
		assert_only(tunnel.in, &before,
			is_short ? &tunnel.in->counters.too_short : &tunnel.in->counters.bad_icv,
			1);
		free(packet);
	}
	esp_tunnel_end(&tunnel);
}

static void test_garbage(void **state)
{
	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		garbage((enum natmux_suite)suite, false);
		garbage((enum natmux_suite)suite, true);
	}
}

/* A good packet cut anywhere is none, and longer by anything is none. */
static void truncations(enum natmux_suite suite)
{
	uint8_t whole[ROOM];
	struct esp_tunnel tunnel;
	struct snapshot before;
	uint32_t len;

	begin(&tunnel, suite, false, 0);
	craft(&tunnel, 0, 7);
	len = items[0].len;
	memcpy(whole, packets[0], len);
	memset(whole + len, 0, 40);
	take_snapshot(tunnel.in, &before);
	for (uint32_t cut = 0; cut < len + 40; cut++) {
		uint8_t *packet = malloc(cut > 0 ? cut : 1);

		if (cut == len) {
			free(packet);
			continue;
		}
		memcpy(packet, whole, cut);
		items[1] = (struct nm_open_item){.packet = packet, .len = cut};
		nm_open(tunnel.in, &items[1], 1);
		assert_true(items[1].verdict == NM_OPEN_TOO_SHORT ||
			    items[1].verdict == NM_OPEN_BAD_ICV);
		free(packet);
	}
	assert_int_equal(tunnel.in->counters.too_short + tunnel.in->counters.bad_icv, len + 40 - 1);
	tunnel.in->counters = before.counters;
	assert_only(tunnel.in, &before, &tunnel.in->counters.bad_icv, 0);
	expect_one(&tunnel, 0, NM_OPEN_GOOD);
	esp_tunnel_end(&tunnel);
}

static void test_truncations(void **state)
{
	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++)
		truncations((enum natmux_suite)suite);
}

/* Each bit of a packet: forged, it changes nothing; and the packet is still good afterwards. */
static void forgeries(enum natmux_suite suite, bool has_esn)
{
	uint8_t whole[ROOM];
	struct esp_tunnel tunnel;
	struct snapshot before;
	uint64_t forged = 0;

	begin(&tunnel, suite, has_esn, 1000);
	craft(&tunnel, 0, 1010);
	memcpy(whole, packets[0], items[0].len);
	take_snapshot(tunnel.in, &before);
	for (size_t bit = 0; bit < 8 * (size_t)items[0].len; bit++) {
		memcpy(packets[0], whole, items[0].len);
		packets[0][bit / 8] ^= (uint8_t)(1 << bit % 8);
		nm_open(tunnel.in, &items[0], 1);
		/* Another number may be one that is late or was seen. */
		if (items[0].verdict == NM_OPEN_BAD_ICV)
			forged++;
		else
			assert_true(bit / 8 >= 4 && bit / 8 < 8 &&
				    (items[0].verdict == NM_OPEN_LATE ||
					    items[0].verdict == NM_OPEN_DUPLICATE));
	}
	assert_int_equal(tunnel.in->counters.bad_icv, forged);
	assert_true(forged >= 8 * (size_t)items[0].len - 12);
	tunnel.in->counters = before.counters;
	assert_only(tunnel.in, &before, &tunnel.in->counters.bad_icv, 0);
	memcpy(packets[0], whole, items[0].len);
	expect_one(&tunnel, 0, NM_OPEN_GOOD);
	assert_int_equal(tunnel.in->replay.top, 1010);
	esp_tunnel_end(&tunnel);
}

static void test_forgeries(void **state)
{
	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		forgeries((enum natmux_suite)suite, false);
		forgeries((enum natmux_suite)suite, true);
	}
}

/* The text's end, of 16 octets: padding, its length, next header. */
static const struct {
	const char *name;
	uint8_t tail[8];
	enum nm_open_verdict verdict;
	uint32_t inner_len;
} trailers[] = {
	{"no padding", {9, 9, 9, 9, 9, 9, 0, 4}, NM_OPEN_GOOD, 14},
	{"one", {9, 9, 9, 9, 9, 1, 1, 4}, NM_OPEN_GOOD, 13},
	{"three", {9, 9, 9, 1, 2, 3, 3, 41}, NM_OPEN_GOOD, 11},
	{"six", {1, 2, 3, 4, 5, 6, 6, 4}, NM_OPEN_GOOD, 8},
	{"zeros", {9, 9, 9, 0, 0, 0, 3, 4}, NM_OPEN_BAD_PADDING, 0},
	{"first is wrong", {9, 9, 9, 0, 2, 3, 3, 4}, NM_OPEN_BAD_PADDING, 0},
	{"middle is wrong", {9, 9, 9, 1, 3, 3, 3, 4}, NM_OPEN_BAD_PADDING, 0},
	{"last is wrong", {9, 9, 9, 1, 2, 2, 3, 4}, NM_OPEN_BAD_PADDING, 0},
	{"counts from zero", {9, 9, 9, 0, 1, 2, 3, 4}, NM_OPEN_BAD_PADDING, 0},
	{"backwards", {9, 9, 9, 3, 2, 1, 3, 4}, NM_OPEN_BAD_PADDING, 0},
	{"one bit", {9, 9, 9, 1, 2, 0x83, 3, 4}, NM_OPEN_BAD_PADDING, 0},
	{"one more than there is", {3, 4, 5, 6, 7, 8, 15, 4}, NM_OPEN_BAD_PADDING, 0},
	{"most", {9, 9, 9, 9, 9, 9, 255, 4}, NM_OPEN_BAD_PADDING, 0},
	{"dummy", {9, 9, 9, 9, 9, 9, 0, 59}, NM_OPEN_DUMMY, 14},
	{"dummy, padded", {9, 9, 9, 9, 1, 2, 2, 59}, NM_OPEN_DUMMY, 12},
	{"dummy, badly padded", {9, 9, 9, 9, 2, 1, 2, 59}, NM_OPEN_BAD_PADDING, 0},
};

static void check_trailer(struct esp_tunnel *tunnel, size_t line, uint64_t sequence)
{
	uint8_t text[16] = {5, 5, 5, 5, 5, 5, 5, 5};
	enum nm_open_verdict verdict = trailers[line].verdict;
	uint64_t bad = tunnel->in->counters.bad_padding, dummies = tunnel->in->counters.dummy;

	memcpy(text + 8, trailers[line].tail, 8);
	craft_text(tunnel, 0, sequence, text, sizeof(text));
	nm_open(tunnel->in, &items[0], 1);
	if (items[0].verdict != verdict)
		fail_msg("%s: verdict %d", trailers[line].name, (int)items[0].verdict);
	assert_int_equal(tunnel->in->counters.bad_padding - bad, verdict == NM_OPEN_BAD_PADDING);
	assert_int_equal(tunnel->in->counters.dummy - dummies, verdict == NM_OPEN_DUMMY);
	/* Authentic: its number is used up, whatever the padding. */
	assert_int_equal(tunnel->in->replay.top, sequence);
	if (verdict != NM_OPEN_GOOD)
		return;
	assert_int_equal(items[0].next_header, trailers[line].tail[7]);
	assert_int_equal(items[0].inner_len, trailers[line].inner_len);
	assert_memory_equal(items[0].inner, text, items[0].inner_len);
}

static void test_trailers(void **state)
{
	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		struct esp_tunnel tunnel;

		begin(&tunnel, (enum natmux_suite)suite, false, 0);
		for (size_t i = 0; i < ARRAY_SIZE(trailers); i++)
			check_trailer(&tunnel, i, i + 1);
		assert_int_equal(tunnel.in->counters.lost, 0);
		esp_tunnel_end(&tunnel);
	}
}

/* All of the text is padding, or all but nothing: the edge and what is behind it. */
static void test_all_padding(void **state)
{
	struct esp_tunnel tunnel;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128GCM16, false, 0);
	for (unsigned int text_len = 4; text_len <= 256; text_len += 4) {
		for (unsigned int pad = text_len - 3; pad <= text_len - 1 && pad < 256; pad++) {
			uint8_t text[256];

			/* Right, as far as there is any. */
			for (unsigned int i = 0; i < text_len - 2; i++)
				text[text_len - 3 - i] = (uint8_t)(pad - i);
			text[text_len - 2] = (uint8_t)pad;
			text[text_len - 1] = 4;
			craft_text(&tunnel, 0, tunnel.in->replay.top + 1, text, text_len);
			expect_one(&tunnel, 0,
				pad <= text_len - 2 ? NM_OPEN_GOOD : NM_OPEN_BAD_PADDING);
			if (items[0].verdict == NM_OPEN_GOOD)
				assert_int_equal(items[0].inner_len, text_len - 2 - pad);
		}
	}
	esp_tunnel_end(&tunnel);
}

/* A vector whose first packet is bad: the others are judged as if it had not been. */
static void test_bad_first(void **state)
{
	struct esp_tunnel tunnel;

	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		begin(&tunnel, (enum natmux_suite)suite, false, 0);
		for (size_t i = 0; i < VECTOR; i++)
			craft(&tunnel, i, i == 0 ? 5000 : i);
		packets[0][items[0].len - 1] ^= 1;
		items[1].len = 9;
		nm_open(tunnel.in, items, VECTOR);
		assert_int_equal(items[0].verdict, NM_OPEN_BAD_ICV);
		assert_int_equal(items[1].verdict, NM_OPEN_TOO_SHORT);
		for (size_t i = 2; i < VECTOR; i++) {
			assert_int_equal(items[i].verdict, NM_OPEN_GOOD);
			assert_memory_equal(items[i].inner, "hello", 5);
		}
		assert_int_equal(tunnel.in->replay.top, VECTOR - 1);
		assert_int_equal(tunnel.in->counters.bad_icv, 1);
		assert_int_equal(tunnel.in->counters.too_short, 1);
		assert_int_equal(tunnel.in->counters.lost, 0); /* number 1 may still come */
		esp_tunnel_end(&tunnel);
	}
}

static void test_all_bad(void **state)
{
	struct esp_tunnel tunnel;
	struct snapshot before;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128GCM16, false, 9);
	take_snapshot(tunnel.in, &before);
	for (size_t i = 0; i < VECTOR; i++) {
		craft(&tunnel, i, 100 + i);
		items[i].len -= 4;
	}
	nm_open(tunnel.in, items, VECTOR);
	assert_only(tunnel.in, &before, &tunnel.in->counters.bad_icv, VECTOR);
	take_snapshot(tunnel.in, &before);
	for (size_t i = 0; i < VECTOR; i++)
		items[i].len -= 1;
	nm_open(tunnel.in, items, VECTOR);
	assert_only(tunnel.in, &before, &tunnel.in->counters.too_short, VECTOR);
	/* Nothing to do is fine. */
	nm_open(tunnel.in, items, 0);
	esp_tunnel_end(&tunnel);
}

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
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_forgeries),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_all_padding),
		cmocka_unit_test(test_bad_first),
		cmocka_unit_test(test_all_bad),
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
