/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an SA: what is a valid one, its key, its sizes. Packets are seal.c's and open.c's. */
#include "esp/sa.h"

#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "base/export.h"
#include "base/replay_state.h"
#include "esp/selector.h"

/* RFC 4303 2.1: 0 is never sent, 1 to 255 are reserved. */
enum { SPI_MIN = 256, DSCP_MAX = 63, TFC_MAX = 9000, DUMMY_SECONDS_MAX = 3600 };

NM_EXPORT void natmux_sa_config_defaults(struct natmux_sa_config *config, size_t size)
{
	const struct natmux_sa_config defaults = {
		.size = size,
		.mode = NATMUX_SA_TUNNEL,
		.replay_window = 1024,
		.roam = NATMUX_ROAM_YES,
		.df = NATMUX_DF_COPY,
		.dscp = -1,
	};

	memcpy(config, &defaults, size < sizeof(defaults) ? size : sizeof(defaults));
}

static bool numbers_are_valid(const struct natmux_sa_config *config)
{
	return config->size == sizeof(*config) && config->spi >= SPI_MIN &&
	       config->direction <= NATMUX_SA_OUT && config->mode <= NATMUX_SA_TRANSPORT &&
	       config->roam <= NATMUX_ROAM_YES && config->df <= NATMUX_DF_CLEAR &&
	       config->dscp >= -1 && config->dscp <= DSCP_MAX && config->tfc_pad <= TFC_MAX &&
	       config->too_big <= NATMUX_TOO_BIG_CUT &&
	       config->dummy_seconds <= DUMMY_SECONDS_MAX &&
	       config->replay_window <= NM_REPLAY_WINDOW_MAX &&
	       (config->has_esn || config->sequence <= UINT32_MAX) &&
	       nm_replay_state_fits(config) && (config->selectors_len == 0 || config->selectors);
}

static bool family_is_valid(const struct natmux_addr *addr)
{
	return addr->family == NATMUX_FAMILY_NONE || addr->family == NATMUX_FAMILY_IPV4 ||
	       addr->family == NATMUX_FAMILY_IPV6;
}

int nm_sa_check(const struct natmux_sa_config *config)
{
	const struct natmux_path *path = &config->path;

	if (!numbers_are_valid(config) || !natmux_suite_get(config->suite) ||
		config->key_len != natmux_suite_key_len(config->suite) || !config->key)
		return NATMUX_EINVAL;
	if (!family_is_valid(&path->local) || !family_is_valid(&path->remote))
		return NATMUX_EINVAL;
	/* RFC 4303 2.7: only where the length of what is padded can be read from it. */
	if (config->tfc_pad > 0 && config->mode == NATMUX_SA_TRANSPORT)
		return NATMUX_EINVAL;
	/* Out to nowhere; in from anywhere is fine. */
	if (config->direction == NATMUX_SA_OUT &&
		(path->remote.family == NATMUX_FAMILY_NONE || path->remote.port == 0))
		return NATMUX_EINVAL;
	if (path->local.family != path->remote.family && path->local.family != NATMUX_FAMILY_NONE &&
		path->remote.family != NATMUX_FAMILY_NONE)
		return NATMUX_EINVAL;
	for (size_t i = 0; i < config->selectors_len; i++)
		if (!nm_selector_is_valid(&config->selectors[i]))
			return NATMUX_EINVAL;
	return 0;
}

static int make_selectors(struct nm_sa *sa, const struct natmux_sa_config *config)
{
	if (config->selectors_len == 0)
		return 0;
	sa->selectors = calloc(config->selectors_len, sizeof(*sa->selectors));
	if (!sa->selectors)
		return NATMUX_ENOMEM;
	memcpy(sa->selectors, config->selectors, config->selectors_len * sizeof(*sa->selectors));
	sa->selectors_len = config->selectors_len;
	return 0;
}

static int make_numbers(
	struct nm_sa *sa, const struct natmux_sa_config *config, struct nm_sequence *sequence)
{
	uint64_t *ring = NULL;

	if (config->direction == NATMUX_SA_OUT) {
		sa->sequence = sequence ? nm_sequence_ref(sequence)
					: nm_sequence_new(config->sequence, config->has_esn);
		return sa->sequence ? 0 : NATMUX_ENOMEM;
	}
	if (config->replay_window > 0) {
		ring = malloc(nm_replay_bytes(config->replay_window));
		if (!ring)
			return NATMUX_ENOMEM;
	}
	nm_replay_init(&sa->replay, config->replay_window, config->has_esn,
		config->replay ? 0 : config->sequence, ring);
	if (config->replay)
		nm_replay_join(&sa->replay, config->replay);
	return 0;
}

static int make_key(
	struct nm_sa *sa, const struct natmux_sa_config *config, struct nm_secret_pool *keys)
{
	int err;

	sa->keys = keys;
	sa->key_bytes = (uint16_t)sa->engine->key_size(config->suite);
	sa->key = nm_secret_take(keys);
	if (!sa->key)
		return NATMUX_ENOMEM;
	err = sa->engine->key_init(sa->key, config->suite, config->has_esn, config->key);
	if (err < 0) {
		sa->engine->key_done(sa->key);
		nm_secret_give(keys, sa->key);
		sa->key = NULL;
	}
	return err;
}

static void set_fields(struct nm_sa *sa, const struct natmux_sa_config *config, uint64_t now_ms)
{
	const struct natmux_suite_info *info = natmux_suite_get(config->suite);

	sa->spi = config->spi;
	sa->iv_len = info->iv_len;
	sa->icv_len = info->icv_len;
	sa->align = info->align;
	sa->suite = (uint8_t)config->suite;
	sa->direction = (uint8_t)config->direction;
	sa->mode = (uint8_t)config->mode;
	sa->has_esn = config->has_esn;
	sa->tfc_pad = sa->tfc_wish = config->tfc_pad;
	sa->too_big = (uint8_t)config->too_big;
	sa->dummy_seconds = config->dummy_seconds;
	sa->no_resync = config->no_resync;
	sa->path = config->path;
	sa->path_sequence = config->sequence;
	sa->roam = (uint8_t)config->roam;
	sa->df = (uint8_t)config->df;
	sa->dscp = config->dscp;
	sa->no_ecn = config->no_ecn;
	sa->reqid = config->reqid;
	sa->soft = config->soft;
	sa->hard = config->hard;
	sa->added_ms = now_ms;
}

int nm_sa_new(const struct natmux_sa_config *config, const struct nm_engine *engine,
	struct nm_secret_pool *keys, struct nm_sequence *sequence, uint64_t now_ms,
	struct nm_sa **result)
{
	struct nm_sa *sa;
	int err = nm_sa_check(config);

	if (err < 0)
		return err;
	if (!engine)
		return NATMUX_EUNSUPPORTED;
	sa = calloc(1, sizeof(*sa));
	if (!sa)
		return NATMUX_ENOMEM;
	sa->engine = engine;
	sa->usage = &sa->own_usage;
	set_fields(sa, config, now_ms);
	err = make_selectors(sa, config);
	if (err == 0)
		err = make_numbers(sa, config, sequence);
	if (err == 0)
		err = make_key(sa, config, keys);
	if (err < 0) {
		nm_sa_free(sa);
		return err;
	}
	*result = sa;
	return 0;
}

void nm_sa_free(struct nm_sa *sa)
{
	if (!sa)
		return;
	if (sa->key) {
		sa->engine->key_done(sa->key);
		nm_secret_give(sa->keys, sa->key);
	}
	nm_secret_give(sa->keymats, sa->keymat);
	nm_sequence_unref(sa->sequence);
	free(sa->replay.ring);
	free(sa->selectors);
	free(sa);
}

uint32_t nm_sa_sealed_len(const struct nm_sa *sa, uint32_t len)
{
	return NM_ESP_HEADER + sa->iv_len + nm_sa_text_len(sa, len) + sa->icv_len;
}

uint32_t nm_sa_inner_max(const struct nm_sa *sa, uint32_t len)
{
	uint32_t overhead = NM_ESP_HEADER + sa->iv_len + sa->icv_len;

	if (len < overhead + sa->align)
		return 0;
	return (len - overhead) / sa->align * sa->align - NM_ESP_TRAILER;
}
