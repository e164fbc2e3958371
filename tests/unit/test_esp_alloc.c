/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No allocation for a packet: counted in front of the allocator for what is linked into this test, and by
 * libcrypto's own hooks for what libcrypto does.
 */
#include "esp_test.h"

#include <openssl/crypto.h>
#include "bench/alloc.h"
#include "esp/coalesce.h"
#include "esp/split.h"
#include "tests/fakes/inner_packets.h"

enum { ROOM = 2048, VECTOR = NM_ENGINE_VECTOR, INNER_LEN = 1400, TCP = 6, UDP = 17 };

static unsigned long crypto_count;

static void *crypto_malloc(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	crypto_count++;
	return malloc(size);
}

static void *crypto_realloc(void *block, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	crypto_count++;
	return realloc(block, size);
}

static void crypto_free(void *block, const char *file, int line)
{
	(void)file;
	(void)line;
	free(block);
}

static uint8_t packets[VECTOR][ROOM];

static void seal_and_open(struct esp_tunnel *tunnel)
{
	struct nm_seal_item items[VECTOR];
	struct nm_open_item opened[VECTOR];

	for (size_t i = 0; i < VECTOR; i++) {
		items[i] = (struct nm_seal_item){packets[i], INNER_LEN, 4};
		opened[i] = (struct nm_open_item){
			.packet = packets[i], .len = nm_sa_sealed_len(tunnel->out, INNER_LEN)};
	}
	assert_true(nm_seal(tunnel->out, &tunnel->source, items, VECTOR));
	packets[3][100] ^= 1;
	nm_open(tunnel->in, opened, VECTOR);
	assert_int_equal(opened[2].verdict, NM_OPEN_GOOD);
	assert_int_equal(opened[3].verdict, NM_OPEN_BAD_ICV);
	nm_open(tunnel->in, opened, VECTOR);
	assert_int_equal(opened[2].verdict, NM_OPEN_DUPLICATE);
}

static void measure(const struct nm_engine *engine, enum natmux_suite suite)
{
	struct esp_tunnel tunnel;
	uint64_t ours;
	unsigned long theirs;

	esp_tunnel_config(&tunnel, suite);
	tunnel.engine = engine;
	esp_tunnel_begin(&tunnel);
	ours = nm_alloc_count();
	theirs = crypto_count;
	for (int i = 0; i < 10; i++)
		seal_and_open(&tunnel);
	if (nm_alloc_count() != ours || crypto_count != theirs)
		fail_msg("%s, %s: %lu allocations, %lu of libcrypto", engine->name,
			natmux_suite_get(suite)->name, (unsigned long)(nm_alloc_count() - ours),
			crypto_count - theirs);
	esp_tunnel_end(&tunnel);
}

static void test_seal_and_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < NM_ENGINES_MAX; i++)
		for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++)
			if (esp_engines[i]->has_suite((enum natmux_suite)suite))
				measure(esp_engines[i], (enum natmux_suite)suite);
}

/* Both counters count, or nothing is proved. */
static void test_counters(void **state)
{
	uint64_t ours = nm_alloc_count();
	unsigned long theirs = crypto_count;
	struct esp_tunnel tunnel;

	(void)state;
	esp_tunnel_config(&tunnel, NATMUX_SUITE_AES128_SHA256);
	esp_tunnel_begin(&tunnel);
	assert_true(nm_alloc_count() > ours);
	assert_true(crypto_count > theirs);
	esp_tunnel_end(&tunnel);
}

static size_t delivered;

static void swallow(void *user, const struct natmux_gathered *gathered)
{
	(void)user;
	delivered += gathered->parts_len;
}

static void test_split(void **state)
{
	static uint8_t super[INNER_MAX];
	struct inner_spec spec = inner_spec(4, TCP);
	struct natmux_inner inner = {.data = super};
	struct nm_split split;
	uint64_t before;

	(void)state;
	spec.payload_len = 60000;
	inner.len = (uint32_t)inner_build(&spec, super);
	inner.offload = (struct natmux_offload){.kind = NATMUX_OFFLOAD_TCP4, .segment = INNER_LEN};
	before = nm_alloc_count();
	assert_true(nm_split_init(&split, &inner));
	for (uint32_t i = 0; i < split.count; i++)
		nm_split_write(&split, i, packets[i]);
	assert_int_equal(nm_alloc_count(), before);
}

static void test_coalesce(void **state)
{
	static struct nm_coalesce coalesce;
	const struct nm_coalesce_port port = {swallow, NULL, true, true};
	struct inner_spec spec = inner_spec(6, UDP);
	struct nm_inner_info info;
	uint64_t before;

	(void)state;
	delivered = 0;
	before = nm_alloc_count();
	nm_coalesce_init(&coalesce, &port);
	for (size_t i = 0; i < VECTOR; i++) {
		assert_true(nm_inner_read(packets[i], inner_build(&spec, packets[i]), &info));
		nm_coalesce_add(&coalesce, packets[i], &info);
		spec.host = (uint8_t)(i % 20);
	}
	nm_coalesce_flush(&coalesce);
	assert_int_equal(delivered, VECTOR);
	assert_int_equal(nm_alloc_count(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_seal_and_open),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_coalesce),
	};

	if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1 ||
		sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
