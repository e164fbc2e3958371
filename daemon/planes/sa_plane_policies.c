/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which policies come, change and go, and in which order.
 *
 * The order, where a policy that goes counts as one that sinks below all and a new one as one that
 * rises from there:
 *
 *	1. what rises, the first to be asked first;
 *	2. bypasses that sink, the last to be asked first;
 *	3. all others that sink, the last to be asked first.
 *
 * Let packets be protected before and after, by policy B before and policy A after. In 1 a bypass
 * that has risen stands behind A, which has risen before it or not sunk yet, and one that has not is
 * still behind B. In 2 bypasses only sink. In 3 all bypasses are where they belong, behind A, which
 * stands there as well, or higher. Where B is A, no other policy that stays behind it overtakes it: of
 * two that rise the first goes first, and of two that sink the last.
 */
#include "daemon/planes/sa_plane_policies.h"

#include <stdlib.h>
#include <natmux/error.h>

#include "daemon/config/config_keys.h"
#include "daemon/config/config_selector.h"

enum phase { PHASE_ROOM, PHASE_RISE, PHASE_SINK_BYPASS, PHASE_SINK };

/* Where a kernel has room for one: whatever the priority. */
static bool is_same_place(const struct nm_policy_order *a, const struct nm_policy_order *b)
{
	return a->if_id == b->if_id && a->mark.value == b->mark.value &&
	       a->mark.mask == b->mark.mask &&
	       nm_selector_is_same(&a->policy.selector, &b->policy.selector);
}

/* The policy of `config` with that place and priority; NULL: none, or no such configuration. */
static const struct nm_config_policy *find_same(
	const struct nm_config *config, const struct nm_policy_order *order)
{
	const struct nm_config_policy *found =
		config ? nm_config_policy_find(config, &order->policy) : NULL;
	struct nm_policy_order there;

	if (!found)
		return NULL;
	nm_config_policy_order(found, &there);
	return is_same_place(&there, order) ? found : NULL;
}

/* The one of `before` that becomes this one of `after`, with another priority. */
static const struct nm_config_policy *find_moved(const struct nm_config *before,
	const struct nm_config *after, const struct nm_policy_order *order)
{
	for (size_t i = 0; before && i < before->policies_len; i++) {
		struct nm_policy_order there;

		nm_config_policy_order(&before->policies[i], &there);
		if (is_same_place(&there, order) && !find_same(after, &there))
			return &before->policies[i];
	}
	return NULL;
}

/* A plane that cannot replace a policy has several in a place, and asks for no order. */
static bool has_places(const struct nm_sa_plane *plane)
{
	return plane->ops->policy_replace != NULL;
}

static const struct nm_config_policy *find_before(const struct nm_sa_plane *plane,
	const struct nm_config *before, const struct nm_config *after,
	const struct nm_policy_order *order)
{
	const struct nm_config_policy *found = find_same(before, order);

	return found || !has_places(plane) ? found : find_moved(before, after, order);
}

static bool lets_through(const struct nm_policy_order *order)
{
	return order->policy.action == NATMUX_POLICY_BYPASS;
}

static enum phase phase_of(const struct nm_policy_step *step)
{
	bool was_bypass = step->kind != NM_POLICY_ADD && lets_through(&step->before);
	bool is_bypass = step->kind != NM_POLICY_DELETE && lets_through(&step->after);

	if (step->kind == NM_POLICY_ADD ||
		(was_bypass && !is_bypass && step->kind == NM_POLICY_REPLACE))
		return PHASE_RISE;
	if (step->kind == NM_POLICY_DELETE)
		return was_bypass ? PHASE_SINK_BYPASS : PHASE_SINK;
	/* What protected lets through now: all that is to protect in its place is there by then. */
	if (!was_bypass && is_bypass)
		return PHASE_SINK;
	if (step->after.policy.priority <= step->before.policy.priority)
		return PHASE_RISE;
	return is_bypass ? PHASE_SINK_BYPASS : PHASE_SINK;
}

/* The phase, in it the priority, and of equal ones what protects first. */
static uint64_t rank_of(const struct nm_sa_plane *plane, const struct nm_policy_step *step)
{
	enum phase phase = phase_of(step);
	uint64_t behind = step->kind == NM_POLICY_DELETE ? (uint64_t)UINT32_MAX + 1
							 : step->after.policy.priority;

	if (!has_places(plane))
		return step->kind == NM_POLICY_DELETE ? PHASE_ROOM : PHASE_RISE;
	if (phase != PHASE_RISE)
		behind = (uint64_t)UINT32_MAX + 1 - behind;
	return (uint64_t)phase << 40 | behind << 1 |
	       (phase == PHASE_RISE && lets_through(&step->after));
}

static void put_step(struct nm_policy_steps *steps, struct nm_policy_step *step)
{
	step->rank = rank_of(steps->plane, step);
	steps->list[steps->len++] = *step;
}

/* Marks in `stays` the policies of `before` that are in `after` or become one of it. */
static void put_coming(struct nm_policy_steps *steps, const struct nm_config *before,
	const struct nm_config *after, bool *stays)
{
	const struct nm_config_section *section = nm_config_section_find("policy");

	for (size_t i = 0; i < after->policies_len; i++) {
		struct nm_policy_step step = {.policy = &after->policies[i]};
		const struct nm_config_policy *was;

		nm_config_policy_order(step.policy, &step.after);
		was = find_before(steps->plane, before, after, &step.after);
		if (before && was)
			stays[was - before->policies] = true;
		if (was && nm_config_item_is_same(section, was, step.policy))
			continue;
		step.kind = was ? NM_POLICY_REPLACE : NM_POLICY_ADD;
		if (was)
			nm_config_policy_order(was, &step.before);
		put_step(steps, &step);
	}
}

static void put_going(
	struct nm_policy_steps *steps, const struct nm_config *before, const bool *stays)
{
	for (size_t i = 0; before && i < before->policies_len; i++) {
		struct nm_policy_step step = {
			.kind = NM_POLICY_DELETE, .policy = &before->policies[i]};

		if (stays[i])
			continue;
		nm_config_policy_order(step.policy, &step.before);
		put_step(steps, &step);
	}
}

/* Policies of one rank stay in the file's order. */
static int by_rank(const void *a, const void *b)
{
	const struct nm_policy_step *x = a, *y = b;

	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return (x->policy > y->policy) - (x->policy < y->policy);
}

int nm_policy_steps_init(struct nm_policy_steps *steps, const struct nm_sa_plane *plane,
	const struct nm_config *before, const struct nm_config *after)
{
	size_t most = after->policies_len + (before ? before->policies_len : 0);
	bool *stays = calloc(most + 1, sizeof(*stays));

	*steps = (struct nm_policy_steps){.plane = plane};
	steps->list = calloc(most + 1, sizeof(*steps->list));
	if (stays && steps->list) {
		put_coming(steps, before, after, stays);
		put_going(steps, before, stays);
		qsort(steps->list, steps->len, sizeof(*steps->list), by_rank);
	}
	free(stays);
	return stays && steps->list ? 0 : NATMUX_ENOMEM;
}

/* A policy that natmuxctl has put into the place that one of the file is to have. */
struct find_other {
	const struct nm_policy_order *order;
	struct nm_policy_order *found;
};

static void find_other(void *user, const struct nm_policy_order *policy)
{
	const struct find_other *find = user;

	if (policy->policy.priority == find->order->policy.priority &&
		is_same_place(policy, find->order))
		*find->found = *policy;
}

static int take_over(const struct nm_sa_plane *plane, struct nm_policy_step *step,
	char why[static NM_SA_PLANE_WHY])
{
	struct find_other find = {&step->after, &step->before};

	step->before = step->after;
	step->kind = NM_POLICY_REPLACE;
	nm_sa_plane_policies(plane, find_other, &find);
	return nm_sa_plane_policy_replace(plane, &step->before, &step->after, why);
}

static int add(const struct nm_sa_plane *plane, struct nm_policy_step *step,
	char why[static NM_SA_PLANE_WHY])
{
	int err = nm_sa_plane_policy_add(plane, &step->after, why);

	step->kind = NM_POLICY_ADD;
	return err == NATMUX_EEXISTS ? take_over(plane, step, why) : err;
}

static int replace(const struct nm_sa_plane *plane, struct nm_policy_step *step,
	char why[static NM_SA_PLANE_WHY])
{
	int err = nm_sa_plane_policy_replace(plane, &step->before, &step->after, why);

	/* natmuxctl has deleted it. */
	return err == NATMUX_ENOTFOUND ? add(plane, step, why) : err;
}

static int delete (const struct nm_sa_plane *plane, struct nm_policy_step *step,
	char why[static NM_SA_PLANE_WHY])
{
	int err = nm_sa_plane_policy_delete(plane, &step->before, why);

	if (err != NATMUX_ENOTFOUND)
		return err;
	step->kind = NM_POLICY_GONE;
	return 0;
}

static int take(const struct nm_sa_plane *plane, struct nm_policy_step *step,
	char why[static NM_SA_PLANE_WHY])
{
	switch (step->kind) {
	case NM_POLICY_ADD: return add(plane, step, why);
	case NM_POLICY_REPLACE: return replace(plane, step, why);
	case NM_POLICY_DELETE: return delete (plane, step, why);
	case NM_POLICY_GONE: break;
	}
	return 0;
}

/* Old and new ones stand together for a while. */
static void make_room(const struct nm_policy_steps *steps)
{
	const struct nm_sa_plane *plane = steps->plane;

	for (size_t i = 0; i < steps->len && plane->ops->policy_leaves; i++)
		if (steps->list[i].kind == NM_POLICY_DELETE)
			plane->ops->policy_leaves(plane->self, &steps->list[i].before);
}

int nm_policy_steps_take(struct nm_policy_steps *steps, char why[static NM_SA_PLANE_WHY])
{
	make_room(steps);
	while (steps->done < steps->len) {
		int err = take(steps->plane, &steps->list[steps->done], why);

		if (err < 0)
			return err;
		steps->done++;
	}
	return 0;
}

static int take_back(const struct nm_sa_plane *plane, const struct nm_policy_step *step)
{
	char why[NM_SA_PLANE_WHY];

	switch (step->kind) {
	case NM_POLICY_ADD: return nm_sa_plane_policy_delete(plane, &step->after, why);
	case NM_POLICY_REPLACE:
		return nm_sa_plane_policy_replace(plane, &step->after, &step->before, why);
	case NM_POLICY_DELETE: return nm_sa_plane_policy_add(plane, &step->before, why);
	case NM_POLICY_GONE: break;
	}
	return 0;
}

/* The way back leads through the same places. */
unsigned int nm_policy_steps_undo(struct nm_policy_steps *steps)
{
	unsigned int failed = 0;

	while (steps->done > 0)
		failed += take_back(steps->plane, &steps->list[--steps->done]) < 0;
	return failed;
}

void nm_policy_steps_free(struct nm_policy_steps *steps)
{
	if (steps->plane && steps->plane->ops->policy_leaves)
		steps->plane->ops->policy_leaves(steps->plane->self, NULL);
	free(steps->list);
	*steps = (struct nm_policy_steps){.list = NULL};
}
