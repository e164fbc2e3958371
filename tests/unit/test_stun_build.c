/* SPDX-License-Identifier: Apache-2.0 */
#include "stun_test.h"

#include "stun/auth.h"
#include "../vectors/stun_rfc.h"

static uint8_t buf[70000];
static const uint8_t tid[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static struct nm_stun_builder begin(size_t cap)
{
	struct nm_stun_builder b;

	nm_stun_begin(&b, buf, cap, NM_STUN_BINDING, NM_STUN_REQUEST, tid);
	return b;
}

static void test_bytes_are_those_written_by_hand(void **state)
{
	struct nm_stun_builder b;
	static struct raw m;

	(void)state;
	memset(buf, 0xa5, sizeof(buf));
	b = begin(sizeof(buf));
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x8022, "natmux", 6);
	memset(m.data + 30, 0, 2); /* we pad with zeros (RFC 8489 14) */
	raw_attr(&m, 0x0024, "\x6e\0\1\xff", 4);
	raw_attr(&m, 0x802a, "\1\2\3\4\5\6\7\x08", 8);
	raw_attr(&m, 0x0025, NULL, 0);
	raw_attr(&m, 0x0009, "\0\0\4\x14Unknown", 11);
	m.data[m.len - 1] = 0;
	raw_attr(&m, 0x000a, "\0\3\x7f\xff\0\x26", 6);
	memset(m.data + m.len - 2, 0, 2);
	raw_fingerprint(&m);

	nm_stun_put(&b, NM_STUN_SOFTWARE, "natmux", 6);
	nm_stun_put_u32(&b, NM_STUN_PRIORITY, 0x6e0001ff);
	nm_stun_put_u64(&b, NM_STUN_ICE_CONTROLLING, UINT64_C(0x0102030405060708));
	nm_stun_put(&b, NM_STUN_USE_CANDIDATE, NULL, 0);
	nm_stun_put_error(&b, 420, "Unknown");
	nm_stun_put_unknown(&b, (const uint16_t[]){3, 0x7fff, 0x26}, 3);
	nm_stun_put_fingerprint(&b);
	assert_int_equal(nm_stun_end(&b), m.len);
	assert_memory_equal(buf, m.data, m.len);
}

/* RFC 5769 2.2, but for its padding of 0x20 and what follows from that. */
static void test_rfc5769_response(void **state)
{
	struct natmux_addr addr = addr_of("192.0.2.1:32853");
	struct nm_stun_builder b;

	(void)state;
	nm_stun_begin(
		&b, buf, sizeof(buf), NM_STUN_BINDING, NM_STUN_SUCCESS, rfc5769_response4 + 8);
	nm_stun_put(&b, NM_STUN_SOFTWARE, "test vector", 11);
	nm_stun_put_addr(&b, NM_STUN_XOR_MAPPED_ADDRESS, &addr);
	assert_int_equal(nm_stun_end(&b), 20 + 16 + 12);
	assert_memory_equal(
		buf + 4, rfc5769_response4 + 4, 20 + 11); /* all but length and padding */
	assert_memory_equal(buf + 36, rfc5769_response4 + 36, 12);
}

/* For every capacity but the last: no length, and no byte beyond it. */
static void test_s8_every_capacity(void **state)
{
	(void)state;
	for (size_t cap = 0; cap <= 52; cap++) {
		struct natmux_addr addr = addr_of("[2001:db8::1]:4500");
		struct nm_stun_builder b;

		memset(buf, 0xa5, sizeof(buf));
		b = begin(cap);
		nm_stun_put_addr(&b, NM_STUN_XOR_MAPPED_ADDRESS, &addr);
		nm_stun_put_fingerprint(&b);
		assert_int_equal(nm_stun_end(&b), cap == 52 ? 52 : 0);
		for (size_t i = cap; i < 64; i++)
			assert_int_equal(buf[i], 0xa5);
	}
}

static void test_longest_message(void **state)
{
	static const uint8_t zeros[70000];
	struct nm_stun_builder b = begin(sizeof(buf));

	(void)state;
	nm_stun_put(&b, NM_STUN_PADDING, zeros, 65528);
	assert_int_equal(nm_stun_end(&b), 20 + 65532);
	nm_stun_put(&b, NM_STUN_USE_CANDIDATE, NULL, 0);
	assert_int_equal(nm_stun_end(&b), 0);
	for (size_t len = 65529; len < 65550; len++) {
		b = begin(sizeof(buf));
		nm_stun_put(&b, NM_STUN_PADDING, zeros, len);
		assert_int_equal(nm_stun_end(&b), 0);
	}
	b = begin(sizeof(buf));
	nm_stun_put(&b, NM_STUN_PADDING, zeros, 0x10000);
	assert_int_equal(nm_stun_end(&b), 0);
}

static void test_values_out_of_range(void **state)
{
	static const unsigned int codes[] = {0, 299, 700, 1000};
	struct natmux_addr none = {.family = NATMUX_FAMILY_NONE};
	struct nm_stun_builder b;
	char reason[800];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		b = begin(sizeof(buf));
		nm_stun_put_error(&b, codes[i], NULL);
		assert_int_equal(nm_stun_end(&b), 0);
	}
	memset(reason, 'x', sizeof(reason));
	reason[764] = 0;
	b = begin(sizeof(buf));
	nm_stun_put_error(&b, 400, reason);
	assert_int_equal(nm_stun_end(&b), 0);
	b = begin(sizeof(buf));
	nm_stun_put_error(&b, 400, reason + 1);
	assert_int_equal(nm_stun_end(&b), 20 + 4 + 768);
	b = begin(sizeof(buf));
	nm_stun_put_addr(&b, NM_STUN_MAPPED_ADDRESS, &none);
	assert_int_equal(nm_stun_end(&b), 0);
}

static void put_stage(
	struct nm_stun_builder *b, struct nm_stun_auth *auth, enum nm_stun_stage stage)
{
	switch (stage) {
	case NM_STUN_STAGE_BODY: nm_stun_put(b, NM_STUN_SOFTWARE, "x", 1); break;
	case NM_STUN_STAGE_SHA1: nm_stun_put_integrity(b, auth, NM_STUN_SHA1, "k", 1); break;
	case NM_STUN_STAGE_SHA256: nm_stun_put_integrity(b, auth, NM_STUN_SHA256, "k", 1); break;
	case NM_STUN_STAGE_FINGERPRINT: nm_stun_put_fingerprint(b); break;
	}
}

/* RFC 8489 14.5-14.7: of all pairs only those in order are built. */
static void test_s3_order(void **state)
{
	struct nm_stun_auth auth;

	(void)state;
	assert_int_equal(nm_stun_auth_init(&auth), 0);
	for (int first = NM_STUN_STAGE_BODY; first <= NM_STUN_STAGE_FINGERPRINT; first++) {
		for (int second = NM_STUN_STAGE_BODY; second <= NM_STUN_STAGE_FINGERPRINT;
			second++) {
			struct nm_stun_builder b = begin(sizeof(buf));
			bool is_right = first < second || first == NM_STUN_STAGE_BODY;

			put_stage(&b, &auth, (enum nm_stun_stage)first);
			put_stage(&b, &auth, (enum nm_stun_stage)second);
			assert_int_equal(nm_stun_end(&b) > 0, is_right);
		}
	}
	nm_stun_auth_done(&auth);
}

static void test_errors_stick(void **state)
{
	struct nm_stun_builder b = begin(24);

	(void)state;
	nm_stun_put_u32(&b, NM_STUN_PRIORITY, 1);
	nm_stun_put(&b, NM_STUN_USE_CANDIDATE, NULL, 0); /* this would have fitted */
	assert_int_equal(nm_stun_end(&b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_are_those_written_by_hand),
		cmocka_unit_test(test_rfc5769_response),
		cmocka_unit_test(test_s8_every_capacity),
		cmocka_unit_test(test_longest_message),
		cmocka_unit_test(test_values_out_of_range),
		cmocka_unit_test(test_s3_order),
		cmocka_unit_test(test_errors_stick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
