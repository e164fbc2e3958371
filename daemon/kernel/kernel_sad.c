/* SPDX-License-Identifier: Apache-2.0 */
/* Two indexes over one array; it keeps what it is told and decides nothing. */
#include "daemon/kernel/kernel_sad.h"

#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_addr.h"

/* Who may add SAs may fill the table as well: a hash without a secret will do. */
static uint32_t mix(uint32_t hash, uint32_t value)
{
	hash = (hash ^ value) * 0x9e3779b1U;
	return hash ^ hash >> 15;
}

static uint32_t mix_addr(uint32_t hash, const struct natmux_addr *addr)
{
	for (size_t i = 0; i < sizeof(addr->ip); i += 4) {
		uint32_t word;

		memcpy(&word, addr->ip + i, sizeof(word));
		hash = mix(hash, word);
	}
	return hash;
}

struct name {
	enum natmux_sa_direction direction;
	uint32_t spi;
	const struct natmux_addr *remote;
};

static uint32_t hash_name(const struct name *name)
{
	uint32_t hash = mix((uint32_t)name->direction, name->spi);

	return name->direction == NATMUX_SA_OUT ? mix_addr(hash, name->remote) : hash;
}

static uint32_t hash_id(const struct nm_xfrm_state_id *id)
{
	return mix_addr(mix(id->mark.value, id->spi), &id->destination);
}

static struct name name_of(const struct nm_kernel_sa *sa)
{
	const struct natmux_sa_config *config = &sa->order.config;

	return (struct name){config->direction, config->spi, &config->path.remote};
}

static bool has_name(const void *owner, uint32_t value, const void *key)
{
	const struct nm_kernel_sad *sad = owner;
	struct name a = name_of(sad->sas[value]);
	const struct name *b = key;

	return a.direction == b->direction && a.spi == b->spi &&
	       (a.direction == NATMUX_SA_IN || nm_config_addr_same_ip(a.remote, b->remote));
}

static bool has_id(const void *owner, uint32_t value, const void *key)
{
	const struct nm_kernel_sad *sad = owner;
	const struct nm_xfrm_state_id *a = &sad->sas[value]->id, *b = key;

	return a->spi == b->spi && a->protocol == b->protocol && a->mark.value == b->mark.value &&
	       a->mark.mask == b->mark.mask &&
	       nm_config_addr_same_ip(&a->destination, &b->destination);
}

int nm_kernel_sad_init(struct nm_kernel_sad *sad, uint32_t max)
{
	int err;

	*sad = (struct nm_kernel_sad){
		.max = max, .sas = calloc(max, sizeof(struct nm_kernel_sa *))};
	if (!sad->sas)
		return NATMUX_ENOMEM;
	err = nm_htab_init(&sad->by_name, max);
	if (err == 0)
		err = nm_htab_init(&sad->by_id, max);
	if (err == 0)
		err = nm_kernel_reqids_init(&sad->by_reqid, max);
	if (err < 0)
		nm_kernel_sad_done(sad);
	return err;
}

static void free_sa(struct nm_kernel_sa *sa)
{
	/* Ours: nm_kernel_sad_add() made it. */
	free((void *)(uintptr_t)sa->order.config.selectors);
	free(sa);
}

void nm_kernel_sad_done(struct nm_kernel_sad *sad)
{
	for (uint32_t i = 0; i < sad->len; i++)
		free_sa(sad->sas[i]);
	free(sad->sas);
	nm_htab_done(&sad->by_name);
	nm_htab_done(&sad->by_id);
	nm_kernel_reqids_done(&sad->by_reqid);
	*sad = (struct nm_kernel_sad){0};
}

static struct nm_kernel_sa *at(const struct nm_kernel_sad *sad, uint32_t index)
{
	return index == NM_HTAB_NONE ? NULL : sad->sas[index];
}

static uint32_t index_of(const struct nm_kernel_sad *sad, const struct nm_kernel_sa *sa)
{
	struct name name = name_of(sa);

	return nm_htab_find(&sad->by_name, hash_name(&name), has_name, sad, &name);
}

struct nm_kernel_sa *nm_kernel_sad_find(const struct nm_kernel_sad *sad,
	enum natmux_sa_direction direction, uint32_t spi, const struct natmux_addr *remote)
{
	struct name name = {direction, spi, remote};

	return at(sad, nm_htab_find(&sad->by_name, hash_name(&name), has_name, sad, &name));
}

struct nm_kernel_sa *nm_kernel_sad_find_id(
	const struct nm_kernel_sad *sad, const struct nm_xfrm_state_id *id)
{
	return at(sad, nm_htab_find(&sad->by_id, hash_id(id), has_id, sad, id));
}

struct nm_kernel_sa *nm_kernel_sad_newest(const struct nm_kernel_sad *sad, uint32_t reqid)
{
	const struct nm_list *ring = nm_kernel_reqids_ring(&sad->by_reqid, reqid);

	for (struct nm_list *node = ring->prev; node != ring; node = node->prev) {
		struct nm_kernel_sa *sa = NM_LIST_ENTRY(node, struct nm_kernel_sa, node);

		if (sa->order.config.reqid == reqid && !sa->is_dead)
			return sa;
	}
	return NULL;
}

static int copy_order(struct nm_kernel_sa *sa, const struct nm_sa_order *order)
{
	struct natmux_selector *selectors = NULL;
	size_t len = order->config.selectors_len;

	if (len > 0) {
		selectors = calloc(len, sizeof(*selectors));
		if (!selectors)
			return NATMUX_ENOMEM;
		memcpy(selectors, order->config.selectors, len * sizeof(*selectors));
	}
	sa->order = *order;
	sa->order.config.selectors = selectors;
	sa->order.config.key = NULL;
	sa->order.config.key_len = 0;
	sa->order.config.replay = NULL;
	return 0;
}

int nm_kernel_sad_add(struct nm_kernel_sad *sad, const struct nm_sa_order *order,
	const struct natmux_path *path, const struct nm_xfrm_state_id *id,
	struct nm_kernel_sa **result)
{
	struct nm_kernel_sa *sa;
	struct name name;
	int err;

	if (sad->len == sad->max)
		return NATMUX_EFULL;
	sa = calloc(1, sizeof(*sa));
	if (!sa)
		return NATMUX_ENOMEM;
	err = copy_order(sa, order);
	if (err < 0) {
		free(sa);
		return err;
	}
	sa->path = *path;
	sa->id = *id;
	sa->is_seen = true;
	nm_list_init(&sa->node);
	if (order->config.direction == NATMUX_SA_OUT)
		nm_list_move_last(
			nm_kernel_reqids_ring(&sad->by_reqid, order->config.reqid), &sa->node);
	name = name_of(sa);
	/* There is room: both have as much as the array. */
	nm_htab_add(&sad->by_name, hash_name(&name), sad->len);
	nm_htab_add(&sad->by_id, hash_id(id), sad->len);
	sad->sas[sad->len++] = sa;
	*result = sa;
	return 0;
}

/* The indexes know SAs by their places. */
static void unlist(struct nm_kernel_sad *sad, const struct nm_kernel_sa *sa, uint32_t index)
{
	struct name name = name_of(sa);

	nm_htab_remove(&sad->by_name, hash_name(&name), index);
	nm_htab_remove(&sad->by_id, hash_id(&sa->id), index);
}

void nm_kernel_sad_remove(struct nm_kernel_sad *sad, struct nm_kernel_sa *sa)
{
	uint32_t index = index_of(sad, sa), last = sad->len - 1;

	unlist(sad, sa, index);
	if (index != last) {
		struct nm_kernel_sa *other = sad->sas[last];
		struct name name = name_of(other);

		unlist(sad, other, last);
		sad->sas[index] = other;
		nm_htab_add(&sad->by_name, hash_name(&name), index);
		nm_htab_add(&sad->by_id, hash_id(&other->id), index);
	}
	sad->len--;
	nm_list_remove(&sa->node);
	free_sa(sa);
}

void nm_kernel_sad_rename(
	struct nm_kernel_sad *sad, struct nm_kernel_sa *sa, const struct nm_xfrm_state_id *id)
{
	uint32_t index = index_of(sad, sa);

	nm_htab_remove(&sad->by_id, hash_id(&sa->id), index);
	sa->id = *id;
	/* A dump that has begun before may not have it. */
	sa->is_seen = true;
	nm_htab_add(&sad->by_id, hash_id(&sa->id), index);
}
