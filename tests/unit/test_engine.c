/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which engine gets a suite, and whether the proof that it has to give can fail: every engine here
 * that gets something wrong is found out. Ledger rows E12, G4.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "esp_test.h"

#include <natmux/error.h>

static size_t failures;

static void count_failure(void *user, const struct nm_engine *engine, enum natmux_suite suite)
{
	(void)engine;
	(void)suite;
	assert_ptr_equal(user, &failures);
	failures++;
}

static void choose(struct nm_engine_choice *choice, const char *prefer)
{
	failures = 0;
	memset(choice, 0xa5, sizeof(*choice));
	nm_engine_choose(choice, prefer, count_failure, &failures);
	assert_int_equal(failures, 0);
}

static void test_every_engine_proves_itself(void **state)
{
	size_t suites = 0;

	(void)state;
	for (size_t i = 0; i < NM_ENGINES_MAX; i++) {
		for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
			if (!esp_engines[i]->has_suite((enum natmux_suite)suite))
				continue;
			if (!nm_engine_proves(esp_engines[i], (enum natmux_suite)suite))
				fail_msg("%s: %s", esp_engines[i]->name,
					natmux_suite_get((enum natmux_suite)suite)->name);
			suites++;
		}
	}
	/* libcrypto's alone. */
	assert_true(suites >= NATMUX_SUITE_COUNT);
}

static void test_choice(void **state)
{
	struct nm_engine_choice usual, choice;

	(void)state;
	choose(&usual, NULL);
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		assert_non_null(usual.of[suite]);
		assert_true(usual.of[suite]->has_suite((enum natmux_suite)suite));
	}
	choose(&choice, "");
	assert_memory_equal(&choice, &usual, sizeof(choice));
	choose(&choice, "no such engine");
	assert_memory_equal(&choice, &usual, sizeof(choice));
	choose(&choice, "openssl");
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++)
		assert_ptr_equal(choice.of[suite], &nm_engine_openssl);
}

/* An engine that has few suites is taken for those, and only for those. */
static void test_choice_of_few(void **state)
{
	struct nm_engine_choice usual, choice;

	(void)state;
	choose(&usual, NULL);
	choose(&choice, "sodium");
	for (int i = 0; i < NATMUX_SUITE_COUNT; i++) {
		bool has_it = nm_engine_sodium.has_suite((enum natmux_suite)i);

		assert_ptr_equal(choice.of[i], has_it ? &nm_engine_sodium : usual.of[i]);
	}
	assert_ptr_equal(choice.of[NATMUX_SUITE_CHACHA20POLY1305], &nm_engine_sodium);
}

/* Engines that are wrong in one way each, made of one that is right. */

static void seal_too_little(void *key, struct nm_engine_job *jobs, size_t n)
{
	nm_engine_openssl.seal(key, jobs, n);
	jobs[0].packet[8] ^= 1;
	for (uint32_t i = 0; i < 200 && i < jobs[0].len; i++)
		jobs[0].packet[24 + i] ^= 1;
}

static void seal_without_icv(void *key, struct nm_engine_job *jobs, size_t n)
{
	uint8_t *icv = jobs[0].packet + 8 + 8 + jobs[0].len;

	nm_engine_openssl.seal(key, jobs, n);
	memset(icv, 0, 8);
}

static void open_anything(void *key, struct nm_engine_job *jobs, size_t n)
{
	nm_engine_openssl.open(key, jobs, n);
	for (size_t i = 0; i < n; i++)
		jobs[i].is_good = true;
}

static void open_nothing(void *key, struct nm_engine_job *jobs, size_t n)
{
	nm_engine_openssl.open(key, jobs, n);
	for (size_t i = 0; i < n; i++)
		jobs[i].is_good = false;
}

static void open_wrongly(void *key, struct nm_engine_job *jobs, size_t n)
{
	nm_engine_openssl.open(key, jobs, n);
	for (size_t i = 0; i < n; i++)
		jobs[i].packet[20] ^= 0x80;
}

static int init_without_esn(void *key, enum natmux_suite suite, bool has_esn, const uint8_t *keymat)
{
	(void)has_esn;
	return nm_engine_openssl.key_init(key, suite, false, keymat);
}

static int init_another_key(void *key, enum natmux_suite suite, bool has_esn, const uint8_t *keymat)
{
	uint8_t other[NATMUX_SUITE_KEY_MAX];

	memcpy(other, keymat, natmux_suite_key_len(suite));
	other[natmux_suite_key_len(suite) - 1] ^= 1;
	return nm_engine_openssl.key_init(key, suite, has_esn, other);
}

static int init_nothing(void *key, enum natmux_suite suite, bool has_esn, const uint8_t *keymat)
{
	(void)key;
	(void)suite;
	(void)has_esn;
	(void)keymat;
	return NATMUX_ESYSTEM;
}

static void test_wrong_engines_prove_nothing(void **state)
{
	struct nm_engine wrong[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		wrong[i] = nm_engine_openssl;
	wrong[1].seal = seal_too_little;
	wrong[2].seal = seal_without_icv;
	wrong[3].open = open_anything;
	wrong[4].open = open_nothing;
	wrong[5].open = open_wrongly;
	wrong[6].key_init = init_without_esn;
	wrong[7].key_init = init_another_key;
	assert_true(nm_engine_proves(&wrong[0], NATMUX_SUITE_AES128GCM16));
	for (size_t i = 1; i < ARRAY_SIZE(wrong); i++)
		if (nm_engine_proves(&wrong[i], NATMUX_SUITE_AES128GCM16))
			fail_msg("wrong engine %zu is believed", i);
	wrong[0].key_init = init_nothing;
	assert_false(nm_engine_proves(&wrong[0], NATMUX_SUITE_AES128GCM16));
}

/* Each answer belongs to its suite: an engine that takes one suite for another is found out. */
static enum natmux_suite taken_for;

static int init_as_another(void *key, enum natmux_suite suite, bool has_esn, const uint8_t *keymat)
{
	(void)suite;
	return nm_engine_openssl.key_init(key, taken_for, has_esn, keymat);
}

static size_t size_of_any(enum natmux_suite suite)
{
	(void)suite;
	return nm_engine_openssl.key_size(NATMUX_SUITE_AES256_SHA512);
}

/* An ICV cut shorter begins alike, and nothing else does. */
static bool begin_alike(int a, int b)
{
	return a <= NATMUX_SUITE_AES256GCM8 && b <= NATMUX_SUITE_AES256GCM8 && a % 3 == b % 3;
}

static void test_suites_are_told_apart(void **state)
{
	struct nm_engine wrong = nm_engine_openssl;

	(void)state;
	wrong.key_init = init_as_another;
	wrong.key_size = size_of_any;
	for (int i = 0; i < NATMUX_SUITE_COUNT; i++) {
		for (int j = 0; j < NATMUX_SUITE_COUNT; j++) {
			taken_for = (enum natmux_suite)j;
			if (begin_alike(i, j) && i != j)
				continue;
			if (nm_engine_proves(&wrong, (enum natmux_suite)i) != (i == j))
				fail_msg("%s goes for %s", natmux_suite_get(taken_for)->name,
					natmux_suite_get((enum natmux_suite)i)->name);
		}
	}
}

static void test_key_states(void **state)
{
	(void)state;
	for (size_t i = 0; i < NM_ENGINES_MAX; i++) {
		for (int n = 0; n < NATMUX_SUITE_COUNT; n++) {
			enum natmux_suite suite = (enum natmux_suite)n;
			size_t size, dirty = 0;
			uint8_t *key;

			if (!esp_engines[i]->has_suite(suite))
				continue;
			size = esp_engines[i]->key_size(suite);
			assert_true(size > 0 && size % 64 == 0);
			key = esp_key_new(esp_engines[i], suite, true, esp_keymat());
			esp_engines[i]->key_done(key);
			for (size_t at = 0; at < size; at++)
				dirty += key[at] != 0;
			assert_int_equal(dirty, 0);
			free(key);
		}
	}
}

static void test_suites(void **state)
{
	enum natmux_suite suite = NATMUX_SUITE_COUNT;

	(void)state;
	for (int i = 0; i < NATMUX_SUITE_COUNT; i++) {
		const struct natmux_suite_info *info = natmux_suite_get((enum natmux_suite)i);
		size_t len = natmux_suite_key_len((enum natmux_suite)i);

		assert_int_equal(natmux_suite_parse(info->name, &suite), 0);
		assert_int_equal(suite, i);
		assert_int_equal(len, info->key_len + info->salt_len + info->auth_len);
		assert_in_range(len, 16, NATMUX_SUITE_KEY_MAX);
		/* RFC 4303 2.4: the text ends on a 4-octet boundary. */
		assert_true(info->align >= 4 && (info->align & (info->align - 1)) == 0);
		assert_in_range(info->iv_len, 0, NM_ESP_IV_MAX);
		/* Nothing is sent without integrity: RFC 4303 3.2 allows no NULL with NULL. */
		assert_in_range(info->icv_len, 8, NM_ESP_ICV_MAX);
	}
	suite = NATMUX_SUITE_COUNT;
	assert_int_equal(natmux_suite_parse("null", &suite), NATMUX_ENOTFOUND);
	assert_int_equal(natmux_suite_parse("null-null", &suite), NATMUX_ENOTFOUND);
	assert_int_equal(natmux_suite_parse("aes128", &suite), NATMUX_ENOTFOUND);
	assert_int_equal(natmux_suite_parse("AES128GCM16", &suite), NATMUX_ENOTFOUND);
	assert_int_equal(natmux_suite_parse("", &suite), NATMUX_ENOTFOUND);
	assert_int_equal(suite, NATMUX_SUITE_COUNT);
	assert_null(natmux_suite_get(NATMUX_SUITE_COUNT));
	assert_null(natmux_suite_get((enum natmux_suite) - 1));
	assert_int_equal(natmux_suite_key_len(NATMUX_SUITE_COUNT), 0);
}

/* One suite by itself gets the engine that it gets among all. */
static void test_find(void **state)
{
	struct nm_engine_choice choice;

	(void)state;
	nm_engine_choose(&choice, NULL, NULL, NULL);
	for (int i = 0; i < NATMUX_SUITE_COUNT; i++)
		assert_ptr_equal(nm_engine_find((enum natmux_suite)i), choice.of[i]);
}

/* A key in front of a page that nobody may touch: no engine reads behind what it has asked for. */
static void test_keys_end(void **state)
{
	const long page = sysconf(_SC_PAGESIZE);
	uint8_t *pages = mmap(
		NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect(pages + page, (size_t)page, PROT_NONE), 0);
	for (size_t i = 0; i < NM_ENGINES_MAX; i++) {
		const struct nm_engine *engine = esp_engines[i];

		for (int n = 0; n < NATMUX_SUITE_COUNT; n++) {
			enum natmux_suite suite = (enum natmux_suite)n;
			static uint8_t packet[10000];
			uint8_t *key;

			if (!engine->has_suite(suite))
				continue;
			key = pages + page - engine->key_size(suite);
			memset(key, 0, engine->key_size(suite));
			assert_int_equal(engine->key_init(key, suite, true, esp_keymat()), 0);
			for (uint32_t len = 16; len <= 9600; len += len < 1200 ? 16 : 400) {
				struct nm_engine_job job = {.packet = packet, .len = len};

				engine->seal(key, &job, 1);
				engine->open(key, &job, 1);
				assert_true(job.is_good);
			}
			engine->key_done(key);
		}
	}
	munmap(pages, 2 * (size_t)page);
}

/* What an SA may take beside its anti-replay window; libcrypto's own memory is not in it. */
static size_t most_bytes(const struct nm_engine *engine, enum natmux_suite suite)
{
	/* Its code for AVX-512 keeps 48 powers of the hash key, that for SSE and AVX 16 blocks. */
	if (engine == &nm_engine_ipsecmb && suite <= NATMUX_SUITE_AES256GCM8)
		return 1664;
	/* Round keys of AES-256, and room of libsodium's own. */
	if (engine == &nm_engine_sodium)
		return 1216;
	/* Two states of SHA-512. */
	return natmux_suite_get(suite)->auth_len > 0 ? 1152 : 1024;
}

static void test_memory_of_an_sa(void **state)
{
	(void)state;
	for (size_t i = 0; i < NM_ENGINES_MAX; i++) {
		for (int n = 0; n < NATMUX_SUITE_COUNT; n++) {
			enum natmux_suite suite = (enum natmux_suite)n;
			size_t bytes = sizeof(struct nm_sa) + sizeof(struct nm_sequence);

			if (!esp_engines[i]->has_suite(suite))
				continue;
			bytes += esp_engines[i]->key_size(suite);
			print_message("%s by %s: %zu octets\n", natmux_suite_get(suite)->name,
				esp_engines[i]->name, bytes);
			assert_in_range(bytes, 256, most_bytes(esp_engines[i], suite));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_engine_proves_itself),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_choice_of_few),
		cmocka_unit_test(test_wrong_engines_prove_nothing),
		cmocka_unit_test(test_suites_are_told_apart),
		cmocka_unit_test(test_key_states),
		cmocka_unit_test(test_suites),
		cmocka_unit_test(test_keys_end),
		cmocka_unit_test(test_memory_of_an_sa),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
