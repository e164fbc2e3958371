/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First ESP goes to the new plane, unless it waits where it is; then all is read, then all is added there,
 * SAs before the policies that send through them; ESP that has waited goes there, too; then all is
 * taken from the old one. Keys are in locked memory in between.
 *
 * Each plane may have worked on meanwhile: packets that were under way in the old one, and what came
 * to the new one before something was refused. So whoever gives an SA up is asked for its last
 * numbers, and whoever keeps it is told.
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
	struct natmux_replay_state *replay; /* no secret; NULL: OUT, or not known */
	/* Its identity in the old plane. */
	struct natmux_addr added_remote;
	bool is_added;
};

struct removal {
	const struct nm_sa_plane *from, *to;
	const struct nm_sa_plane_turn *turn;
	uint64_t now_ms;
	struct nm_secret_pool *pool;
	struct luggage *first, **last;
	struct nm_policy_order *policies;
	size_t policies_len, policies_room, policies_added;
	bool has_turned;
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

/* False: no memory. */
static bool fill_replay(struct luggage *luggage, const struct natmux_sa_info *info)
{
	if (!info->replay)
		return true;
	luggage->replay = malloc(sizeof(*luggage->replay));
	if (!luggage->replay)
		return false;
	*luggage->replay = *info->replay;
	luggage->order.config.replay = luggage->replay;
	/* They may have been written down one after the other. */
	luggage->order.config.sequence = info->replay->top;
	return true;
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
	uint64_t margin = info->direction == NATMUX_SA_OUT ? NM_SA_PLANE_MOVE_MARGIN : 0;

	if (info->key_len == 0 || !info->key)
		return "its key cannot be had";
	if (info->selectors_len > SELECTORS_MAX)
		return "it has more selectors than natmux.conf can say";
	if (!info->has_esn && info->sequence > UINT32_MAX - margin)
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
	if (!fill_replay(luggage, sa->info))
		removal->err = NATMUX_ENOMEM;
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

/* What the SA was given to go on with. */
static struct natmux_replay_state given_to(const struct luggage *sa)
{
	if (sa->replay)
		return *sa->replay;
	return (struct natmux_replay_state){.top = sa->order.config.sequence};
}

/* Whether there is more in what the SA ended with. */
static bool has_changed(const struct natmux_replay_state *given,
	const struct natmux_replay_state *last, enum natmux_sa_direction direction)
{
	if (direction == NATMUX_SA_OUT)
		return last->top > given->top;
	return last->top != given->top || last->window != given->window ||
	       memcmp(last->seen, given->seen, sizeof(last->seen)) != 0;
}

/* No plane goes on with an SA when it is not known what the other one did, or does, with its numbers. */
static void lose(struct removal *removal, const struct nm_sa_plane *plane,
	const struct natmux_addr *remote, const struct luggage *sa)
{
	nm_sa_plane_delete(plane, sa->order.config.direction, sa->order.config.spi, remote);
	removal->moved.lost++;
}

/*
 * The SA that stays takes over what the one that went has used or seen: added again, with one key, it
 * has what either of them had.
 */
static void tell(struct removal *removal, const struct nm_sa_plane *plane,
	const struct natmux_addr *remote, const struct luggage *sa,
	const struct natmux_replay_state *last)
{
	struct nm_sa_order order = sa->order;
	char why[NM_SA_PLANE_WHY];

	order.config.path.remote = *remote;
	order.config.sequence = last->top;
	order.config.replay = order.config.direction == NATMUX_SA_IN ? last : NULL;
	if (nm_sa_plane_add(plane, &order, why) < 0)
		lose(removal, plane, remote, sa);
}

/* One end of a move: where an SA is known by that address. */
struct place {
	const struct nm_sa_plane *plane;
	const struct natmux_addr *remote;
};

/* Takes the SA from one place; the other one's goes on behind its last numbers. */
static void leave(
	struct removal *removal, const struct luggage *sa, struct place goes, struct place stays)
{
	const struct natmux_sa_config *config = &sa->order.config;
	struct natmux_replay_state given = given_to(sa), last = given;
	int err = nm_sa_plane_take(goes.plane, config->direction, config->spi, goes.remote, &last);

	/* It is still there, and goes on counting. */
	if (err < 0 && err != NATMUX_ENOTFOUND)
		lose(removal, stays.plane, stays.remote, sa);
	else if (has_changed(&given, &last, config->direction))
		tell(removal, stays.plane, stays.remote, sa, &last);
}

static void undo(struct removal *removal)
{
	char ignored[NM_SA_PLANE_WHY];

	while (removal->policies_added > 0)
		nm_sa_plane_policy_delete(
			removal->to, &removal->policies[--removal->policies_added], ignored);
	for (struct luggage *sa = removal->first; sa; sa = sa->next)
		if (sa->is_added)
			leave(removal, sa,
				(struct place){removal->to, &sa->order.config.path.remote},
				(struct place){removal->from, &sa->added_remote});
}

/*
 * Policies first: what is sent goes through the new plane from here on. Outbound, the margin may not
 * have been enough.
 */
static void delete_old(struct removal *removal)
{
	char ignored[NM_SA_PLANE_WHY];

	for (size_t i = 0; i < removal->policies_len; i++)
		nm_sa_plane_policy_delete(removal->from, &removal->policies[i], ignored);
	for (struct luggage *sa = removal->first; sa; sa = sa->next)
		leave(removal, sa, (struct place){removal->from, &sa->added_remote},
			(struct place){removal->to, &sa->order.config.path.remote});
}

static void unpack(struct removal *removal)
{
	while (removal->first) {
		struct luggage *sa = removal->first;

		removal->first = sa->next;
		free(sa->replay);
		nm_secret_give(removal->pool, sa);
	}
	nm_secret_pool_free(removal->pool);
	free(removal->policies);
}

/* If this is its time: first or last. */
static int turn(struct removal *removal, bool is_last)
{
	int err;

	if (!removal->turn || removal->turn->is_last != is_last)
		return 0;
	err = removal->turn->turn(removal->turn->user, true, removal->why);
	removal->has_turned = err == 0;
	return err;
}

static int move(struct removal *removal)
{
	int err = turn(removal, false);

	if (err < 0)
		return err;
	nm_sa_plane_each(removal->from, pack, removal);
	if (removal->err == 0)
		nm_sa_plane_policies(removal->from, pack_policy, removal);
	err = removal->err < 0 ? removal->err : add_all(removal);
	return err < 0 ? err : turn(removal, true);
}

static void turn_back(struct removal *removal)
{
	char why[NM_SA_PLANE_WHY];

	/* What failed first is what is told. */
	memcpy(why, removal->why, sizeof(why));
	if (removal->has_turned)
		removal->turn->turn(removal->turn->user, false, removal->why);
	memcpy(removal->why, why, sizeof(why));
	undo(removal);
}

int nm_sa_plane_move(const struct nm_sa_plane *from, const struct nm_sa_plane *to,
	const struct nm_sa_plane_turn *turn_esp, uint64_t now_ms, struct nm_sa_plane_moved *moved,
	char why[static NM_SA_PLANE_WHY])
{
	struct removal removal = {.from = from,
		.to = to,
		.turn = turn_esp,
		.now_ms = now_ms,
		.pool = nm_secret_pool_new(sizeof(struct luggage))};
	int err = NATMUX_ENOMEM;

	removal.last = &removal.first;
	removal.why = why;
	*why = '\0';
	if (removal.pool)
		err = move(&removal);
	if (err < 0)
		turn_back(&removal);
	else
		delete_old(&removal);
	if (err == 0)
		*moved = removal.moved;
	else
		moved->lost = removal.moved.lost;
	if (err < 0 && !*why)
		snprintf(why, NM_SA_PLANE_WHY, "%s", natmux_strerror(err));
	unpack(&removal);
	return err;
}
