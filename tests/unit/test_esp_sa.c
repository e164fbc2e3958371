/* SPDX-License-Identifier: Apache-2.0 */
/* What is a valid SA, what is left of an invalid one, and how long packets get. Rows E2, E12. */
#include "esp_test.h"

#include <natmux/error.h>

static struct nm_secret_pool *keys;

static int setup(void **state)
{
	(void)state;
	keys = nm_secret_pool_new(nm_engine_openssl.key_size(NATMUX_SUITE_AES256_SHA512));
	return keys ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	nm_secret_pool_free(keys);
	return 0;
}

static int make(const struct natmux_sa_config *config, struct nm_sa **sa)
{
	return nm_sa_new(config, &nm_engine_openssl, keys, NULL, 1234, sa);
}

/* One thing each that is wrong with a configuration that was right. */
static struct natmux_selector selector;

static void size_small(struct natmux_sa_config *c)
{
	c->size--;
}

static void size_large(struct natmux_sa_config *c)
{
	c->size++;
}

static void size_none(struct natmux_sa_config *c)
{
	c->size = 0;
}

static void spi_zero(struct natmux_sa_config *c)
{
	c->spi = 0;
}

static void spi_reserved(struct natmux_sa_config *c)
{
	c->spi = 255;
}

static void no_direction(struct natmux_sa_config *c)
{
	c->direction = (enum natmux_sa_direction)2;
}

static void no_mode(struct natmux_sa_config *c)
{
	c->mode = (enum natmux_sa_mode)2;
}

static void no_suite(struct natmux_sa_config *c)
{
	c->suite = NATMUX_SUITE_COUNT;
}

static void suite_below_zero(struct natmux_sa_config *c)
{
	c->suite = (enum natmux_suite) - 1;
}

static void no_key(struct natmux_sa_config *c)
{
	c->key = NULL;
}

static void key_short(struct natmux_sa_config *c)
{
	c->key_len--;
}

static void key_long(struct natmux_sa_config *c)
{
	c->key_len++;
}

static void key_without_salt(struct natmux_sa_config *c)
{
	c->key_len -= 4;
}

static void key_of_another(struct natmux_sa_config *c)
{
	c->suite = NATMUX_SUITE_AES256GCM16;
}

static void window_large(struct natmux_sa_config *c)
{
	c->replay_window = NM_REPLAY_WINDOW_MAX + 1;
}

static void window_huge(struct natmux_sa_config *c)
{
	c->replay_window = UINT32_MAX;
}

static void no_remote(struct natmux_sa_config *c)
{
	memset(&c->path.remote, 0, sizeof(c->path.remote));
}

static void no_port(struct natmux_sa_config *c)
{
	c->path.remote.port = 0;
}

static void two_families(struct natmux_sa_config *c)
{
	assert_int_equal(natmux_addr_parse("[2001:db8::1]:4500", 0, &c->path.local), 0);
}

static void no_family(struct natmux_sa_config *c)
{
	c->path.remote.family = c->path.local.family = 5;
}

static void no_roam(struct natmux_sa_config *c)
{
	c->roam = (enum natmux_roam)3;
}

static void no_df(struct natmux_sa_config *c)
{
	c->df = (enum natmux_df)3;
}

static void dscp_low(struct natmux_sa_config *c)
{
	c->dscp = -2;
}

static void dscp_high(struct natmux_sa_config *c)
{
	c->dscp = 64;
}

static void tfc_high(struct natmux_sa_config *c)
{
	c->tfc_pad = 9001;
}

static void tfc_transport(struct natmux_sa_config *c)
{
	c->mode = NATMUX_SA_TRANSPORT;
	c->tfc_pad = 100;
}

static void sequence_high(struct natmux_sa_config *c)
{
	c->sequence = UINT64_C(1) << 32;
}

static void selectors_missing(struct natmux_sa_config *c)
{
	c->selectors_len = 1;
}

static void selector_is(struct natmux_sa_config *c, const char *source, const char *destination)
{
	memset(&selector, 0, sizeof(selector));
	assert_int_equal(natmux_prefix_parse(source, &selector.source), 0);
	assert_int_equal(natmux_prefix_parse(destination, &selector.destination), 0);
	selector.source_ports.max = selector.destination_ports.max = UINT16_MAX;
	c->selectors = &selector;
	c->selectors_len = 1;
}

static void selector_families(struct natmux_sa_config *c)
{
	selector_is(c, "192.0.2.0/24", "2001:db8::/32");
}

static void selector_ports(struct natmux_sa_config *c)
{
	selector_is(c, "192.0.2.0/24", "198.51.100.0/24");
	selector.source_ports.min = 1000;
	selector.source_ports.max = 999;
}

static void selector_ports_there(struct natmux_sa_config *c)
{
	selector_is(c, "192.0.2.0/24", "198.51.100.0/24");
	selector.destination_ports.min = 1;
	selector.destination_ports.max = 0;
}

static void selector_family(struct natmux_sa_config *c)
{
	selector_is(c, "192.0.2.0/24", "198.51.100.0/24");
	selector.source.base.family = selector.destination.base.family = 5;
}

static void selector_bits(struct natmux_sa_config *c)
{
	selector_is(c, "192.0.2.0/24", "198.51.100.0/24");
	selector.source.bits = 33;
}

static void selector_bits_there(struct natmux_sa_config *c)
{
	selector_is(c, "2001:db8::/32", "2001:db8::/32");
	selector.destination.bits = 129;
}

enum { IN = 1 << NATMUX_SA_IN, OUT = 1 << NATMUX_SA_OUT, BOTH = IN | OUT };

static const struct {
	const char *name;
	void (*spoil)(struct natmux_sa_config *config);
	int directions;
} spoilt[] = {
	{"size below", size_small, BOTH},
	{"size above", size_large, BOTH},
	{"no size", size_none, BOTH},
	{"SPI 0", spi_zero, BOTH},
	{"SPI 255", spi_reserved, BOTH},
	{"direction", no_direction, BOTH},
	{"mode", no_mode, BOTH},
	{"suite", no_suite, BOTH},
	{"suite -1", suite_below_zero, BOTH},
	{"no key", no_key, BOTH},
	{"key short", key_short, BOTH},
	{"key long", key_long, BOTH},
	{"key without salt", key_without_salt, BOTH},
	{"key of another suite", key_of_another, BOTH},
	{"window 8193", window_large, BOTH},
	{"window 2^32-1", window_huge, BOTH},
	{"no remote", no_remote, OUT},
	{"remote port 0", no_port, OUT},
	{"two families", two_families, BOTH},
	{"family 5", no_family, BOTH},
	{"roam", no_roam, BOTH},
	{"df", no_df, BOTH},
	{"DSCP -2", dscp_low, BOTH},
	{"DSCP 64", dscp_high, BOTH},
	{"TFC 9001", tfc_high, BOTH},
	{"TFC in transport mode", tfc_transport, BOTH},
	{"sequence 2^32", sequence_high, BOTH},
	{"selectors missing", selectors_missing, BOTH},
	{"selector families", selector_families, BOTH},
	{"selector family 5", selector_family, BOTH},
	{"selector source ports", selector_ports, BOTH},
	{"selector destination ports", selector_ports_there, BOTH},
	{"selector bits 33", selector_bits, BOTH},
	{"selector bits 129", selector_bits_there, BOTH},
};

static void test_spoilt(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(spoilt); i++) {
		enum natmux_sa_direction direction = i % 2 ? NATMUX_SA_OUT : NATMUX_SA_IN;
		struct natmux_sa_config config;
		struct nm_sa *sa = (void *)&config;
		int err;

		if (!(spoilt[i / 2].directions & 1 << direction))
			continue;
		esp_config(&config, direction, NATMUX_SUITE_AES128GCM16);
		spoilt[i / 2].spoil(&config);
		err = make(&config, &sa);
		if (err != NATMUX_EINVAL)
			fail_msg("%s: %d", spoilt[i / 2].name, err);
		/* Outputs are untouched on failure. */
		assert_ptr_equal(sa, &config);
	}
}

static void expect_good(const struct natmux_sa_config *config)
{
	struct nm_sa *sa = NULL;

	assert_int_equal(make(config, &sa), 0);
	assert_non_null(sa);
	assert_int_equal(sa->spi, config->spi);
	assert_int_equal(sa->added_ms, 1234);
	nm_sa_free(sa);
}

/* What is just allowed. */
static void test_edges(void **state)
{
	struct natmux_sa_config config;

	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		esp_config(&config, NATMUX_SA_IN, (enum natmux_suite)suite);
		expect_good(&config);
		config.direction = NATMUX_SA_OUT;
		expect_good(&config);
	}
	esp_config(&config, NATMUX_SA_IN, NATMUX_SUITE_AES128GCM16);
	config.spi = 256;
	config.dscp = 63;
	config.tfc_pad = 9000;
	config.replay_window = NM_REPLAY_WINDOW_MAX;
	config.sequence = UINT32_MAX;
	selector_is(&config, "0.0.0.0/0", "192.0.2.1/32");
	expect_good(&config);
	selector_is(&config, "::/0", "2001:db8::1/128");
	config.spi = UINT32_MAX;
	config.replay_window = 0;
	config.has_esn = true;
	config.sequence = UINT64_MAX;
	memset(&config.path, 0, sizeof(config.path));
	expect_good(&config);
	esp_config(&config, NATMUX_SA_OUT, NATMUX_SUITE_AES128GCM16);
	config.mode = NATMUX_SA_TRANSPORT;
	memset(&config.path.local, 0, sizeof(config.path.local));
	expect_good(&config);
}

static void test_defaults(void **state)
{
	struct natmux_sa_config config;
	struct {
		uint8_t short_one[sizeof(struct natmux_sa_config)], behind;
	} old;

	(void)state;
	memset(&config, 0xa5, sizeof(config));
	natmux_sa_config_init(&config);
	assert_int_equal(config.size, sizeof(config));
	assert_int_equal(config.mode, NATMUX_SA_TUNNEL);
	assert_int_equal(config.replay_window, 1024);
	assert_int_equal(config.roam, NATMUX_ROAM_YES);
	assert_int_equal(config.df, NATMUX_DF_COPY);
	assert_int_equal(config.dscp, -1);
	assert_int_equal(config.tfc_pad, 0);
	assert_false(config.has_esn);
	/* A caller that was compiled with a shorter structure keeps what is behind it. */
	memset(&old, 0xa5, sizeof(old));
	natmux_sa_config_defaults((void *)&old, 16);
	for (size_t i = 16; i < sizeof(old); i++)
		assert_int_equal(((uint8_t *)&old)[i], 0xa5);
}

/* The key is copied, and so are the selectors. */
static void test_nothing_is_borrowed(void **state)
{
	uint8_t key[NATMUX_SUITE_KEY_MAX], packet[256];
	struct esp_tunnel tunnel;
	struct natmux_selector copy;
	uint32_t len;

	(void)state;
	esp_tunnel_config(&tunnel, NATMUX_SUITE_AES128GCM16);
	memcpy(key, esp_keymat(), sizeof(key));
	tunnel.in_config.key = tunnel.out_config.key = key;
	selector_is(&tunnel.in_config, "192.0.2.0/24", "198.51.100.0/24");
	copy = selector;
	esp_tunnel_begin(&tunnel);
	memset(key, 0, sizeof(key));
	memset(&selector, 0, sizeof(selector));
	len = esp_seal_one(&tunnel, packet, 100, 4);
	assert_int_equal(esp_open_one(&tunnel, packet, len), NM_OPEN_GOOD);
	assert_int_equal(tunnel.in->selectors_len, 1);
	assert_memory_equal(tunnel.in->selectors, &copy, sizeof(copy));
	esp_tunnel_end(&tunnel);
}

static int fail_key_init(void *key, enum natmux_suite suite, bool has_esn, const uint8_t *keymat)
{
	nm_engine_openssl.key_init(key, suite, has_esn, keymat);
	return NATMUX_ESYSTEM;
}

/* A sanitizer finds what would be left; the pool has its object back, wiped. */
static void test_key_fails(void **state)
{
	struct nm_engine failing = nm_engine_openssl;
	struct nm_secret_pool *pool =
		nm_secret_pool_new(nm_engine_openssl.key_size(NATMUX_SUITE_AES128_SHA256));
	struct nm_sequence *sequence = nm_sequence_new(0, false);
	struct natmux_sa_config config;
	struct nm_sa *sa = NULL;
	void *object = nm_secret_take(pool);

	(void)state;
	nm_secret_give(pool, object);
	failing.key_init = fail_key_init;
	esp_config(&config, NATMUX_SA_OUT, NATMUX_SUITE_AES128_SHA256);
	selector_is(&config, "192.0.2.0/24", "198.51.100.0/24");
	assert_int_equal(nm_sa_new(&config, &failing, pool, sequence, 0, &sa), NATMUX_ESYSTEM);
	assert_int_equal(sequence->refs, 1);
	config.direction = NATMUX_SA_IN;
	assert_int_equal(nm_sa_new(&config, &failing, pool, NULL, 0, &sa), NATMUX_ESYSTEM);
	assert_null(sa);
	assert_ptr_equal(nm_secret_take(pool), object);
	nm_sequence_unref(sequence);
	nm_secret_pool_free(pool);
}

static void test_no_engine(void **state)
{
	struct natmux_sa_config config;
	struct nm_sa *sa = NULL;

	(void)state;
	esp_config(&config, NATMUX_SA_IN, NATMUX_SUITE_AES128GCM16);
	assert_int_equal(nm_sa_new(&config, NULL, keys, NULL, 0, &sa), NATMUX_EUNSUPPORTED);
	config.key_len = 3;
	assert_int_equal(nm_sa_new(&config, NULL, keys, NULL, 0, &sa), NATMUX_EINVAL);
	assert_null(sa);
	nm_sa_free(NULL);
}

static void test_key_is_wiped(void **state)
{
	struct natmux_sa_config config;

	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		const struct nm_engine *engine = esp_engine_of((enum natmux_suite)suite);
		size_t size = engine->key_size((enum natmux_suite)suite), dirty = 0;
		struct nm_secret_pool *pool = nm_secret_pool_new(size);
		struct nm_sa *sa;
		uint8_t *key;

		esp_config(&config, NATMUX_SA_IN, (enum natmux_suite)suite);
		assert_int_equal(nm_sa_new(&config, engine, pool, NULL, 0, &sa), 0);
		key = sa->key;
		assert_int_equal((uintptr_t)key % 64, 0);
		nm_sa_free(sa);
		/* What the pool writes into a free object is an address. */
		for (size_t i = sizeof(void *); i < size; i++)
			dirty += key[i] != 0;
		assert_int_equal(dirty, 0);
		nm_secret_pool_free(pool);
	}
}

/* Longest inner packet by trying; TFC padding gives way. */
static uint32_t slow_inner_max(const struct nm_sa *sa, uint32_t len)
{
	struct nm_sa bare = *sa;
	uint32_t most = 0;

	bare.tfc_pad = 0;
	for (uint32_t inner = 1; inner <= len; inner++)
		if (nm_sa_sealed_len(&bare, inner) <= len)
			most = inner;
	return most;
}

static void check_lengths(enum natmux_suite suite, uint16_t tfc_pad)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	uint32_t fixed = 8 + (uint32_t)info->iv_len + info->icv_len;
	struct natmux_sa_config config;
	struct nm_sa *sa;

	esp_config(&config, NATMUX_SA_OUT, suite);
	config.tfc_pad = tfc_pad;
	assert_int_equal(make(&config, &sa), 0);
	for (uint32_t inner = 0; inner <= 9000; inner++) {
		uint32_t least = inner < tfc_pad ? tfc_pad : inner;
		uint32_t sealed = nm_sa_sealed_len(sa, inner);

		assert_true(sealed >= fixed + least + 2);
		assert_true(sealed < fixed + least + 2 + info->align);
		assert_int_equal((sealed - fixed) % info->align, 0);
		assert_true(tfc_pad > 0 || sealed - inner <= NM_ESP_OVERHEAD_MAX);
	}
	for (uint32_t len = 0; len <= 700; len++)
		if (nm_sa_inner_max(sa, len) != slow_inner_max(sa, len))
			fail_msg("%s, TFC %u: %u octets of %u, not %u", info->name, tfc_pad,
				nm_sa_inner_max(sa, len), len, slow_inner_max(sa, len));
	for (uint32_t len = 1200; len <= 9000; len++) {
		uint32_t most = nm_sa_inner_max(sa, len);

		assert_true(most > 0 && nm_sa_sealed_len(sa, most) <= len);
		assert_true(nm_sa_sealed_len(sa, most + 1) > len);
	}
	nm_sa_free(sa);
}

static void test_lengths(void **state)
{
	(void)state;
	for (int suite = 0; suite < NATMUX_SUITE_COUNT; suite++) {
		check_lengths((enum natmux_suite)suite, 0);
		check_lengths((enum natmux_suite)suite, 1);
		check_lengths((enum natmux_suite)suite, 333);
		check_lengths((enum natmux_suite)suite, 1000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spoilt),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_nothing_is_borrowed),
		cmocka_unit_test(test_key_fails),
		cmocka_unit_test(test_no_engine),
		cmocka_unit_test(test_key_is_wiped),
		cmocka_unit_test(test_lengths),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, setup, teardown);
}
