/* SPDX-License-Identifier: Apache-2.0 */
#include "stun_test.h"

#include "stun/txn.h"

static struct dice dice = {1};
static const struct natmux_random fake_random = {roll_bytes, &dice};

/* Runs the clock to the next step, which has to come at `wanted_ms`. */
static uint64_t next(struct nm_stun_txn *txn, uint64_t wanted_ms, enum nm_stun_txn_step step)
{
	assert_int_equal(txn->next_ms, wanted_ms);
	if (wanted_ms > 0)
		assert_int_equal(nm_stun_txn_step(txn, wanted_ms - 1), NM_STUN_TXN_WAIT);
	assert_int_equal(nm_stun_txn_step(txn, wanted_ms), step);
	return wanted_ms;
}

/* RFC 8489 6.2.1: seven requests at these times, and 39500 ms is when it is over. */
static void test_s6_schedule(void **state)
{
	static const uint64_t sends[] = {0, 500, 1500, 3500, 7500, 15500, 31500};
	struct nm_stun_txn txn;

	(void)state;
	nm_stun_txn_start(&txn, &fake_random, 0);
	for (size_t i = 0; i < ARRAY_SIZE(sends); i++)
		nm_stun_txn_sent(&txn, next(&txn, sends[i], NM_STUN_TXN_SEND));
	next(&txn, 39500, NM_STUN_TXN_FAIL);
	nm_stun_txn_stop(&txn);
	assert_int_equal(nm_stun_txn_step(&txn, UINT64_MAX), NM_STUN_TXN_WAIT);
}

/* A late timer delays the rest; the waits themselves never get shorter. */
static void test_s6_waits_count_from_the_sending(void **state)
{
	struct nm_stun_txn txn;

	(void)state;
	nm_stun_txn_start(&txn, &fake_random, 1000);
	assert_int_equal(txn.next_ms, 1000);
	nm_stun_txn_sent(&txn, 1200);
	next(&txn, 1700, NM_STUN_TXN_SEND);
	nm_stun_txn_sent(&txn, 9000);
	next(&txn, 10000, NM_STUN_TXN_SEND);
}

static void test_s5_id_is_fresh_and_random(void **state)
{
	static uint8_t ids[1000][NM_STUN_TID_LEN];
	uint8_t ones[NM_STUN_TID_LEN] = {0}, zeros[NM_STUN_TID_LEN] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		struct nm_stun_txn txn;

		nm_stun_txn_start(&txn, &fake_random, 0);
		memcpy(ids[i], txn.tid, sizeof(ids[i]));
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(ids[i], ids[k], sizeof(ids[i]));
		for (size_t k = 0; k < sizeof(ids[i]); k++) {
			ones[k] |= ids[i][k];
			zeros[k] |= (uint8_t)~ids[i][k];
		}
	}
	for (size_t k = 0; k < NM_STUN_TID_LEN; k++) /* all 96 bits move */
		assert_true(ones[k] == 0xff && zeros[k] == 0xff);
}

static void test_s5_only_the_pending_id_counts(void **state)
{
	struct nm_stun_txn txn = {0};
	uint8_t tid[NM_STUN_TID_LEN] = {0};
	uint32_t rtt_ms;

	(void)state;
	assert_false(nm_stun_txn_expects(&txn, tid)); /* idle, although the id is equal */
	nm_stun_txn_start(&txn, &fake_random, 0);
	memcpy(tid, txn.tid, sizeof(tid));
	assert_false(nm_stun_txn_expects(&txn, tid)); /* nothing sent yet */
	nm_stun_txn_sent(&txn, 0);
	assert_true(nm_stun_txn_expects(&txn, tid));
	for (size_t bit = 0; bit < 96; bit++) {
		tid[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(nm_stun_txn_expects(&txn, tid));
		tid[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	nm_stun_txn_answered(&txn, 10, &rtt_ms);
	assert_false(nm_stun_txn_expects(&txn, tid)); /* the second answer */
	nm_stun_txn_start(&txn, &fake_random, 20);
	nm_stun_txn_sent(&txn, 20);
	assert_false(nm_stun_txn_expects(&txn, tid)); /* an answer to the one before */
	nm_stun_txn_stop(&txn);
	assert_false(nm_stun_txn_expects(&txn, txn.tid));
}

/* RFC 6298 3, Karn: an answer to a repeated request says nothing about the time it took. */
static void test_s6_rtt_by_karns_rule(void **state)
{
	(void)state;
	for (unsigned int sends = 1; sends <= NM_STUN_RC; sends++) {
		struct nm_stun_txn txn;
		uint32_t rtt_ms = 7777;

		nm_stun_txn_start(&txn, &fake_random, 100);
		for (unsigned int i = 0; i < sends; i++)
			nm_stun_txn_sent(&txn, i == 0 ? 130 : txn.next_ms);
		assert_int_equal(nm_stun_txn_answered(&txn, 155, &rtt_ms), sends == 1);
		assert_int_equal(rtt_ms, sends == 1 ? 25 : 7777);
		assert_int_equal(nm_stun_txn_step(&txn, UINT64_MAX), NM_STUN_TXN_WAIT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_s6_schedule),
		cmocka_unit_test(test_s6_waits_count_from_the_sending),
		cmocka_unit_test(test_s5_id_is_fresh_and_random),
		cmocka_unit_test(test_s5_only_the_pending_id_counts),
		cmocka_unit_test(test_s6_rtt_by_karns_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
