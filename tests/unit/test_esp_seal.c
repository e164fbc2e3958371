/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ESP on its way out: numbers, IVs, padding, TFC padding, dummies, and the end of the numbers. Ledger
 * rows E3, E4, E6, E7, E9, E10, G1, G3.
 */
#include "esp_test.h"

enum { ROOM = 10240, VECTOR = NM_ENGINE_VECTOR };

static uint8_t packets[VECTOR][ROOM], before[VECTOR][ROOM];

static void begin(struct esp_tunnel *tunnel, enum natmux_suite suite, bool has_esn, uint64_t last)
{
	esp_tunnel_config(tunnel, suite);
	tunnel->out_config.has_esn = tunnel->in_config.has_esn = has_esn;
	tunnel->out_config.sequence = tunnel->in_config.sequence = last;
	esp_tunnel_begin(tunnel);
}

/* Packets 0 to n - 1, each `len` octets longer than the one before. */
static void make_items(const struct nm_sa *sa, struct nm_seal_item *items, size_t n, uint32_t len)
{
	for (size_t i = 0; i < n; i++) {
		items[i] = (struct nm_seal_item){packets[i], (uint32_t)i * len, 4};
		memset(nm_seal_inner(sa, packets[i]), (int)(i + 1), items[i].len);
	}
}

static bool seal_some(struct nm_sa *sa, struct nm_iv_source *source, size_t n)
{
	struct nm_seal_item items[VECTOR];

	make_items(sa, items, n, 20);
	return nm_seal(sa, source, items, n);
}

static void test_numbers(void **state)
{
	struct esp_tunnel tunnel;
	uint32_t number = 1;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128GCM16, false, 0);
	for (size_t n = 1; n <= VECTOR; n++) {
		assert_true(seal_some(tunnel.out, &tunnel.source, n));
		for (size_t i = 0; i < n; i++, number++) {
			assert_int_equal(nm_get32(packets[i]), ESP_SPI);
			assert_int_equal(nm_get32(packets[i] + 4), number);
			/* RFC 4106 3.1: unique under the key. */
			assert_int_equal(nm_get64(packets[i] + 8), number);
		}
	}
	assert_int_equal(tunnel.out->counters.packets, VECTOR * (VECTOR + 1) / 2);
	assert_int_equal(tunnel.out->counters.exhausted, 0);
	esp_tunnel_end(&tunnel);
}

/* The half that is not sent is in IV and ICV all the same. */
static void test_extended_numbers(void **state)
{
	const uint64_t last = (UINT64_C(7) << 32) - 30;
	struct esp_tunnel tunnel;
	struct nm_open_item item;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES256GCM16, true, last);
	assert_true(seal_some(tunnel.out, &tunnel.source, VECTOR));
	for (size_t i = 0; i < VECTOR; i++) {
		assert_int_equal(nm_get32(packets[i] + 4), (uint32_t)(last + 1 + i));
		assert_true(nm_get64(packets[i] + 8) == last + 1 + i);
		item = (struct nm_open_item){.packet = packets[i],
			.len = nm_sa_sealed_len(tunnel.out, (uint32_t)i * 20)};
		nm_open(tunnel.in, &item, 1);
		assert_int_equal(item.verdict, NM_OPEN_GOOD);
		assert_true(item.sequence == last + 1 + i);
	}
	esp_tunnel_end(&tunnel);
}

/* Two workers' copies of one SA: no number, and so no IV, twice. */
static void test_shared_counter(void **state)
{
	struct esp_tunnel tunnel;
	struct nm_sa *copy;
	uint32_t number = 1;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128GCM16, false, 0);
	assert_int_equal(nm_sa_new(&tunnel.out_config, tunnel.out->engine, tunnel.keys,
				 tunnel.out->sequence, 0, &copy),
		0);
	for (size_t n = 1; n <= VECTOR; n++) {
		struct nm_sa *sa = n % 3 ? tunnel.out : copy;

		assert_true(seal_some(sa, &tunnel.source, n));
		for (size_t i = 0; i < n; i++)
			assert_int_equal(nm_get32(packets[i] + 4), number++);
	}
	/* One copy goes; the other counts on. */
	nm_sa_free(tunnel.out);
	tunnel.out = copy;
	assert_true(seal_some(copy, &tunnel.source, 1));
	assert_int_equal(nm_get32(packets[0] + 4), number);
	esp_tunnel_end(&tunnel);
}

static void expect_nothing_sealed(struct esp_tunnel *tunnel, size_t n, uint64_t exhausted)
{
	struct nm_iv_source source = tunnel->source;
	struct nm_seal_item items[VECTOR];
	uint64_t sent = tunnel->out->counters.packets;

	make_items(tunnel->out, items, n, 20);
	memcpy(before, packets, sizeof(before));
	assert_false(nm_seal(tunnel->out, &tunnel->source, items, n));
	assert_memory_equal(packets, before, sizeof(before));
	assert_memory_equal(&tunnel->source, &source, sizeof(source));
	assert_int_equal(tunnel->out->counters.packets, sent);
	assert_int_equal(tunnel->out->counters.exhausted, exhausted);
}

static void test_end_of_numbers(void **state)
{
	struct esp_tunnel tunnel;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128_SHA256, false, UINT32_MAX - 10);
	/* More than are left: none. */
	expect_nothing_sealed(&tunnel, 11, 11);
	assert_true(seal_some(tunnel.out, &tunnel.source, 8));
	expect_nothing_sealed(&tunnel, 3, 14);
	assert_true(seal_some(tunnel.out, &tunnel.source, 2));
	assert_int_equal(nm_get32(packets[1] + 4), UINT32_MAX);
	for (int i = 0; i < 1000; i++)
		expect_nothing_sealed(&tunnel, 1, (uint64_t)15 + (uint64_t)i);
	assert_int_equal(tunnel.out->counters.packets, 10);
	esp_tunnel_end(&tunnel);
}

/* With ESN the same place is none. */
static void test_no_end_with_extended_numbers(void **state)
{
	struct esp_tunnel tunnel;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128GCM16, true, UINT32_MAX - 10);
	assert_true(seal_some(tunnel.out, &tunnel.source, VECTOR));
	assert_true(seal_some(tunnel.out, &tunnel.source, VECTOR));
	assert_int_equal(tunnel.out->counters.exhausted, 0);
	esp_tunnel_end(&tunnel);
}

static void test_dead(void **state)
{
	struct esp_tunnel tunnel;

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128GCM16, false, 0);
	tunnel.out->usage->is_dead = true;
	expect_nothing_sealed(&tunnel, 5, 5);
	assert_int_equal(nm_sequence_last(tunnel.out->sequence), 0);
	esp_tunnel_end(&tunnel);
}

/* The text as the engine gives it back: padding and trailer are looked at octet by octet. */
static void check_trailer(struct esp_tunnel *tunnel, uint32_t len, uint32_t sealed, uint8_t next)
{
	const struct nm_sa *sa = tunnel->out;
	uint32_t text_len = sealed - 8 - sa->iv_len - sa->icv_len;
	uint32_t text = len < sa->tfc_pad ? sa->tfc_pad : len, pad = text_len - 2 - text;
	const uint8_t *inner = nm_seal_inner(sa, packets[0]);
	struct nm_engine_job job = {.packet = packets[0], .len = text_len};

	sa->engine->open(sa->key, &job, 1);
	assert_true(job.is_good);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(inner[i], (uint8_t)(len + i));
	for (uint32_t i = len; i < text; i++)
		assert_int_equal(inner[i], 0);
	/* RFC 4303 2.4: 1, 2, 3…, and no more of it than the alignment asks for. */
	assert_true(pad < sa->align);
	for (uint32_t i = 0; i < pad; i++)
		assert_int_equal(inner[text + i], i + 1);
	assert_int_equal(inner[text + pad], pad);
	assert_int_equal(inner[text + pad + 1], next);
}

static void check_suite(enum natmux_suite suite, uint16_t tfc_pad)
{
	struct esp_tunnel tunnel;

	esp_tunnel_config(&tunnel, suite);
	tunnel.out_config.tfc_pad = tfc_pad;
	esp_tunnel_begin(&tunnel);
	for (uint32_t len = 0; len <= 200; len++) {
		uint8_t next = (uint8_t)(len * 7);
		uint32_t sealed;

		/* Nothing is written behind the end. */
		memset(packets[0], 0xee, ROOM);
		sealed = esp_seal_one(&tunnel, packets[0], len, next);
		for (uint32_t i = sealed; i < sealed + 64; i++)
			assert_int_equal(packets[0][i], 0xee);
		check_trailer(&tunnel, len, sealed, next);
	}
	esp_tunnel_end(&tunnel);
}

static void test_trailers(void **state)
{
	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		check_suite((enum natmux_suite)suite, 0);
		check_suite((enum natmux_suite)suite, 77);
	}
	check_suite(NATMUX_SUITE_AES128GCM16, 9000);
}

static void test_tfc(void **state)
{
	static const uint32_t lens[] = {0, 1, 99, 1399, 1400, 1401, 5000};
	struct esp_tunnel tunnel;

	(void)state;
	esp_tunnel_config(&tunnel, NATMUX_SUITE_AES128GCM16);
	tunnel.out_config.tfc_pad = 1400;
	esp_tunnel_begin(&tunnel);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		uint32_t sealed = esp_seal_one(&tunnel, packets[0], lens[i], 4);
		struct nm_open_item item = {.packet = packets[0], .len = sealed};

		/* An observer learns nothing from what is shorter. */
		assert_int_equal(sealed, lens[i] <= 1400 ? 8 + 8 + 1404 + 16
							 : nm_sa_sealed_len(tunnel.out, lens[i]));
		nm_open(tunnel.in, &item, 1);
		assert_int_equal(item.verdict, NM_OPEN_GOOD);
		assert_int_equal(item.inner_len, lens[i] < 1400 ? 1400 : lens[i]);
	}
	/* What is counted is what was sent, not what it was padded to. */
	assert_int_equal(tunnel.out->counters.bytes, 0 + 1 + 99 + 1399 + 1400 + 1401 + 5000);
	esp_tunnel_end(&tunnel);
}

static void test_dummies(void **state)
{
	static const uint32_t lens[] = {0, 1, 64, 1400};
	struct esp_tunnel tunnel;

	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		begin(&tunnel, (enum natmux_suite)suite, false, 0);
		for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
			uint32_t sealed =
				esp_seal_one(&tunnel, packets[0], lens[i], NM_ESP_NO_NEXT_HEADER);

			assert_int_equal(esp_open_one(&tunnel, packets[0], sealed), NM_OPEN_DUMMY);
		}
		assert_int_equal(tunnel.in->counters.dummy, ARRAY_SIZE(lens));
		esp_tunnel_end(&tunnel);
	}
}

/* RFC 3602 3: an IV that nobody foresees, so none that counts, and none twice. */
static void test_cbc_ivs(void **state)
{
	static uint8_t ivs[20 * VECTOR][16];
	struct esp_tunnel tunnel;
	size_t alike[16] = {0};

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128_SHA256, false, 0);
	for (size_t i = 0; i < ARRAY_SIZE(ivs); i += VECTOR) {
		assert_true(seal_some(tunnel.out, &tunnel.source, VECTOR));
		for (size_t j = 0; j < VECTOR; j++)
			memcpy(ivs[i + j], packets[j] + 8, 16);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ivs); i++)
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(ivs[i], ivs[j], 16);
	/* Neighbours have an octet in common once in 256 times. */
	for (size_t i = 1; i < ARRAY_SIZE(ivs); i++)
		for (size_t at = 0; at < 16; at++)
			alike[at] += ivs[i][at] == ivs[i - 1][at];
	for (size_t at = 0; at < 16; at++)
		assert_in_range(alike[at], 0, ARRAY_SIZE(ivs) / 256 * 5);
	esp_tunnel_end(&tunnel);
}

static void test_iv_sources(void **state)
{
	static const struct natmux_random random = {esp_fill, NULL};
	static const struct nm_iv_source none;
	struct esp_tunnel tunnel;
	struct nm_iv_source other;
	uint8_t iv[16];

	(void)state;
	begin(&tunnel, NATMUX_SUITE_AES128_SHA256, false, 0);
	nm_iv_source_init(&other, &random);
	assert_true(seal_some(tunnel.out, &tunnel.source, 1));
	memcpy(iv, packets[0] + 8, sizeof(iv));
	assert_true(seal_some(tunnel.out, &other, 1));
	assert_memory_not_equal(iv, packets[0] + 8, sizeof(iv));
	nm_iv_source_done(&other);
	assert_memory_equal(&other, &none, sizeof(other));
	esp_tunnel_end(&tunnel);
}

/* Every suite there and back again, in vectors whose packets all have other lengths. */
static void there_and_back(enum natmux_suite suite, bool has_esn, uint32_t step)
{
	struct esp_tunnel tunnel;
	struct nm_seal_item items[VECTOR];
	struct nm_open_item opened[VECTOR];

	begin(&tunnel, suite, has_esn, UINT32_MAX - 1000);
	make_items(tunnel.out, items, VECTOR, step);
	assert_true(nm_seal(tunnel.out, &tunnel.source, items, VECTOR));
	for (size_t i = 0; i < VECTOR; i++)
		opened[i] = (struct nm_open_item){
			.packet = packets[i], .len = nm_sa_sealed_len(tunnel.out, items[i].len)};
	nm_open(tunnel.in, opened, VECTOR);
	for (size_t i = 0; i < VECTOR; i++) {
		assert_int_equal(opened[i].verdict, NM_OPEN_GOOD);
		assert_int_equal(opened[i].next_header, 4);
		assert_int_equal(opened[i].inner_len, items[i].len);
		for (uint32_t j = 0; j < items[i].len; j++)
			assert_int_equal(opened[i].inner[j], i + 1);
	}
	esp_tunnel_end(&tunnel);
}

static void test_there_and_back(void **state)
{
	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		there_and_back((enum natmux_suite)suite, false, 1);
		there_and_back((enum natmux_suite)suite, true, 23);
		there_and_back((enum natmux_suite)suite, false, 142);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_extended_numbers),
		cmocka_unit_test(test_shared_counter),
		cmocka_unit_test(test_end_of_numbers),
		cmocka_unit_test(test_no_end_with_extended_numbers),
		cmocka_unit_test(test_dead),
		cmocka_unit_test(test_trailers),
		cmocka_unit_test(test_tfc),
		cmocka_unit_test(test_dummies),
		cmocka_unit_test(test_cbc_ivs),
		cmocka_unit_test(test_iv_sources),
		cmocka_unit_test(test_there_and_back),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
