/* SPDX-License-Identifier: Apache-2.0 */
#include "stun_test.h"

#include <natmux/classify.h>
#include "stun/check.h"
#include "../vectors/stun_rfc.h"

/* The class, asked on a block of the exact size and held against the rule as the test knows it. */
static enum natmux_class class_of(const uint8_t *data, size_t len)
{
	uint8_t *copy = exact_copy(data, len);
	enum natmux_class cls = natmux_classify(copy, len);

	assert_int_equal(cls, slow_classify(copy, len));
	assert_int_equal(natmux_classify(copy, len), cls);
	assert_memory_equal(copy, data, len);
	free(copy);
	return cls;
}

#define assert_class(m, cls) assert_int_equal(class_of((m)->data, (m)->len), NATMUX_CLASS_##cls)

static struct raw m;

/* Puts a right CRC behind whatever was done to the message: only the one fault remains. */
static void mend_fingerprint(struct raw *msg)
{
	put32(msg->data + msg->len - 4, slow_crc32(msg->data, msg->len - 8) ^ 0x5354554e);
}

static void test_short_datagrams(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		enum natmux_class cls;
	} cases[] = {
		{"", 0, NATMUX_CLASS_RUNT},
		{"\xff", 1, NATMUX_CLASS_KEEPALIVE},
		{"\x00", 1, NATMUX_CLASS_RUNT},
		{"\xfe", 1, NATMUX_CLASS_RUNT},
		{"\xff\xff", 2, NATMUX_CLASS_RUNT},
		{"\xff\x00", 2, NATMUX_CLASS_RUNT},
		{"\xff\xff\xff", 3, NATMUX_CLASS_RUNT},
		{"\x00\x00\x00", 3, NATMUX_CLASS_RUNT},
		{"\xff\xff\xff\xff", 4, NATMUX_CLASS_ESP},
		{"\x00\x00\x00\x01", 4, NATMUX_CLASS_ESP},
		{"\x01\x00\x00\x00", 4, NATMUX_CLASS_ESP},
		{"\x00\x00\x00\x00", 4, NATMUX_CLASS_RUNT},
		{"\x00\x00\x00\x00\xff", 5, NATMUX_CLASS_RUNT},
		{"\x00\x00\x00\x01\x00\x00\x00", 7, NATMUX_CLASS_ESP},
		{"\x00\x00\x00\x01\x00\x00\x00\x01", 8, NATMUX_CLASS_ESP},
		{"\x00\x01\x00\x00\x21\x12\xa4\x42", 8, NATMUX_CLASS_ESP},
	};

	(void)state;
	assert_int_equal(natmux_classify(NULL, 0), NATMUX_CLASS_RUNT);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			class_of((const uint8_t *)cases[i].bytes, cases[i].len), cases[i].cls);
}

/* All datagrams of one and two bytes, and of three with 256 third bytes each. */
static void test_every_datagram_of_one_and_two_bytes(void **state)
{
	(void)state;
	for (unsigned int v = 0; v < 65536; v++) {
		uint8_t data[2] = {(uint8_t)(v >> 8), (uint8_t)v};

		assert_int_equal(class_of(data, 2), NATMUX_CLASS_RUNT);
		if (v < 256)
			assert_int_equal(class_of(data + 1, 1),
				v == 0xff ? NATMUX_CLASS_KEEPALIVE : NATMUX_CLASS_RUNT);
	}
}

/* RFC 3948 2.2 and RFC 7296 3.1: the marker, and behind it at least an IKE header. */
static void test_marker_needs_an_ike_header(void **state)
{
	uint8_t data[64] = {0};

	(void)state;
	memset(data + 4, 0x5a, sizeof(data) - 4);
	for (size_t len = 4; len < sizeof(data); len++)
		assert_int_equal(
			class_of(data, len), len < 32 ? NATMUX_CLASS_RUNT : NATMUX_CLASS_IKE);
	for (size_t bit = 0; bit < 32; bit++) {
		data[bit / 8] = (uint8_t)(1 << bit % 8);
		assert_int_equal(class_of(data, 40), NATMUX_CLASS_ESP);
		data[bit / 8] = 0;
	}
}

/* An initiator may choose the magic cookie as the first half of its SPI. */
static void test_marker_goes_before_cookie(void **state)
{
	(void)state;
	raw_begin(&m, 0);
	raw_fingerprint(&m);
	put16(m.data + 2, 0);
	mend_fingerprint(&m);
	assert_class(&m, RUNT);
	raw_begin(&m, 0);
	raw_attr(&m, 0x8022, "abcd", 4);
	raw_fingerprint(&m);
	put16(m.data + 2, 0);
	mend_fingerprint(&m);
	assert_class(&m, IKE);
}

static void test_rfc_messages(void **state)
{
	(void)state;
	assert_int_equal(class_of(rfc5769_request, sizeof(rfc5769_request)), NATMUX_CLASS_STUN);
	assert_int_equal(class_of(rfc5769_response4, sizeof(rfc5769_response4)), NATMUX_CLASS_STUN);
	assert_int_equal(class_of(rfc5769_response6, sizeof(rfc5769_response6)), NATMUX_CLASS_STUN);
	/* These two have no FINGERPRINT. */
	assert_int_equal(class_of(rfc5769_long_term, sizeof(rfc5769_long_term)), NATMUX_CLASS_ESP);
	assert_int_equal(class_of(rfc8489_b1, sizeof(rfc8489_b1)), NATMUX_CLASS_ESP);
}

static void test_stun_of_every_length(void **state)
{
	(void)state;
	raw_begin(&m, 0x0001);
	raw_fingerprint(&m);
	assert_class(&m, STUN);
	for (size_t len = 32; len <= 1500; len += 4) {
		raw_request(&m, len);
		assert_int_equal(m.len, len);
		assert_class(&m, STUN);
	}
	raw_request(&m, 65504); /* the longest that a UDP datagram over IPv4 carries */
	assert_class(&m, STUN);
}

/* Every type with two zero bits is STUN: methods that we do not know have an owner all the same. */
static void test_stun_of_every_type(void **state)
{
	(void)state;
	for (unsigned int type = 0; type < 0x4000; type++) {
		raw_request(&m, 36);
		put16(m.data, type);
		mend_fingerprint(&m);
		assert_class(&m, STUN);
	}
}

static void test_s1_two_zero_bits(void **state)
{
	static const uint8_t bits[] = {0x40, 0x80, 0xc0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		raw_request(&m, 100);
		m.data[0] |= bits[i];
		mend_fingerprint(&m);
		assert_class(&m, ESP);
	}
}

static void test_s1_every_bit_of_the_cookie(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 32; bit++) {
		raw_request(&m, 100);
		m.data[4 + bit / 8] ^= (uint8_t)(1 << bit % 8);
		mend_fingerprint(&m);
		assert_class(&m, ESP);
	}
}

static void test_s1_length_is_the_datagrams(void **state)
{
	(void)state;
	for (unsigned int length = 0; length < 65536; length++) {
		raw_request(&m, 100);
		put16(m.data + 2, length);
		mend_fingerprint(&m);
		assert_int_equal(class_of(m.data, m.len),
			length == 80 ? NATMUX_CLASS_STUN : NATMUX_CLASS_ESP);
	}
}

static void test_s1_no_byte_more_or_less(void **state)
{
	(void)state;
	for (size_t len = 0; len < 140; len++) {
		raw_request(&m, 100);
		memset(m.data + 100, 0, 40);
		assert_int_equal(class_of(m.data, len) == NATMUX_CLASS_STUN, len == 100);
	}
}

/* RFC 8489 5: a length that is no multiple of four, the datagram's own and with a right CRC. */
static void test_s1_length_is_a_multiple_of_four(void **state)
{
	(void)state;
	for (size_t more = 1; more < 4; more++) {
		raw_request(&m, 100);
		memmove(m.data + 92 + more, m.data + 92, 8);
		memset(m.data + 92, 0, more);
		m.len += more;
		put16(m.data + 2, (unsigned int)(80 + more));
		mend_fingerprint(&m);
		assert_class(&m, ESP);
	}
}

static void test_s2_every_bit_counts(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 8 * 100; bit++) {
		raw_request(&m, 100);
		m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_class(&m, ESP);
	}
}

static void test_s2_wrong_ways_to_compute_it(void **state)
{
	uint32_t crc;

	(void)state;
	raw_request(&m, 100);
	crc = slow_crc32(m.data, 92);
	put32(m.data + 96, crc); /* not XORed */
	assert_class(&m, ESP);
	put32(m.data + 96, ~crc ^ 0x5354554e);
	assert_class(&m, ESP);
	put32(m.data + 96, __builtin_bswap32(crc ^ 0x5354554e));
	assert_class(&m, ESP);
	put16(m.data + 2, 72); /* computed with a length that does not count it in */
	crc = slow_crc32(m.data, 92);
	put16(m.data + 2, 80);
	put32(m.data + 96, crc ^ 0x5354554e);
	assert_class(&m, ESP);
	put32(m.data + 96, slow_crc32(m.data, 96) ^ 0x5354554e); /* over its own header */
	assert_class(&m, ESP);
	put32(m.data + 96, 0);
	assert_class(&m, ESP);
	mend_fingerprint(&m);
	assert_class(&m, STUN);
}

static void test_s2_missing(void **state)
{
	(void)state;
	raw_begin(&m, 0x0001);
	assert_class(&m, ESP);
	assert_true(nm_stun_is_bare_binding(m.data, m.len));
	raw_attr(&m, 0x8022, "natmux", 6);
	assert_class(&m, ESP);
	raw_attr(&m, 0x8029, "\0\0\0\0", 4); /* a neighbour of FINGERPRINT, and the right value */
	put32(m.data + m.len - 4, slow_crc32(m.data, m.len - 8) ^ 0x5354554e);
	assert_class(&m, ESP);
}

static void test_s2_not_last(void **state)
{
	(void)state;
	raw_begin(&m, 0x0001);
	raw_fingerprint(&m);
	raw_attr(&m, 0x8022, "natmux", 6);
	assert_class(&m, ESP);
	put32(m.data + 24, slow_crc32(m.data, 20) ^ 0x5354554e); /* right where it stands */
	assert_class(&m, ESP);
	raw_fingerprint(&m); /* and one that is last */
	assert_class(&m, ESP);
}

static void test_s2_of_another_size(void **state)
{
	static const uint8_t zeros[16];

	(void)state;
	for (size_t len = 0; len <= 16; len++) {
		raw_begin(&m, 0x0001);
		raw_attr(&m, 0x8022, "natmux", 6);
		raw_attr(&m, 0x8028, zeros, len);
		mend_fingerprint(&m);
		assert_int_equal(
			class_of(m.data, m.len), len == 4 ? NATMUX_CLASS_STUN : NATMUX_CLASS_ESP);
	}
}

/* The last eight bytes look like it, but they are the end of another attribute's value. */
static void test_s2_inside_a_value(void **state)
{
	uint8_t value[24] = {0};

	(void)state;
	put32(value + 16, 0x80280004);
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x8022, value, sizeof(value));
	mend_fingerprint(&m);
	assert_class(&m, ESP);
	assert_true(nm_stun_is_well_formed(m.data, m.len));
}

/* Each length of each attribute, wrong by up to 255 words, behind a right CRC. */
static void test_s8_no_attribute_overruns(void **state)
{
	(void)state;
	for (unsigned int length = 0; length < 1024; length++) {
		raw_begin(&m, 0x0001);
		raw_attr(&m, 0x8022, "natmux", 6);
		raw_attr(&m, 0x0006, "user", 4);
		raw_fingerprint(&m);
		put16(m.data + 22, length);
		mend_fingerprint(&m);
		/* 16 swallows the second attribute whole; 5 to 8 are the same two words. */
		assert_int_equal(class_of(m.data, m.len),
			(length >= 5 && length <= 8) || (length >= 13 && length <= 16)
				? NATMUX_CLASS_STUN
				: NATMUX_CLASS_ESP);
	}
	for (unsigned int length = 0; length < 65536; length++) {
		raw_begin(&m, 0x0001);
		raw_attr(&m, 0x0006, "user", 4);
		raw_fingerprint(&m);
		put16(m.data + 22, length);
		mend_fingerprint(&m);
		assert_int_equal(class_of(m.data, m.len),
			length >= 1 && length <= 4 ? NATMUX_CLASS_STUN : NATMUX_CLASS_ESP);
	}
}

static void test_truncated_at_every_byte(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(rfc5769_request); len++)
		assert_int_equal(class_of(rfc5769_request, len),
			len < 4 ? NATMUX_CLASS_RUNT : NATMUX_CLASS_ESP);
	for (size_t len = 0; len < sizeof(rfc5769_response6); len++)
		assert_int_not_equal(class_of(rfc5769_response6, len), NATMUX_CLASS_STUN);
}

/* ESP with the SPI and sequence number of a STUN header; what an SA can really send. */
static void test_lookalikes_stay_esp(void **state)
{
	struct dice dice = {7};

	(void)state;
	for (size_t len = 20; len <= 1500; len += 4) {
		for (int wrong = 0; wrong < 4; wrong++) {
			roll_bytes(&dice, m.data, len);
			m.len = len;
			put16(m.data, roll(&dice) & 0x3fff);
			put16(m.data + 2, (unsigned int)(len - 20));
			put32(m.data + 4, 0x2112a442);
			if (wrong > 0 && len >= 28) /* an ICV with the right first half */
				put32(m.data + len - 8, 0x80280004);
			if (wrong > 1 && len >= 32) /* and attributes that fit */
				put32(m.data + 20, (uint32_t)(0x80220000 | (len - 32)));
			if (wrong > 2 && len >= 32) /* and a CRC with one wrong bit */
				put32(m.data + len - 4, slow_crc32(m.data, len - 8) ^ 0x5354554e ^
								1u << roll(&dice) % 32);
			assert_class(&m, ESP);
		}
		if (len < 32)
			continue;
		mend_fingerprint(&m); /* 64 bits of the ICV as STUN wants them: STUN it is */
		assert_class(&m, STUN);
	}
}

static void test_random_datagrams_of_every_length(void **state)
{
	struct dice dice = {11};

	(void)state;
	for (int round = 0; round < 2000; round++) {
		for (size_t len = 0; len <= 64; len++) {
			roll_bytes(&dice, m.data, len);
			if (len >= 8 && round % 2 == 0)
				put32(m.data + 4, 0x2112a442);
			if (len >= 4 && round % 3 == 0)
				put16(m.data + 2, (unsigned int)(len - 20));
			if (len >= 4 && round % 5 == 0)
				put32(m.data, 0);
			if (len >= 28 && round % 7 == 0)
				put32(m.data + len - 8, 0x80280004);
			if (len >= 28 && round % 14 == 0)
				put32(m.data + len - 4, slow_crc32(m.data, len - 8) ^ 0x5354554e);
			class_of(m.data, len);
		}
	}
}

static void test_bare_binding(void **state)
{
	(void)state;
	raw_begin(&m, 0x0001);
	assert_true(nm_stun_is_bare_binding(m.data, 20));
	assert_int_equal(class_of(m.data, 20), NATMUX_CLASS_ESP);
	for (size_t len = 0; len < 40; len++)
		if (len != 20)
			assert_false(nm_stun_is_bare_binding(m.data, len));
	for (size_t bit = 0; bit < 64; bit++) {
		m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(nm_stun_is_bare_binding(m.data, 20));
		m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void test_has_cookie(void **state)
{
	uint8_t data[9] = {0, 0, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0};

	(void)state;
	for (size_t len = 0; len <= sizeof(data); len++) {
		uint8_t *copy = exact_copy(data, len);

		assert_int_equal(nm_stun_has_cookie(copy, len), len >= 8);
		free(copy);
	}
	data[7] ^= 1;
	assert_false(nm_stun_has_cookie(data, sizeof(data)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_datagrams),
		cmocka_unit_test(test_every_datagram_of_one_and_two_bytes),
		cmocka_unit_test(test_marker_needs_an_ike_header),
		cmocka_unit_test(test_marker_goes_before_cookie),
		cmocka_unit_test(test_rfc_messages),
		cmocka_unit_test(test_stun_of_every_length),
		cmocka_unit_test(test_stun_of_every_type),
		cmocka_unit_test(test_s1_two_zero_bits),
		cmocka_unit_test(test_s1_every_bit_of_the_cookie),
		cmocka_unit_test(test_s1_length_is_the_datagrams),
		cmocka_unit_test(test_s1_no_byte_more_or_less),
		cmocka_unit_test(test_s1_length_is_a_multiple_of_four),
		cmocka_unit_test(test_s2_every_bit_counts),
		cmocka_unit_test(test_s2_wrong_ways_to_compute_it),
		cmocka_unit_test(test_s2_missing),
		cmocka_unit_test(test_s2_not_last),
		cmocka_unit_test(test_s2_of_another_size),
		cmocka_unit_test(test_s2_inside_a_value),
		cmocka_unit_test(test_s8_no_attribute_overruns),
		cmocka_unit_test(test_truncated_at_every_byte),
		cmocka_unit_test(test_lookalikes_stay_esp),
		cmocka_unit_test(test_random_datagrams_of_every_length),
		cmocka_unit_test(test_bare_binding),
		cmocka_unit_test(test_has_cookie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
