/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of ESP share: the engines, dice, expanded keys, and an SA at each end. */
#ifndef ESP_TEST_H
#define ESP_TEST_H

#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <natmux/esp.h>
#include "test.h"
#include "base/bytes.h"
#include "esp/open.h"
#include "esp/seal.h"

enum { ESP_SPI = 0x40ffee01 };

static const struct nm_engine *const esp_engines[NM_ENGINES_MAX] = {
	&nm_engine_ipsecmb, &nm_engine_openssl, &nm_engine_sodium};

/* The same run every time. */
static inline uint64_t esp_dice(void)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static inline void esp_fill(void *user, void *buf, size_t len)
{
	uint8_t *bytes = buf;

	(void)user;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(esp_dice() >> 24);
}

/* Key material of any suite: its first natmux_suite_key_len() octets. */
static inline const uint8_t *esp_keymat(void)
{
	static uint8_t keymat[NATMUX_SUITE_KEY_MAX];

	for (unsigned int i = 0; i < sizeof(keymat); i++)
		keymat[i] = (uint8_t)(i * 29 + 17);
	return keymat;
}

static inline void *esp_key_new(const struct nm_engine *engine, enum natmux_suite suite,
	bool has_esn, const uint8_t *keymat)
{
	size_t size = engine->key_size(suite);
	void *key = aligned_alloc(64, size);

	assert_non_null(key);
	memset(key, 0, size);
	assert_int_equal(engine->key_init(key, suite, has_esn, keymat), 0);
	return key;
}

static inline void esp_key_free(const struct nm_engine *engine, void *key)
{
	engine->key_done(key);
	free(key);
}

/* The first engine that has the suite; OpenSSL has them all. */
static inline const struct nm_engine *esp_engine_of(enum natmux_suite suite)
{
	for (size_t i = 0; i < NM_ENGINES_MAX; i++)
		if (esp_engines[i]->has_suite(suite))
			return esp_engines[i];
	fail_msg("no engine for %s", natmux_suite_get(suite)->name);
	return NULL;
}

/* A valid configuration of either direction. */
static inline void esp_config(struct natmux_sa_config *config, enum natmux_sa_direction direction,
	enum natmux_suite suite)
{
	natmux_sa_config_init(config);
	config->direction = direction;
	config->spi = ESP_SPI;
	config->suite = suite;
	config->key = esp_keymat();
	config->key_len = natmux_suite_key_len(suite);
	assert_int_equal(natmux_addr_parse("192.0.2.1:4500", 0, &config->path.local), 0);
	assert_int_equal(natmux_addr_parse("192.0.2.2:4500", 0, &config->path.remote), 0);
}

/* Everything between these two goes by SAs of that reqid. */
static inline struct natmux_policy esp_policy(
	uint32_t reqid, const char *source, const char *destination)
{
	struct natmux_policy policy = {
		.action = NATMUX_POLICY_PROTECT,
		.reqid = reqid,
		.selector = {.source_ports = {0, 65535}, .destination_ports = {0, 65535}},
	};

	assert_int_equal(natmux_prefix_parse(source, &policy.selector.source), 0);
	assert_int_equal(natmux_prefix_parse(destination, &policy.selector.destination), 0);
	return policy;
}

/* Both ends of one SA. Either may be configured before esp_tunnel_begin(). */
struct esp_tunnel {
	struct natmux_sa_config out_config, in_config;
	const struct nm_engine *engine;
	struct nm_secret_pool *keys;
	struct nm_iv_source source;
	struct nm_sa *out, *in;
};

static inline void esp_tunnel_config(struct esp_tunnel *tunnel, enum natmux_suite suite)
{
	esp_config(&tunnel->out_config, NATMUX_SA_OUT, suite);
	esp_config(&tunnel->in_config, NATMUX_SA_IN, suite);
	tunnel->engine = esp_engine_of(suite);
}

static inline void esp_tunnel_begin(struct esp_tunnel *tunnel)
{
	static const struct natmux_random random = {esp_fill, NULL};
	const struct nm_engine *engine = tunnel->engine;

	tunnel->keys = nm_secret_pool_new(engine->key_size(tunnel->out_config.suite));
	assert_non_null(tunnel->keys);
	nm_iv_source_init(&tunnel->source, &random);
	assert_int_equal(
		nm_sa_new(&tunnel->out_config, engine, tunnel->keys, NULL, 0, &tunnel->out), 0);
	assert_int_equal(
		nm_sa_new(&tunnel->in_config, engine, tunnel->keys, NULL, 0, &tunnel->in), 0);
}

static inline void esp_tunnel_end(struct esp_tunnel *tunnel)
{
	nm_sa_free(tunnel->out);
	nm_sa_free(tunnel->in);
	nm_iv_source_done(&tunnel->source);
	nm_secret_pool_free(tunnel->keys);
}

/* Seals an inner packet of `len` octets i, i + 1…; returns the sealed length. */
static inline uint32_t esp_seal_one(
	struct esp_tunnel *tunnel, uint8_t *packet, uint32_t len, uint8_t next_header)
{
	struct nm_seal_item item = {packet, len, next_header};
	uint8_t *inner = nm_seal_inner(tunnel->out, packet);

	for (uint32_t i = 0; i < len; i++)
		inner[i] = (uint8_t)(len + i);
	assert_true(nm_seal(tunnel->out, &tunnel->source, &item, 1));
	return nm_sa_sealed_len(tunnel->out, len);
}

static inline enum nm_open_verdict esp_open_one(
	struct esp_tunnel *tunnel, uint8_t *packet, uint32_t len)
{
	struct nm_open_item item = {.len = len};

	item.packet = packet;
	nm_open(tunnel->in, &item, 1);
	return item.verdict;
}

#endif
