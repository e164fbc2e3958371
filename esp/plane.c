/* SPDX-License-Identifier: Apache-2.0 */
/* The plane's life, its clock, and what becomes of an SA that comes into it. */
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
	if (err == 0)
		err = nm_spd_init(&esp->spd, esp->config.policies_max, key);
	if (err < 0 || !esp->config.keeps_keys)
		return err;
	esp->keymats = nm_secret_pool_new(NATMUX_SUITE_KEY_MAX);
	return esp->keymats ? 0 : NATMUX_ENOMEM;
}

/* One more of a group. Its tables are as large as the leader's: all SAs may be in one plane. */
static int join_group(struct natmux_esp *esp, struct natmux_esp *leader)
{
	if (leader->leader != leader || leader->sas_n > 0 || leader->spd.count > 0)
		return NATMUX_EINVAL;
	if (leader->group_len == NATMUX_ESP_GROUP_MAX)
		return NATMUX_EFULL;
	esp->config.sas_max = leader->config.sas_max;
	esp->config.policies_max = leader->config.policies_max;
	esp->config.keeps_keys = leader->config.keeps_keys;
	esp->config.keepalive_ms = 0;
	esp->engines = leader->engines;
	leader->group[leader->group_len++] = esp;
	esp->leader = leader;
	return 0;
}

static void begin_group(struct natmux_esp *esp)
{
	nm_engine_choose(&esp->engines, esp->config.engine, engine_failed, esp);
	esp->leader = esp->group[0] = esp;
	esp->group_len = 1;
}

/* A plane that is in none yet has no leader. */
static void leave_group(struct natmux_esp *esp)
{
	struct natmux_esp *leader = esp->leader;

	for (uint32_t i = 1; leader && leader != esp && i < leader->group_len; i++)
		if (leader->group[i] == esp)
			leader->group[i] = leader->group[--leader->group_len];
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
	esp->expiry_ms = esp->keepalive_ms = esp->dummy_ms = esp->mtu_ms = UINT64_MAX;
	if (config->leader)
		err = join_group(esp, config->leader);
	else
		begin_group(esp);
	if (err == 0)
		err = make_tables(esp);
	if (err < 0) {
		natmux_esp_free(esp);
		return err;
	}
	nm_iv_source_init(&esp->ivs, &config->random);
	nm_coalesce_init(&esp->coalesce, &port);
	*result = esp;
	return 0;
}

NM_EXPORT void natmux_esp_free(struct natmux_esp *esp)
{
	if (!esp)
		return;
	leave_group(esp);
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

int nm_plane_make_sa(struct natmux_esp *esp, uint64_t now_ms, const struct natmux_sa_config *config,
	struct nm_sa *of, struct nm_sa **result)
{
	const struct natmux_random *random = &esp->config.random;
	struct nm_secret_pool *pool = pool_of(esp, config->suite);
	struct nm_sa *sa;
	int err;

	if (!pool)
		return NATMUX_ENOMEM;
	err = nm_sa_new(config, esp->engines.of[config->suite], pool, of ? of->sequence : NULL,
		now_ms, &sa);
	if (err < 0)
		return err;
	if (esp->keymats)
		err = nm_sa_keep_key(sa, config, esp->keymats);
	if (err < 0) {
		nm_sa_free(sa);
		return err;
	}
	nm_sa_mark_key(sa, config, esp->sad.key);
	if (of)
		sa->usage = of->usage;
	else if (sa->sequence)
		random->fill(random->user, &sa->sequence->iv_base, sizeof(sa->sequence->iv_base));
	*result = sa;
	return 0;
}

/* Told once: there may be very many SAs. */
static void look_at_memory(struct natmux_esp *leader, const struct nm_sa *sa)
{
	if (leader->is_swap_told || nm_secret_is_locked(sa->keys))
		return;
	leader->is_swap_told = true;
	nm_log(&leader->config.log, NATMUX_LOG_WARNING,
		"keys are in memory that may be swapped: raise RLIMIT_MEMLOCK");
}

int nm_plane_take_sa(
	struct natmux_esp *esp, uint64_t now_ms, struct nm_sa *sa, const struct natmux_addr *place)
{
	int err = nm_sad_add(&esp->sad, sa);

	if (err < 0)
		return err;
	esp->changes++;
	sa->path.remote = *place;
	sa->kept_ms = now_ms;
	if (nm_plane_is_copy(esp, sa))
		return 0;
	look_at_lifetimes(esp, sa);
	if (sa->direction == NATMUX_SA_OUT && esp->config.keepalive_ms > 0 &&
		now_ms + esp->config.keepalive_ms < esp->keepalive_ms)
		esp->keepalive_ms = now_ms + esp->config.keepalive_ms;
	if (sa->dummy_seconds > 0)
		esp->dummy_ms = now_ms;
	look_at_memory(esp->leader, sa);
	return 0;
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

	at_ms = at_ms < esp->dummy_ms ? at_ms : esp->dummy_ms;
	return at_ms < esp->mtu_ms ? at_ms : esp->mtu_ms;
}

NM_EXPORT void natmux_esp_timeout(struct natmux_esp *esp, uint64_t now_ms)
{
	esp->holds++;
	if (now_ms >= esp->expiry_ms)
		esp->expiry_ms = nm_lifetime_expire(esp, now_ms);
	if (now_ms >= esp->keepalive_ms)
		esp->keepalive_ms = nm_plane_keepalives(esp, now_ms);
	if (now_ms >= esp->dummy_ms)
		esp->dummy_ms = nm_plane_dummies(esp, now_ms);
	if (now_ms >= esp->mtu_ms)
		esp->mtu_ms = nm_path_mtu_expire(esp, now_ms);
	esp->holds--;
}
