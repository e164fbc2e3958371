/* SPDX-License-Identifier: Apache-2.0 */
/* The difference of two configurations, as calls of a plane. */
#include "daemon/sa_plane.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>

#include "daemon/config_keys.h"
#include "daemon/config_message.h"

struct change {
	const struct nm_sa_plane *plane;
	uint32_t sas_max;
	const struct nm_config *before, *after;
	struct nm_config_report report;
	char why[NM_SA_PLANE_WHY];
	bool has_changed; /* SAs: what they were before is wiped, so there is no way back */
};

static int refuse(
	struct change *change, const char *section_name, const char *title, uint32_t line, int err)
{
	char path[NM_CONFIG_KEY_SIZE];

	nm_config_key_path(nm_config_section_find(section_name), title, NULL, path);
	if (!change->has_changed)
		nm_config_refuse(
			&change->report, line, path, "%s (nothing was changed)", change->why);
	else
		nm_config_refuse(&change->report, line, path,
			"%s (what stands before it has changed, and stays so)", change->why);
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

/* Calls the plane for each SA that is new or another now, up to the first that it refuses. */
static int each_changed_sa(struct change *change,
	int (*call)(const struct nm_sa_plane *plane, const struct nm_sa_order *order,
		char why[static NM_SA_PLANE_WHY]))
{
	const struct nm_config *after = change->after;

	for (size_t i = 0; i < after->sas_len; i++) {
		const struct nm_config_sa *sa = &after->sas[i];
		struct nm_sa_order order;
		int err;

		if (!is_sa_changed(change, sa))
			continue;
		nm_config_sa_order(sa, after->port, &order);
		err = call(change->plane, &order, change->why);
		if (err < 0)
			return refuse(change, "sa", sa->name, sa->line, err);
		change->has_changed |= call == nm_sa_plane_add;
	}
	return 0;
}

struct count {
	const struct change *change;
	uint32_t there;   /* in the plane */
	uint32_t leaving; /* of these: no more in the file */
	uint32_t staying; /* of these: in the file */
};

static void count_sa(void *user, const struct nm_sa_seen *sa)
{
	struct count *count = user;
	const struct change *change = count->change;
	const struct natmux_sa_info *info = sa->info;
	const struct natmux_addr *remote = &info->added_remote;

	count->there++;
	if (nm_config_sa_find(change->after, info->direction, info->spi, remote))
		count->staying++;
	else if (change->before &&
		 nm_config_sa_find(change->before, info->direction, info->spi, remote))
		count->leaving++;
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
			nm_sa_plane_delete(change->plane, sa->direction, sa->spi, &sa->remote);
	}
}

/* The packets of one turn of the loop see all of it or none: the order is for failures only. */
static int change_sas(struct change *change, bool together)
{
	int err;

	if (!together)
		remove_sas(change);
	err = each_changed_sa(change, nm_sa_plane_add);
	if (err == 0 && together)
		remove_sas(change);
	return err;
}

/* What was done to policies, so that it can be undone. */
struct step {
	struct nm_policy_order order;
	bool is_add;
};

struct steps {
	struct step *list;
	size_t len;
};

static void undo(struct change *change, struct steps *steps)
{
	char why[NM_SA_PLANE_WHY];

	while (steps->len > 0) {
		const struct step *step = &steps->list[--steps->len];

		if (step->is_add)
			nm_sa_plane_policy_delete(change->plane, &step->order);
		else
			nm_sa_plane_policy_add(change->plane, &step->order, why);
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

static void remove_policies(struct change *change, struct steps *steps)
{
	const struct nm_config *before = change->before;

	for (size_t i = 0; before && i < before->policies_len; i++) {
		const struct nm_config_policy *policy = &before->policies[i];
		struct step step = {.is_add = false};

		nm_config_policy_order(policy, &step.order);
		if (is_same_policy(policy, find_policy(change->after, &step.order.policy)))
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
		const struct nm_config_policy *policy = &after->policies[i];
		struct step step = {.is_add = true};
		bool is_replaced;
		int err;

		nm_config_policy_order(policy, &step.order);
		if (is_same_policy(find_policy(change->before, &step.order.policy), policy))
			continue;
		err = nm_sa_plane_policy_replace(
			change->plane, &step.order, &is_replaced, change->why);
		if (err < 0)
			return refuse(change, "policy", policy->name, policy->line, err);
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
	err = each_changed_sa(&change, nm_sa_plane_check);
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
	if (err < 0 && size > 0 && message[0] == '\0')
		snprintf(message, size, "%s: %s", after->name, natmux_strerror(err));
	return err;
}
