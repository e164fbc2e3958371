/* SPDX-License-Identifier: Apache-2.0 */
/* The difference of two configurations, as calls of a plane. */
#include "daemon/planes/sa_plane.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>

#include "daemon/config/config_keys.h"
#include "daemon/config/config_message.h"
#include "daemon/planes/sa_plane_policies.h"

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
	unsigned int stuck; /* steps of policies that the plane did not let us take back */
	/* What was refused, of which file's line; "": nothing, or it has been told. */
	char refused[NM_CONFIG_KEY_SIZE];
	uint32_t refused_line;
};

/* Says later, when it is known what of it could be undone, why the change ends here. */
static int refuse(
	struct change *change, const char *section_name, const char *title, uint32_t line, int err)
{
	nm_config_key_path(nm_config_section_find(section_name), title, NULL, change->refused);
	change->refused_line = line;
	return err;
}

static void tell_refusal(struct change *change)
{
	char rest[160] = "nothing was changed";

	if (change->lost > 0 && change->stuck > 0)
		snprintf(rest, sizeof(rest),
			"SAs that were replaced or removed before it stay so: %u; policies that "
			"could not be put back: %u; nothing else was changed",
			change->lost, change->stuck);
	else if (change->lost > 0)
		snprintf(rest, sizeof(rest),
			"SAs that were replaced or removed before it stay so: %u; nothing else was "
			"changed",
			change->lost);
	else if (change->stuck > 0)
		snprintf(rest, sizeof(rest),
			"policies that could not be put back: %u; nothing else was changed",
			change->stuck);
	nm_config_refuse(&change->report, change->refused_line, change->refused, "%s (%s)",
		change->why, rest);
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

/* Without room for old and new the old ones go first. */
static int change_in_full_table(struct change *change)
{
	const struct nm_sa_plane *plane = change->plane;
	int err;

	if (plane->ops->hold_gates)
		plane->ops->hold_gates(plane->self, true);
	remove_sas(change);
	err = add_sas(change);
	if (plane->ops->hold_gates)
		plane->ops->hold_gates(plane->self, false);
	return err;
}

static int change_sas(struct change *change, bool together)
{
	int err;

	if (!together)
		return change_in_full_table(change);
	err = add_sas(change);
	if (err == 0)
		remove_sas(change);
	return err;
}

static int change_policies(struct change *change, struct nm_policy_steps *steps)
{
	const struct nm_policy_step *failed;
	int err = nm_policy_steps_init(steps, change->plane, change->before, change->after);

	if (err == 0)
		err = nm_policy_steps_take(steps, change->why);
	if (err == 0 || steps->done == steps->len)
		return err;
	failed = &steps->list[steps->done];
	/* The line of one that goes is that of a file that is no more. */
	return refuse(change, "policy", failed->policy->name,
		failed->kind == NM_POLICY_DELETE ? 0 : failed->policy->line, err);
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
	struct nm_policy_steps steps = {.list = NULL};
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
	if (err == 0)
		err = change_sas(&change, together);
	if (err < 0)
		change.stuck = nm_policy_steps_undo(&steps);
	nm_policy_steps_free(&steps);
	free(change.is_there);
	free(change.added);
	if (err < 0 && *change.refused)
		tell_refusal(&change);
	else if (err < 0 && size > 0 && message[0] == '\0')
		snprintf(message, size, "%s: %s", after->name, natmux_strerror(err));
	return err;
}
