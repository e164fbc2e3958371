/* SPDX-License-Identifier: Apache-2.0 */
/* Who has which alias address, and who gets the next one. Packets are the relay's work. */
#include "dispatcher/alias.h"

#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include "base/bytes.h"
#include "wire/ip.h"

/* The addresses of one family; an address is known by its distance from the first. */
struct pool {
	struct natmux_addr base;
	uint32_t size;  /* 0: the family is off */
	uint32_t *flow; /* by address: its flow + 1; 0: nobody's */
	uint16_t *line; /* ring of the free addresses, the one to be given out next first */
	uint32_t head, count;
};

/* What a flow has: 0, or the distance + 1 with these bits. */
enum {
	OWNS_INDEX = 0x1ffff,
	OWNS_IPV6 = 1 << 30,
	OWNS_RESERVED = 1 << 29,
};

struct nm_aliases {
	struct pool ipv4, ipv6;
	uint32_t *owns; /* by flow */
	uint32_t flows_max;
	uint16_t port;
};

/* RFC 6890: an address that a host on a link of its own can have. */
static bool is_unicast(const struct natmux_addr *addr)
{
	static const uint8_t zero[16];

	if (addr->family == NATMUX_FAMILY_IPV4)
		return addr->ip[0] != 0 && addr->ip[0] != 127 && addr->ip[0] < 224;
	return addr->family == NATMUX_FAMILY_IPV6 && addr->ip[0] != 0xff &&
	       memcmp(addr->ip, zero, 12) != 0; /* ::, ::1 and the old mapped forms */
}

static uint32_t pool_size(const struct natmux_prefix *prefix)
{
	unsigned int host_bits =
		8 * (unsigned int)nm_ip_addr_len(prefix->base.family) - prefix->bits;

	return host_bits < 16 ? 1U << host_bits : NM_ALIAS_POOL_MAX;
}

/* The distance of an address from the base of a pool, `size` or more when it is not in it. */
static uint32_t distance(const struct natmux_addr *base, const uint8_t *ip)
{
	size_t head = nm_ip_addr_len(base->family) - 2;

	if (memcmp(ip, base->ip, head) != 0)
		return UINT32_MAX;
	return (uint32_t)nm_get16(ip + head) - nm_get16(base->ip + head);
}

/*
 * Whether the address at this distance may become an alias. Not the first and last of an IPv4
 * block (RFC 1122 3.2.1.3; blocks of one and two addresses have neither, RFC 3021), not the first
 * of an IPv6 block (RFC 4291 2.6.1: all routers; not of two addresses, RFC 6164).
 */
static bool is_usable(const struct nm_alias_pool_config *config, uint32_t index)
{
	unsigned int all_bits = 8 * (unsigned int)nm_ip_addr_len(config->pool.base.family);
	unsigned int host_bits = all_bits - config->pool.bits;

	if (index == distance(&config->pool.base, config->daemon.ip))
		return false;
	if (host_bits < 2)
		return true;
	if (all_bits == 32 && host_bits <= 16 && index == (1U << host_bits) - 1)
		return false;
	return index != 0;
}

static bool is_valid(const struct nm_alias_pool_config *config)
{
	return config->daemon.family == config->pool.base.family && is_unicast(&config->daemon) &&
	       is_unicast(&config->pool.base) &&
	       config->pool.bits <= 8 * nm_ip_addr_len(config->daemon.family);
}

uint32_t nm_alias_capacity(const struct nm_alias_pool_config *config)
{
	uint32_t capacity = 0;

	if (!is_valid(config))
		return 0;
	for (uint32_t i = 0; i < pool_size(&config->pool); i++)
		capacity += is_usable(config, i);
	return capacity;
}

bool nm_alias_is_possible(const struct nm_alias_pool_config *config, const struct natmux_addr *addr)
{
	uint32_t index;

	if (!is_valid(config) || addr->family != config->pool.base.family)
		return false;
	index = distance(&config->pool.base, addr->ip);
	return index < pool_size(&config->pool) && is_usable(config, index);
}

static int pool_init(struct pool *pool, uint8_t family, const struct nm_alias_pool_config *config)
{
	uint32_t size;

	if (config->daemon.family == NATMUX_FAMILY_NONE)
		return 0;
	if (config->daemon.family != family || nm_alias_capacity(config) == 0)
		return NATMUX_EINVAL;
	size = pool_size(&config->pool);
	pool->flow = calloc(size, sizeof(*pool->flow));
	pool->line = calloc(size, sizeof(*pool->line));
	if (!pool->flow || !pool->line)
		return NATMUX_ENOMEM;
	for (uint32_t i = 0; i < size; i++)
		if (is_usable(config, i))
			pool->line[pool->count++] = (uint16_t)i;
	pool->base = config->pool.base;
	pool->size = size;
	return 0;
}

static void pool_done(struct pool *pool)
{
	free(pool->flow);
	free(pool->line);
}

/* The next free address for a flow; false when there is none. */
static bool pool_take(struct pool *pool, uint32_t flow, uint32_t *index)
{
	if (pool->count == 0)
		return false;
	*index = pool->line[pool->head];
	pool->head = (pool->head + 1) % pool->size;
	pool->count--;
	pool->flow[*index] = flow + 1;
	return true;
}

/* The line has room: it is as long as the pool. */
static void pool_give_back(struct pool *pool, uint32_t index)
{
	pool->line[(pool->head + pool->count) % pool->size] = (uint16_t)index;
	pool->count++;
	pool->flow[index] = 0;
}

/* Takes one certain address out of the line; false when it does not stand there. */
static bool pool_take_this(struct pool *pool, uint32_t flow, uint32_t index)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < pool->count; i++) {
		uint16_t at = pool->line[(pool->head + i) % pool->size];

		if (at != index)
			pool->line[(pool->head + kept++) % pool->size] = at;
	}
	if (kept == pool->count)
		return false;
	pool->count = kept;
	pool->flow[index] = flow + 1;
	return true;
}

static struct pool *pool_of(struct nm_aliases *aliases, uint8_t family)
{
	return family == NATMUX_FAMILY_IPV4 ? &aliases->ipv4 : &aliases->ipv6;
}

static uint32_t owns_flag(const struct nm_aliases *aliases, const struct pool *pool)
{
	return pool == &aliases->ipv6 ? OWNS_IPV6 : 0;
}

static struct natmux_addr alias_at(
	const struct nm_aliases *aliases, const struct pool *pool, uint32_t index)
{
	struct natmux_addr addr = pool->base;
	uint8_t *low = addr.ip + nm_ip_addr_len(addr.family) - 2;

	nm_put16(low, (uint16_t)(nm_get16(low) + index));
	addr.port = aliases->port;
	return addr;
}

int nm_aliases_new(const struct nm_alias_pool_config *ipv4, const struct nm_alias_pool_config *ipv6,
	uint32_t flows_max, uint16_t port, struct nm_aliases **result)
{
	struct nm_aliases *aliases;
	int err;

	if (flows_max == 0)
		return NATMUX_EINVAL;
	aliases = calloc(1, sizeof(*aliases));
	if (!aliases)
		return NATMUX_ENOMEM;
	aliases->flows_max = flows_max;
	aliases->port = port;
	aliases->owns = calloc(flows_max, sizeof(*aliases->owns));
	err = aliases->owns ? pool_init(&aliases->ipv4, NATMUX_FAMILY_IPV4, ipv4) : NATMUX_ENOMEM;
	if (err == 0)
		err = pool_init(&aliases->ipv6, NATMUX_FAMILY_IPV6, ipv6);
	if (err == 0 && aliases->ipv4.size == 0 && aliases->ipv6.size == 0)
		err = NATMUX_EINVAL;
	if (err < 0) {
		nm_aliases_free(aliases);
		return err;
	}
	*result = aliases;
	return 0;
}

void nm_aliases_free(struct nm_aliases *aliases)
{
	if (!aliases)
		return;
	pool_done(&aliases->ipv4);
	pool_done(&aliases->ipv6);
	free(aliases->owns);
	free(aliases);
}

static int assign(struct nm_aliases *aliases, uint32_t flow, uint8_t family)
{
	struct pool *pool = pool_of(aliases, family);
	uint32_t index;

	if (!pool_take(pool, flow, &index)) {
		pool = pool == &aliases->ipv4 ? &aliases->ipv6 : &aliases->ipv4;
		if (!pool_take(pool, flow, &index))
			return NATMUX_EFULL;
	}
	aliases->owns[flow] = (index + 1) | owns_flag(aliases, pool);
	return 0;
}

int nm_aliases_get(
	struct nm_aliases *aliases, uint32_t flow, uint8_t family, struct natmux_addr *alias)
{
	uint32_t owns;

	if (flow >= aliases->flows_max)
		return NATMUX_EFULL;
	if (aliases->owns[flow] == 0 && assign(aliases, flow, family) < 0)
		return NATMUX_EFULL;
	owns = aliases->owns[flow];
	*alias = alias_at(aliases, owns & OWNS_IPV6 ? &aliases->ipv6 : &aliases->ipv4,
		(owns & OWNS_INDEX) - 1);
	return 0;
}

uint32_t nm_aliases_find(const struct nm_aliases *aliases, uint8_t family, const uint8_t *ip)
{
	const struct pool *pool = family == NATMUX_FAMILY_IPV4 ? &aliases->ipv4 : &aliases->ipv6;
	uint32_t index;

	if (pool->size == 0)
		return NATMUX_FLOW_NONE;
	index = distance(&pool->base, ip);
	/* 0 - 1 is NATMUX_FLOW_NONE. */
	return index < pool->size ? pool->flow[index] - 1 : NATMUX_FLOW_NONE;
}

int nm_aliases_reserve(struct nm_aliases *aliases, uint32_t flow, const struct natmux_addr *addr)
{
	struct pool *pool = pool_of(aliases, addr->family);
	uint32_t index, owns;

	if (flow >= aliases->flows_max)
		return NATMUX_EINVAL;
	if (addr->family != pool->base.family || pool->size == 0)
		return NATMUX_ERANGE;
	index = distance(&pool->base, addr->ip);
	if (index >= pool->size)
		return NATMUX_ERANGE;
	owns = (index + 1) | owns_flag(aliases, pool) | OWNS_RESERVED;
	if (pool->flow[index] == flow + 1) {
		aliases->owns[flow] = owns;
		return 0;
	}
	if (pool->flow[index] != 0)
		return NATMUX_EEXISTS;
	if (!pool_take_this(pool, flow, index))
		return NATMUX_EINVAL;
	nm_aliases_release(aliases, flow);
	aliases->owns[flow] = owns;
	return 0;
}

void nm_aliases_release(struct nm_aliases *aliases, uint32_t flow)
{
	uint32_t owns;

	if (flow >= aliases->flows_max || aliases->owns[flow] == 0)
		return;
	owns = aliases->owns[flow];
	pool_give_back(owns & OWNS_IPV6 ? &aliases->ipv6 : &aliases->ipv4, (owns & OWNS_INDEX) - 1);
	aliases->owns[flow] = 0;
}

static void pool_each(const struct nm_aliases *aliases, const struct pool *pool,
	void (*each)(void *user, const struct nm_alias *alias), void *user)
{
	for (uint32_t i = 0; i < pool->size; i++) {
		uint32_t flow = pool->flow[i] - 1;

		if (flow == NATMUX_FLOW_NONE)
			continue;
		each(user, &(struct nm_alias){
				   .addr = alias_at(aliases, pool, i),
				   .flow = flow,
				   .is_reserved = aliases->owns[flow] & OWNS_RESERVED,
			   });
	}
}

void nm_aliases_each(const struct nm_aliases *aliases,
	void (*each)(void *user, const struct nm_alias *alias), void *user)
{
	pool_each(aliases, &aliases->ipv4, each, user);
	pool_each(aliases, &aliases->ipv6, each, user);
}

_Static_assert(NATMUX_FLOW_NONE == UINT32_MAX, "0 - 1 is no flow");
