/* SPDX-License-Identifier: Apache-2.0 */
/* One SA without a plane: the library's seal and open. */
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "base/export.h"
#include "esp/open.h"
#include "esp/seal.h"

struct natmux_sa {
	struct nm_sa *sa;
	struct nm_secret_pool *keys;
	struct nm_iv_source ivs;
};

/* An outbound SA wants a peer; this one's peer is the caller's business. */
static struct natmux_sa_config without_path(const struct natmux_sa_config *config)
{
	struct natmux_sa_config bare = *config;

	bare.path = (struct natmux_path){
		.local.family = NATMUX_FAMILY_IPV4,
		.remote = {.ip = {192, 0, 2, 1}, .port = 4500, .family = NATMUX_FAMILY_IPV4},
	};
	bare.selectors = NULL;
	bare.selectors_len = 0;
	return bare;
}

NM_EXPORT int natmux_sa_new(const struct natmux_sa_config *config,
	const struct natmux_random *random, struct natmux_sa **result)
{
	const struct nm_engine *engine;
	struct natmux_sa_config bare;
	struct natmux_sa *single;
	int err = NATMUX_ENOMEM;

	if (config->size != sizeof(*config) || !natmux_suite_get(config->suite))
		return NATMUX_EINVAL;
	engine = nm_engine_find(config->suite);
	if (!engine)
		return NATMUX_EUNSUPPORTED;
	single = calloc(1, sizeof(*single));
	if (!single)
		return err;
	bare = without_path(config);
	single->keys = nm_secret_pool_new(engine->key_size(config->suite));
	if (single->keys)
		err = nm_sa_new(&bare, engine, single->keys, NULL, 0, &single->sa);
	if (err < 0) {
		natmux_sa_free(single);
		return err;
	}
	nm_iv_source_init(&single->ivs, random);
	/* A key that is used again by mistake shall not meet its old IVs. */
	if (single->sa->sequence)
		random->fill(random->user, &single->sa->sequence->iv_base,
			sizeof(single->sa->sequence->iv_base));
	*result = single;
	return 0;
}

NM_EXPORT void natmux_sa_free(struct natmux_sa *single)
{
	if (!single)
		return;
	nm_sa_free(single->sa);
	nm_secret_pool_free(single->keys);
	nm_iv_source_done(&single->ivs);
	free(single);
}

NM_EXPORT size_t natmux_sa_headroom(const struct natmux_sa *single)
{
	return (size_t)NM_ESP_HEADER + single->sa->iv_len;
}

NM_EXPORT size_t natmux_sa_sealed_len(const struct natmux_sa *single, size_t len)
{
	return len > UINT16_MAX ? 0 : nm_sa_sealed_len(single->sa, (uint32_t)len);
}

NM_EXPORT int natmux_sa_replay(const struct natmux_sa *single, struct natmux_replay_state *replay)
{
	if (single->sa->direction != NATMUX_SA_IN)
		return NATMUX_EINVAL;
	nm_replay_save(&single->sa->replay, replay);
	return 0;
}

NM_EXPORT const struct natmux_sa_counters *natmux_sa_counters_of(const struct natmux_sa *single)
{
	return &single->sa->counters;
}

static int check_packet(const struct natmux_sa *single, const struct natmux_esp_packet *packet)
{
	if (packet->len > UINT16_MAX)
		return NATMUX_ERANGE;
	return natmux_sa_sealed_len(single, packet->len) > packet->size ? NATMUX_ENOSPACE : 0;
}

/* Seals those of a run that can be. */
static size_t seal_run(struct natmux_sa *single, struct natmux_esp_packet *packets, size_t n)
{
	struct nm_seal_item items[NM_ENGINE_VECTOR];
	struct natmux_esp_packet *of[NM_ENGINE_VECTOR];
	size_t count = 0;
	uint64_t first;
	bool is_sealed;

	for (size_t i = 0; i < n; i++) {
		packets[i].error = single->sa->direction == NATMUX_SA_OUT
					   ? check_packet(single, &packets[i])
					   : NATMUX_EINVAL;
		if (packets[i].error < 0)
			continue;
		of[count] = &packets[i];
		items[count++] = (struct nm_seal_item){
			packets[i].data, (uint32_t)packets[i].len, packets[i].next_header};
	}
	if (count == 0)
		return 0;
	first = nm_sequence_last(single->sa->sequence) + 1;
	is_sealed = nm_seal(single->sa, &single->ivs, items, count);
	for (size_t i = 0; i < count; i++) {
		of[i]->error = is_sealed ? 0 : NATMUX_EFULL;
		if (!is_sealed)
			continue;
		of[i]->sequence = first + i;
		of[i]->len = nm_sa_sealed_len(single->sa, items[i].len);
	}
	return is_sealed ? count : 0;
}

NM_EXPORT size_t natmux_sa_seal(
	struct natmux_sa *single, struct natmux_esp_packet *packets, size_t n)
{
	size_t sealed = 0;

	for (size_t at = 0; at < n; at += NM_ENGINE_VECTOR)
		sealed += seal_run(single, packets + at,
			n - at < NM_ENGINE_VECTOR ? n - at : NM_ENGINE_VECTOR);
	return sealed;
}

static int error_of(enum nm_open_verdict verdict)
{
	switch (verdict) {
	case NM_OPEN_GOOD:
	case NM_OPEN_DUMMY: return 0;
	case NM_OPEN_TOO_SHORT: return NATMUX_ETRUNCATED;
	case NM_OPEN_LATE:
	case NM_OPEN_DUPLICATE:
	case NM_OPEN_REPLAYED: return NATMUX_EEXISTS;
	case NM_OPEN_BAD_ICV: return NATMUX_EAUTH;
	case NM_OPEN_BAD_PADDING: break;
	}
	return NATMUX_EMALFORMED;
}

static size_t open_run(struct natmux_sa *single, struct natmux_esp_packet *packets, size_t n)
{
	struct nm_open_item items[NM_ENGINE_VECTOR] = {0};
	size_t opened = 0;

	/* What is longer than any packet is judged as if it were cut. */
	for (size_t i = 0; i < n; i++)
		items[i] = (struct nm_open_item){.packet = packets[i].data,
			.len = packets[i].len > UINT16_MAX ? 0 : (uint32_t)packets[i].len};
	nm_open(single->sa, items, n);
	for (size_t i = 0; i < n; i++) {
		packets[i].error = error_of(items[i].verdict);
		if (packets[i].error < 0)
			continue;
		packets[i].inner = items[i].inner;
		packets[i].len = items[i].inner_len;
		packets[i].next_header = items[i].next_header;
		packets[i].sequence = items[i].sequence;
		opened++;
	}
	return opened;
}

NM_EXPORT size_t natmux_sa_open(
	struct natmux_sa *single, struct natmux_esp_packet *packets, size_t n)
{
	size_t opened = 0;

	if (single->sa->direction != NATMUX_SA_IN) {
		for (size_t i = 0; i < n; i++)
			packets[i].error = NATMUX_EINVAL;
		return 0;
	}
	for (size_t at = 0; at < n; at += NM_ENGINE_VECTOR)
		opened += open_run(single, packets + at,
			n - at < NM_ENGINE_VECTOR ? n - at : NM_ENGINE_VECTOR);
	return opened;
}
