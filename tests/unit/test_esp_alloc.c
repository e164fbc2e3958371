/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No allocation for a packet: counted in front of the allocator for what is linked into this test, and by
 * libcrypto's own hooks for what libcrypto does.
 */
#include "esp_test.h"

#include <openssl/crypto.h>
#include <natmux/esp.h>
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

static struct natmux_sa *make_single(enum natmux_suite suite, enum natmux_sa_direction direction,
	const struct natmux_random *random)
{
	struct natmux_sa_config config;
	struct natmux_sa *sa = NULL;

	esp_config(&config, direction, suite);
	assert_int_equal(natmux_sa_new(&config, random, &sa), 0);
	return sa;
}

/* The library's pair, with the engine that it chooses. */
static void test_single(void **state)
{
	static const struct natmux_random random = {esp_fill, NULL};

	(void)state;
	for (unsigned int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		struct natmux_sa *out = make_single(suite, NATMUX_SA_OUT, &random);
		struct natmux_sa *in = make_single(suite, NATMUX_SA_IN, &random);
		struct natmux_esp_packet vector[VECTOR];
		uint64_t ours = nm_alloc_count();
		unsigned long theirs = crypto_count;

		for (size_t i = 0; i < VECTOR; i++)
			vector[i] = (struct natmux_esp_packet){.data = packets[i],
				.size = ROOM,
				.len = INNER_LEN,
				.next_header = 4};
		assert_int_equal(natmux_sa_seal(out, vector, VECTOR), VECTOR);
		packets[3][100] ^= 1;
		assert_int_equal(natmux_sa_open(in, vector, VECTOR), VECTOR - 1);
		assert_int_equal(nm_alloc_count(), ours);
		assert_int_equal(crypto_count, theirs);
		natmux_sa_free(out);
		natmux_sa_free(in);
	}
}

/* Two planes: what one sends the other takes in. */
static void cross(void *user, const struct natmux_train *trains, size_t n)
{
	natmux_esp_input(user, 0, trains, n);
}

static struct natmux_esp *make_plane(const struct natmux_sa_config *sa,
	void (*send)(void *, const struct natmux_train *, size_t), void *user)
{
	struct natmux_esp_config config;
	struct natmux_esp *esp = NULL;

	natmux_esp_config_init(&config);
	config.random.fill = esp_fill;
	config.send = send;
	config.deliver = swallow;
	config.user = user;
	config.can_tcp = config.can_udp = true;
	config.keepalive_ms = 20000;
	assert_int_equal(natmux_esp_new(&config, &esp), 0);
	assert_int_equal(natmux_esp_sa_add(esp, 0, sa), 0);
	return esp;
}

static void add_policy(struct natmux_esp *esp, uint32_t reqid)
{
	struct natmux_policy policy = {
		.action = NATMUX_POLICY_PROTECT,
		.reqid = reqid,
		.selector = {.source_ports = {0, 65535}, .destination_ports = {0, 65535}},
	};

	assert_int_equal(natmux_prefix_parse("0.0.0.0/0", &policy.selector.source), 0);
	assert_int_equal(natmux_prefix_parse("0.0.0.0/0", &policy.selector.destination), 0);
	assert_int_equal(natmux_esp_policy_add(esp, &policy), 0);
}

/* Super-packets, single ones, one that has to be cut, and time that passes. */
static void work_hard(struct natmux_esp *from, uint8_t *super, uint64_t now_ms)
{
	struct inner_spec spec = inner_spec(4, TCP);
	struct natmux_inner inner = {.data = super};

	spec.payload_len = 60000;
	inner.len = (uint32_t)inner_build(&spec, super);
	inner.offload = (struct natmux_offload){
		.kind = NATMUX_OFFLOAD_TCP4, .header_len = 40, .segment = INNER_LEN};
	natmux_esp_output(from, now_ms, &inner, 1);
	for (size_t i = 0; i < 2; i++) {
		spec = inner_spec(4, UDP);
		spec.fragment = 0;
		spec.payload_len = i == 0 ? 100 : 4000;
		inner = (struct natmux_inner){
			.data = super, .len = (uint32_t)inner_build(&spec, super)};
		natmux_esp_output(from, now_ms, &inner, 1);
	}
	natmux_esp_timeout(from, now_ms);
}

static void test_plane(void **state)
{
	static uint8_t memory[NATMUX_INNER_ROOM + INNER_MAX + NATMUX_INNER_ROOM];
	struct natmux_sa_config out, in;
	struct natmux_esp *from, *to;
	uint64_t ours;
	unsigned long theirs;

	(void)state;
	esp_config(&out, NATMUX_SA_OUT, NATMUX_SUITE_AES128_SHA256);
	esp_config(&in, NATMUX_SA_IN, NATMUX_SUITE_AES128_SHA256);
	out.reqid = in.reqid = 1;
	to = make_plane(&in, cross, NULL);
	from = make_plane(&out, cross, to);
	add_policy(from, 1);
	delivered = 0;
	ours = nm_alloc_count();
	theirs = crypto_count;
	for (uint64_t i = 1; i <= 10; i++)
		work_hard(from, memory + NATMUX_INNER_ROOM, 1000 * i);
	assert_true(delivered > 30);
	assert_int_equal(nm_alloc_count(), ours);
	assert_int_equal(crypto_count, theirs);
	natmux_esp_free(from);
	natmux_esp_free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_seal_and_open),
		cmocka_unit_test(test_single),
		cmocka_unit_test(test_plane),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_coalesce),
	};

	if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1 ||
		sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
