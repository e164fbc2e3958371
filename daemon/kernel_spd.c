/* SPDX-License-Identifier: Apache-2.0 */
/* Which policies the kernel has to have for the policies and SAs there are. */
#include "daemon/kernel_spd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config_addr.h"
#include "xfrm/kernel.h"

enum {
	GATE_PRIORITY = 4096, /* less for each bit of the prefixes: the narrowest is asked first */
	WIDE_PRIORITY = 1 << 30, /* after all others, natmuxd's or not */
};

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
	const struct nm_kernel_policy *a = &spd->policies[value], *b = key;

	return a->direction == b->direction && a->if_id == b->if_id &&
	       a->mark.value == b->mark.value && a->mark.mask == b->mark.mask &&
	       is_same_selector(&a->selector, &b->selector);
}

int nm_kernel_spd_init(
	struct nm_kernel_spd *spd, struct nm_kernel_ask *ask, uint32_t outs_max, uint32_t gates_max)
{
	*spd = (struct nm_kernel_spd){.ask = ask, .outs_max = outs_max, .gates_max = gates_max};
	return nm_htab_init(&spd->by_selector, outs_max + gates_max);
}

void nm_kernel_spd_done(struct nm_kernel_spd *spd)
{
	nm_htab_done(&spd->by_selector);
	free(spd->policies);
	*spd = (struct nm_kernel_spd){0};
}

static struct nm_kernel_policy *find(struct nm_kernel_spd *spd, const struct nm_kernel_policy *like)
{
	uint32_t index = nm_htab_find(&spd->by_selector, hash_of(like), is_same, spd, like);

	return index == NM_HTAB_NONE ? NULL : &spd->policies[index];
}

static int put(struct nm_kernel_spd *spd, const struct nm_kernel_policy *policy)
{
	if (spd->len == spd->room) {
		uint32_t room = spd->room > 0 ? 2 * spd->room : 16;
		void *policies = reallocarray(spd->policies, room, sizeof(*spd->policies));

		if (!policies)
			return NATMUX_ENOMEM;
		spd->policies = policies;
		spd->room = room;
	}
	if (nm_htab_add(&spd->by_selector, hash_of(policy), spd->len) < 0)
		return NATMUX_EFULL;
	spd->policies[spd->len++] = *policy;
	return 0;
}

static void drop(struct nm_kernel_spd *spd, struct nm_kernel_policy *policy)
{
	uint32_t index = (uint32_t)(policy - spd->policies), last = spd->len - 1;

	nm_htab_remove(&spd->by_selector, hash_of(policy), index);
	if (index != last) {
		nm_htab_remove(&spd->by_selector, hash_of(&spd->policies[last]), last);
		spd->policies[index] = spd->policies[last];
		nm_htab_add(&spd->by_selector, hash_of(&spd->policies[index]), index);
	}
	spd->len--;
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

/* There or not: afterwards it is as said here. */
static int write_policy(struct nm_kernel_spd *spd, const struct nm_xfrm_policy *policy,
	char why[static NM_SA_PLANE_WHY])
{
	struct nm_xfrm_message message;
	struct nm_xfrm_answer answer;

	nm_kernel_ask(spd->ask, nm_xfrm_policy_update(policy, &message), &message, NULL, &answer);
	return explain(&answer, why);
}

static void erase_policy(struct nm_kernel_spd *spd, const struct nm_kernel_policy *policy,
	enum nm_xfrm_direction direction)
{
	const struct nm_xfrm_policy_id id = {.direction = direction,
		.selector = policy->selector,
		.mark = policy->mark,
		.if_id = policy->if_id};
	struct nm_xfrm_message message;
	struct nm_xfrm_answer answer;

	/* NATMUX_ENOTFOUND: somebody else was first. */
	nm_kernel_ask(spd->ask, nm_xfrm_policy_delete(&id, &message), &message, NULL, &answer);
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
	const struct nm_kernel_policy *other = find(spd, policy);

	if (!other)
		return spd->outs < spd->outs_max ? 0 : NATMUX_EFULL;
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
		err = put(spd, &policy);
	if (err < 0)
		return err;
	spd->outs++;
	err = write_policy(spd, &kernel, why);
	if (err < 0) {
		spd->outs--;
		drop(spd, find(spd, &policy));
	}
	return err;
}

int nm_kernel_spd_delete(struct nm_kernel_spd *spd, const struct nm_policy_order *order)
{
	struct nm_kernel_policy like, *policy;
	char why[NM_SA_PLANE_WHY];

	if (start_out(order, &like, why) < 0)
		return NATMUX_ENOTFOUND;
	policy = find(spd, &like);
	if (!policy || policy->order.policy.priority != order->policy.priority)
		return NATMUX_ENOTFOUND;
	erase_policy(spd, policy, NM_XFRM_OUT);
	spd->outs--;
	drop(spd, policy);
	return 0;
}

void nm_kernel_spd_each(const struct nm_kernel_spd *spd, nm_policy_each *each, void *user)
{
	for (uint32_t i = 0; i < spd->len; i++)
		if (spd->policies[i].direction == NM_XFRM_OUT)
			each(user, &spd->policies[i].order);
}

static bool wants(const struct nm_kernel_policy *policy, uint32_t reqid)
{
	return policy->direction == NM_XFRM_OUT &&
	       policy->order.policy.action == NATMUX_POLICY_PROTECT &&
	       policy->order.policy.reqid == reqid;
}

int nm_kernel_spd_refresh(struct nm_kernel_spd *spd, uint32_t reqid,
	const struct nm_kernel_sa *newest, char why[static NM_SA_PLANE_WHY])
{
	int result = 0;

	for (uint32_t i = 0; i < spd->len; i++) {
		struct nm_xfrm_policy kernel;
		int err;

		if (!wants(&spd->policies[i], reqid))
			continue;
		err = make_out(&spd->policies[i], newest, &kernel);
		if (err == 0)
			err = write_policy(spd, &kernel, why);
		if (err < 0)
			result = err;
	}
	return result;
}

struct nm_xfrm_policy *nm_kernel_spd_refreshed(const struct nm_kernel_spd *spd, uint32_t reqid,
	const struct nm_kernel_sa *newest, size_t *len)
{
	struct nm_xfrm_policy *list;
	size_t n = 0;

	*len = 0;
	for (uint32_t i = 0; i < spd->len; i++)
		n += wants(&spd->policies[i], reqid);
	list = n > 0 ? calloc(n, sizeof(*list)) : NULL;
	for (uint32_t i = 0; i < spd->len && list; i++)
		if (wants(&spd->policies[i], reqid) &&
			make_out(&spd->policies[i], newest, &list[*len]) == 0)
			++*len;
	return list;
}

/* Of a gate, one of its two directions. */
static void make_gate(const struct nm_kernel_policy *gate, enum nm_xfrm_direction direction,
	struct nm_xfrm_policy *kernel)
{
	uint32_t bits = (uint32_t)gate->selector.source.bits + gate->selector.destination.bits;
	struct nm_xfrm_template *template = &kernel->templates[0];

	*kernel = (struct nm_xfrm_policy){.direction = direction,
		.priority = gate->is_wide ? (uint32_t)WIDE_PRIORITY : GATE_PRIORITY - bits,
		.selector = gate->selector,
		.mark = gate->mark,
		.if_id = gate->if_id,
		.templates_len = 1};
	template->source.family = template->destination.family = gate->outer;
	template->protocol = NM_XFRM_PROTO_ESP;
	template->mode = gate->mode == NATMUX_SA_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	template->reqid = gate->is_wide ? 0 : gate->reqid;
	template->is_optional = gate->is_wide;
}

/* Transport mode ends here: nothing of it is forwarded. */
static bool is_forwarded(const struct nm_kernel_policy *gate)
{
	return gate->mode == NATMUX_SA_TUNNEL;
}

static int raise_gate(struct nm_kernel_spd *spd, const struct nm_kernel_policy *gate,
	char why[static NM_SA_PLANE_WHY])
{
	struct nm_xfrm_policy kernel;
	int err;

	make_gate(gate, NM_XFRM_IN, &kernel);
	err = write_policy(spd, &kernel, why);
	if (err < 0 || !is_forwarded(gate))
		return err;
	make_gate(gate, NM_XFRM_FWD, &kernel);
	err = write_policy(spd, &kernel, why);
	if (err < 0)
		erase_policy(spd, gate, NM_XFRM_IN);
	return err;
}

static void lower_gate(struct nm_kernel_spd *spd, struct nm_kernel_policy *gate)
{
	erase_policy(spd, gate, NM_XFRM_IN);
	if (is_forwarded(gate))
		erase_policy(spd, gate, NM_XFRM_FWD);
	drop(spd, gate);
}

static int open_gate(struct nm_kernel_spd *spd, const struct nm_kernel_policy *gate,
	char why[static NM_SA_PLANE_WHY])
{
	struct nm_kernel_policy *there = find(spd, gate);
	int err;

	if (there && there->reqid == gate->reqid && there->mode == gate->mode &&
		there->outer == gate->outer) {
		there->refs++;
		return 0;
	}
	if (there) {
		snprintf(why, NM_SA_PLANE_WHY,
			"an inbound SA with reqid %u has that selector, and the kernel has one "
			"policy of a selector",
			(unsigned int)there->reqid);
		return NATMUX_EEXISTS;
	}
	if (spd->len - spd->outs >= spd->gates_max)
		return NATMUX_EFULL;
	err = put(spd, gate);
	if (err < 0)
		return err;
	err = raise_gate(spd, gate, why);
	if (err < 0)
		drop(spd, find(spd, gate));
	return err;
}

static void close_gate(struct nm_kernel_spd *spd, const struct nm_kernel_policy *like)
{
	struct nm_kernel_policy *gate = find(spd, like);

	if (gate && --gate->refs == 0)
		lower_gate(spd, gate);
}

/* How many gates an SA has: one for each selector, or one for each family. */
static size_t gates_of(const struct nm_kernel_sa *sa)
{
	const struct natmux_sa_config *config = &sa->order.config;

	if (config->direction == NATMUX_SA_OUT)
		return 0;
	if (config->selectors_len > 0)
		return config->selectors_len;
	/* The kernel lets in what transport mode protects without being told to. */
	return config->mode == NATMUX_SA_TUNNEL ? 2 : 0;
}

/* The `i`th of them. */
static int make_like(const struct nm_kernel_sa *sa, size_t i, struct nm_kernel_policy *gate)
{
	const struct natmux_sa_config *config = &sa->order.config;
	uint8_t family = i == 0 ? NATMUX_FAMILY_IPV4 : NATMUX_FAMILY_IPV6;

	*gate = (struct nm_kernel_policy){.direction = NM_XFRM_IN,
		.mark = mark_of(&sa->order.kernel.mark),
		.if_id = sa->order.kernel.if_id,
		.reqid = config->reqid,
		.refs = 1,
		.mode = config->mode,
		.outer = sa->path.local.family,
		.is_wide = config->selectors_len == 0};
	if (!gate->is_wide)
		return nm_xfrm_selector_from(&config->selectors[i], &gate->selector);
	/* Its template fits any state, whatever the family on the wire. */
	gate->reqid = 0;
	gate->outer = NATMUX_FAMILY_IPV4;
	gate->selector.source.base.family = gate->selector.destination.base.family = family;
	return 0;
}

static void close_some(struct nm_kernel_spd *spd, const struct nm_kernel_sa *sa, size_t n)
{
	struct nm_kernel_policy like;

	for (size_t i = 0; i < n; i++)
		if (make_like(sa, i, &like) == 0)
			close_gate(spd, &like);
}

int nm_kernel_spd_open(
	struct nm_kernel_spd *spd, const struct nm_kernel_sa *sa, char why[static NM_SA_PLANE_WHY])
{
	size_t n = gates_of(sa);

	for (size_t i = 0; i < n; i++) {
		struct nm_kernel_policy gate;
		int err = make_like(sa, i, &gate);

		if (err == 0)
			err = open_gate(spd, &gate, why);
		if (err < 0) {
			close_some(spd, sa, i);
			return err;
		}
	}
	return 0;
}

void nm_kernel_spd_close(struct nm_kernel_spd *spd, const struct nm_kernel_sa *sa)
{
	close_some(spd, sa, gates_of(sa));
}

void nm_kernel_spd_clear(struct nm_kernel_spd *spd)
{
	while (spd->len > 0) {
		struct nm_kernel_policy *policy = &spd->policies[spd->len - 1];

		if (policy->direction == NM_XFRM_IN) {
			lower_gate(spd, policy);
			continue;
		}
		erase_policy(spd, policy, NM_XFRM_OUT);
		drop(spd, policy);
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

	return find(spd, &like);
}
