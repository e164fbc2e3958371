/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Engines, and what is around them, against packets and tests of others: the IETF's whole ESP packets,
 * and of Wycheproof what has the shape of ESP (associated data of 8 or 12 octets, nonces of 12). Ledger
 * rows E5, E19, G1, G2, G4.
 */
#include "esp_test.h"
#include "oracle_json.h"

enum { ROOM = 1024 };

/* One packet, from wherever. */
struct vector {
	const char *name;
	enum natmux_suite suite;
	bool has_esn;
	uint32_t spi;
	uint64_t sequence;
	uint8_t keymat[NATMUX_SUITE_KEY_MAX];
	uint8_t text[ROOM]; /* trailer included */
	size_t text_len;
	uint8_t packet[ROOM];
	size_t len;
};

static void read_ietf(const json_t *object, struct vector *v)
{
	size_t key_len;
	uint8_t iv[8];

	memset(v, 0, sizeof(*v));
	v->name = json_text(object, "id");
	assert_int_equal(natmux_suite_parse(json_text(object, "alg"), &v->suite), 0);
	v->has_esn = json_is_true(json_object_get(object, "esn"));
	v->spi = (uint32_t)strtoul(json_text(object, "spi"), NULL, 16);
	v->sequence = strtoull(json_text(object, "seq_lo"), NULL, 16);
	if (v->has_esn)
		v->sequence |= strtoull(json_text(object, "seq_hi"), NULL, 16) << 32;
	key_len = json_bytes(object, "key", v->keymat, 32);
	assert_int_equal(json_bytes(object, "salt", v->keymat + key_len, 4), 4);
	v->text_len = json_bytes(object, "plaintext_with_trailer", v->text, ROOM);
	v->len = json_bytes(object, "esp_packet", v->packet, ROOM);
	assert_int_equal(json_bytes(object, "iv", iv, sizeof(iv)), sizeof(iv));
	assert_memory_equal(v->packet + 8, iv, sizeof(iv));
	assert_int_equal(v->len, 8 + 8 + v->text_len + 16);
}

/* Both ways through one engine. */
static void through_engine(const struct nm_engine *engine, const struct vector *v)
{
	uint8_t packet[ROOM];
	struct nm_engine_job job = {.packet = packet,
		.len = (uint32_t)v->text_len,
		.seq_high = (uint32_t)(v->sequence >> 32)};
	void *key = esp_key_new(engine, v->suite, v->has_esn, v->keymat);

	memcpy(packet, v->packet, 16);
	memcpy(packet + 16, v->text, v->text_len);
	engine->seal(key, &job, 1);
	if (memcmp(packet, v->packet, v->len) != 0)
		fail_msg("%s: %s seals otherwise", v->name, engine->name);
	engine->open(key, &job, 1);
	assert_true(job.is_good);
	assert_memory_equal(packet + 16, v->text, v->text_len);
	esp_key_free(engine, key);
}

/* The whole way in. */
static void through_open(const struct nm_engine *engine, const struct vector *v)
{
	struct nm_secret_pool *keys = nm_secret_pool_new(engine->key_size(v->suite));
	uint8_t packet[ROOM];
	struct nm_open_item item = {.packet = packet, .len = (uint32_t)v->len};
	struct natmux_sa_config config;
	struct nm_sa *sa;

	esp_config(&config, NATMUX_SA_IN, v->suite);
	config.spi = v->spi;
	config.key = v->keymat;
	config.has_esn = v->has_esn;
	config.sequence = v->sequence - 1;
	assert_int_equal(nm_sa_new(&config, engine, keys, NULL, 0, &sa), 0);
	memcpy(packet, v->packet, v->len);
	nm_open(sa, &item, 1);
	if (item.verdict != NM_OPEN_GOOD)
		fail_msg("%s: verdict %d", v->name, (int)item.verdict);
	assert_true(item.sequence == v->sequence);
	assert_int_equal(item.next_header, v->text[v->text_len - 1]);
	assert_int_equal(item.inner_len, v->text_len - 2 - v->text[v->text_len - 2]);
	assert_memory_equal(item.inner, v->text, item.inner_len);
	memcpy(packet, v->packet, v->len);
	nm_open(sa, &item, 1);
	assert_int_equal(item.verdict, NM_OPEN_DUPLICATE);
	nm_sa_free(sa);
	nm_secret_pool_free(keys);
}

static void test_ietf_packets(void **state)
{
	json_t *root = oracle_json(oracle_path("ietf_esp_aead.json"));
	size_t i, opened = 0, refused = 0;
	const json_t *object;
	struct vector v;

	(void)state;
	json_array_foreach(json_object_get(root, "vectors"), i, object)
	{
		read_ietf(object, &v);
		for (size_t j = 0; j < NM_ENGINES_MAX; j++)
			if (esp_engines[j]->has_suite(v.suite))
				through_engine(esp_engines[j], &v);
		/* RFC 4303 2.1: an SA has an SPI of 256 and above. */
		if (v.spi < 256) {
			refused++;
			continue;
		}
		for (size_t j = 0; j < NM_ENGINES_MAX; j++)
			if (esp_engines[j]->has_suite(v.suite))
				through_open(esp_engines[j], &v);
		opened++;
	}
	assert_int_equal(opened, 14);
	assert_int_equal(refused, 1);
	json_decref(root);
}

/* Wycheproof. Counts what had the shape of ESP. */
static size_t valid, invalid;

static void check_all(const struct vector *v, bool is_valid)
{
	for (size_t i = 0; i < NM_ENGINES_MAX; i++) {
		uint8_t packet[ROOM];
		struct nm_engine_job job = {.packet = packet,
			.len = (uint32_t)v->text_len,
			.seq_high = (uint32_t)(v->sequence >> 32)};
		void *key;

		if (!esp_engines[i]->has_suite(v->suite))
			continue;
		if (is_valid && natmux_suite_get(v->suite)->iv_len == 8)
			through_engine(esp_engines[i], v);
		key = esp_key_new(esp_engines[i], v->suite, v->has_esn, v->keymat);
		memcpy(packet, v->packet, v->len);
		esp_engines[i]->open(key, &job, 1);
		if (job.is_good != is_valid)
			fail_msg("%s %s", esp_engines[i]->name, v->name);
		esp_key_free(esp_engines[i], key);
	}
	valid += is_valid;
	invalid += !is_valid;
}

/* Associated data become header and number, the nonce salt and IV. False: not the shape of ESP. */
static bool read_aead(const json_t *test, enum natmux_suite suite, struct vector *v)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	uint8_t nonce[160], aad[ROOM], tag[16];
	size_t aad_len = strlen(json_text(test, "aad")) / 2;

	memset(v, 0, sizeof(*v));
	if ((aad_len != 8 && aad_len != 12) || strlen(json_text(test, "iv")) != 24)
		return false;
	v->name = json_text(test, "comment");
	v->suite = suite;
	v->has_esn = json_bytes(test, "aad", aad, sizeof(aad)) == 12;
	v->sequence = v->has_esn ? nm_get64(aad + 4) : nm_get32(aad + 4);
	json_bytes(test, "iv", nonce, sizeof(nonce));
	json_bytes(test, "key", v->keymat, sizeof(v->keymat));
	memcpy(v->keymat + info->key_len, nonce, 4);
	memcpy(v->packet, aad, 4);
	memcpy(v->packet + 4, aad + aad_len - 4, 4);
	memcpy(v->packet + 8, nonce + 4, 8);
	v->text_len = json_bytes(test, "msg", v->text, sizeof(v->text));
	json_bytes(test, "ct", v->packet + 16, v->text_len);
	assert_int_equal(json_bytes(test, "tag", tag, sizeof(tag)), 16);
	memcpy(v->packet + 16 + v->text_len, tag, info->icv_len);
	v->len = 16 + v->text_len + info->icv_len;
	return true;
}

/* Calls `each` for the tests of the groups with keys of so many bits. */
static void each_test(const char *name, size_t key_bits,
	void (*each)(const json_t *group, const json_t *test, int suite), int suite)
{
	json_t *root = oracle_json(oracle_path(name));
	const json_t *group, *test;
	size_t i, j;

	json_array_foreach(json_object_get(root, "testGroups"), i, group)
	{
		if (json_size(group, "keySize") != key_bits)
			continue;
		json_array_foreach(json_object_get(group, "tests"), j, test)
			each(group, test, suite);
	}
	json_decref(root);
}

static void run_aead(const json_t *group, const json_t *test, int suite)
{
	struct vector v;

	(void)group;
	if (read_aead(test, (enum natmux_suite)suite, &v))
		check_all(&v, strcmp(json_text(test, "result"), "valid") == 0);
}

static void test_wycheproof_gcm(void **state)
{
	(void)state;
	valid = invalid = 0;
	/* Three lengths of key, three of ICV each. */
	for (int suite = NATMUX_SUITE_AES128GCM16; suite <= NATMUX_SUITE_AES256GCM8; suite++)
		each_test("wycheproof/aes_gcm_test.json",
			(size_t)natmux_suite_get((enum natmux_suite)suite)->key_len * 8, run_aead,
			suite);
	assert_int_equal(valid, 5 * 3);
	assert_int_equal(invalid, 0);
}

static void test_wycheproof_chacha(void **state)
{
	(void)state;
	valid = invalid = 0;
	each_test("wycheproof/chacha20_poly1305_test.json", 256, run_aead,
		NATMUX_SUITE_CHACHA20POLY1305);
	assert_int_equal(valid, 47);
	assert_int_equal(invalid, 0);
}

/* The message becomes header and text, and with `has_esn` its end the half that is not sent. */
static void check_hmac(const json_t *test, enum natmux_suite suite, bool has_esn)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	uint8_t message[ROOM], tag[64];
	size_t len = json_bytes(test, "msg", message, sizeof(message));
	struct vector v = {.name = json_text(test, "comment"), .suite = suite, .has_esn = has_esn};

	if (len < (has_esn ? 12 : 8))
		return;
	if (has_esn) {
		len -= 4;
		v.sequence = (uint64_t)nm_get32(message + len) << 32;
	}
	json_bytes(test, "key", v.keymat, sizeof(v.keymat));
	json_bytes(test, "tag", tag, sizeof(tag));
	v.text_len = len - 8;
	memcpy(v.packet, message, len);
	memcpy(v.packet + len, tag, info->icv_len);
	v.len = len + info->icv_len;
	check_all(&v, strcmp(json_text(test, "result"), "valid") == 0);
}

/*
 * SHA-2 in ESP is cut to half, as the second kind of groups is. SHA1-96 has no group of its own; the
 * valid ones of the whole hash begin with it.
 */
static void run_hmac(const json_t *group, const json_t *test, int suite)
{
	size_t icv_bits = natmux_suite_get((enum natmux_suite)suite)->icv_len * (size_t)8;
	bool is_valid = strcmp(json_text(test, "result"), "valid") == 0;

	if (suite == NATMUX_SUITE_NULL_SHA1 && (json_size(group, "tagSize") != 160 || !is_valid))
		return;
	if (suite != NATMUX_SUITE_NULL_SHA1 && json_size(group, "tagSize") != icv_bits)
		return;
	check_hmac(test, (enum natmux_suite)suite, false);
	check_hmac(test, (enum natmux_suite)suite, true);
}

static void test_wycheproof_hmac(void **state)
{
	static const struct {
		const char *name;
		int suite;
		size_t valid, invalid;
	} files[] = {
		{"wycheproof/hmac_sha1_test.json", NATMUX_SUITE_NULL_SHA1, 34, 0},
		{"wycheproof/hmac_sha256_test.json", NATMUX_SUITE_NULL_SHA256, 34, 54},
		{"wycheproof/hmac_sha384_test.json", NATMUX_SUITE_NULL_SHA384, 34, 54},
		{"wycheproof/hmac_sha512_test.json", NATMUX_SUITE_NULL_SHA512, 34, 54},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		enum natmux_suite suite = (enum natmux_suite)files[i].suite;

		valid = invalid = 0;
		each_test(files[i].name, 8 * natmux_suite_key_len(suite), run_hmac, files[i].suite);
		assert_int_equal(valid, files[i].valid);
		assert_int_equal(invalid, files[i].invalid);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ietf_packets),
		cmocka_unit_test(test_wycheproof_gcm),
		cmocka_unit_test(test_wycheproof_chacha),
		cmocka_unit_test(test_wycheproof_hmac),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
