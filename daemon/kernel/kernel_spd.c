/* SPDX-License-Identifier: Apache-2.0 */
/* Which policies the kernel has to have for the policies and SAs there are. */
#include "daemon/kernel/kernel_spd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_addr.h"
#include "daemon/kernel/kernel_gates.h"
#include "xfrm/kernel.h"

static uint32_t mix(uint32_t hash, uint32_t value)
{
	hash = (hash ^ value) * 0x9e3779b1U;
	return hash ^ hash >> 15;
}

static uint32_t mix_prefix(uint32_t hash, const struct natmux_prefix *prefix)
{
	for (size_t i = 0; i < sizeof(prefix->base.ip); i += 4) {
		uint32_t word;

		memcpy(&word, prefix->base.ip + i, sizeof(word));
		hash = mix(hash, word);
	}
	return mix(hash, prefix->bits);
}

static uint32_t hash_of(const struct nm_kernel_policy *policy)
{
	const struct nm_xfrm_selector *selector = &policy->selector;
	uint32_t hash = mix(policy->if_id, (uint32_t)policy->direction);

	hash = mix_prefix(mix_prefix(hash, &selector->source), &selector->destination);
	hash = mix(mix(hash, selector->protocol), selector->source_port);
	return mix(mix(hash, selector->destination_port), policy->mark.value);
}

static bool is_same_prefix(const struct natmux_prefix *a, const struct natmux_prefix *b)
{
	return a->bits == b->bits && nm_config_addr_same_ip(&a->base, &b->base);
}

static bool is_same_selector(const struct nm_xfrm_selector *a, const struct nm_xfrm_selector *b)
{
	return is_same_prefix(&a->source, &b->source) &&
	       is_same_prefix(&a->destination, &b->destination) && a->protocol == b->protocol &&
	       a->source_port == b->source_port && a->source_mask == b->source_mask &&
	       a->destination_port == b->destination_port &&
	       a->destination_mask == b->destination_mask;
}

static bool is_same(const void *owner, uint32_t value, const void *key)
{
	const struct nm_kernel_spd *spd = owner;
	const struct nm_kernel_policy *a = spd->policies[value], *b = key;

	return a->direction == b->direction && a->if_id == b->if_id &&
	       a->mark.value == b->mark.value && a->mark.mask == b->mark.mask &&
	       is_same_selector(&a->selector, &b->selector);
}

int nm_kernel_spd_init(
	struct nm_kernel_spd *spd, struct nm_kernel_ask *ask, uint32_t outs_max, uint32_t gates_max)
{
	int err;

	*spd = (struct nm_kernel_spd){.ask = ask, .outs_max = outs_max, .gates_max = gates_max};
	/* All of them may be replaced by as many. */
	err = nm_htab_init(&spd->by_selector, 2 * outs_max + gates_max);
	return err < 0 ? err : nm_kernel_reqids_init(&spd->by_reqid, outs_max);
}

void nm_kernel_spd_done(struct nm_kernel_spd *spd)
{
	for (uint32_t i = 0; i < spd->len; i++)
		free(spd->policies[i]);
	free(spd->policies);
	nm_htab_done(&spd->by_selector);
	nm_kernel_reqids_done(&spd->by_reqid);
	*spd = (struct nm_kernel_spd){0};
}

struct nm_kernel_policy *nm_kernel_spd_find_like(
	const struct nm_kernel_spd *spd, const struct nm_kernel_policy *like)
{
	uint32_t index = nm_htab_find(&spd->by_selector, hash_of(like), is_same, spd, like);

	return index == NM_HTAB_NONE ? NULL : spd->policies[index];
}

static int grow(struct nm_kernel_spd *spd)
{
	uint32_t room = spd->room > 0 ? 2 * spd->room : 16;
	struct nm_kernel_policy **policies;

	if (spd->len < spd->room)
		return 0;
	policies = reallocarray(spd->policies, room, sizeof(struct nm_kernel_policy *));
	if (!policies)
		return NATMUX_ENOMEM;
	spd->policies = policies;
	spd->room = room;
	return 0;
}

int nm_kernel_spd_put(struct nm_kernel_spd *spd, const struct nm_kernel_policy *like)
{
	struct nm_kernel_policy *policy;
	int err = grow(spd);

	if (err < 0)
		return err;
	policy = malloc(sizeof(*policy));
	if (!policy)
		return NATMUX_ENOMEM;
	*policy = *like;
	policy->is_seen = policy->is_forward_seen = true;
	nm_list_init(&policy->node);
	err = nm_htab_add(&spd->by_selector, hash_of(policy), spd->len);
	if (err < 0) {
		free(policy);
		return err;
	}
	if (policy->direction == NM_XFRM_OUT)
		nm_list_move_last(nm_kernel_reqids_ring(&spd->by_reqid, policy->order.policy.reqid),
			&policy->node);
	spd->policies[spd->len++] = policy;
	return 0;
}

void nm_kernel_spd_drop(struct nm_kernel_spd *spd, struct nm_kernel_policy *policy)
{
	uint32_t hash = hash_of(policy), last = spd->len - 1;
	uint32_t index = nm_htab_find(&spd->by_selector, hash, is_same, spd, policy);

	nm_htab_remove(&spd->by_selector, hash, index);
	if (index != last) {
		nm_htab_remove(&spd->by_selector, hash_of(spd->policies[last]), last);
		spd->policies[index] = spd->policies[last];
		nm_htab_add(&spd->by_selector, hash_of(spd->policies[index]), index);
	}
	spd->len--;
	nm_list_remove(&policy->node);
	free(policy);
}

static struct nm_xfrm_mark mark_of(const struct nm_sa_mark *mark)
{
	return (struct nm_xfrm_mark){mark->value, mark->mask};
}

static int explain(const struct nm_xfrm_answer *answer, char why[static NM_SA_PLANE_WHY])
{
	if (answer->error < 0)
		snprintf(why, NM_SA_PLANE_WHY, "policy: %s", answer->text);
	return answer->error;
}

int nm_kernel_spd_write(struct nm_kernel_spd *spd, const struct nm_xfrm_policy *policy,
	char why[static NM_SA_PLANE_WHY])
{
	struct nm_xfrm_message message;
	struct nm_xfrm_answer answer;

	nm_kernel_ask(spd->ask, nm_xfrm_policy_update(policy, &message), &message, NULL, &answer);
	return explain(&answer, why);
}

int nm_kernel_spd_erase(struct nm_kernel_spd *spd, const struct nm_kernel_policy *policy,
	enum nm_xfrm_direction direction, char why[static NM_SA_PLANE_WHY])
{
	const struct nm_xfrm_policy_id id = {.direction = direction,
		.selector = policy->selector,
		.mark = policy->mark,
		.if_id = policy->if_id};
	struct nm_xfrm_message message;
	struct nm_xfrm_answer answer;

	nm_kernel_ask(spd->ask, nm_xfrm_policy_delete(&id, &message), &message, NULL, &answer);
	return explain(&answer, why);
}

/*
 * An outbound policy as the kernel says it. Without an SA there is no tunnel to name: transport mode
 * needs none, finds no state of the reqid either, and so asks for one and lets nothing out.
 */
static int make_out(const struct nm_kernel_policy *policy, const struct nm_kernel_sa *newest,
	struct nm_xfrm_policy *kernel)
{
	enum natmux_sa_mode mode = newest ? newest->order.config.mode : NATMUX_SA_TRANSPORT;
	static const struct natmux_path nowhere;
	int err = nm_xfrm_policy_from(&policy->order.policy, NM_XFRM_OUT, mode,
		newest ? &newest->path : &nowhere, kernel);

	if (err < 0)
		return err;
	kernel->mark = policy->mark;
	kernel->if_id = policy->if_id;
	return 0;
}

static int start_out(const struct nm_policy_order *order, struct nm_kernel_policy *policy,
	char why[static NM_SA_PLANE_WHY])
{
	int err;

	*policy = (struct nm_kernel_policy){.direction = NM_XFRM_OUT,
		.mark = mark_of(&order->mark),
		.if_id = order->if_id,
		.order = *order};
	err = nm_xfrm_selector_from(&order->policy.selector, &policy->selector);
	if (err < 0)
		snprintf(why, NM_SA_PLANE_WHY, "the kernel cannot tell such ports by a mask");
	return err;
}

static int check_place(struct nm_kernel_spd *spd, const struct nm_kernel_policy *policy,
	char why[static NM_SA_PLANE_WHY])
{
	const struct nm_kernel_policy *other = nm_kernel_spd_find_like(spd, policy);

	if (!other)
		return spd->outs < spd->outs_max + spd->leaving ? 0 : NATMUX_EFULL;
	if (other->order.policy.priority == policy->order.policy.priority)
		return NATMUX_EEXISTS;
	snprintf(why, NM_SA_PLANE_WHY,
		"the kernel has one policy of a selector, and there is one with priority %u",
		(unsigned int)other->order.policy.priority);
	return NATMUX_EINVAL;
}

int nm_kernel_spd_add(struct nm_kernel_spd *spd, const struct nm_policy_order *order,
	const struct nm_kernel_sa *newest, char why[static NM_SA_PLANE_WHY])
{
	struct nm_kernel_policy policy;
	struct nm_xfrm_policy kernel;
	int err = start_out(order, &policy, why);

	if (err == 0)
		err = check_place(spd, &policy, why);
	if (err == 0)
		err = make_out(&policy, newest, &kernel);
	if (err == 0)
		err = nm_kernel_spd_put(spd, &policy);
	if (err < 0)
		return err;
	spd->outs++;
	err = nm_kernel_spd_write(spd, &kernel, why);
	if (err < 0) {
		spd->outs--;
		nm_kernel_spd_drop(spd, nm_kernel_spd_find_like(spd, &policy));
	}
	return err;
}

/* The policy in the place that an order names; NULL: none. */
static struct nm_kernel_policy *find_out(
	const struct nm_kernel_spd *spd, const struct nm_policy_order *order)
{
	struct nm_kernel_policy like, *policy;
	char why[NM_SA_PLANE_WHY];

	if (start_out(order, &like, why) < 0)
		return NULL;
	policy = nm_kernel_spd_find_like(spd, &like);
	return policy && policy->order.policy.priority == order->policy.priority ? policy : NULL;
}

int nm_kernel_spd_replace(struct nm_kernel_spd *spd, const struct nm_policy_order *before,
	const struct nm_policy_order *order, const struct nm_kernel_sa *newest,
	char why[static NM_SA_PLANE_WHY])
{
	struct nm_kernel_policy *there = find_out(spd, before), next;
	struct nm_xfrm_policy kernel;
	int err;

	if (!there)
		return NATMUX_ENOTFOUND;
	next = *there;
	next.order = *order;
	err = make_out(&next, newest, &kernel);
	if (err == 0)
		err = nm_kernel_spd_write(spd, &kernel, why);
	if (err < 0)
		return err;
	there->is_seen = true;
	there->order = *order;
	nm_list_move_last(nm_kernel_reqids_ring(&spd->by_reqid, order->policy.reqid), &there->node);
	return 0;
}

void nm_kernel_spd_leave(struct nm_kernel_spd *spd, const struct nm_policy_order *order)
{
	if (!order)
		spd->leaving = 0;
	else if (spd->leaving < spd->outs_max && find_out(spd, order))
		spd->leaving++;
}

int nm_kernel_spd_delete(struct nm_kernel_spd *spd, const struct nm_policy_order *order,
	char why[static NM_SA_PLANE_WHY])
{
	struct nm_kernel_policy *policy = find_out(spd, order);
	int err;

	if (!policy)
		return NATMUX_ENOTFOUND;
	err = nm_kernel_spd_erase(spd, policy, NM_XFRM_OUT, why);
	/* What the kernel keeps stays listed. NATMUX_ENOTFOUND: somebody else was first. */
	if (err < 0 && err != NATMUX_ENOTFOUND)
		return err;
	spd->outs--;
	nm_kernel_spd_drop(spd, policy);
	return 0;
}

void nm_kernel_spd_each(const struct nm_kernel_spd *spd, nm_policy_each *each, void *user)
{
	for (uint32_t i = 0; i < spd->len; i++)
		if (spd->policies[i]->direction == NM_XFRM_OUT)
			each(user, &spd->policies[i]->order);
}

/* The next one after `node` that is protected by SAs of the reqid; NULL: that was the last. */
static struct nm_kernel_policy *next_of(
	const struct nm_list *ring, const struct nm_list *node, uint32_t reqid)
{
	for (node = node->next; node != ring; node = node->next) {
		struct nm_kernel_policy *policy =
			NM_LIST_ENTRY(node, struct nm_kernel_policy, node);

		if (policy->order.policy.action == NATMUX_POLICY_PROTECT &&
			policy->order.policy.reqid == reqid)
			return policy;
	}
	return NULL;
}

int nm_kernel_spd_refresh(struct nm_kernel_spd *spd, uint32_t reqid,
	const struct nm_kernel_sa *newest, char why[static NM_SA_PLANE_WHY])
{
	const struct nm_list *ring = nm_kernel_reqids_ring(&spd->by_reqid, reqid);
	struct nm_kernel_policy *policy = next_of(ring, ring, reqid);
	int result = 0;

	for (; policy; policy = next_of(ring, &policy->node, reqid)) {
		struct nm_xfrm_policy kernel;
		int err = make_out(policy, newest, &kernel);

		if (err == 0)
			err = nm_kernel_spd_write(spd, &kernel, why);
		if (err < 0)
			result = err;
	}
	return result;
}

struct nm_xfrm_policy *nm_kernel_spd_refreshed(const struct nm_kernel_spd *spd, uint32_t reqid,
	const struct nm_kernel_sa *newest, size_t *len)
{
	const struct nm_list *ring = nm_kernel_reqids_ring(&spd->by_reqid, reqid);
	struct nm_kernel_policy *first = next_of(ring, ring, reqid), *policy;
	struct nm_xfrm_policy *list;
	size_t n = 0;

	*len = 0;
	for (policy = first; policy; policy = next_of(ring, &policy->node, reqid))
		n++;
	list = n > 0 ? calloc(n, sizeof(*list)) : NULL;
	for (policy = first; policy && list; policy = next_of(ring, &policy->node, reqid))
		if (make_out(policy, newest, &list[*len]) == 0)
			++*len;
	return list;
}

void nm_kernel_spd_clear(struct nm_kernel_spd *spd)
{
	char ignored[NM_SA_PLANE_WHY];

	while (spd->len > 0) {
		struct nm_kernel_policy *policy = spd->policies[spd->len - 1];

		if (policy->direction == NM_XFRM_IN) {
			nm_kernel_gate_lower(spd, policy);
			continue;
		}
		nm_kernel_spd_erase(spd, policy, NM_XFRM_OUT, ignored);
		nm_kernel_spd_drop(spd, policy);
	}
	spd->outs = 0;
}

struct nm_kernel_policy *nm_kernel_spd_find(
	struct nm_kernel_spd *spd, const struct nm_xfrm_policy_id *id)
{
	const struct nm_kernel_policy like = {/* A gate is listed once, as that which lets in. */
		.direction = id->direction == NM_XFRM_FWD ? NM_XFRM_IN : id->direction,
		.selector = id->selector,
		.mark = id->mark,
		.if_id = id->if_id};

	return nm_kernel_spd_find_like(spd, &like);
}

void nm_kernel_spd_look(struct nm_kernel_spd *spd)
{
	for (uint32_t i = 0; i < spd->len; i++) {
		struct nm_kernel_policy *policy = spd->policies[i];

		policy->is_seen = false;
		policy->is_forward_seen =
			policy->direction == NM_XFRM_OUT || !nm_kernel_gate_is_forwarded(policy);
	}
}

void nm_kernel_spd_see(struct nm_kernel_spd *spd, const struct nm_xfrm_policy_id *id)
{
	struct nm_kernel_policy *policy = nm_kernel_spd_find(spd, id);

	if (!policy)
		return;
	if (id->direction == NM_XFRM_FWD)
		policy->is_forward_seen = true;
	else
		policy->is_seen = true;
}

uint32_t nm_kernel_spd_missing(const struct nm_kernel_spd *spd)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < spd->len; i++)
		n += !spd->policies[i]->is_seen + !spd->policies[i]->is_forward_seen;
	return n;
}
