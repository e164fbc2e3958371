/* SPDX-License-Identifier: Apache-2.0 */
/* Opening vectors of packets: good ones, forged ones, and what is inside of those. */
#include "esp_open_test.h"

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
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
