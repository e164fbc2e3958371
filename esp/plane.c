/* SPDX-License-Identifier: Apache-2.0 */
/* The plane's life, and its SAs and policies as the owner sees them. */
#include "esp/plane.h"

#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "base/export.h"
#include "base/log.h"

enum { SAS_MAX = 1048576, POLICIES_MAX = 65536, MTU_MIN = 576 };

NM_EXPORT void natmux_esp_config_defaults(struct natmux_esp_config *config, size_t size)
{
	const struct natmux_esp_config defaults = {
		.size = size,
		.sas_max = 1024,
		.policies_max = 1024,
		.path_mtu = 1500,
	};

	memcpy(config, &defaults, size < sizeof(defaults) ? size : sizeof(defaults));
}

static int check(const struct natmux_esp_config *config)
{
	if (config->size != sizeof(*config) || !config->send || !config->deliver ||
		!config->random.fill)
		return NATMUX_EINVAL;
	if (config->sas_max < 1 || config->sas_max > SAS_MAX || config->policies_max < 1 ||
		config->policies_max > POLICIES_MAX || config->path_mtu < MTU_MIN)
		return NATMUX_ERANGE;
	return 0;
}

static void engine_failed(void *user, const struct nm_engine *engine, enum natmux_suite suite)
{
	const struct natmux_esp *esp = user;

	nm_log(&esp->config.log, NATMUX_LOG_ERROR,
		"engine %s gives wrong answers for %s: it is not used", engine->name,
		natmux_suite_get(suite)->name);
}

static int make_tables(struct natmux_esp *esp)
{
	uint8_t key[16];
	int err;

	esp->config.random.fill(esp->config.random.user, key, sizeof(key));
	err = nm_sad_init(&esp->sad, esp->config.sas_max, key);
	return err < 0 ? err : nm_spd_init(&esp->spd, esp->config.policies_max, key);
}

NM_EXPORT int natmux_esp_new(const struct natmux_esp_config *config, struct natmux_esp **result)
{
	struct nm_coalesce_port port = {
		.deliver = config->deliver,
		.user = config->user,
		.has_tcp = config->can_tcp,
		.has_udp = config->can_udp,
	};
	struct natmux_esp *esp;
	int err = check(config);

	if (err < 0)
		return err;
	/* calloc: the output buffer costs no memory before it is used. */
	esp = calloc(1, sizeof(*esp));
	if (!esp)
		return NATMUX_ENOMEM;
	esp->config = *config;
	esp->changes = 1;
	esp->expiry_ms = esp->keepalive_ms = esp->dummy_ms = UINT64_MAX;
	err = make_tables(esp);
	if (err == 0 && config->keeps_keys) {
		esp->keymats = nm_secret_pool_new(NATMUX_SUITE_KEY_MAX);
		err = esp->keymats ? 0 : NATMUX_ENOMEM;
	}
	if (err < 0) {
		natmux_esp_free(esp);
		return err;
	}
	nm_iv_source_init(&esp->ivs, &config->random);
	nm_coalesce_init(&esp->coalesce, &port);
	nm_engine_choose(&esp->engines, config->engine, engine_failed, esp);
	*result = esp;
	return 0;
}

NM_EXPORT void natmux_esp_free(struct natmux_esp *esp)
{
	if (!esp)
		return;
	nm_sad_done(&esp->sad);
	nm_spd_done(&esp->spd);
	nm_iv_source_done(&esp->ivs);
	for (unsigned int i = 0; i < NATMUX_SUITE_COUNT; i++)
		nm_secret_pool_free(esp->keys[i]);
	nm_secret_pool_free(esp->keymats);
	free(esp);
}

/* The pool of a suite's keys, all of one size. */
static struct nm_secret_pool *pool_of(struct natmux_esp *esp, enum natmux_suite suite)
{
	const struct nm_engine *engine = esp->engines.of[suite];

	if (!esp->keys[suite])
		esp->keys[suite] = nm_secret_pool_new(engine->key_size(suite));
	return esp->keys[suite];
}

static void look_at_lifetimes(struct natmux_esp *esp, const struct nm_sa *sa)
{
	uint32_t seconds = sa->soft.seconds ? sa->soft.seconds : sa->hard.seconds;
	uint64_t at_ms = sa->added_ms + UINT64_C(1000) * seconds;

	if (sa->hard.seconds > 0 && sa->hard.seconds < seconds)
		at_ms = sa->added_ms + UINT64_C(1000) * sa->hard.seconds;
	if (seconds > 0 && at_ms < esp->expiry_ms)
		esp->expiry_ms = at_ms;
}

NM_EXPORT int natmux_esp_sa_check(
	const struct natmux_esp *esp, const struct natmux_sa_config *config)
{
	int err = nm_sa_check(config);

	if (err < 0)
		return err;
	return esp->engines.of[config->suite] ? 0 : NATMUX_EUNSUPPORTED;
}

static int make_sa(struct natmux_esp *esp, uint64_t now_ms, const struct natmux_sa_config *config,
	struct nm_secret_pool *pool, struct nm_sa **result)
{
	const struct natmux_random *random = &esp->config.random;
	struct nm_sa *sa;
	int err = nm_sa_new(config, esp->engines.of[config->suite], pool, NULL, now_ms, &sa);

	if (err < 0)
		return err;
	if (esp->keymats)
		err = nm_sa_keep_key(sa, config, esp->keymats);
	if (err < 0) {
		nm_sa_free(sa);
		return err;
	}
	nm_sa_mark_key(sa, config, esp->sad.key);
	if (sa->sequence)
		random->fill(random->user, &sa->sequence->iv_base, sizeof(sa->sequence->iv_base));
	*result = sa;
	return 0;
}

/* The SA that this one is about to replace, or NULL. */
static struct nm_sa *find_before(struct natmux_esp *esp, const struct nm_sa *sa)
{
	return sa->direction == NATMUX_SA_IN
		       ? nm_sad_find(&esp->sad, sa->spi)
		       : nm_sad_find_out(&esp->sad, sa->spi, &sa->path.remote);
}

/*
 * Where the peer of a new SA is: a NAT may have put it elsewhere than configured, and the outbound SA
 * before this one knows. RFC 7296 2.23: the address of the last authentic packet counts.
 */
static struct natmux_addr place_of(
	const struct natmux_esp *esp, const struct natmux_sa_config *config)
{
	const struct nm_sa *before = NULL;

	if (config->direction == NATMUX_SA_OUT && config->reqid > 0)
		before = nm_sad_find_reqid(&esp->sad, config->reqid);
	if (before && natmux_addr_equal(&before->filed_remote, &config->path.remote))
		return before->path.remote;
	return config->path.remote;
}

NM_EXPORT int natmux_esp_sa_add(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_sa_config *config)
{
	struct natmux_addr place = place_of(esp, config);
	struct nm_secret_pool *pool;
	struct nm_sa *sa, *before;
	int err = natmux_esp_sa_check(esp, config);

	if (err < 0)
		return err;
	pool = pool_of(esp, config->suite);
	if (!pool)
		return NATMUX_ENOMEM;
	err = make_sa(esp, now_ms, config, pool, &sa);
	if (err < 0)
		return err;
	before = find_before(esp, sa);
	if (before)
		nm_sa_succeed(sa, before, &place);
	esp->changes++;
	err = nm_sad_add(&esp->sad, sa);
	if (err < 0) {
		nm_sa_free(sa);
		return err;
	}
	sa->path.remote = place;
	look_at_lifetimes(esp, sa);
	sa->kept_ms = now_ms;
	if (config->direction == NATMUX_SA_OUT && esp->config.keepalive_ms > 0 &&
		now_ms + esp->config.keepalive_ms < esp->keepalive_ms)
		esp->keepalive_ms = now_ms + esp->config.keepalive_ms;
	if (sa->dummy_seconds > 0)
		esp->dummy_ms = now_ms;
	if (!nm_secret_is_locked(pool))
		nm_log(&esp->config.log, NATMUX_LOG_WARNING,
			"keys are in memory that may be swapped: raise RLIMIT_MEMLOCK");
	return 0;
}

NM_EXPORT int natmux_esp_sa_delete(struct natmux_esp *esp, enum natmux_sa_direction direction,
	uint32_t spi, const struct natmux_addr *remote)
{
	if (direction == NATMUX_SA_OUT && !remote)
		return NATMUX_EINVAL;
	esp->changes++;
	return nm_sad_delete(&esp->sad, direction, spi, remote);
}

struct each_sa {
	const struct natmux_esp *esp;
	void (*each)(void *user, const struct natmux_sa_info *info);
	void *user;
};

static void show_sa(void *user, struct nm_sa *sa)
{
	struct each_sa *context = user;
	struct natmux_sa_info info = {
		.direction = sa->direction,
		.mode = sa->mode,
		.spi = sa->spi,
		.reqid = sa->reqid,
		.suite = sa->suite,
		.engine = sa->engine->name,
		.path = sa->path,
		.has_esn = sa->has_esn,
		.is_dead = sa->is_dead,
		.replay_window = sa->replay.size,
		.sequence = sa->sequence ? nm_sequence_last(sa->sequence) : sa->replay.top,
		.added_ms = sa->added_ms,
		.used_ms = sa->used_ms,
		.soft = sa->soft,
		.hard = sa->hard,
		.counters = sa->counters,
		.added_remote = sa->filed_remote,
		.roam = (enum natmux_roam)sa->roam,
		.df = (enum natmux_df)sa->df,
		.dscp = sa->dscp,
		.no_ecn = sa->no_ecn,
		.too_big = (enum natmux_too_big)sa->too_big,
		.tfc_pad = sa->tfc_wish,
		.dummy_seconds = sa->dummy_seconds,
		.no_resync = sa->no_resync,
		.path_mtu = sa->sequence ? nm_path_mtu(context->esp, sa, 0) : 0,
		.selectors = sa->selectors,
		.selectors_len = sa->selectors_len,
		.key = sa->keymat,
		.key_len = sa->keymat ? natmux_suite_key_len(sa->suite) : 0,
	};

	context->each(context->user, &info);
}

NM_EXPORT void natmux_esp_sas(const struct natmux_esp *esp,
	void (*each)(void *user, const struct natmux_sa_info *info), void *user)
{
	struct each_sa context = {esp, each, user};

	nm_sad_each(&esp->sad, show_sa, &context);
}

NM_EXPORT int natmux_esp_policy_add(struct natmux_esp *esp, const struct natmux_policy *policy)
{
	esp->changes++;
	return nm_spd_add(&esp->spd, policy);
}

NM_EXPORT int natmux_esp_policy_delete(struct natmux_esp *esp, const struct natmux_policy *policy)
{
	esp->changes++;
	return nm_spd_delete(&esp->spd, policy);
}

NM_EXPORT void natmux_esp_policies(const struct natmux_esp *esp,
	void (*each)(void *user, const struct natmux_policy *policy), void *user)
{
	nm_spd_each(&esp->spd, each, user);
}

NM_EXPORT void natmux_esp_set_offloads(struct natmux_esp *esp, bool can_tcp, bool can_udp)
{
	nm_coalesce_flush(&esp->coalesce);
	esp->coalesce.port.has_tcp = can_tcp;
	esp->coalesce.port.has_udp = can_udp;
}

NM_EXPORT void natmux_esp_set_keepalive(
	struct natmux_esp *esp, uint64_t now_ms, uint32_t keepalive_ms)
{
	esp->config.keepalive_ms = keepalive_ms;
	esp->keepalive_ms = keepalive_ms > 0 ? now_ms : UINT64_MAX;
}

NM_EXPORT uint64_t natmux_esp_next_deadline(const struct natmux_esp *esp)
{
	uint64_t at_ms = esp->expiry_ms < esp->keepalive_ms ? esp->expiry_ms : esp->keepalive_ms;

	return at_ms < esp->dummy_ms ? at_ms : esp->dummy_ms;
}

NM_EXPORT void natmux_esp_timeout(struct natmux_esp *esp, uint64_t now_ms)
{
	if (now_ms >= esp->expiry_ms)
		esp->expiry_ms = nm_lifetime_expire(esp, now_ms);
	if (now_ms >= esp->keepalive_ms)
		esp->keepalive_ms = nm_plane_keepalives(esp, now_ms);
	if (now_ms >= esp->dummy_ms)
		esp->dummy_ms = nm_plane_dummies(esp, now_ms);
}
