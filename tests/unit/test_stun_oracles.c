/* SPDX-License-Identifier: Apache-2.0 */
/* STUN against test data that nobody in the project wrote. */
#include "oracle.h"
#include "stun_test.h"

#include <jansson.h>
#include <natmux/error.h>
#include "stun/attr.h"
#include "stun/auth.h"
#include "../vectors/stun_rfc.h"

static struct nm_stun_auth auth;

static int setup(void **state)
{
	(void)state;
	return nm_stun_auth_init(&auth);
}

static int teardown(void **state)
{
	(void)state;
	nm_stun_auth_done(&auth);
	return 0;
}

static json_t *load(const char *name)
{
	json_error_t error;
	json_t *root = json_load_file(oracle_path(name), 0, &error);

	if (!root)
		fail_msg("%s:%d: %s", name, error.line, error.text);
	return root;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* A block of the exact size, to be freed. */
static uint8_t *bytes_of(const json_t *object, const char *key, size_t *len)
{
	const char *hex = text_of(object, key);
	uint8_t *bytes;

	assert_non_null(hex);
	*len = strlen(hex) / 2;
	bytes = exact_copy((const uint8_t *)hex, *len);
	for (size_t i = 0; i < *len; i++) {
		unsigned int v;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &v), 1);
		bytes[i] = (uint8_t)v;
	}
	return bytes;
}

static void assert_text(const struct nm_stun_msg *msg, uint16_t type, const char *wanted)
{
	const uint8_t *text;
	size_t len;

	if (!wanted)
		return;
	assert_int_equal(nm_stun_get_text(msg, type, &text, &len), 0);
	assert_int_equal(len, strlen(wanted));
	assert_memory_equal(text, wanted, len);
}

static int check_integrity(const struct nm_stun_msg *msg, const json_t *vector)
{
	const char *password = text_of(vector, "password");
	uint8_t key[NM_STUN_KEY_MD5_LEN];

	if (!text_of(vector, "realm"))
		return nm_stun_integrity_check(
			&auth, msg, NM_STUN_SHA1, password, strlen(password));
	assert_int_equal(nm_stun_key_md5(&auth, text_of(vector, "username"),
				 text_of(vector, "realm"), password, key),
		0);
	return nm_stun_integrity_check(&auth, msg, NM_STUN_SHA1, key, sizeof(key));
}

static void check_vector(const json_t *vector)
{
	size_t len;
	uint8_t *data = bytes_of(vector, "hex", &len);
	const char *mapped = text_of(vector, "xor_mapped");
	struct nm_stun_msg msg;

	assert_int_equal(nm_stun_decode(data, len, &msg), 0);
	assert_int_equal(check_integrity(&msg, vector), 0);
	assert_int_equal(natmux_classify(data, len),
		msg.fingerprint_at > 0 ? NATMUX_CLASS_STUN : NATMUX_CLASS_ESP);
	assert_text(&msg, NM_STUN_USERNAME, text_of(vector, "username"));
	assert_text(&msg, NM_STUN_SOFTWARE, text_of(vector, "software"));
	assert_text(&msg, NM_STUN_REALM, text_of(vector, "realm"));
	assert_text(&msg, NM_STUN_NONCE, text_of(vector, "nonce"));
	if (mapped) {
		struct natmux_addr addr, wanted = addr_of(mapped);

		assert_int_equal(nm_stun_get_addr(&msg, NM_STUN_XOR_MAPPED_ADDRESS, &addr), 0);
		assert_true(natmux_addr_equal(&addr, &wanted));
	}
	free(data);
}

static void test_rfc5769(void **state)
{
	json_t *root = load("rfc5769.json"), *vector;
	size_t i;

	(void)state;
	assert_int_equal(json_array_size(json_object_get(root, "vectors")), 4);
	json_array_foreach(json_object_get(root, "vectors"), i, vector) check_vector(vector);
	json_decref(root);
}

/* The bytes in tests/vectors are those of the oracle. */
static void test_rfc5769_bytes_are_the_same(void **state)
{
	static const struct {
		const uint8_t *data;
		size_t len;
	} ours[] = {
		{rfc5769_request, sizeof(rfc5769_request)},
		{rfc5769_response4, sizeof(rfc5769_response4)},
		{rfc5769_response6, sizeof(rfc5769_response6)},
		{rfc5769_long_term, sizeof(rfc5769_long_term)},
	};
	json_t *root = load("rfc5769.json"), *vector;
	size_t i;

	(void)state;
	json_array_foreach(json_object_get(root, "vectors"), i, vector)
	{
		size_t len;
		uint8_t *data = bytes_of(vector, "hex", &len);

		assert_int_equal(len, ours[i].len);
		assert_memory_equal(data, ours[i].data, len);
		free(data);
	}
	json_decref(root);
}

/* coturn's seeds: which of them are messages at all, and which have a right FINGERPRINT. */
enum seed { NO_MESSAGE, MESSAGE, FINGERPRINTED };

static enum seed seed_wanted(const char *name)
{
	static const char *const no_message[] = {"9.raw", "client-data1.raw", "client-data2.raw",
		"client-data3.raw", "client-input_alignment.raw", "client-seed_http_get.raw",
		"client-seed_http_post_clen.raw", "input_alignment.raw", "seed_http_get.raw",
		"seed_http_post_clen.raw"};
	static const char *const fingerprinted[] = {"5.raw", "6.raw", "7.raw", "input_reqstc.raw",
		"input_respv4.raw", "input_respv6.raw"};

	for (size_t i = 0; i < ARRAY_SIZE(no_message); i++)
		if (strcmp(name, no_message[i]) == 0)
			return NO_MESSAGE;
	for (size_t i = 0; i < ARRAY_SIZE(fingerprinted); i++)
		if (strcmp(name, fingerprinted[i]) == 0)
			return FINGERPRINTED;
	return MESSAGE;
}

static void check_seed(const char *name, const uint8_t *data, size_t len)
{
	enum seed wanted = seed_wanted(name);
	struct nm_stun_msg msg;

	if ((nm_stun_decode(data, len, &msg) == 0) != (wanted != NO_MESSAGE))
		fail_msg("%s: decoded or not, against what is wanted", name);
	if ((natmux_classify(data, len) == NATMUX_CLASS_STUN) != (wanted == FINGERPRINTED))
		fail_msg("%s: wrong class", name);
	assert_int_equal(natmux_classify(data, len), slow_classify(data, len));
}

static void test_seeds(void **state)
{
	(void)state;
	assert_int_equal(oracle_each("stun-seeds", ".raw", check_seed), 35);
}

static void check_mac(enum nm_stun_integrity algorithm, size_t tag_len, const json_t *test)
{
	size_t key_len, msg_len, wanted_len;
	uint8_t *key = bytes_of(test, "key", &key_len), *msg = bytes_of(test, "msg", &msg_len);
	uint8_t *wanted = bytes_of(test, "tag", &wanted_len), mac[NM_STUN_SHA256_LEN];
	bool is_valid = strcmp(text_of(test, "result"), "valid") == 0;
	size_t len = nm_stun_hmac(&auth, algorithm, key, key_len, msg, msg_len / 2,
		msg + msg_len / 2, msg_len - msg_len / 2, mac);

	assert_int_equal(wanted_len, tag_len);
	assert_true(len >= tag_len);
	assert_int_equal(memcmp(mac, wanted, tag_len) == 0, is_valid);
	free(key);
	free(msg);
	free(wanted);
}

static void check_macs(const char *name, enum nm_stun_integrity algorithm, size_t wanted)
{
	json_t *root = load(name), *group, *test;
	size_t g, t, ran = 0;

	json_array_foreach(json_object_get(root, "testGroups"), g, group)
	{
		json_int_t bits = json_integer_value(json_object_get(group, "tagSize"));

		json_array_foreach(json_object_get(group, "tests"), t, test)
		{
			check_mac(algorithm, (size_t)bits / 8, test);
			ran++;
		}
	}
	assert_int_equal(ran, wanted);
	json_decref(root);
}

static void test_wycheproof_hmac(void **state)
{
	(void)state;
	check_macs("wycheproof/hmac_sha1_test.json", NM_STUN_SHA1, 170);
	check_macs("wycheproof/hmac_sha256_test.json", NM_STUN_SHA256, 174);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5769),
		cmocka_unit_test(test_rfc5769_bytes_are_the_same),
		cmocka_unit_test(test_seeds),
		cmocka_unit_test(test_wycheproof_hmac),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
