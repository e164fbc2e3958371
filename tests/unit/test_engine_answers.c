/* SPDX-License-Identifier: Apache-2.0 */
/* The packets and HMACs that RFC 3602, RFC 2202 and RFC 4868 print. Ledger rows G3, G4. */
#include "esp_test.h"
#include "hex.h"
#include "../vectors/esp_rfc.h"

enum { ROOM = 256 };

/* The packet of a case, without ICV; returns its length. */
static size_t sealed_of(const struct rfc3602_case *c, uint8_t packet[ROOM])
{
	size_t len = unhex(c->header, packet);

	len += unhex(c->iv, packet + len);
	return len + unhex(c->sealed, packet + len);
}

/* The text of a case, trailer included; returns its length. */
static size_t text_of(const struct rfc3602_case *c, uint8_t *text)
{
	size_t len = unhex(c->inner, text);

	for (unsigned int i = 1; i <= c->pad; i++)
		text[len++] = (uint8_t)i;
	text[len++] = (uint8_t)c->pad;
	text[len++] = (uint8_t)c->next_header;
	return len;
}

/* The RFC's cipher key, with an integrity key of our own behind it. */
static void make_keymat(const struct rfc3602_case *c, uint8_t keymat[NATMUX_SUITE_KEY_MAX])
{
	memcpy(keymat, esp_keymat(), NATMUX_SUITE_KEY_MAX);
	assert_int_equal(unhex(c->key, keymat), 16);
}

static const enum natmux_suite aes128_suites[] = {NATMUX_SUITE_AES128_SHA1,
	NATMUX_SUITE_AES128_SHA256, NATMUX_SUITE_AES128_SHA384, NATMUX_SUITE_AES128_SHA512};

static void seal_case(const struct rfc3602_case *c, const struct nm_engine *engine,
	enum natmux_suite suite, uint8_t packet[ROOM])
{
	uint8_t want[ROOM], keymat[NATMUX_SUITE_KEY_MAX];
	size_t len = sealed_of(c, want);
	struct nm_engine_job job = {.packet = packet};
	void *key;

	make_keymat(c, keymat);
	memcpy(packet, want, 8 + 16);
	job.len = (uint32_t)text_of(c, packet + 8 + 16);
	assert_int_equal(8 + 16 + job.len, len);
	key = esp_key_new(engine, suite, false, keymat);
	engine->seal(key, &job, 1);
	esp_key_free(engine, key);
	assert_memory_equal(packet, want, len);
}

/* The whole way in, with the ICV that sealing made. */
static void open_case(const struct rfc3602_case *c, const struct nm_engine *engine,
	enum natmux_suite suite, uint8_t packet[ROOM])
{
	uint8_t inner[ROOM], keymat[NATMUX_SUITE_KEY_MAX];
	size_t inner_len = unhex(c->inner, inner);
	struct nm_secret_pool *keys = nm_secret_pool_new(engine->key_size(suite));
	struct nm_open_item item = {.packet = packet};
	struct natmux_sa_config config;
	struct nm_sa *sa;

	esp_config(&config, NATMUX_SA_IN, suite);
	make_keymat(c, keymat);
	config.key = keymat;
	config.spi = nm_get32(packet);
	assert_int_equal(nm_sa_new(&config, engine, keys, NULL, 0, &sa), 0);
	item.len = nm_sa_sealed_len(sa, (uint32_t)inner_len);
	nm_open(sa, &item, 1);
	assert_int_equal(item.verdict, NM_OPEN_GOOD);
	assert_int_equal(item.next_header, c->next_header);
	assert_int_equal(item.inner_len, inner_len);
	assert_memory_equal(item.inner, inner, inner_len);
	nm_sa_free(sa);
	nm_secret_pool_free(keys);
}

static void test_rfc3602(void **state)
{
	uint8_t packet[ROOM];
	size_t ran = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rfc3602_cases); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(aes128_suites); j++) {
			for (size_t k = 0; k < NM_ENGINES_MAX; k++) {
				if (!esp_engines[k]->has_suite(aes128_suites[j]))
					continue;
				seal_case(&rfc3602_cases[i], esp_engines[k], aes128_suites[j],
					packet);
				open_case(&rfc3602_cases[i], esp_engines[k], aes128_suites[j],
					packet);
				ran++;
			}
		}
	}
	assert_true(ran >= 16);
}

/* The data as header and text; with `has_esn` its last four octets as the half that is not sent. */
static void check_hmac(const struct rfc_hmac *hmac, const struct nm_engine *engine,
	enum natmux_suite suite, bool has_esn)
{
	uint8_t packet[ROOM], icv[NM_ESP_ICV_MAX], keymat[NATMUX_SUITE_KEY_MAX];
	size_t len = unhex(hmac->data, packet) - (has_esn ? 4 : 0), icv_len = unhex(hmac->icv, icv);
	struct nm_engine_job job = {.packet = packet, .len = (uint32_t)len - 8};
	void *key;

	assert_int_equal(unhex(hmac->key, keymat), natmux_suite_key_len(suite));
	assert_int_equal(icv_len, natmux_suite_get(suite)->icv_len);
	if (has_esn)
		job.seq_high = nm_get32(packet + len);
	key = esp_key_new(engine, suite, has_esn, keymat);
	engine->seal(key, &job, 1);
	assert_memory_equal(packet + len, icv, icv_len);
	engine->open(key, &job, 1);
	assert_true(job.is_good);
	packet[len + icv_len - 1] ^= 1;
	engine->open(key, &job, 1);
	assert_false(job.is_good);
	esp_key_free(engine, key);
}

static void test_hmacs(void **state)
{
	size_t ran = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rfc_hmacs); i++) {
		enum natmux_suite suite;

		assert_int_equal(natmux_suite_parse(rfc_hmacs[i].suite, &suite), 0);
		for (size_t j = 0; j < NM_ENGINES_MAX; j++) {
			if (!esp_engines[j]->has_suite(suite))
				continue;
			check_hmac(&rfc_hmacs[i], esp_engines[j], suite, false);
			/* "Hi There" is too short for another half. */
			if (strlen(rfc_hmacs[i].data) > strlen(HI_THERE))
				check_hmac(&rfc_hmacs[i], esp_engines[j], suite, true);
			ran++;
		}
	}
	assert_true(ran >= ARRAY_SIZE(rfc_hmacs));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3602),
		cmocka_unit_test(test_hmacs),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
