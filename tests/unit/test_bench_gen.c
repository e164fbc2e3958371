/* SPDX-License-Identifier: Apache-2.0 */
/* What the generators make is what they say: judged by the classifier and independent numbers. */
#include "test.h"

#include <natmux/classify.h>
#include <natmux/error.h>
#include "base/bytes.h"
#include "bench/corpus.h"
#include "bench/gen.h"
#include "wire/ike.h"

enum { SIZE_MAX_TESTED = 2000 };

static const enum natmux_class expected[NM_GEN_COUNT] = {
	[NM_GEN_ESP] = NATMUX_CLASS_ESP,
	[NM_GEN_IKE] = NATMUX_CLASS_IKE,
	[NM_GEN_KEEPALIVE] = NATMUX_CLASS_KEEPALIVE,
	[NM_GEN_STUN] = NATMUX_CLASS_STUN,
	[NM_GEN_SEQUENCE] = NATMUX_CLASS_ESP,
	[NM_GEN_NO_CRC] = NATMUX_CLASS_ESP,
	[NM_GEN_BAD_CRC] = NATMUX_CLASS_ESP,
};

/* Every size up to 2000: either the right class, or refused with the buffer as it was. */
static void test_every_size_has_its_class(void **state)
{
	struct nm_gen gen = {7};
	unsigned int made[NM_GEN_COUNT] = {0};

	(void)state;
	for (unsigned int kind = 0; kind < NM_GEN_COUNT; kind++)
		for (size_t len = 0; len < SIZE_MAX_TESTED; len++) {
			uint8_t buf[SIZE_MAX_TESTED], before[SIZE_MAX_TESTED];
			int err;

			memset(buf, 0xa5, sizeof(buf));
			memset(before, 0xa5, sizeof(before));
			err = nm_gen_datagram(&gen, (enum nm_gen_kind)kind, buf, len);
			if (err == 0) {
				assert_int_equal(natmux_classify(buf, len), expected[kind]);
				assert_memory_equal(buf + len, before, sizeof(buf) - len);
				made[kind]++;
			} else {
				assert_int_equal(err, NATMUX_ERANGE);
				assert_memory_equal(buf, before, sizeof(buf));
			}
		}
	assert_int_equal(made[NM_GEN_ESP], SIZE_MAX_TESTED - 32);
	assert_int_equal(made[NM_GEN_IKE], SIZE_MAX_TESTED - 32);
	assert_int_equal(made[NM_GEN_KEEPALIVE], 1);
	assert_int_equal(made[NM_GEN_STUN], (SIZE_MAX_TESTED - 28) / 4);
	assert_int_equal(made[NM_GEN_SEQUENCE], SIZE_MAX_TESTED - 32);
	assert_int_equal(made[NM_GEN_NO_CRC], (SIZE_MAX_TESTED - 32) / 4);
	assert_int_equal(made[NM_GEN_BAD_CRC], (SIZE_MAX_TESTED - 28) / 4);
}

static void test_look_alikes_have_the_cookie(void **state)
{
	static const enum nm_gen_kind kinds[] = {NM_GEN_SEQUENCE, NM_GEN_NO_CRC, NM_GEN_BAD_CRC};
	struct nm_gen gen = {0};
	uint8_t buf[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(nm_gen_datagram(&gen, kinds[i], buf, sizeof(buf)), 0);
		assert_int_equal(nm_get32(buf + 4), 0x2112a442);
	}
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(nm_gen_datagram(&gen, NM_GEN_ESP, buf, sizeof(buf)), 0);
		assert_int_not_equal(nm_get32(buf + 4), 0x2112a442);
		assert_true(nm_get32(buf) > 255);
	}
}

/* The bad CRC differs from the good one in nothing else. */
static void test_bad_crc_is_one_bit_wrong(void **state)
{
	struct nm_gen one = {3}, other = {3};
	uint8_t good[100], bad[100];

	(void)state;
	assert_int_equal(nm_gen_datagram(&one, NM_GEN_STUN, good, sizeof(good)), 0);
	assert_int_equal(nm_gen_datagram(&other, NM_GEN_BAD_CRC, bad, sizeof(bad)), 0);
	assert_memory_equal(good, bad, 99);
	assert_int_equal(good[99] ^ bad[99], 1);
}

static void test_ike_opens_flows(void **state)
{
	static const size_t sizes[] = {32, 36, 64, 300, 1428};
	struct nm_gen gen = {0};
	uint8_t buf[1428];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(nm_gen_datagram(&gen, NM_GEN_IKE, buf, sizes[i]), 0);
		assert_int_equal(nm_ike_check(buf, sizes[i]), 0);
	}
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < NM_GEN_COUNT; kind++)
		assert_non_null(nm_gen_name((enum nm_gen_kind)kind));
	assert_null(nm_gen_name(NM_GEN_COUNT));
	assert_int_equal(nm_gen_datagram(&(struct nm_gen){0}, NM_GEN_COUNT, (uint8_t[64]){0}, 64),
		NATMUX_ERANGE);
}

static void check_visits(const struct nm_corpus *corpus, size_t visits)
{
	assert_int_equal(corpus->visits, visits);
	for (size_t i = 0; i < visits; i++)
		assert_true(corpus->order[i] < corpus->count);
}

static void test_corpus_keeps_shares_and_distance(void **state)
{
	static const struct nm_corpus_part parts[] = {
		{NM_GEN_ESP, 1428, 3}, {NM_GEN_KEEPALIVE, 1, 1}};
	struct nm_corpus corpus = {0};
	size_t keepalives = 0;

	(void)state;
	assert_int_equal(nm_corpus_generate(&corpus, parts, 2, 1 << 20), 0);
	check_visits(&corpus, NM_CORPUS_VISITS);
	for (size_t i = 0; i < corpus.count; i++) {
		const struct nm_corpus_item *item = &corpus.items[i];

		keepalives += item->len == 1;
		assert_int_equal(item->offset % 64, 0);
		assert_true(item->offset + item->len <= corpus.memory_len);
		if (i > 0)
			assert_true(item->offset >= item[-1].offset + 1428);
	}
	assert_true(corpus.memory_len > (1 << 20) * 9 / 10);
	assert_int_equal(keepalives, corpus.count / 4);
	nm_corpus_done(&corpus);
	assert_null(corpus.memory);
}

/* A memory too small for all parts holds one of each all the same. */
static void test_corpus_smallest(void **state)
{
	static const struct nm_corpus_part parts[] = {
		{NM_GEN_ESP, 1428, 1}, {NM_GEN_IKE, 300, 1}, {NM_GEN_STUN, 500, 1}};
	struct nm_corpus corpus = {0};

	(void)state;
	assert_int_equal(nm_corpus_generate(&corpus, parts, 3, 1), 0);
	assert_int_equal(corpus.count, 3);
	nm_corpus_done(&corpus);
}

static void test_corpus_refuses(void **state)
{
	static const struct nm_corpus_part odd = {NM_GEN_STUN, 101, 1};
	struct nm_corpus corpus = {0};

	(void)state;
	assert_int_equal(nm_corpus_shuffle(&corpus), NATMUX_EINVAL);
	assert_int_equal(nm_corpus_generate(&corpus, &odd, 1, 4096), NATMUX_ERANGE);
	assert_int_equal(nm_corpus_generate(&corpus, &odd, 0, 4096), NATMUX_EINVAL);
	assert_null(corpus.memory);
	assert_null(corpus.items);
	assert_int_equal(corpus.count, 0);
}

/* More datagrams than a pass usually visits: each is visited. */
static void test_corpus_visits_all(void **state)
{
	enum { COUNT = NM_CORPUS_VISITS + 10 };
	static bool is_seen[COUNT];
	struct nm_corpus corpus = {0};

	(void)state;
	for (uint32_t i = 0; i < COUNT; i++) {
		uint8_t data[4];

		nm_put32(data, i);
		assert_int_equal(nm_corpus_add(&corpus, data, sizeof(data)), 0);
	}
	assert_int_equal(nm_corpus_shuffle(&corpus), 0);
	check_visits(&corpus, COUNT);
	for (size_t i = 0; i < corpus.visits; i++) {
		const struct nm_corpus_item *item = &corpus.items[corpus.order[i]];

		is_seen[nm_get32(corpus.memory + item->offset)] = true;
	}
	for (size_t i = 0; i < COUNT; i++)
		assert_true(is_seen[i]);
	nm_corpus_done(&corpus);
}

static void test_corpus_takes_empty_datagrams(void **state)
{
	struct nm_corpus corpus = {0};

	(void)state;
	assert_int_equal(nm_corpus_add(&corpus, NULL, 0), 0);
	assert_int_equal(corpus.items[0].len, 0);
	nm_corpus_done(&corpus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size_has_its_class),
		cmocka_unit_test(test_look_alikes_have_the_cookie),
		cmocka_unit_test(test_bad_crc_is_one_bit_wrong),
		cmocka_unit_test(test_ike_opens_flows),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_corpus_keeps_shares_and_distance),
		cmocka_unit_test(test_corpus_smallest),
		cmocka_unit_test(test_corpus_refuses),
		cmocka_unit_test(test_corpus_visits_all),
		cmocka_unit_test(test_corpus_takes_empty_datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
