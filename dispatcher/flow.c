/* SPDX-License-Identifier: Apache-2.0 */
/* The table of flows: who has one, in which state, and who makes room. Datagrams are not its work. */
#include "dispatcher/flow.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

static uint32_t number_of(const struct nm_flow_table *table, const struct nm_flow *flow)
{
	return (uint32_t)(flow - table->flows);
}

enum {
	SHARE_PARTS = 8,    /* of the table that one prefix may have */
	SHARE_LEAST = 16,   /* flows, however small the table is */
	SHARE_COUNTERS = 8, /* for each flow of the table: prefixes seldom meet */
};

static int make_shares(struct nm_flow_table *table, uint32_t max)
{
	uint32_t counters = 1;

	while (counters < max * SHARE_COUNTERS)
		counters *= 2;
	table->shares = calloc(counters, sizeof(*table->shares));
	table->shares_mask = counters - 1;
	table->share_max =
		max / SHARE_PARTS > SHARE_LEAST ? max / SHARE_PARTS : (uint32_t)SHARE_LEAST;
	return table->shares ? 0 : NATMUX_ENOMEM;
}

int nm_flow_table_init(struct nm_flow_table *table, uint32_t max,
	const uint8_t key[NM_RATE_KEY_BYTES], const struct nm_flow_limits *limits)
{
	int err;

	memset(table, 0, sizeof(*table));
	err = nm_htab_init(&table->index, max);
	if (err < 0)
		return err;
	/* calloc: pages of flows that were never used cost nothing. */
	table->flows = calloc(max, sizeof(*table->flows));
	if (!table->flows || make_shares(table, max) < 0) {
		free(table->flows);
		nm_htab_done(&table->index);
		return NATMUX_ENOMEM;
	}
	table->max = max;
	table->limits = *limits;
	memcpy(table->key, key, sizeof(table->key));
	nm_list_init(&table->free);
	nm_list_init(&table->peers);
	nm_list_init(&table->silent);
	for (unsigned int i = 0; i < 3; i++)
		nm_list_init(&table->by_state[i]);
	return 0;
}

void nm_flow_table_done(struct nm_flow_table *table)
{
	for (uint32_t i = 0; i < table->touched; i++)
		if (table->flows[i].is_open)
			nm_flow_close(table, i);
	free(table->flows);
	free(table->shares);
	table->flows = NULL;
	table->shares = NULL;
	nm_htab_done(&table->index);
}

static uint32_t hash_path(const struct nm_flow_table *table, const struct natmux_path *path)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint32_t hash;

	crypto_shorthash(out, (const uint8_t *)path, sizeof(*path), table->key);
	memcpy(&hash, out, sizeof(hash));
	return hash;
}

static bool has_path(const struct natmux_path *a, const struct natmux_path *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool flow_is(const void *owner, uint32_t value, const void *key)
{
	const struct nm_flow_table *table = owner;

	return has_path(&table->flows[value].path, key);
}

static uint32_t find_exactly(const struct nm_flow_table *table, const struct natmux_path *path)
{
	return nm_htab_find(&table->index, hash_path(table, path), flow_is, table, path);
}

/* The path of whoever leaves the local address to the kernel. */
static struct natmux_path any_local(const struct natmux_path *path)
{
	return (struct natmux_path){
		.local.family = path->remote.family,
		.remote = path->remote,
	};
}

static bool is_any_local(const struct natmux_path *path)
{
	struct natmux_path any = any_local(path);

	return has_path(path, &any);
}

static uint32_t find_any_local(const struct nm_flow_table *table, const struct natmux_path *path)
{
	struct natmux_path any = any_local(path);

	return table->any_local == 0 ? NM_HTAB_NONE : find_exactly(table, &any);
}

_Static_assert(NM_HTAB_NONE == NATMUX_FLOW_NONE, "one number for none");

uint32_t nm_flow_find(struct nm_flow_table *table, const struct natmux_path *path)
{
	if (table->has_last && has_path(&table->last_path, path))
		return table->last;
	table->last = find_exactly(table, path);
	if (table->last == NATMUX_FLOW_NONE)
		table->last = find_any_local(table, path);
	table->last_path = *path;
	table->has_last = true;
	return table->last;
}

struct nm_flow *nm_flow_get(const struct nm_flow_table *table, uint32_t flow)
{
	if (flow >= table->touched || !table->flows[flow].is_open)
		return NULL;
	return &table->flows[flow];
}

void nm_flow_close(struct nm_flow_table *table, uint32_t number)
{
	struct nm_flow *flow = nm_flow_get(table, number);

	if (!flow)
		return;
	if (table->closed)
		table->closed(table->user, number);
	nm_htab_remove(&table->index, flow->hash, number);
	table->has_last = false;
	nm_list_remove(&flow->silence);
	nm_list_move_last(&table->free, &flow->activity);
	flow->is_open = false;
	table->shares[flow->share]--;
	table->count--;
	table->any_local -= is_any_local(&flow->path);
}

/* Closes the oldest flow of a stranger in the first of the states up to `last` that has one. */
static bool make_room(struct nm_flow_table *table, enum natmux_flow_state last)
{
	for (unsigned int state = NATMUX_FLOW_NEW; state <= (unsigned int)last; state++) {
		struct nm_list *oldest = nm_list_first(&table->by_state[state]);

		if (oldest) {
			nm_flow_close(table,
				number_of(table, NM_LIST_ENTRY(oldest, struct nm_flow, activity)));
			return true;
		}
	}
	return false;
}

static uint32_t share_of(const struct nm_flow_table *table, const struct natmux_addr *remote)
{
	const struct nm_flow_limits *limits = &table->limits;

	return (uint32_t)nm_prefix_hash(
		       remote, limits->prefix4_bits, limits->prefix6_bits, table->key) &
	       table->shares_mask;
}

bool nm_flow_has_share(const struct nm_flow_table *table, const struct natmux_addr *remote)
{
	return table->shares[share_of(table, remote)] < table->share_max;
}

/* A flow that is not in use, or NULL. */
static struct nm_flow *take_free(struct nm_flow_table *table)
{
	struct nm_flow *flow;

	/* An unauthenticated sender pushes out nothing better. */
	if (table->count == table->max && !make_room(table, NATMUX_FLOW_ANSWERED))
		return NULL;
	if (nm_list_is_empty(&table->free)) {
		flow = &table->flows[table->touched++];
	} else {
		flow = NM_LIST_ENTRY(nm_list_first(&table->free), struct nm_flow, activity);
		nm_list_remove(&flow->activity);
		memset(flow, 0, sizeof(*flow));
	}
	nm_list_init(&flow->activity);
	nm_list_init(&flow->silence);
	return flow;
}

int nm_flow_open(struct nm_flow_table *table, uint64_t now_ms, const struct natmux_path *path,
	uint32_t *number)
{
	struct nm_flow *flow = take_free(table);

	if (!flow)
		return NATMUX_EFULL;
	flow->path = *path;
	flow->hash = hash_path(table, path);
	flow->share = share_of(table, &path->remote);
	table->shares[flow->share]++;
	flow->is_open = true;
	flow->created_ms = now_ms;
	*number = number_of(table, flow);
	/* Cannot be full: the index holds as many as there are flows. */
	nm_htab_add(&table->index, flow->hash, *number);
	nm_list_move_last(&table->by_state[NATMUX_FLOW_NEW], &flow->activity);
	table->count++;
	table->any_local += is_any_local(path);
	table->has_last = false;
	return 0;
}

uint32_t nm_flow_find_peer(const struct nm_flow_table *table, const char *name)
{
	for (struct nm_list *node = table->peers.next; node != &table->peers; node = node->next) {
		struct nm_flow *flow = NM_LIST_ENTRY(node, struct nm_flow, activity);

		if (strcmp(flow->name, name) == 0)
			return number_of(table, flow);
	}
	return NATMUX_FLOW_NONE;
}

int nm_flow_open_peer(struct nm_flow_table *table, uint64_t now_ms, const char *name,
	const struct natmux_path *path, uint32_t *number)
{
	struct nm_flow *flow;
	uint32_t found;
	int err;

	if (strlen(name) >= NM_FLOW_NAME_MAX || !*name)
		return NATMUX_EINVAL;
	if (nm_flow_find_peer(table, name) != NATMUX_FLOW_NONE)
		return NATMUX_EEXISTS;
	found = nm_flow_find(table, path);
	if (found != NATMUX_FLOW_NONE && table->flows[found].is_peer)
		return NATMUX_EEXISTS;
	if (found == NATMUX_FLOW_NONE) {
		/* Who is configured goes before strangers, whatever they have proved. */
		if (table->count == table->max)
			make_room(table, NATMUX_FLOW_ESTABLISHED);
		err = nm_flow_open(table, now_ms, path, &found);
		if (err < 0)
			return err;
	}
	flow = &table->flows[found];
	flow->is_peer = true;
	strcpy(flow->name, name);
	nm_list_move_last(&table->peers, &flow->activity);
	*number = found;
	return 0;
}

bool nm_flow_sent(struct nm_flow_table *table, uint64_t now_ms, uint32_t number, bool is_proof)
{
	struct nm_flow *flow = &table->flows[number];
	uint8_t before = flow->state;

	flow->tx_ms = flow->sent_ms = now_ms;
	if (is_proof)
		flow->state = NATMUX_FLOW_ESTABLISHED;
	else if (flow->state == NATMUX_FLOW_NEW)
		flow->state = NATMUX_FLOW_ANSWERED;
	if (!flow->is_peer)
		nm_list_move_last(&table->by_state[flow->state], &flow->activity);
	if (flow->state == NATMUX_FLOW_ESTABLISHED)
		nm_list_move_last(&table->silent, &flow->silence);
	return flow->state == NATMUX_FLOW_ESTABLISHED && before != NATMUX_FLOW_ESTABLISHED;
}

uint64_t nm_flow_next_silence(const struct nm_flow_table *table)
{
	const struct nm_list *oldest = nm_list_first(&table->silent);

	if (!oldest)
		return UINT64_MAX;
	return NM_LIST_ENTRY(oldest, struct nm_flow, silence)->sent_ms + table->limits.keepalive_ms;
}

uint32_t nm_flow_next_silent(const struct nm_flow_table *table, uint64_t now_ms)
{
	if (nm_flow_next_silence(table) > now_ms)
		return NATMUX_FLOW_NONE;
	return number_of(
		table, NM_LIST_ENTRY(nm_list_first(&table->silent), struct nm_flow, silence));
}

void nm_flow_kept_alive(struct nm_flow_table *table, uint64_t now_ms, uint32_t number)
{
	struct nm_flow *flow = &table->flows[number];

	flow->sent_ms = now_ms;
	nm_list_move_last(&table->silent, &flow->silence);
}

static uint64_t expiry(const struct nm_flow_table *table, const struct nm_flow *flow)
{
	/* What the peer sends proves nothing and prolongs nothing. */
	uint64_t since = flow->state == NATMUX_FLOW_NEW ? flow->created_ms : flow->tx_ms;

	return since + table->limits.lifetime_ms[flow->state];
}

void nm_flow_expire(struct nm_flow_table *table, uint64_t now_ms)
{
	for (unsigned int state = 0; state < 3; state++) {
		struct nm_list *oldest;

		while ((oldest = nm_list_first(&table->by_state[state]))) {
			struct nm_flow *flow = NM_LIST_ENTRY(oldest, struct nm_flow, activity);

			if (expiry(table, flow) > now_ms)
				break;
			nm_flow_close(table, number_of(table, flow));
		}
	}
}

uint64_t nm_flow_next_expiry(const struct nm_flow_table *table)
{
	uint64_t next = UINT64_MAX;

	for (unsigned int state = 0; state < 3; state++) {
		struct nm_list *oldest = nm_list_first(&table->by_state[state]);
		uint64_t at;

		if (!oldest)
			continue;
		at = expiry(table, NM_LIST_ENTRY(oldest, struct nm_flow, activity));
		next = at < next ? at : next;
	}
	return next;
}
