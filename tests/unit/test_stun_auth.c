/* SPDX-License-Identifier: Apache-2.0 */
#include "stun_test.h"

#include <natmux/error.h>
#include "stun/attr.h"
#include "stun/auth.h"
#include "stun/txn.h"
#include "../vectors/stun_rfc.h"

static struct nm_stun_auth auth;
static uint8_t buf[1024];
static const uint8_t tid[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const struct nm_stun_user alice = {"alice", 5, "secret", 6};

static int setup(void **state)
{
	(void)state;
	return nm_stun_auth_init(&auth);
}

static int teardown(void **state)
{
	(void)state;
	nm_stun_auth_done(&auth);
	nm_stun_auth_done(&auth); /* a zeroed object is fine */
	return 0;
}

static struct nm_stun_msg decoded(const uint8_t *data, size_t len)
{
	struct nm_stun_msg msg;

	assert_int_equal(nm_stun_decode(data, len, &msg), 0);
	return msg;
}

static int check(const struct nm_stun_msg *msg, enum nm_stun_integrity algorithm, const char *key)
{
	return nm_stun_integrity_check(&auth, msg, algorithm, key, strlen(key));
}

static void test_s3_rfc5769_short_term(void **state)
{
	struct nm_stun_msg msg = decoded(rfc5769_request, sizeof(rfc5769_request));

	(void)state;
	assert_int_equal(check(&msg, NM_STUN_SHA1, RFC5769_PASSWORD), 0);
	assert_int_equal(check(&msg, NM_STUN_SHA1, RFC5769_PASSWORD "x"), NATMUX_EAUTH);
	assert_int_equal(check(&msg, NM_STUN_SHA1, ""), NATMUX_EAUTH);
	assert_int_equal(check(&msg, NM_STUN_SHA256, RFC5769_PASSWORD), NATMUX_ENOTFOUND);
	msg = decoded(rfc5769_response4, sizeof(rfc5769_response4));
	assert_int_equal(check(&msg, NM_STUN_SHA1, RFC5769_PASSWORD), 0);
	msg = decoded(rfc5769_response6, sizeof(rfc5769_response6));
	assert_int_equal(check(&msg, NM_STUN_SHA1, RFC5769_PASSWORD), 0);
}

static void test_s3_rfc5769_long_term(void **state)
{
	struct nm_stun_msg msg = decoded(rfc5769_long_term, sizeof(rfc5769_long_term));
	uint8_t key[NM_STUN_KEY_MD5_LEN];

	(void)state;
	assert_int_equal(nm_stun_key_md5(&auth, LONG_TERM_USERNAME, LONG_TERM_REALM,
				 LONG_TERM_PASSWORD, key),
		0);
	assert_int_equal(nm_stun_integrity_check(&auth, &msg, NM_STUN_SHA1, key, sizeof(key)), 0);
	key[0] ^= 1;
	assert_int_equal(
		nm_stun_integrity_check(&auth, &msg, NM_STUN_SHA1, key, sizeof(key)), NATMUX_EAUTH);
}

static void test_s3_rfc8489_sha256(void **state)
{
	struct nm_stun_msg msg = decoded(rfc8489_b1, sizeof(rfc8489_b1));
	uint8_t key[NM_STUN_KEY_SHA256_LEN];

	(void)state;
	assert_int_equal(nm_stun_key_sha256(&auth, LONG_TERM_USERNAME, LONG_TERM_REALM,
				 LONG_TERM_PASSWORD, key),
		0);
	assert_int_equal(nm_stun_integrity_check(&auth, &msg, NM_STUN_SHA256, key, sizeof(key)), 0);
	assert_int_equal(nm_stun_integrity_check(&auth, &msg, NM_STUN_SHA256, key, sizeof(key) - 1),
		NATMUX_EAUTH);
	assert_int_equal(nm_stun_integrity_check(&auth, &msg, NM_STUN_SHA1, key, sizeof(key)),
		NATMUX_ENOTFOUND);
}

static void test_keys_differ_in_every_part(void **state)
{
	static const char *const parts[][3] = {{"user", "realm", "pass"}, {"usex", "realm", "pass"},
		{"user", "realx", "pass"}, {"user", "realm", "pasx"}, {"", "realm", "pass"}};
	uint8_t keys[ARRAY_SIZE(parts)][NM_STUN_KEY_MD5_LEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		assert_int_equal(
			nm_stun_key_md5(&auth, parts[i][0], parts[i][1], parts[i][2], keys[i]), 0);
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(keys[i], keys[k], sizeof(keys[i]));
	}
	/* RFC 8489 18.5.1.1's form; the digest from coreutils: printf user:realm:pass | md5sum. */
	assert_memory_equal(keys[0],
		"\x84\x93\xfb\xc5\x3b\xa5\x82\xfb\x4c\x04\x4c\x45\x6b\xdc\x40\xeb",
		NM_STUN_KEY_MD5_LEN);
}

/* Every bit in front of the value, and of the value, is covered. The FINGERPRINT is made anew. */
static void test_s3_every_bit_counts(void **state)
{
	static struct raw m;
	struct nm_stun_msg msg;
	size_t end = sizeof(rfc5769_request) - 8;

	(void)state;
	for (size_t bit = 0; bit < 8 * end; bit++) {
		memcpy(m.data, rfc5769_request, end);
		m.len = end;
		m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		put16(m.data + 2, (unsigned int)(end - 20));
		raw_fingerprint(&m);
		/* Some bits break the form or turn the attribute into another: no success either. */
		if (nm_stun_decode(m.data, m.len, &msg) < 0)
			continue;
		if (bit >= 16 && bit < 32)
			continue; /* the length field was set right again */
		assert_true(check(&msg, NM_STUN_SHA1, RFC5769_PASSWORD) < 0);
	}
}

/* RFC 8489 14.5: what follows MESSAGE-INTEGRITY does not change what it covers. */
static void test_s3_length_is_adjusted(void **state)
{
	static struct raw m;
	struct nm_stun_msg msg;

	(void)state;
	memcpy(m.data, rfc5769_request, sizeof(rfc5769_request) - 8);
	m.len = sizeof(rfc5769_request) - 8;
	for (int i = 0; i < 20; i++) {
		raw_attr(&m, 0x8022, "after", 5);
		msg = decoded(m.data, m.len);
		assert_int_equal(check(&msg, NM_STUN_SHA1, RFC5769_PASSWORD), 0);
	}
}

static void build(struct nm_stun_builder *b, enum nm_stun_class cls, const char *username)
{
	nm_stun_begin(b, buf, sizeof(buf), NM_STUN_BINDING, cls, tid);
	if (username)
		nm_stun_put(b, NM_STUN_USERNAME, username, strlen(username));
	nm_stun_put_u32(b, NM_STUN_PRIORITY, 1);
}

static void test_s3_built_and_checked(void **state)
{
	(void)state;
	for (int mask = 1; mask < 4; mask++) {
		struct nm_stun_builder b;
		struct nm_stun_msg msg;

		build(&b, NM_STUN_REQUEST, "alice");
		if (mask & 1)
			nm_stun_put_integrity(&b, &auth, NM_STUN_SHA1, "secret", 6);
		if (mask & 2)
			nm_stun_put_integrity(&b, &auth, NM_STUN_SHA256, "secret", 6);
		nm_stun_put_fingerprint(&b);
		msg = decoded(buf, nm_stun_end(&b));
		assert_int_equal(
			check(&msg, NM_STUN_SHA1, "secret"), mask & 1 ? 0 : NATMUX_ENOTFOUND);
		assert_int_equal(
			check(&msg, NM_STUN_SHA256, "secret"), mask & 2 ? 0 : NATMUX_ENOTFOUND);
		assert_int_equal(check(&msg, NM_STUN_SHA1, "Secret"),
			mask & 1 ? NATMUX_EAUTH : NATMUX_ENOTFOUND);
		assert_int_equal(check(&msg, NM_STUN_SHA256, "Secret"),
			mask & 2 ? NATMUX_EAUTH : NATMUX_ENOTFOUND);
	}
}

static void test_s3_empty_key_never_signs(void **state)
{
	struct nm_stun_builder b;

	(void)state;
	build(&b, NM_STUN_REQUEST, "alice");
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA1, "", 0);
	assert_int_equal(nm_stun_end(&b), 0);
}

/* RFC 8489 14.6: the value may be cut, and the header's length counts what is left of it. */
static void test_s3_truncated_sha256(void **state)
{
	static struct raw m;
	uint8_t mac[NM_STUN_SHA256_LEN];
	struct nm_stun_msg msg;

	(void)state;
	for (size_t len = 16; len <= 32; len += 4) {
		raw_begin(&m, 0x0001);
		raw_attr(&m, 0x0006, "alice", 5);
		put16(m.data + 2, (unsigned int)(m.len - 20 + 4 + len));
		assert_int_equal(nm_stun_hmac(&auth, NM_STUN_SHA256, "secret", 6, m.data, 20,
					 m.data + 20, m.len - 20, mac),
			32);
		raw_attr(&m, 0x001c, mac, len);
		msg = decoded(m.data, m.len);
		assert_int_equal(check(&msg, NM_STUN_SHA256, "secret"), 0);
		m.data[m.len - 1] ^= 1; /* the last byte that is there counts */
		msg = decoded(m.data, m.len);
		assert_int_equal(check(&msg, NM_STUN_SHA256, "secret"), NATMUX_EAUTH);
	}
}

/* A MAC made for 32 bytes and cut afterwards was made for another header. */
static void test_s3_cut_by_a_stranger(void **state)
{
	static struct raw m;
	struct nm_stun_builder b;
	struct nm_stun_msg msg;
	size_t len;

	(void)state;
	build(&b, NM_STUN_REQUEST, "alice");
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA256, "secret", 6);
	len = nm_stun_end(&b);
	memcpy(m.data, buf, len);
	m.len = len - 36;
	raw_attr(&m, 0x001c, buf + len - 32, 16);
	msg = decoded(m.data, m.len);
	assert_int_equal(check(&msg, NM_STUN_SHA256, "secret"), NATMUX_EAUTH);
}

static unsigned int judge(size_t len, const struct nm_stun_user *user)
{
	struct nm_stun_msg msg = decoded(buf, len);

	return nm_stun_judge_request(&auth, &msg, user);
}

static void test_s7_requests(void **state)
{
	const struct nm_stun_user bob = {"bob", 3, "secret", 6}, wrong = {"alice", 5, "Secret", 6};
	const struct nm_stun_user longer = {"alicex", 6, "secret", 6}, empty = {"alice", 5, "", 0};
	struct nm_stun_builder b;

	(void)state;
	build(&b, NM_STUN_REQUEST, "alice");
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA1, "secret", 6);
	nm_stun_put_fingerprint(&b);
	assert_int_equal(judge(nm_stun_end(&b), &alice), 0);
	assert_int_equal(judge(nm_stun_end(&b), &bob), NM_STUN_UNAUTHENTICATED);
	assert_int_equal(judge(nm_stun_end(&b), &longer), NM_STUN_UNAUTHENTICATED);
	assert_int_equal(judge(nm_stun_end(&b), &wrong), NM_STUN_UNAUTHENTICATED);
	assert_int_equal(judge(nm_stun_end(&b), &empty), NM_STUN_UNAUTHENTICATED);
}

static void test_s7_request_without_username_or_integrity(void **state)
{
	struct nm_stun_builder b;

	(void)state;
	build(&b, NM_STUN_REQUEST, NULL);
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA1, "secret", 6);
	assert_int_equal(judge(nm_stun_end(&b), &alice), NM_STUN_BAD_REQUEST);
	build(&b, NM_STUN_REQUEST, "alice");
	assert_int_equal(judge(nm_stun_end(&b), &alice), NM_STUN_BAD_REQUEST);
	build(&b, NM_STUN_INDICATION, NULL);
	assert_int_equal(judge(nm_stun_end(&b), &alice), NM_STUN_BAD_REQUEST);
}

/* A USERNAME that an attacker appends behind the integrity is none. */
static void test_s7_username_behind_integrity(void **state)
{
	static struct raw m;
	struct nm_stun_builder b;

	(void)state;
	build(&b, NM_STUN_REQUEST, NULL);
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA1, "secret", 6);
	m.len = nm_stun_end(&b);
	memcpy(m.data, buf, m.len);
	raw_attr(&m, 0x0006, "alice", 5);
	memcpy(buf, m.data, m.len);
	assert_int_equal(judge(m.len, &alice), NM_STUN_BAD_REQUEST);
}

/* Of two the stronger decides: a right SHA-1 does not excuse a wrong SHA-256. */
static void test_s7_no_bidding_down(void **state)
{
	struct nm_stun_builder b;

	(void)state;
	build(&b, NM_STUN_REQUEST, "alice");
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA1, "secret", 6);
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA256, "Secret", 6);
	assert_int_equal(judge(nm_stun_end(&b), &alice), NM_STUN_UNAUTHENTICATED);
	build(&b, NM_STUN_REQUEST, "alice");
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA1, "Secret", 6);
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA256, "secret", 6);
	assert_int_equal(judge(nm_stun_end(&b), &alice), 0);
}

static bool is_authentic(size_t len, enum nm_stun_integrity algorithm)
{
	struct nm_stun_msg msg = decoded(buf, len);

	return nm_stun_response_is_authentic(&auth, &msg, algorithm, "secret", 6);
}

static void test_s7_responses(void **state)
{
	struct nm_stun_builder b;

	(void)state;
	build(&b, NM_STUN_SUCCESS, NULL);
	assert_false(is_authentic(nm_stun_end(&b), NM_STUN_SHA1));
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA1, "secret", 6);
	assert_true(is_authentic(nm_stun_end(&b), NM_STUN_SHA1));
	assert_false(is_authentic(nm_stun_end(&b), NM_STUN_SHA256)); /* not what we asked with */
	build(&b, NM_STUN_ERROR, NULL);
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA1, "wrong", 5);
	assert_false(is_authentic(nm_stun_end(&b), NM_STUN_SHA1));
	build(&b, NM_STUN_ERROR, NULL);
	nm_stun_put_integrity(&b, &auth, NM_STUN_SHA256, "secret", 6);
	assert_true(is_authentic(nm_stun_end(&b), NM_STUN_SHA256));
}

/* What ICE does with a response: whether the transaction is over. */
static bool receive(struct nm_stun_txn *txn, uint64_t now_ms, const struct nm_stun_msg *msg)
{
	uint32_t rtt_ms;

	if (!nm_stun_txn_expects(txn, msg->tid) ||
		!nm_stun_response_is_authentic(&auth, msg, NM_STUN_SHA1, "secret", 6))
		return false;
	nm_stun_txn_answered(txn, now_ms, &rtt_ms);
	return true;
}

/* RFC 8489 9.1.4: a forgery with the right id ends nothing; requests go on, the truth is heard. */
static void test_s7_forged_response_ends_nothing(void **state)
{
	static const char *const keys[] = {NULL, "guess", "secret"};
	struct dice dice = {2};
	struct natmux_random random = {roll_bytes, &dice};
	struct nm_stun_txn txn;

	(void)state;
	nm_stun_txn_start(&txn, &random, 0);
	nm_stun_txn_sent(&txn, 0);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct nm_stun_builder b;
		struct nm_stun_msg msg;

		assert_int_equal(nm_stun_txn_step(&txn, 500), NM_STUN_TXN_SEND);
		nm_stun_begin(&b, buf, sizeof(buf), NM_STUN_BINDING, NM_STUN_SUCCESS, txn.tid);
		if (keys[i])
			nm_stun_put_integrity(&b, &auth, NM_STUN_SHA1, keys[i], strlen(keys[i]));
		msg = decoded(buf, nm_stun_end(&b));
		assert_int_equal(receive(&txn, 100, &msg), i == 2);
	}
	assert_int_equal(nm_stun_txn_step(&txn, 500), NM_STUN_TXN_WAIT);
}

/* One object, many keys, one behind the other: nothing of the key before is left. */
static void test_contexts_are_reused(void **state)
{
	struct nm_stun_msg msg = decoded(rfc5769_request, sizeof(rfc5769_request));

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(check(&msg, NM_STUN_SHA1, i % 2 ? RFC5769_PASSWORD : "other"),
			i % 2 ? 0 : NATMUX_EAUTH);
		assert_int_equal(check(&msg, NM_STUN_SHA1, ""), NATMUX_EAUTH);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_s3_rfc5769_short_term),
		cmocka_unit_test(test_s3_rfc5769_long_term),
		cmocka_unit_test(test_s3_rfc8489_sha256),
		cmocka_unit_test(test_keys_differ_in_every_part),
		cmocka_unit_test(test_s3_every_bit_counts),
		cmocka_unit_test(test_s3_length_is_adjusted),
		cmocka_unit_test(test_s3_built_and_checked),
		cmocka_unit_test(test_s3_empty_key_never_signs),
		cmocka_unit_test(test_s3_truncated_sha256),
		cmocka_unit_test(test_s3_cut_by_a_stranger),
		cmocka_unit_test(test_s7_requests),
		cmocka_unit_test(test_s7_request_without_username_or_integrity),
		cmocka_unit_test(test_s7_username_behind_integrity),
		cmocka_unit_test(test_s7_no_bidding_down),
		cmocka_unit_test(test_s7_responses),
		cmocka_unit_test(test_s7_forged_response_ends_nothing),
		cmocka_unit_test(test_contexts_are_reused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
