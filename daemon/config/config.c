/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a configuration: defaults, end, and what it means to the mux. */
#include "daemon/config/config_new.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "daemon/config/config_value.h"

void nm_config_set_default(const struct nm_config_key *key, void *base)
{
	int err = 0;

	if (!key->type->is_list)
		err = key->type->parse(key, key->initial, nm_config_field(key, base));
	assert(err == 0); /* tests/unit/test_config.c walks the whole table */
	(void)err;
}

static void set_defaults(struct nm_config *config, const struct nm_config_section *section)
{
	for (size_t i = 0; i < section->keys_len; i++)
		nm_config_set_default(&section->keys[i], (char *)config + section->offset);
}

static void set_default_listen(struct nm_config *config)
{
	config->listen[0] = (struct natmux_addr){.family = NATMUX_FAMILY_IPV4};
	config->listen[1] = (struct natmux_addr){.family = NATMUX_FAMILY_IPV6};
	config->listen_len = 2;
}

struct nm_config *nm_config_new(const char *name)
{
	struct nm_config *config = calloc(1, sizeof(*config));

	if (!config)
		return NULL;
	config->name = strdup(name);
	if (!config->name) {
		free(config);
		return NULL;
	}
	for (size_t i = 0; i < nm_config_sections_len; i++)
		if (!nm_config_sections[i].is_titled)
			set_defaults(config, &nm_config_sections[i]);
	set_default_listen(config);
	return config;
}

void nm_config_wipe_keys(struct nm_config *config)
{
	nm_secret_pool_free(config->keys);
	config->keys = NULL;
	for (size_t i = 0; i < config->sas_len; i++)
		config->sas[i].key = NULL;
}

void nm_config_free(struct nm_config *config)
{
	if (!config)
		return;
	nm_config_wipe_keys(config);
	free(config->sas);
	free(config->policies);
	free(config->peers);
	free(config->servers);
	free(config->name);
	free(config);
}

const char *nm_config_tun(const struct nm_config *config)
{
	switch (config->handoff) {
	case NM_HANDOFF_RELAY: return config->relay.tun;
	case NM_HANDOFF_INJECT: return config->inject.tun;
	case NM_HANDOFF_UNIX:
	case NM_HANDOFF_NONE: return NULL;
	}
	return NULL;
}

void nm_config_mux(const struct nm_config *config, struct natmux_mux_config *mux)
{
	const struct nm_config_limits *limits = &config->limits;

	/* The bounds of the table keep every product below 2^32: at most a week of milliseconds. */
	mux->flows_max = limits->flows;
	mux->flow_new_ms = limits->flow_new_s * 1000;
	mux->flow_answered_ms = limits->flow_answered_s * 1000;
	mux->flow_idle_ms = limits->flow_idle_s * 1000;
	mux->ike_prefix = limits->ike;
	mux->ike_all = limits->ike_all;
	mux->stun_prefix = limits->stun;
	mux->stun_all = limits->stun_all;
	mux->prefix4_bits = (uint8_t)limits->prefix4_bits;
	mux->prefix6_bits = (uint8_t)limits->prefix6_bits;
	mux->responder = config->stun.responder;
	mux->keepalive = config->keepalive.mode;
	mux->keepalive_ms = config->keepalive.interval_s * 1000;
	mux->stun_refresh_ms = config->stun.refresh_s * 1000;
}
