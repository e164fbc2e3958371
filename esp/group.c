/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SAs and policies as their owner sees them, of one plane or of the planes of all workers: which plane
 * has what, and that a change is made in all of them or in none. What one plane does with an SA that
 * comes into it is plane.c's.
 */
#include <natmux/error.h>

#include "base/export.h"
#include "esp/plane.h"

NM_EXPORT uint32_t natmux_esp_home(const struct natmux_esp *esp, uint32_t spi)
{
	return spi % esp->leader->group_len;
}

NM_EXPORT int natmux_esp_sa_check(
	const struct natmux_esp *esp, const struct natmux_sa_config *config)
{
	int err = nm_sa_check(config);

	if (err < 0)
		return err;
	return esp->engines.of[config->suite] ? 0 : NATMUX_EUNSUPPORTED;
}

/* The planes that have an SA: one, or all with the leader first. Returns how many. */
static uint32_t planes_of(struct natmux_esp *esp, enum natmux_sa_direction direction, uint32_t spi,
	struct natmux_esp ***planes)
{
	*planes = direction == NATMUX_SA_IN ? &esp->group[natmux_esp_home(esp, spi)] : esp->group;
	return direction == NATMUX_SA_IN ? 1 : esp->group_len;
}

/* The SA that a new one is about to replace, or NULL. */
static struct nm_sa *find_before(struct natmux_esp *plane, const struct natmux_sa_config *config)
{
	return config->direction == NATMUX_SA_IN
		       ? nm_sad_find(&plane->sad, config->spi)
		       : nm_sad_find_out(&plane->sad, config->spi, &config->path.remote);
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

/* Whether somebody is being called who was not to change SAs: one plane's are in all of a group. */
static bool is_held(const struct natmux_esp *esp)
{
	for (uint32_t i = 0; i < esp->group_len; i++)
		if (esp->group[i]->holds > 0)
			return true;
	return false;
}

static void free_sas(struct nm_sa *const *sas, uint32_t n)
{
	while (n > 0)
		nm_sa_free(sas[--n]);
}

/* The SA and its copies, none of them in a plane yet. */
static int make_sas(struct natmux_esp *const *planes, uint32_t n, uint64_t now_ms,
	const struct natmux_sa_config *config, struct nm_sa *before, struct natmux_addr *place,
	struct nm_sa **sas)
{
	int err = nm_plane_make_sa(planes[0], now_ms, config, NULL, &sas[0]);

	if (err < 0)
		return err;
	for (uint32_t i = 0; i < n; i++) {
		/* Before there are copies, which have the counter that it goes on with. */
		if (i == 0 && before)
			nm_sa_succeed(sas[0], before, place);
		else if (i > 0)
			err = nm_plane_make_sa(planes[i], now_ms, config, sas[0], &sas[i]);
		if (err < 0) {
			free_sas(sas, i);
			return err;
		}
	}
	return 0;
}

NM_EXPORT int natmux_esp_sa_add(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_sa_config *config)
{
	struct nm_sa *sas[NATMUX_ESP_GROUP_MAX], *before;
	struct natmux_addr place;
	struct natmux_esp **planes;
	uint32_t n;
	int err = natmux_esp_sa_check(esp, config);

	if (err < 0)
		return err;
	if (is_held(esp))
		return NATMUX_EBUSY;
	place = place_of(esp, config);
	n = planes_of(esp, config->direction, config->spi, &planes);
	before = find_before(planes[0], config);
	if (!before && esp->sas_n == esp->config.sas_max)
		return NATMUX_EFULL;
	err = make_sas(planes, n, now_ms, config, before, &place, sas);
	if (err < 0)
		return err;
	esp->sas_n += !before;
	/* There is room in each plane. Copies go before what they are copies of. */
	while (n-- > 0)
		nm_plane_take_sa(planes[n], now_ms, sas[n], &place);
	return 0;
}

NM_EXPORT int natmux_esp_sa_delete(struct natmux_esp *esp, enum natmux_sa_direction direction,
	uint32_t spi, const struct natmux_addr *remote)
{
	struct natmux_esp **planes;
	uint32_t n = planes_of(esp, direction, spi, &planes);
	int err = NATMUX_ENOTFOUND;

	if (direction == NATMUX_SA_OUT && !remote)
		return NATMUX_EINVAL;
	if (is_held(esp))
		return NATMUX_EBUSY;
	while (n-- > 0) {
		planes[n]->changes++;
		err = nm_sad_delete(&planes[n]->sad, direction, spi, remote);
	}
	esp->sas_n -= err == 0;
	return err;
}

struct each_sa {
	const struct natmux_esp *plane;
	void (*each)(void *user, const struct natmux_sa_info *info);
	void *user;
};

/* What went out by any of the workers. */
static struct natmux_sa_counters sum_of(const struct natmux_esp *plane, const struct nm_sa *sa)
{
	struct natmux_sa_counters sum = sa->counters;

	for (uint32_t i = 1; sa->direction == NATMUX_SA_OUT && i < plane->group_len; i++) {
		const struct nm_sa *copy =
			nm_sad_find_out(&plane->group[i]->sad, sa->spi, &sa->filed_remote);

		if (!copy)
			continue;
		sum.packets += copy->counters.packets;
		sum.bytes += copy->counters.bytes;
		sum.exhausted += copy->counters.exhausted;
		sum.dummy += copy->counters.dummy;
	}
	return sum;
}

static void show_sa(void *user, struct nm_sa *sa)
{
	struct each_sa *context = user;
	struct natmux_replay_state replay;
	struct natmux_sa_info info = {
		.direction = sa->direction,
		.mode = sa->mode,
		.spi = sa->spi,
		.reqid = sa->reqid,
		.suite = sa->suite,
		.engine = sa->engine->name,
		.path = sa->path,
		.has_esn = sa->has_esn,
		.is_dead = nm_usage_is_dead(sa->usage),
		.replay_window = sa->replay.size,
		.sequence = sa->sequence ? nm_sequence_last(sa->sequence) : sa->replay.top,
		.added_ms = sa->added_ms,
		.used_ms = nm_usage_last_ms(sa->usage),
		.soft = sa->soft,
		.hard = sa->hard,
		.added_remote = sa->filed_remote,
		.roam = (enum natmux_roam)sa->roam,
		.df = (enum natmux_df)sa->df,
		.dscp = sa->dscp,
		.no_ecn = sa->no_ecn,
		.too_big = (enum natmux_too_big)sa->too_big,
		.tfc_pad = sa->tfc_wish,
		.dummy_seconds = sa->dummy_seconds,
		.no_resync = sa->no_resync,
		.path_mtu = sa->sequence ? nm_path_mtu(context->plane, sa, 0) : 0,
		.selectors = sa->selectors,
		.selectors_len = sa->selectors_len,
		.key = sa->keymat,
		.key_len = sa->keymat ? natmux_suite_key_len(sa->suite) : 0,
	};

	if (nm_plane_is_copy(context->plane, sa))
		return;
	info.counters = sum_of(context->plane, sa);
	if (sa->direction == NATMUX_SA_IN) {
		nm_replay_save(&sa->replay, &replay);
		info.replay = &replay;
	}
	context->each(context->user, &info);
}

NM_EXPORT void natmux_esp_sas(const struct natmux_esp *esp,
	void (*each)(void *user, const struct natmux_sa_info *info), void *user)
{
	for (uint32_t i = 0; i < esp->group_len; i++) {
		struct natmux_esp *plane = esp->group[i];
		struct each_sa context = {plane, each, user};

		plane->holds++;
		nm_sad_each(&plane->sad, show_sa, &context);
		plane->holds--;
	}
}

/* Where the plane sends an SA that saw its peer move last. */
static void follow(struct natmux_esp *esp, struct nm_sa *sa)
{
	struct nm_sa *copies[NATMUX_ESP_GROUP_MAX], *newest = sa;
	uint32_t n = 0;

	for (uint32_t i = 0; i < esp->group_len; i++) {
		struct nm_sa *copy =
			nm_sad_find_out(&esp->group[i]->sad, sa->spi, &sa->filed_remote);

		if (copy)
			copies[n++] = copy;
		if (copy && copy->path_ms > newest->path_ms)
			newest = copy;
	}
	for (uint32_t i = 0; i < n; i++) {
		copies[i]->path = newest->path;
		copies[i]->path_ms = newest->path_ms;
	}
}

static void follow_one(void *user, struct nm_sa *sa)
{
	if (sa->direction == NATMUX_SA_OUT)
		follow(user, sa);
}

NM_EXPORT void natmux_esp_follow(struct natmux_esp *esp, uint32_t reqid)
{
	struct nm_sa *sa = reqid > 0 ? nm_sad_find_reqid(&esp->sad, reqid) : NULL;

	if (reqid == 0)
		nm_sad_each(&esp->sad, follow_one, esp);
	else if (sa)
		follow(esp, sa);
}

/* The tables are alike: what the leader's takes, the others take. */
NM_EXPORT int natmux_esp_policy_add(struct natmux_esp *esp, const struct natmux_policy *policy)
{
	int err = 0;

	for (uint32_t i = 0; i < esp->group_len && err == 0; i++) {
		esp->group[i]->changes++;
		err = nm_spd_add(&esp->group[i]->spd, policy);
	}
	return err;
}

NM_EXPORT int natmux_esp_policy_delete(struct natmux_esp *esp, const struct natmux_policy *policy)
{
	int err = NATMUX_ENOTFOUND;

	for (uint32_t i = esp->group_len; i-- > 0;) {
		esp->group[i]->changes++;
		err = nm_spd_delete(&esp->group[i]->spd, policy);
	}
	return err;
}

NM_EXPORT void natmux_esp_policies(const struct natmux_esp *esp,
	void (*each)(void *user, const struct natmux_policy *policy), void *user)
{
	nm_spd_each(&esp->spd, each, user);
}
