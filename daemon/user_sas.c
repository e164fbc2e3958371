/* SPDX-License-Identifier: Apache-2.0 */
/* The difference of two configurations, as calls of the plane. */
#include "daemon/user_sas.h"

#include <inttypes.h>
#include <stdlib.h>
#include <natmux/error.h>

#include "daemon/config_keys.h"
#include "daemon/config_message.h"

struct change {
	struct natmux_esp *esp;
	uint64_t now_ms;
	const struct nm_config *before, *after;
	struct nm_config_report report;
};

static int refuse(
	struct change *change, const char *section_name, const char *title, uint32_t line, int err)
{
	char path[NM_CONFIG_KEY_SIZE];
	const char *why =
		err == NATMUX_EUNSUPPORTED
			? "found a suite that no engine of this machine has, allowed is another"
			: natmux_strerror(err);

	nm_config_key_path(nm_config_section_find(section_name), title, NULL, path);
	nm_config_refuse(&change->report, line, path, "%s (nothing was changed)", why);
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

/* A wrong key or a suite without engine is found before the first SA is touched. */
static int check_sas(struct change *change)
{
	const struct nm_config *after = change->after;

	for (size_t i = 0; i < after->sas_len; i++) {
		const struct nm_config_sa *sa = &after->sas[i];
		struct natmux_sa_config config;
		int err;

		if (!is_sa_changed(change, sa))
			continue;
		nm_config_sa_fill(sa, after->port, &config);
		err = natmux_esp_sa_check(change->esp, &config);
		if (err < 0)
			return refuse(change, "sa", sa->name, sa->line, err);
	}
	return 0;
}

struct count {
	const struct change *change;
	uint32_t there;   /* in the plane */
	uint32_t leaving; /* of these: no more in the file */
	uint32_t staying; /* of these: in the file */
};

static void count_sa(void *user, const struct natmux_sa_info *info)
{
	struct count *count = user;
	const struct change *change = count->change;
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
	uint32_t most = change->after->user_plane.sas, coming;
	struct count count = {.change = change};

	natmux_esp_sas(change->esp, count_sa, &count);
	coming = (uint32_t)change->after->sas_len - count.staying;
	*together = count.there + coming <= most;
	if (count.there - count.leaving + coming <= most)
		return 0;
	nm_config_refuse(&change->report, 0, "user-plane.sas",
		"found %" PRIu32 " beside %" PRIu32 " that natmuxctl added, allowed are %" PRIu32
		" in all (nothing was changed)",
		(uint32_t)change->after->sas_len, count.there - count.leaving - count.staying,
		most);
	return NATMUX_EFULL;
}

static int add_sas(struct change *change)
{
	const struct nm_config *after = change->after;

	for (size_t i = 0; i < after->sas_len; i++) {
		const struct nm_config_sa *sa = &after->sas[i];
		struct natmux_sa_config config;
		int err;

		if (!is_sa_changed(change, sa))
			continue;
		nm_config_sa_fill(sa, after->port, &config);
		err = natmux_esp_sa_add(change->esp, change->now_ms, &config);
		if (err < 0)
			return refuse(change, "sa", sa->name, sa->line, err);
	}
	return 0;
}

static void remove_sas(struct change *change)
{
	const struct nm_config *before = change->before;

	for (size_t i = 0; before && i < before->sas_len; i++) {
		const struct nm_config_sa *sa = &before->sas[i];

		/* NATMUX_ENOTFOUND: natmuxctl was first. */
		if (!find_sa(change->after, sa))
			natmux_esp_sa_delete(change->esp, sa->direction, sa->spi, &sa->remote);
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
	struct natmux_policy policy;
	bool is_add;
};

struct steps {
	struct step *list;
	size_t len;
};

static void undo(struct natmux_esp *esp, struct steps *steps)
{
	while (steps->len > 0) {
		const struct step *step = &steps->list[--steps->len];

		if (step->is_add)
			natmux_esp_policy_delete(esp, &step->policy);
		else
			natmux_esp_policy_add(esp, &step->policy);
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
		struct step step = {.is_add = false};

		nm_config_policy_fill(&before->policies[i], &step.policy);
		if (is_same_policy(&before->policies[i], find_policy(change->after, &step.policy)))
			continue;
		if (natmux_esp_policy_delete(change->esp, &step.policy) == 0)
			steps->list[steps->len++] = step;
	}
}

/* One that natmuxctl added at the same place gives way. */
static int add_policy(struct natmux_esp *esp, const struct natmux_policy *policy)
{
	int err = natmux_esp_policy_add(esp, policy);

	if (err != NATMUX_EEXISTS)
		return err;
	natmux_esp_policy_delete(esp, policy);
	return natmux_esp_policy_add(esp, policy);
}

static int add_policies(struct change *change, struct steps *steps)
{
	const struct nm_config *after = change->after;

	for (size_t i = 0; i < after->policies_len; i++) {
		const struct nm_config_policy *policy = &after->policies[i];
		struct step step = {.is_add = true};
		int err;

		nm_config_policy_fill(policy, &step.policy);
		if (is_same_policy(find_policy(change->before, &step.policy), policy))
			continue;
		err = add_policy(change->esp, &step.policy);
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
		undo(change->esp, steps);
	return err;
}

int nm_user_sas_apply(struct natmux_esp *esp, uint64_t now_ms, const struct nm_config *before,
	const struct nm_config *after, char *message, size_t size)
{
	struct change change = {.esp = esp,
		.now_ms = now_ms,
		.before = before,
		.after = after,
		.report = {.name = after->name, .text = message, .size = size}};
	struct steps steps = {0};
	bool together = true;
	int err;

	if (size > 0)
		message[0] = '\0';
	err = check_sas(&change);
	if (err == 0)
		err = check_room(&change, &together);
	if (err == 0)
		err = change_policies(&change, &steps);
	if (err == 0) {
		err = change_sas(&change, together);
		if (err < 0)
			undo(esp, &steps);
	}
	free(steps.list);
	return err;
}
