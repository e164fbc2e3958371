/* SPDX-License-Identifier: Apache-2.0 */
#include "stun_test.h"

#include <natmux/error.h>
#include "stun/msg.h"
#include "../vectors/stun_rfc.h"

static struct raw m;
static const uint8_t mac[64];

static int decode(struct nm_stun_msg *msg)
{
	return nm_stun_decode(m.data, m.len, msg);
}

/* Refused, and the output as it was. */
static void assert_refused(const uint8_t *data, size_t len)
{
	uint8_t *copy = exact_copy(data, len);
	struct nm_stun_msg msg, before;

	memset(&msg, 0xa5, sizeof(msg));
	before = msg;
	assert_int_equal(nm_stun_decode(copy, len, &msg), NATMUX_EMALFORMED);
	assert_memory_equal(&msg, &before, sizeof(msg));
	free(copy);
}

static size_t count(const struct nm_stun_msg *msg)
{
	struct nm_stun_attr attr = {0};
	size_t n = 0;

	while (nm_stun_next(msg, &attr))
		n++;
	return n;
}

static void test_header(void **state)
{
	struct nm_stun_msg msg;

	(void)state;
	assert_int_equal(nm_stun_decode(rfc5769_response6, sizeof(rfc5769_response6), &msg), 0);
	assert_int_equal(msg.method, NM_STUN_BINDING);
	assert_int_equal(msg.cls, NM_STUN_SUCCESS);
	assert_memory_equal(msg.tid, rfc5769_response6 + 8, 12);
	assert_int_equal(msg.len, sizeof(rfc5769_response6));
	assert_int_equal(msg.fingerprint_at, sizeof(rfc5769_response6) - 8);
	assert_int_equal(msg.sha1_at, sizeof(rfc5769_response6) - 8 - 24);
	assert_int_equal(msg.sha256_at, 0);
	assert_int_equal(msg.body_end, msg.sha1_at);
	assert_int_equal(count(&msg), 2);
}

/* RFC 8489 5, figure 3, against numbers that other RFCs print. */
static void test_types(void **state)
{
	static const struct {
		uint16_t type, method;
		enum nm_stun_class cls;
	} cases[] = {
		{0x0001, 0x001, NM_STUN_REQUEST},
		{0x0011, 0x001, NM_STUN_INDICATION},
		{0x0101, 0x001, NM_STUN_SUCCESS},
		{0x0111, 0x001, NM_STUN_ERROR},
		{0x0003, 0x003, NM_STUN_REQUEST},
		{0x0016, 0x006, NM_STUN_INDICATION}, /* RFC 8656: Send */
		{0x0113, 0x003, NM_STUN_ERROR},
		{0x3eef, 0xfff, NM_STUN_REQUEST},
		{0x3fff, 0xfff, NM_STUN_ERROR},
		{0x0020, 0x010, NM_STUN_REQUEST},
		{0x0200, 0x080, NM_STUN_REQUEST},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(nm_stun_type(cases[i].method, cases[i].cls), cases[i].type);
		assert_int_equal(nm_stun_type_method(cases[i].type), cases[i].method);
		assert_int_equal(nm_stun_type_class(cases[i].type), cases[i].cls);
	}
	for (unsigned int type = 0; type < 0x4000; type++) {
		uint8_t bytes[2] = {(uint8_t)(type >> 8), (uint8_t)type};

		assert_int_equal(nm_stun_type(nm_stun_type_method((uint16_t)type),
					 nm_stun_type_class((uint16_t)type)),
			type);
		assert_int_equal(nm_stun_class(bytes), nm_stun_type_class((uint16_t)type));
	}
}

static void test_s1_form_is_checked(void **state)
{
	(void)state;
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x8022, "natmux", 6);
	for (size_t len = 0; len < m.len; len++)
		assert_refused(m.data, len);
	for (size_t bit = 0; bit < 64; bit++) {
		if (bit >= 8 && bit < 16)
			continue; /* the type's second byte: any is fine */
		if (bit < 6)
			continue; /* so are six bits of the first */
		m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(m.data, m.len);
		m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_refused(NULL, 0);
}

/* The datagram's own length, but no multiple of four: the last header would lie half outside. */
static void test_s1_length_is_a_multiple_of_four(void **state)
{
	struct nm_stun_msg msg;

	(void)state;
	for (size_t len = 20; len < 64; len++) {
		raw_begin(&m, 0x0001);
		memset(m.data + 20, 0, 44); /* attributes of type 0 without a value */
		m.len = len;
		put16(m.data + 2, (unsigned int)(len - 20));
		if (len % 4 == 0)
			assert_int_equal(decode(&msg), 0);
		else
			assert_refused(m.data, m.len);
	}
}

static void test_s2_wrong_fingerprint_is_refused(void **state)
{
	struct nm_stun_msg msg;

	(void)state;
	raw_request(&m, 60);
	assert_int_equal(decode(&msg), 0);
	for (size_t bit = 0; bit < 32; bit++) {
		m.data[m.len - 4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_refused(m.data, m.len);
		m.data[m.len - 4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void test_s2_fingerprint_may_be_missing(void **state)
{
	struct nm_stun_msg msg;

	(void)state;
	raw_begin(&m, 0x0101);
	assert_int_equal(decode(&msg), 0);
	assert_int_equal(msg.fingerprint_at, 0);
	assert_int_equal(count(&msg), 0);
}

static void test_s2_fingerprint_must_be_last(void **state)
{
	(void)state;
	raw_begin(&m, 0x0001);
	raw_fingerprint(&m);
	raw_attr(&m, 0x8022, "natmux", 6);
	assert_refused(m.data, m.len);
	raw_fingerprint(&m);
	assert_refused(m.data, m.len);
}

static void test_s3_attributes_after_integrity_are_ignored(void **state)
{
	struct nm_stun_msg msg;
	struct nm_stun_attr attr;
	uint16_t unknown[NM_STUN_UNKNOWN_MAX];

	(void)state;
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x0006, "alice", 5);
	raw_attr(&m, 0x0008, mac, 20);
	raw_attr(&m, 0x0024, "\1\2\3\4", 4); /* forged by who has no key */
	raw_attr(&m, 0x7777, NULL, 0);
	raw_attr(&m, 0x0006, "mallory", 7);
	raw_attr(&m, 0x001c, mac, 32);
	raw_attr(&m, 0x0025, NULL, 0);
	raw_fingerprint(&m);
	assert_int_equal(decode(&msg), 0);
	assert_int_equal(count(&msg), 1);
	assert_true(nm_stun_find(&msg, NM_STUN_USERNAME, &attr));
	assert_memory_equal(attr.value, "alice", 5);
	assert_false(nm_stun_find(&msg, NM_STUN_PRIORITY, &attr));
	assert_false(nm_stun_find(&msg, NM_STUN_USE_CANDIDATE, &attr));
	assert_int_equal(nm_stun_unknown(&msg, NM_STUN_BIT(NM_STUN_USERNAME), unknown), 0);
	assert_true(msg.sha1_at > 0 && msg.sha256_at > msg.sha1_at);
	assert_true(msg.fingerprint_at > msg.sha256_at);
}

/* RFC 8489 14.6: behind MESSAGE-INTEGRITY-SHA256 MESSAGE-INTEGRITY is ignored, too. */
static void test_s3_nothing_counts_after_sha256(void **state)
{
	struct nm_stun_msg msg;

	(void)state;
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x001c, mac, 16);
	raw_attr(&m, 0x0008, mac, 20);
	raw_attr(&m, 0x0006, "mallory", 7);
	assert_int_equal(decode(&msg), 0);
	assert_int_equal(msg.sha1_at, 0);
	assert_int_equal(msg.sha256_at, 20);
	assert_int_equal(count(&msg), 0);
}

static void test_s3_first_integrity_counts(void **state)
{
	struct nm_stun_msg msg;

	(void)state;
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x0008, mac, 20);
	raw_attr(&m, 0x0008, mac, 20);
	raw_attr(&m, 0x001c, mac, 32);
	raw_attr(&m, 0x001c, mac, 32);
	assert_int_equal(decode(&msg), 0);
	assert_int_equal(msg.sha1_at, 20);
	assert_int_equal(msg.sha256_at, 20 + 24 + 24);
}

static void test_s3_integrity_lengths(void **state)
{
	struct nm_stun_msg msg;

	(void)state;
	for (size_t len = 0; len <= 40; len++) {
		raw_begin(&m, 0x0001);
		raw_attr(&m, 0x0008, mac, len);
		if (len == 20)
			assert_int_equal(decode(&msg), 0);
		else
			assert_refused(m.data, m.len);
		raw_begin(&m, 0x0001);
		raw_attr(&m, 0x001c, mac, len);
		if (len >= 16 && len <= 32 && len % 4 == 0)
			assert_int_equal(decode(&msg), 0);
		else
			assert_refused(m.data, m.len);
	}
}

static void test_s4_unknown_required_attributes(void **state)
{
	uint64_t understood = NM_STUN_BIT(NM_STUN_USERNAME) | NM_STUN_BIT(NM_STUN_PRIORITY);
	uint16_t types[NM_STUN_UNKNOWN_MAX];
	struct nm_stun_msg msg;

	(void)state;
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x0006, "u", 1);
	raw_attr(&m, 0x7fff, NULL, 0);
	raw_attr(&m, 0x8000, NULL, 0); /* optional */
	raw_attr(&m, 0x0003, "\0\0\0\6", 4);
	raw_attr(&m, 0xffff, NULL, 0);
	raw_attr(&m, 0x7fff, NULL, 0); /* listed already */
	raw_attr(&m, 0x0024, "\0\0\0\0", 4);
	raw_attr(&m, 0x0040, NULL, 0); /* beyond the set of 64 */
	assert_int_equal(decode(&msg), 0);
	assert_int_equal(nm_stun_unknown(&msg, understood, types), 3);
	assert_int_equal(types[0], 0x7fff);
	assert_int_equal(types[1], 0x0003);
	assert_int_equal(types[2], 0x0040);
	assert_int_equal(nm_stun_unknown(&msg, UINT64_MAX, types), 2);
	assert_int_equal(nm_stun_unknown(&msg, 0, types), 5);
}

static void test_s4_the_list_is_bounded(void **state)
{
	uint16_t types[NM_STUN_UNKNOWN_MAX + 1];
	struct nm_stun_msg msg;

	(void)state;
	raw_begin(&m, 0x0001);
	for (unsigned int i = 0; i < 5000; i++)
		raw_attr(&m, 0x1000 + i, NULL, 0);
	types[NM_STUN_UNKNOWN_MAX] = 0xa5a5;
	assert_int_equal(decode(&msg), 0);
	assert_int_equal(nm_stun_unknown(&msg, 0, types), NM_STUN_UNKNOWN_MAX);
	assert_int_equal(types[NM_STUN_UNKNOWN_MAX - 1], 0x1000 + NM_STUN_UNKNOWN_MAX - 1);
	assert_int_equal(types[NM_STUN_UNKNOWN_MAX], 0xa5a5);
}

static void test_s8_padding_carries_no_meaning(void **state)
{
	struct nm_stun_msg msg;
	struct nm_stun_attr attr = {0};

	(void)state;
	for (size_t len = 0; len <= 9; len++) {
		raw_begin(&m, 0x0001);
		raw_attr(&m, 0x8022, "abcdefghi", len); /* padded with 0xee */
		raw_attr(&m, 0x0006, "user", 4);
		assert_int_equal(decode(&msg), 0);
		attr = (struct nm_stun_attr){0};
		assert_true(nm_stun_next(&msg, &attr));
		assert_int_equal(attr.len, len);
		assert_memory_equal(attr.value, "abcdefghi", len);
		assert_true(nm_stun_next(&msg, &attr));
		assert_int_equal(attr.type, NM_STUN_USERNAME);
		assert_false(nm_stun_next(&msg, &attr));
	}
}

static void test_s8_no_attribute_overruns(void **state)
{
	(void)state;
	for (unsigned int over = 1; over < 60000; over = over * 2 + 1) {
		raw_begin(&m, 0x0001);
		raw_attr(&m, 0x8022, "natmux", 6);
		raw_attr(&m, 0x0006, "user", 4);
		put16(m.data + 34, 4 + over);
		assert_refused(m.data, m.len);
	}
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x8022, "natmux", 6);
	put16(m.data + 22, 9); /* within the padding's word is fine, one byte more is not */
	assert_refused(m.data, m.len);
}

static void test_s8_first_of_duplicates_counts(void **state)
{
	struct nm_stun_msg msg;
	struct nm_stun_attr attr;

	(void)state;
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x8022, "one", 3);
	raw_attr(&m, 0x8022, "two", 3);
	assert_int_equal(decode(&msg), 0);
	assert_true(nm_stun_find(&msg, NM_STUN_SOFTWARE, &attr));
	assert_memory_equal(attr.value, "one", 3);
	assert_false(nm_stun_find(&msg, NM_STUN_USERNAME, &attr));
}

static void test_credentials(void **state)
{
	(void)state;
	raw_request(&m, 60);
	assert_false(nm_stun_has_credentials(m.data, m.len));
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x0006, "u", 1);
	assert_true(nm_stun_has_credentials(m.data, m.len));
	assert_false(nm_stun_has_credentials(m.data, m.len - 1));
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x0008, mac, 20);
	assert_true(nm_stun_has_credentials(m.data, m.len));
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x0008, mac, 16);
	assert_false(nm_stun_has_credentials(m.data, m.len));
	assert_true(nm_stun_has_credentials(rfc8489_b1, sizeof(rfc8489_b1)));
	assert_true(nm_stun_has_credentials(rfc5769_request, sizeof(rfc5769_request)));
}

static void test_random_messages_stay_inside(void **state)
{
	struct dice dice = {5};

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct nm_stun_attr attr = {0};
		struct nm_stun_msg msg;
		uint8_t *copy;

		raw_begin(&m, roll(&dice) & 0x3fff);
		while (roll(&dice) % 4 > 0) {
			uint8_t value[40];
			size_t len = roll(&dice) % sizeof(value);

			roll_bytes(&dice, value, len);
			raw_attr(&m, roll(&dice) & 0x803f, value, len);
		}
		if (roll(&dice) % 3 == 0 && m.len > 20)
			m.data[20 + roll(&dice) % (m.len - 20)] ^= (uint8_t)(1 << roll(&dice) % 8);
		copy = exact_copy(m.data, m.len);
		if (nm_stun_decode(copy, m.len, &msg) == 0) {
			while (nm_stun_next(&msg, &attr)) {
				assert_true(attr.value >= copy + 24);
				assert_true(attr.value + attr.len <= copy + m.len);
			}
		}
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_s1_form_is_checked),
		cmocka_unit_test(test_s1_length_is_a_multiple_of_four),
		cmocka_unit_test(test_s2_wrong_fingerprint_is_refused),
		cmocka_unit_test(test_s2_fingerprint_may_be_missing),
		cmocka_unit_test(test_s2_fingerprint_must_be_last),
		cmocka_unit_test(test_s3_attributes_after_integrity_are_ignored),
		cmocka_unit_test(test_s3_nothing_counts_after_sha256),
		cmocka_unit_test(test_s3_first_integrity_counts),
		cmocka_unit_test(test_s3_integrity_lengths),
		cmocka_unit_test(test_s4_unknown_required_attributes),
		cmocka_unit_test(test_s4_the_list_is_bounded),
		cmocka_unit_test(test_s8_padding_carries_no_meaning),
		cmocka_unit_test(test_s8_no_attribute_overruns),
		cmocka_unit_test(test_s8_first_of_duplicates_counts),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_random_messages_stay_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
