/* SPDX-License-Identifier: Apache-2.0 */
#include "stun_test.h"

#include "stun/attr.h"
#include "stun/server.h"

static struct raw m;
static uint8_t reply[NM_STUN_REPLY_MAX];

static const char *const remotes[] = {
	"192.0.2.1:1", "198.51.100.200:65535", "[2001:db8::77]:4500", "[fe80::1%3]:9"};

static size_t respond(enum natmux_responder mode, const char *remote, enum natmux_drop *drop)
{
	struct natmux_addr addr = addr_of(remote);
	uint8_t *copy = exact_copy(m.data, m.len);
	size_t len;

	*drop = NATMUX_DROP_COUNT;
	len = nm_stun_respond(mode, copy, m.len, &addr, reply, sizeof(reply), drop);
	assert_int_equal(len > 0, *drop == NATMUX_DROP_COUNT);
	free(copy);
	return len;
}

static void assert_dropped(enum natmux_responder mode, enum natmux_drop wanted)
{
	enum natmux_drop drop;

	assert_int_equal(respond(mode, remotes[0], &drop), 0);
	assert_int_equal(drop, wanted);
}

/* A success that tells `remote` its address first of all, and has a FINGERPRINT like the request. */
static void assert_success(size_t len, const char *remote, bool has_fingerprint)
{
	struct natmux_addr wanted = addr_of(remote), mapped;
	struct nm_stun_msg msg;
	struct nm_stun_attr attr = {0};

	wanted.scope_id = 0; /* which is ours to know */
	assert_int_equal(nm_stun_decode(reply, len, &msg), 0);
	assert_int_equal(msg.cls, NM_STUN_SUCCESS);
	assert_int_equal(msg.method, NM_STUN_BINDING);
	assert_memory_equal(msg.tid, m.data + 8, 12);
	assert_true(nm_stun_next(&msg, &attr));
	assert_int_equal(attr.type, NM_STUN_XOR_MAPPED_ADDRESS);
	assert_false(nm_stun_next(&msg, &attr));
	assert_int_equal(nm_stun_get_addr(&msg, NM_STUN_XOR_MAPPED_ADDRESS, &mapped), 0);
	assert_true(natmux_addr_equal(&mapped, &wanted));
	assert_int_equal(msg.fingerprint_at > 0, has_fingerprint);
	assert_int_equal(natmux_classify(reply, len),
		has_fingerprint ? NATMUX_CLASS_STUN : NATMUX_CLASS_ESP);
}

/* Every request that is large enough is answered, and none with more than it has itself. */
static void test_strict_never_answers_with_more(void **state)
{
	enum natmux_drop drop;

	(void)state;
	for (size_t len = 28; len <= 600; len += 4) {
		raw_request(&m, len);
		for (size_t i = 0; i < ARRAY_SIZE(remotes); i++) {
			size_t needed = i < 2 ? 40 : 52;
			size_t n = respond(NATMUX_RESPONDER_STRICT, remotes[i], &drop);

			assert_true(n <= len);
			assert_int_equal(n, len >= needed ? needed : 0);
			if (n > 0)
				assert_success(n, remotes[i], true);
			else
				assert_int_equal(drop, NATMUX_DROP_STUN_LARGER);
		}
	}
}

static void test_open_answers_the_smallest(void **state)
{
	enum natmux_drop drop;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(remotes); i++) {
		size_t growth = i < 2 ? 12 : 24;

		raw_begin(&m, 0x0001); /* what turnutils_stunclient sends */
		assert_true(nm_stun_is_bare_binding(m.data, m.len));
		assert_int_equal(respond(NATMUX_RESPONDER_OPEN, remotes[i], &drop), 20 + growth);
		assert_success(20 + growth, remotes[i], false);
		raw_fingerprint(&m);
		assert_int_equal(respond(NATMUX_RESPONDER_OPEN, remotes[i], &drop), 28 + growth);
		assert_success(28 + growth, remotes[i], true);
	}
	raw_begin(&m, 0x0001);
	assert_dropped(NATMUX_RESPONDER_STRICT, NATMUX_DROP_STUN_LARGER);
}

static void test_off_answers_nothing(void **state)
{
	(void)state;
	raw_request(&m, 100);
	assert_dropped(NATMUX_RESPONDER_OFF, NATMUX_DROP_STUN_OFF);
	raw_begin(&m, 0x0001);
	assert_dropped(NATMUX_RESPONDER_OFF, NATMUX_DROP_STUN_OFF);
}

static void test_only_binding_requests_are_answered(void **state)
{
	enum natmux_drop drop;

	(void)state;
	for (unsigned int type = 0; type < 0x4000; type++) {
		enum nm_stun_class cls = nm_stun_type_class((uint16_t)type);

		raw_begin(&m, type);
		raw_attr(&m, 0x8022, "some software of 32 bytes length", 32);
		raw_fingerprint(&m);
		respond(NATMUX_RESPONDER_OPEN, remotes[0], &drop);
		if (type == 0x0001)
			assert_int_equal(drop, NATMUX_DROP_COUNT);
		else if (cls == NM_STUN_REQUEST)
			assert_int_equal(drop, NATMUX_DROP_STUN_METHOD);
		else if (cls == NM_STUN_INDICATION)
			assert_int_equal(drop, NATMUX_DROP_STUN_INDICATION);
		else
			assert_int_equal(drop, NATMUX_DROP_STUN_UNASKED);
	}
}

static void test_what_is_no_message_is_dropped(void **state)
{
	struct natmux_addr addr = addr_of(remotes[0]);
	enum natmux_drop drop;

	(void)state;
	raw_request(&m, 100);
	for (size_t len = 0; len < m.len; len++) {
		uint8_t *copy = exact_copy(m.data, len);

		drop = NATMUX_DROP_COUNT;
		assert_int_equal(nm_stun_respond(NATMUX_RESPONDER_OPEN, copy, len, &addr, reply,
					 sizeof(reply), &drop),
			0);
		assert_int_equal(drop, NATMUX_DROP_STUN_INVALID);
		free(copy);
	}
	m.data[m.len - 1] ^= 1;
	assert_dropped(NATMUX_RESPONDER_OPEN, NATMUX_DROP_STUN_INVALID);
}

static void test_nobody_to_answer(void **state)
{
	struct natmux_addr none = {.family = NATMUX_FAMILY_NONE}, port0 = addr_of("192.0.2.1:0");
	enum natmux_drop drop = NATMUX_DROP_COUNT;

	(void)state;
	raw_request(&m, 100);
	assert_int_equal(nm_stun_respond(NATMUX_RESPONDER_OPEN, m.data, m.len, &none, reply,
				 sizeof(reply), &drop),
		0);
	assert_int_equal(drop, NATMUX_DROP_MARTIAN);
	drop = NATMUX_DROP_COUNT;
	assert_int_equal(nm_stun_respond(NATMUX_RESPONDER_OPEN, m.data, m.len, &port0, reply,
				 sizeof(reply), &drop),
		0);
	assert_int_equal(drop, NATMUX_DROP_MARTIAN);
}

static void test_small_buffers_stay_untouched(void **state)
{
	struct natmux_addr addr = addr_of(remotes[2]);

	(void)state;
	raw_request(&m, 100);
	for (size_t cap = 0; cap < 52; cap++) {
		enum natmux_drop drop = NATMUX_DROP_COUNT;

		memset(reply, 0xa5, sizeof(reply));
		assert_int_equal(nm_stun_respond(NATMUX_RESPONDER_STRICT, m.data, m.len, &addr,
					 reply, cap, &drop),
			0);
		assert_int_equal(drop, NATMUX_DROP_TXQ_FULL);
		for (size_t i = 0; i < sizeof(reply); i++)
			assert_int_equal(reply[i], 0xa5);
	}
}

/* Appends `n` comprehension-required attributes without values and a FINGERPRINT. */
static void request_with_unknown(size_t n)
{
	raw_begin(&m, 0x0001);
	for (unsigned int i = 0; i < n; i++)
		raw_attr(&m, 0x7000 + i, NULL, 0);
	raw_fingerprint(&m);
}

static void test_s4_unknown_attributes_are_listed(void **state)
{
	enum natmux_drop drop;

	(void)state;
	for (size_t n = 1; n < 40; n++) {
		struct nm_stun_error_info error;
		struct nm_stun_msg msg;
		uint16_t types[NM_STUN_UNKNOWN_MAX];
		size_t listed, len;

		request_with_unknown(n);
		len = respond(NATMUX_RESPONDER_OPEN, remotes[0], &drop);
		assert_true(len > 0 && len <= m.len + NM_STUN_GROWTH_IPV4);
		assert_int_equal(nm_stun_decode(reply, len, &msg), 0);
		assert_int_equal(msg.cls, NM_STUN_ERROR);
		assert_true(msg.fingerprint_at > 0);
		assert_int_equal(nm_stun_get_error(&msg, &error), 0);
		assert_int_equal(error.code, 420);
		assert_int_equal(nm_stun_get_unknown(&msg, types, &listed), 0);
		assert_int_equal(listed, n < NM_STUN_UNKNOWN_MAX ? n : NM_STUN_UNKNOWN_MAX);
		for (size_t i = 0; i < listed; i++)
			assert_int_equal(types[i], 0x7000 + i);
		/* STRICT holds for errors, too. */
		len = respond(NATMUX_RESPONDER_STRICT, remotes[0], &drop);
		assert_true(len <= m.len);
		assert_int_equal(len == 0, drop == NATMUX_DROP_STUN_LARGER);
	}
}

/* RFC 5780 6.1: who does not do these must refuse them. RFC 8445's are not a basic server's. */
static void test_s4_other_usages_are_refused(void **state)
{
	static const uint16_t refused[] = {NM_STUN_CHANGE_REQUEST, NM_STUN_RESPONSE_PORT,
		NM_STUN_PADDING, NM_STUN_PRIORITY, NM_STUN_USE_CANDIDATE, NM_STUN_XOR_PEER_ADDRESS};
	static const uint16_t accepted[] = {NM_STUN_USERNAME, NM_STUN_REALM, NM_STUN_NONCE,
		NM_STUN_SOFTWARE, NM_STUN_ICE_CONTROLLED, NM_STUN_MAPPED_ADDRESS, 0x8fff};
	enum natmux_drop drop;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused) + ARRAY_SIZE(accepted); i++) {
		bool is_refused = i < ARRAY_SIZE(refused);

		raw_begin(&m, 0x0001);
		raw_attr(&m, is_refused ? refused[i] : accepted[i - ARRAY_SIZE(refused)],
			"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
		raw_fingerprint(&m);
		assert_true(respond(NATMUX_RESPONDER_STRICT, remotes[0], &drop) > 0);
		assert_int_equal(
			nm_stun_class(reply), is_refused ? NM_STUN_ERROR : NM_STUN_SUCCESS);
	}
}

/* Credentials are not looked at: there is nothing to be had here that is worth a password. */
static void test_credentials_are_ignored(void **state)
{
	enum natmux_drop drop;

	(void)state;
	raw_begin(&m, 0x0001);
	raw_attr(&m, 0x0006, "nobody", 6);
	raw_attr(&m, 0x0008, "01234567890123456789", 20);
	raw_fingerprint(&m);
	assert_int_equal(respond(NATMUX_RESPONDER_STRICT, remotes[1], &drop), 40);
	assert_success(40, remotes[1], true);
}

static void test_random_requests_never_gain(void **state)
{
	struct dice dice = {9};
	enum natmux_drop drop;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		const char *remote = remotes[roll(&dice) % ARRAY_SIZE(remotes)];
		size_t growth = remote[0] == '[' ? 24 : 12;

		raw_begin(&m, 0x0001);
		while (roll(&dice) % 3 > 0) {
			static const uint8_t zeros[16];

			raw_attr(&m, roll(&dice) & 0x80ff, zeros, roll(&dice) % 16);
		}
		if (roll(&dice) % 2 == 0)
			raw_fingerprint(&m);
		assert_true(respond(NATMUX_RESPONDER_STRICT, remote, &drop) <= m.len);
		assert_true(respond(NATMUX_RESPONDER_OPEN, remote, &drop) <= m.len + growth);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strict_never_answers_with_more),
		cmocka_unit_test(test_open_answers_the_smallest),
		cmocka_unit_test(test_off_answers_nothing),
		cmocka_unit_test(test_only_binding_requests_are_answered),
		cmocka_unit_test(test_what_is_no_message_is_dropped),
		cmocka_unit_test(test_nobody_to_answer),
		cmocka_unit_test(test_small_buffers_stay_untouched),
		cmocka_unit_test(test_s4_unknown_attributes_are_listed),
		cmocka_unit_test(test_s4_other_usages_are_refused),
		cmocka_unit_test(test_credentials_are_ignored),
		cmocka_unit_test(test_random_requests_never_gain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
