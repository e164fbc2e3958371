/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First all is read, then all is added to the new plane, SAs before the policies that send through
 * them, then all is taken from the old one. Keys are in locked memory in between.
 */
#include "daemon/planes/sa_plane_move.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "base/secret.h"

enum { SELECTORS_MAX = 16 /* of one SA (daemon/config/config.h) */ };

/* An SA on its way. */
struct luggage {
	struct luggage *next;
	struct nm_sa_order order; /* its pointers lead into this struct */
	struct natmux_selector selectors[SELECTORS_MAX];
	uint8_t key[NATMUX_SUITE_KEY_MAX];
	/* Its identity in the old plane. */
	struct natmux_addr added_remote;
	bool is_added;
};

struct removal {
	const struct nm_sa_plane *from, *to;
	uint64_t now_ms;
	struct nm_secret_pool *pool;
	struct luggage *first, **last;
	struct nm_policy_order *policies;
	size_t policies_len, policies_room, policies_added;
	struct nm_sa_plane_moved moved;
	int err;
	char *why; /* NM_SA_PLANE_WHY bytes */
};

static uint64_t rest(uint64_t limit, uint64_t used)
{
	if (limit == 0)
		return 0;
	return limit > used ? limit - used : 1;
}

/* Limits are limits of the key: what was used of them stays used. */
static struct natmux_lifetime rest_of(
	const struct natmux_lifetime *limit, const struct natmux_sa_info *info, uint64_t now_ms)
{
	uint64_t age_ms = now_ms > info->added_ms ? now_ms - info->added_ms : 0;

	return (struct natmux_lifetime){
		.bytes = rest(limit->bytes, info->counters.bytes),
		.packets = rest(limit->packets, info->counters.packets),
		.seconds = (uint32_t)rest(limit->seconds, age_ms / 1000),
	};
}

static void fill(struct luggage *luggage, const struct nm_sa_seen *sa, uint64_t now_ms)
{
	const struct natmux_sa_info *info = sa->info;
	struct natmux_sa_config *config = &luggage->order.config;

	natmux_sa_config_init(config);
	config->direction = info->direction;
	config->mode = info->mode;
	config->spi = info->spi;
	config->suite = info->suite;
	memcpy(luggage->key, info->key, info->key_len);
	config->key = luggage->key;
	config->key_len = info->key_len;
	config->has_esn = info->has_esn;
	config->replay_window = info->replay_window;
	config->path = info->path;
	config->roam = info->roam;
	config->reqid = info->reqid;
	config->soft = rest_of(&info->soft, info, now_ms);
	config->hard = rest_of(&info->hard, info, now_ms);
	config->sequence = info->sequence;
	if (info->direction == NATMUX_SA_OUT)
		config->sequence += NM_SA_PLANE_MOVE_MARGIN;
	config->df = info->df;
	config->dscp = info->dscp;
	config->no_ecn = info->no_ecn;
	config->too_big = info->too_big;
	config->tfc_pad = info->tfc_pad;
	config->selectors_len = info->selectors_len;
	if (info->selectors_len > 0)
		memcpy(luggage->selectors, info->selectors,
			info->selectors_len * sizeof(*info->selectors));
	config->selectors = luggage->selectors;
	luggage->order.kernel = *sa->kernel;
	luggage->added_remote = info->added_remote;
}

static int refuse(struct removal *removal, uint32_t spi, int err, const char *why)
{
	char said[NM_SA_PLANE_WHY];

	snprintf(said, sizeof(said), "%s", why);
	snprintf(removal->why, NM_SA_PLANE_WHY, "SA 0x%08" PRIx32 ": %.200s", spi, said);
	removal->err = err;
	return err;
}

static const char *find_problem(const struct natmux_sa_info *info)
{
	if (info->key_len == 0 || !info->key)
		return "its key cannot be had";
	if (info->selectors_len > SELECTORS_MAX)
		return "it has more selectors than natmux.conf can say";
	if (info->direction == NATMUX_SA_OUT && !info->has_esn &&
		info->sequence > UINT32_MAX - NM_SA_PLANE_MOVE_MARGIN)
		return "it has too few numbers left: it wants a new key";
	return NULL;
}

static void pack(void *user, const struct nm_sa_seen *sa)
{
	struct removal *removal = user;
	const char *problem = find_problem(sa->info);
	struct luggage *luggage;

	if (removal->err < 0 || sa->info->is_dead)
		return;
	if (problem) {
		refuse(removal, sa->info->spi, NATMUX_EINVAL, problem);
		return;
	}
	luggage = nm_secret_take(removal->pool);
	if (!luggage) {
		removal->err = NATMUX_ENOMEM;
		return;
	}
	fill(luggage, sa, removal->now_ms);
	*removal->last = luggage;
	removal->last = &luggage->next;
}

static void pack_policy(void *user, const struct nm_policy_order *policy)
{
	struct removal *removal = user;

	if (removal->err < 0)
		return;
	if (removal->policies_len == removal->policies_room) {
		size_t room = removal->policies_room > 0 ? 2 * removal->policies_room : 16;
		void *list = reallocarray(removal->policies, room, sizeof(*removal->policies));

		if (!list) {
			removal->err = NATMUX_ENOMEM;
			return;
		}
		removal->policies = list;
		removal->policies_room = room;
	}
	removal->policies[removal->policies_len++] = *policy;
}

/* Nothing of the old plane's has to be known any more. */
static int add_all(struct removal *removal)
{
	char why[NM_SA_PLANE_WHY];
	int err;

	for (struct luggage *sa = removal->first; sa; sa = sa->next) {
		err = nm_sa_plane_add(removal->to, &sa->order, why);
		if (err < 0)
			return refuse(removal, sa->order.config.spi, err, why);
		sa->is_added = true;
		removal->moved.sas++;
	}
	for (size_t i = 0; i < removal->policies_len; i++) {
		err = nm_sa_plane_policy_add(removal->to, &removal->policies[i], why);
		if (err < 0) {
			snprintf(removal->why, NM_SA_PLANE_WHY, "%s", why);
			return err;
		}
		removal->policies_added++;
		removal->moved.policies++;
	}
	return 0;
}

static void undo(struct removal *removal)
{
	char ignored[NM_SA_PLANE_WHY];

	while (removal->policies_added > 0)
		nm_sa_plane_policy_delete(
			removal->to, &removal->policies[--removal->policies_added], ignored);
	for (struct luggage *sa = removal->first; sa; sa = sa->next)
		if (sa->is_added)
			nm_sa_plane_delete(removal->to, sa->order.config.direction,
				sa->order.config.spi, &sa->order.config.path.remote);
}

/* Policies first: what is sent goes through the new plane from here on. */
static void delete_old(struct removal *removal)
{
	char ignored[NM_SA_PLANE_WHY];

	for (size_t i = 0; i < removal->policies_len; i++)
		nm_sa_plane_policy_delete(removal->from, &removal->policies[i], ignored);
	for (struct luggage *sa = removal->first; sa; sa = sa->next)
		nm_sa_plane_delete(removal->from, sa->order.config.direction, sa->order.config.spi,
			&sa->added_remote);
}

static void unpack(struct removal *removal)
{
	while (removal->first) {
		struct luggage *sa = removal->first;

		removal->first = sa->next;
		nm_secret_give(removal->pool, sa);
	}
	nm_secret_pool_free(removal->pool);
	free(removal->policies);
}

int nm_sa_plane_move(const struct nm_sa_plane *from, const struct nm_sa_plane *to, uint64_t now_ms,
	struct nm_sa_plane_moved *moved, char why[static NM_SA_PLANE_WHY])
{
	struct removal removal = {.from = from,
		.to = to,
		.now_ms = now_ms,
		.pool = nm_secret_pool_new(sizeof(struct luggage))};
	int err;

	removal.last = &removal.first;
	removal.why = why;
	*why = '\0';
	if (!removal.pool)
		removal.err = NATMUX_ENOMEM;
	else
		nm_sa_plane_each(from, pack, &removal);
	if (removal.err == 0)
		nm_sa_plane_policies(from, pack_policy, &removal);
	err = removal.err;
	if (err == 0) {
		err = add_all(&removal);
		if (err < 0)
			undo(&removal);
		else
			delete_old(&removal);
	}
	if (err == 0)
		*moved = removal.moved;
	else if (!*why)
		snprintf(why, NM_SA_PLANE_WHY, "%s", natmux_strerror(err));
	unpack(&removal);
	return err;
}
