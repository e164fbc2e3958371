/* SPDX-License-Identifier: Apache-2.0 */
/* Finding policies. What they ask for is done elsewhere. */
#include "esp/spd.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "esp/selector.h"

int nm_spd_init(struct nm_spd *spd, uint32_t max, const uint8_t key[16])
{
	int err;

	memset(spd, 0, sizeof(*spd));
	err = nm_htab_init(&spd->chains, max);
	if (err < 0)
		return err;
	spd->entries = calloc(max, sizeof(*spd->entries));
	if (!spd->entries) {
		nm_htab_done(&spd->chains);
		return NATMUX_ENOMEM;
	}
	spd->max = max;
	memcpy(spd->key, key, sizeof(spd->key));
	return 0;
}

void nm_spd_done(struct nm_spd *spd)
{
	free(spd->entries);
	nm_htab_done(&spd->chains);
	memset(spd, 0, sizeof(*spd));
}

/* What is hashed of a policy, and of a packet seen through a shape. No padding. */
struct chain_key {
	uint32_t shape;
	uint16_t source_port, destination_port;
	uint8_t protocol, zero[3];
	uint8_t source[16], destination[16];
};

static void mask_ip(uint8_t out[16], const uint8_t *ip, unsigned int bits)
{
	memset(out, 0, 16);
	memcpy(out, ip, bits / 8);
	if (bits % 8)
		out[bits / 8] = (uint8_t)(ip[bits / 8] & 0xff00 >> bits % 8);
}

static uint32_t hash_key(const struct nm_spd *spd, const struct chain_key *key)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint32_t hash;

	crypto_shorthash(out, (const uint8_t *)key, sizeof(*key), spd->key);
	memcpy(&hash, out, sizeof(hash));
	return hash;
}

static struct chain_key key_of_policy(
	const struct nm_spd *spd, uint32_t number, const struct natmux_selector *selector)
{
	const struct nm_spd_shape *shape = &spd->shapes[number];
	struct chain_key key = {.shape = number, .protocol = selector->protocol};

	memcpy(key.source, selector->source.base.ip, 16);
	memcpy(key.destination, selector->destination.base.ip, 16);
	if (shape->has_source_port)
		key.source_port = selector->source_ports.min;
	if (shape->has_destination_port)
		key.destination_port = selector->destination_ports.min;
	return key;
}

static struct chain_key key_of_packet(
	const struct nm_spd *spd, uint32_t number, const struct nm_inner_info *info)
{
	const struct nm_spd_shape *shape = &spd->shapes[number];
	struct chain_key key = {.shape = number};

	mask_ip(key.source, info->source, shape->source_bits);
	mask_ip(key.destination, info->destination, shape->destination_bits);
	if (shape->has_protocol)
		key.protocol = info->protocol;
	if (shape->has_source_port)
		key.source_port = info->source_port;
	if (shape->has_destination_port)
		key.destination_port = info->destination_port;
	return key;
}

/* Whether a chain, known by its first entry, is that of the key. */
static bool chain_is(const void *owner, uint32_t head, const void *key)
{
	const struct nm_spd *spd = owner;
	const struct nm_spd_entry *entry = &spd->entries[head];
	struct chain_key own = key_of_policy(spd, entry->shape, &entry->policy.selector);

	return memcmp(&own, key, sizeof(own)) == 0;
}

static bool is_one_port(const struct natmux_ports *ports)
{
	return ports->min == ports->max;
}

static struct nm_spd_shape shape_of(const struct natmux_selector *selector)
{
	return (struct nm_spd_shape){
		.family = selector->source.base.family,
		.source_bits = selector->source.bits,
		.destination_bits = selector->destination.bits,
		.has_protocol = selector->protocol != 0,
		.has_source_port = is_one_port(&selector->source_ports),
		.has_destination_port = is_one_port(&selector->destination_ports),
	};
}

static bool is_same_shape(const struct nm_spd_shape *a, const struct nm_spd_shape *b)
{
	return a->family == b->family && a->source_bits == b->source_bits &&
	       a->destination_bits == b->destination_bits && a->has_protocol == b->has_protocol &&
	       a->has_source_port == b->has_source_port &&
	       a->has_destination_port == b->has_destination_port;
}

/* The shape's number; one that is out of use makes room for a new one. */
static int find_shape(struct nm_spd *spd, const struct natmux_selector *selector, uint32_t *number)
{
	struct nm_spd_shape shape = shape_of(selector);
	uint32_t unused = spd->shapes_len;

	for (uint32_t i = 0; i < spd->shapes_len; i++) {
		if (spd->shapes[i].count == 0) {
			unused = i;
		} else if (is_same_shape(&spd->shapes[i], &shape)) {
			*number = i;
			return 0;
		}
	}
	if (unused == NM_SPD_SHAPES_MAX)
		return NATMUX_EFULL;
	spd->shapes[unused] = shape;
	if (unused == spd->shapes_len)
		spd->shapes_len++;
	*number = unused;
	return 0;
}

/* The first rank of every shape, and their order: on changes only. */
static void sort_shapes(struct nm_spd *spd)
{
	for (uint32_t i = 0; i < spd->shapes_len; i++)
		spd->shapes[i].first = UINT64_MAX;
	for (uint32_t i = 0; i < spd->max; i++) {
		const struct nm_spd_entry *entry = &spd->entries[i];

		if (entry->is_used && entry->rank < spd->shapes[entry->shape].first)
			spd->shapes[entry->shape].first = entry->rank;
	}
	spd->by_rank_len = 0;
	for (uint32_t i = 0; i < spd->shapes_len; i++) {
		uint32_t at = spd->by_rank_len;

		if (spd->shapes[i].count == 0)
			continue;
		for (; at > 0 && spd->shapes[spd->by_rank[at - 1]].first > spd->shapes[i].first;
			at--)
			spd->by_rank[at] = spd->by_rank[at - 1];
		spd->by_rank[at] = i;
		spd->by_rank_len++;
	}
}

static uint32_t find_chain(const struct nm_spd *spd, const struct chain_key *key, uint32_t hash)
{
	return nm_htab_find(&spd->chains, hash, chain_is, spd, key);
}

static void link_entry(struct nm_spd *spd, uint32_t number)
{
	struct nm_spd_entry *entry = &spd->entries[number];
	struct chain_key key = key_of_policy(spd, entry->shape, &entry->policy.selector);
	uint32_t head, at;

	entry->hash = hash_key(spd, &key);
	head = find_chain(spd, &key, entry->hash);
	if (head == NM_HTAB_NONE || spd->entries[head].rank > entry->rank) {
		if (head != NM_HTAB_NONE)
			nm_htab_remove(&spd->chains, entry->hash, head);
		entry->next = head;
		nm_htab_add(&spd->chains, entry->hash, number);
		return;
	}
	for (at = head; spd->entries[at].next != NM_HTAB_NONE &&
			spd->entries[spd->entries[at].next].rank < entry->rank;)
		at = spd->entries[at].next;
	entry->next = spd->entries[at].next;
	spd->entries[at].next = number;
}

static void unlink_entry(struct nm_spd *spd, uint32_t number)
{
	struct nm_spd_entry *entry = &spd->entries[number];
	struct chain_key key = key_of_policy(spd, entry->shape, &entry->policy.selector);
	uint32_t at = find_chain(spd, &key, entry->hash);

	if (at == number) {
		nm_htab_remove(&spd->chains, entry->hash, number);
		if (entry->next != NM_HTAB_NONE)
			nm_htab_add(&spd->chains, entry->hash, entry->next);
		return;
	}
	while (spd->entries[at].next != number)
		at = spd->entries[at].next;
	spd->entries[at].next = entry->next;
}

static bool is_same_selector(const struct natmux_selector *a, const struct natmux_selector *b)
{
	return natmux_addr_equal(&a->source.base, &b->source.base) &&
	       natmux_addr_equal(&a->destination.base, &b->destination.base) &&
	       a->source.bits == b->source.bits && a->destination.bits == b->destination.bits &&
	       a->protocol == b->protocol && a->source_ports.min == b->source_ports.min &&
	       a->source_ports.max == b->source_ports.max &&
	       a->destination_ports.min == b->destination_ports.min &&
	       a->destination_ports.max == b->destination_ports.max;
}

static uint32_t find_entry(const struct nm_spd *spd, const struct natmux_policy *policy)
{
	for (uint32_t i = 0; i < spd->max; i++) {
		const struct nm_spd_entry *entry = &spd->entries[i];

		if (entry->is_used && entry->policy.priority == policy->priority &&
			is_same_selector(&entry->policy.selector, &policy->selector))
			return i;
	}
	return NM_HTAB_NONE;
}

static bool is_valid(const struct natmux_policy *policy)
{
	return nm_selector_is_valid(&policy->selector) && policy->action <= NATMUX_POLICY_DISCARD &&
	       (policy->action != NATMUX_POLICY_PROTECT || policy->reqid > 0);
}

static uint32_t free_entry(const struct nm_spd *spd)
{
	for (uint32_t i = 0; i < spd->max; i++)
		if (!spd->entries[i].is_used)
			return i;
	return NM_HTAB_NONE;
}

int nm_spd_add(struct nm_spd *spd, const struct natmux_policy *policy)
{
	uint32_t number, shape;

	if (!is_valid(policy))
		return NATMUX_EINVAL;
	if (find_entry(spd, policy) != NM_HTAB_NONE)
		return NATMUX_EEXISTS;
	number = free_entry(spd);
	if (number == NM_HTAB_NONE || find_shape(spd, &policy->selector, &shape) < 0)
		return NATMUX_EFULL;
	spd->entries[number] = (struct nm_spd_entry){
		.policy = *policy,
		.rank = (uint64_t)policy->priority << 32 | spd->order++,
		.shape = shape,
		.is_used = true,
	};
	spd->shapes[shape].count++;
	spd->count++;
	link_entry(spd, number);
	sort_shapes(spd);
	return 0;
}

int nm_spd_delete(struct nm_spd *spd, const struct natmux_policy *policy)
{
	uint32_t number = find_entry(spd, policy);

	if (number == NM_HTAB_NONE)
		return NATMUX_ENOTFOUND;
	unlink_entry(spd, number);
	spd->shapes[spd->entries[number].shape].count--;
	spd->entries[number].is_used = false;
	spd->count--;
	sort_shapes(spd);
	return 0;
}

/* The first of a shape's policies that the packet matches. */
static const struct nm_spd_entry *find_in_shape(
	const struct nm_spd *spd, uint32_t shape, const struct nm_inner_info *info)
{
	struct chain_key key = key_of_packet(spd, shape, info);
	uint32_t at = find_chain(spd, &key, hash_key(spd, &key));

	for (; at != NM_HTAB_NONE; at = spd->entries[at].next)
		if (nm_selector_matches(&spd->entries[at].policy.selector, info))
			return &spd->entries[at];
	return NULL;
}

const struct natmux_policy *nm_spd_find(const struct nm_spd *spd, const struct nm_inner_info *info)
{
	const struct nm_spd_entry *best = NULL;

	for (uint32_t i = 0; i < spd->by_rank_len; i++) {
		const struct nm_spd_shape *shape = &spd->shapes[spd->by_rank[i]];
		const struct nm_spd_entry *found;

		/* The shapes behind have nothing that comes before. */
		if (best && best->rank < shape->first)
			break;
		if (shape->family != info->family)
			continue;
		found = find_in_shape(spd, spd->by_rank[i], info);
		if (found && (!best || found->rank < best->rank))
			best = found;
	}
	return best ? &best->policy : NULL;
}

void nm_spd_each(const struct nm_spd *spd,
	void (*each)(void *user, const struct natmux_policy *policy), void *user)
{
	for (uint32_t i = 0; i < spd->max; i++)
		if (spd->entries[i].is_used)
			each(user, &spd->entries[i].policy);
}
