/* SPDX-License-Identifier: Apache-2.0 */
/* The difference of two configurations, as calls of a plane. */
#include "daemon/planes/sa_plane.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>

#include "daemon/config/config_keys.h"
#include "daemon/config/config_message.h"

struct change {
	const struct nm_sa_plane *plane;
	uint32_t sas_max;
	const struct nm_config *before, *after;
	struct nm_config_report report;
	char why[NM_SA_PLANE_WHY];
	bool *is_there; /* of each SA of `after`: the plane has one in its place */
	size_t *added;  /* numbers of those that were not, as they were added */
	size_t added_len;
	/* SAs that were replaced or removed. Their keys are wiped, so there is no way back. */
	unsigned int lost;
};

static int refuse(
	struct change *change, const char *section_name, const char *title, uint32_t line, int err)
{
	char path[NM_CONFIG_KEY_SIZE];

	nm_config_key_path(nm_config_section_find(section_name), title, NULL, path);
	if (change->lost == 0)
		nm_config_refuse(
			&change->report, line, path, "%s (nothing was changed)", change->why);
	else
		nm_config_refuse(&change->report, line, path,
			"%s (SAs that were replaced or removed before it stay so: %u; nothing else "
			"was "
			"changed)",
			change->why, change->lost);
	return err;
}

/* The SA of `config` that is this one to the plane; NULL: none, or no such configuration. */
static const struct nm_config_sa *find_sa(
	const struct nm_config *config, const struct nm_config_sa *sa)
{
	return config ? nm_config_sa_find(config, sa->direction, sa->spi, &sa->remote) : NULL;
}

static bool is_sa_changed(const struct change *change, const struct nm_config_sa *sa)
{
	const struct nm_config_sa *before = find_sa(change->before, sa);

	return !before || !nm_config_item_is_same(nm_config_section_find("sa"), before, sa);
}

typedef int sa_call(const struct nm_sa_plane *plane, const struct nm_sa_order *order,
	char why[static NM_SA_PLANE_WHY]);

static int call_for(struct change *change, const struct nm_config_sa *sa, sa_call *call)
{
	struct nm_sa_order order;

	nm_config_sa_order(sa, change->after->port, &order);
	return call(change->plane, &order, change->why);
}

/* What the plane does not take. */
static int check_sas(struct change *change)
{
	const struct nm_config *after = change->after;

	for (size_t i = 0; i < after->sas_len; i++) {
		const struct nm_config_sa *sa = &after->sas[i];
		int err = is_sa_changed(change, sa) ? call_for(change, sa, nm_sa_plane_check) : 0;

		if (err < 0)
			return refuse(change, "sa", sa->name, sa->line, err);
	}
	return 0;
}

static void remove_added(struct change *change)
{
	while (change->added_len > 0) {
		const struct nm_config_sa *sa =
			&change->after->sas[change->added[--change->added_len]];

		nm_sa_plane_delete(change->plane, sa->direction, sa->spi, &sa->remote);
	}
}

/* Those that are new or another now, in the file's order: of a reqid the last one is the newest. */
static int add_sas(struct change *change)
{
	const struct nm_config *after = change->after;

	for (size_t i = 0; i < after->sas_len; i++) {
		const struct nm_config_sa *sa = &after->sas[i];
		int err;

		if (!is_sa_changed(change, sa))
			continue;
		err = call_for(change, sa, nm_sa_plane_add);
		if (err < 0) {
			remove_added(change);
			return refuse(change, "sa", sa->name, sa->line, err);
		}
		if (change->is_there[i])
			change->lost++;
		else
			change->added[change->added_len++] = i;
	}
	return 0;
}

struct count {
	struct change *change;
	uint32_t there;   /* in the plane */
	uint32_t leaving; /* of these: no more in the file */
	uint32_t staying; /* of these: in the file */
};

static void count_sa(void *user, const struct nm_sa_seen *sa)
{
	struct count *count = user;
	struct change *change = count->change;
	const struct natmux_sa_info *info = sa->info;
	const struct natmux_addr *remote = &info->added_remote;
	const struct nm_config_sa *stays =
		nm_config_sa_find(change->after, info->direction, info->spi, remote);

	count->there++;
	if (stays) {
		count->staying++;
		change->is_there[stays - change->after->sas] = true;
	} else if (change->before &&
		   nm_config_sa_find(change->before, info->direction, info->spi, remote)) {
		count->leaving++;
	}
}

/* Whether there is room; `together`: for old and new at a time. */
static int check_room(struct change *change, bool *together)
{
	uint32_t most = change->sas_max, coming;
	struct count count = {.change = change};

	nm_sa_plane_each(change->plane, count_sa, &count);
	coming = (uint32_t)change->after->sas_len - count.staying;
	*together = count.there + coming <= most;
	if (count.there - count.leaving + coming <= most)
		return 0;
	nm_config_refuse(&change->report, 0, nm_config_plane_sas_key(change->after),
		"found %" PRIu32 " beside %" PRIu32 " that natmuxctl added, allowed are %" PRIu32
		" in all (nothing was changed)",
		(uint32_t)change->after->sas_len, count.there - count.leaving - count.staying,
		most);
	return NATMUX_EFULL;
}

static void remove_sas(struct change *change)
{
	const struct nm_config *before = change->before;

	for (size_t i = 0; before && i < before->sas_len; i++) {
		const struct nm_config_sa *sa = &before->sas[i];

		/* NATMUX_ENOTFOUND: natmuxctl was first. */
		if (!find_sa(change->after, sa))
			change->lost += nm_sa_plane_delete(change->plane, sa->direction, sa->spi,
						&sa->remote) == 0;
	}
}

/* The packets of one turn of the loop see all of it or none: the order is for failures only. */
static int change_sas(struct change *change, bool together)
{
	int err;

	if (!together)
		remove_sas(change);
	err = add_sas(change);
	if (err == 0 && together)
		remove_sas(change);
	return err;
}

/* What was done to policies, so that it can be undone. */
struct step {
	struct nm_policy_order order;
	enum { ADDED, REMOVED, REPLACED } what; /* REPLACED: `order` is what it was before */
};

struct steps {
	struct step *list;
	size_t len;
};

static void undo(struct change *change, struct steps *steps)
{
	char why[NM_SA_PLANE_WHY];
	bool is_replaced;

	while (steps->len > 0) {
		const struct step *step = &steps->list[--steps->len];

		if (step->what == ADDED)
			nm_sa_plane_policy_delete(change->plane, &step->order);
		else
			nm_sa_plane_policy_replace(change->plane, &step->order, &is_replaced, why);
	}
}

static const struct nm_config_policy *find_policy(
	const struct nm_config *config, const struct natmux_policy *policy)
{
	return config ? nm_config_policy_find(config, policy) : NULL;
}

static bool is_same_policy(const struct nm_config_policy *a, const struct nm_config_policy *b)
{
	return a && b && nm_config_item_is_same(nm_config_section_find("policy"), a, b);
}

/* The one that is in the place of this one, for the kernel as well; NULL: there is none. */
static const struct nm_config_policy *find_place(
	const struct nm_config *config, const struct nm_policy_order *order)
{
	const struct nm_config_policy *found = find_policy(config, &order->policy);
	struct nm_policy_order there;

	if (!found)
		return NULL;
	nm_config_policy_order(found, &there);
	return there.if_id == order->if_id && there.mark.value == order->mark.value &&
			       there.mark.mask == order->mark.mask
		       ? found
		       : NULL;
}

/* Those in whose place there is none any more: what is sent meanwhile is what the file says. */
static void remove_policies(struct change *change, struct steps *steps)
{
	const struct nm_config *before = change->before;

	for (size_t i = 0; before && i < before->policies_len; i++) {
		const struct nm_config_policy *policy = &before->policies[i];
		struct step step = {.what = REMOVED};

		nm_config_policy_order(policy, &step.order);
		if (find_place(change->after, &step.order))
			continue;
		if (nm_sa_plane_policy_delete(change->plane, &step.order) == 0)
			steps->list[steps->len++] = step;
	}
}

/* One that natmuxctl added at the same place gives way. */
static int add_policies(struct change *change, struct steps *steps)
{
	const struct nm_config *after = change->after;

	for (size_t i = 0; i < after->policies_len; i++) {
		const struct nm_config_policy *policy = &after->policies[i], *before;
		struct step step = {.what = ADDED};
		bool is_replaced;
		int err;

		nm_config_policy_order(policy, &step.order);
		before = find_place(change->before, &step.order);
		if (is_same_policy(before, policy))
			continue;
		err = nm_sa_plane_policy_replace(
			change->plane, &step.order, &is_replaced, change->why);
		if (err < 0)
			return refuse(change, "policy", policy->name, policy->line, err);
		if (before && is_replaced) {
			step.what = REPLACED;
			nm_config_policy_order(before, &step.order);
		}
		steps->list[steps->len++] = step;
	}
	return 0;
}

static int change_policies(struct change *change, struct steps *steps)
{
	size_t most = change->after->policies_len;
	int err;

	if (change->before)
		most += change->before->policies_len;
	steps->list = calloc(most > 0 ? most : 1, sizeof(*steps->list));
	if (!steps->list)
		return NATMUX_ENOMEM;
	remove_policies(change, steps);
	err = add_policies(change, steps);
	if (err < 0)
		undo(change, steps);
	return err;
}

static int make_lists(struct change *change)
{
	size_t len = change->after->sas_len > 0 ? change->after->sas_len : 1;

	change->is_there = calloc(len, sizeof(*change->is_there));
	change->added = calloc(len, sizeof(*change->added));
	return change->is_there && change->added ? 0 : NATMUX_ENOMEM;
}

int nm_sa_plane_apply(const struct nm_sa_plane *plane, uint32_t sas_max,
	const struct nm_config *before, const struct nm_config *after, char *message, size_t size)
{
	struct change change = {.plane = plane,
		.sas_max = sas_max,
		.before = before,
		.after = after,
		.report = {.name = after->name, .text = message, .size = size}};
	struct steps steps = {0};
	bool together = true;
	int err;

	if (size > 0)
		message[0] = '\0';
	/* What the plane does not take is found before the first SA is touched. */
	err = check_sas(&change);
	if (err == 0)
		err = make_lists(&change);
	if (err == 0)
		err = check_room(&change, &together);
	if (err == 0)
		err = change_policies(&change, &steps);
	if (err == 0) {
		err = change_sas(&change, together);
		if (err < 0)
			undo(&change, &steps);
	}
	free(steps.list);
	free(change.is_there);
	free(change.added);
	if (err < 0 && size > 0 && message[0] == '\0')
		snprintf(message, size, "%s: %s", after->name, natmux_strerror(err));
	return err;
}
