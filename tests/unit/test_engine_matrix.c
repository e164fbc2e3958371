/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every engine in every suite against the naive one: all lengths to 9000 octets, at all alignments,
 * alone and in vectors, with 32- and 64-bit numbers; and no bit of a packet may be another. Two
 * engines that agree with the naive one octet for octet agree with each other. Ledger rows E5, E13,
 * E19, G1-G4.
 */
#include "esp_test.h"
#include "tests/fakes/naive_esp.h"

enum { TEXT_MAX = 9008, ROOM = TEXT_MAX + NAIVE_ESP_MORE, OFFSETS = 16, GUARD = 0x5c };

static uint8_t text[TEXT_MAX], iv[NM_ESP_IV_MAX], want[ROOM];

/* A packet somewhere in here; what is around it stays as it was. */
static uint8_t place[OFFSETS + ROOM + OFFSETS] __attribute__((aligned(64)));

static struct naive_esp describe(enum natmux_suite suite, bool has_esn, size_t text_len)
{
	esp_fill(NULL, iv, sizeof(iv));
	return (struct naive_esp){
		.suite = suite,
		.keymat = esp_keymat(),
		.has_esn = has_esn,
		.spi = ESP_SPI,
		.sequence = esp_dice(),
		.iv = iv,
		.text = text,
		.text_len = text_len,
	};
}

/* Header, IV and text at their place, the ICV still to come. */
static struct nm_engine_job job_at(uint8_t *packet, const struct naive_esp *esp)
{
	size_t iv_len = natmux_suite_get(esp->suite)->iv_len;

	nm_put32(packet, esp->spi);
	nm_put32(packet + 4, (uint32_t)esp->sequence);
	memcpy(packet + 8, esp->iv, iv_len);
	memcpy(packet + 8 + iv_len, esp->text, esp->text_len);
	return (struct nm_engine_job){
		.packet = packet,
		.len = (uint32_t)esp->text_len,
		.seq_high = (uint32_t)(esp->sequence >> 32),
	};
}

static void assert_guards(const uint8_t *packet, size_t len)
{
	for (const uint8_t *p = place; p < packet; p++)
		assert_int_equal(*p, GUARD);
	for (const uint8_t *p = packet + len; p < packet + len + OFFSETS; p++)
		assert_int_equal(*p, GUARD);
}

static void seal_and_open(const struct nm_engine *engine, void *key, const struct naive_esp *esp,
	size_t offset, size_t len)
{
	uint8_t *packet = place + offset;
	struct nm_engine_job job;

	memset(place, GUARD, offset + len + OFFSETS);
	job = job_at(packet, esp);
	engine->seal(key, &job, 1);
	if (memcmp(packet, want, len) != 0)
		fail_msg("%s: %s differs at %zu octets, offset %zu", engine->name,
			natmux_suite_get(esp->suite)->name, esp->text_len, offset);
	engine->open(key, &job, 1);
	assert_true(job.is_good);
	assert_memory_equal(packet + len - natmux_suite_get(esp->suite)->icv_len - esp->text_len,
		text, esp->text_len);
	assert_guards(packet, len);
}

static void all_lengths(const struct nm_engine *engine, enum natmux_suite suite, bool has_esn)
{
	size_t align = natmux_suite_get(suite)->align;
	void *key = esp_key_new(engine, suite, has_esn, esp_keymat());

	for (size_t len = 0; len <= TEXT_MAX; len += len < 512 ? align : align * 3) {
		struct naive_esp esp = describe(suite, has_esn, len);
		size_t sealed = naive_seal(&esp, want);

		seal_and_open(engine, key, &esp, esp_dice() % OFFSETS, sealed);
	}
	/* Each alignment for certain. */
	for (size_t offset = 0; offset < OFFSETS; offset++) {
		struct naive_esp esp = describe(suite, has_esn, 1408);
		size_t sealed = naive_seal(&esp, want);

		seal_and_open(engine, key, &esp, offset, sealed);
	}
	esp_key_free(engine, key);
}

/* Calls `run` for all engines and suites, both kinds of numbers. */
static void each(void (*run)(const struct nm_engine *, enum natmux_suite, bool))
{
	esp_fill(NULL, text, sizeof(text));
	for (size_t i = 0; i < NM_ENGINES_MAX; i++) {
		for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
			if (!esp_engines[i]->has_suite((enum natmux_suite)suite))
				continue;
			run(esp_engines[i], (enum natmux_suite)suite, false);
			run(esp_engines[i], (enum natmux_suite)suite, true);
		}
	}
}

static void test_lengths_and_alignments(void **state)
{
	(void)state;
	each(all_lengths);
}

/* A vector gives what its packets give one by one, whatever their lengths. */
static uint8_t together[NM_ENGINE_VECTOR][1024], alone[NM_ENGINE_VECTOR][1024];

static void make_vector(struct nm_engine_job *jobs, enum natmux_suite suite, bool has_esn, size_t n)
{
	size_t align = natmux_suite_get(suite)->align;

	for (size_t i = 0; i < n; i++) {
		struct naive_esp esp = describe(suite, has_esn, esp_dice() % (900 / align) * align);

		naive_seal(&esp, alone[i]);
		jobs[i] = job_at(together[i] + i % OFFSETS, &esp);
	}
}

static void one_vector(
	const struct nm_engine *engine, void *key, enum natmux_suite suite, bool has_esn, size_t n)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	struct nm_engine_job jobs[NM_ENGINE_VECTOR];
	size_t bad = esp_dice() % n;

	make_vector(jobs, suite, has_esn, n);
	engine->seal(key, jobs, n);
	for (size_t i = 0; i < n; i++)
		assert_memory_equal(jobs[i].packet, alone[i],
			(size_t)8 + info->iv_len + jobs[i].len + info->icv_len);
	/* One packet that is forged takes no other along. */
	jobs[bad].packet[7] ^= 1;
	engine->open(key, jobs, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(jobs[i].is_good, i != bad);
		if (i != bad)
			assert_memory_equal(jobs[i].packet + 8 + info->iv_len, text, jobs[i].len);
	}
}

static void all_vectors(const struct nm_engine *engine, enum natmux_suite suite, bool has_esn)
{
	void *key = esp_key_new(engine, suite, has_esn, esp_keymat());

	for (size_t n = 1; n <= NM_ENGINE_VECTOR; n++)
		one_vector(engine, key, suite, has_esn, n);
	esp_key_free(engine, key);
}

static void test_vectors(void **state)
{
	(void)state;
	each(all_vectors);
}

/* Header, IV, text, ICV: every bit of them, and with ESN the half that is not sent. */
static void all_bits(const struct nm_engine *engine, enum natmux_suite suite, bool has_esn)
{
	struct naive_esp esp = describe(suite, has_esn, 48);
	size_t len = naive_seal(&esp, want);
	void *key = esp_key_new(engine, suite, has_esn, esp_keymat());
	uint8_t packet[48 + NAIVE_ESP_MORE];
	struct nm_engine_job job = job_at(packet, &esp);

	for (size_t bit = 0; bit <= 8 * len; bit++) {
		memcpy(packet, want, len);
		if (bit < 8 * len)
			packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
		engine->open(key, &job, 1);
		/* The last time round nothing was changed. */
		if (job.is_good != (bit == 8 * len))
			fail_msg("%s: %s takes bit %zu", engine->name,
				natmux_suite_get(suite)->name, bit);
	}
	for (unsigned int bit = 0; bit < 32; bit++) {
		memcpy(packet, want, len);
		job.seq_high = (uint32_t)(esp.sequence >> 32) ^ UINT32_C(1) << bit;
		engine->open(key, &job, 1);
		assert_int_equal(job.is_good, !has_esn);
	}
	esp_key_free(engine, key);
}

static void test_forged_bits(void **state)
{
	(void)state;
	each(all_bits);
}

/* Whether a packet opens, and gives its text, with one octet of the key changed. */
static bool opens_with(
	const struct nm_engine *engine, const struct naive_esp *esp, size_t len, size_t at)
{
	const struct natmux_suite_info *info = natmux_suite_get(esp->suite);
	uint8_t packet[48 + NAIVE_ESP_MORE], keymat[NATMUX_SUITE_KEY_MAX + 1] = {0};
	struct nm_engine_job job = job_at(packet, esp);
	void *key;

	memcpy(keymat, esp->keymat, natmux_suite_key_len(esp->suite));
	keymat[at] ^= 0x10;
	key = esp_key_new(engine, esp->suite, esp->has_esn, keymat);
	memcpy(packet, want, len);
	engine->open(key, &job, 1);
	esp_key_free(engine, key);
	/* The ICV of CBC suites is over the ciphertext: another cipher key only garbles. */
	if (info->auth_len > 0 && at < info->key_len)
		assert_true(job.is_good);
	return job.is_good && memcmp(packet + 8 + info->iv_len, esp->text, esp->text_len) == 0;
}

/* Every octet of the key material counts, and none behind it. */
static void all_key_octets(const struct nm_engine *engine, enum natmux_suite suite, bool has_esn)
{
	struct naive_esp esp = describe(suite, has_esn, 48);
	size_t len = naive_seal(&esp, want), key_len = natmux_suite_key_len(suite);

	for (size_t at = 0; at <= key_len; at++)
		if (opens_with(engine, &esp, len, at) != (at == key_len))
			fail_msg("%s: %s, octet %zu of the key", engine->name,
				natmux_suite_get(suite)->name, at);
}

static void test_key_octets(void **state)
{
	(void)state;
	each(all_key_octets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths_and_alignments),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_forged_bits),
		cmocka_unit_test(test_key_octets),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
