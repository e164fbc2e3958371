/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses under which the IKE daemon sees its peers when the relay stands between them: one
 * per flow, from one pool for each family.
 *
 * An alias that came free is given out again only after all others, so that what the daemon still
 * remembers of its last owner has the longest time to die. Finding works both ways without a
 * search: an alias is its place in the pool, a flow number its place in a table.
 */
#ifndef NM_ALIAS_H
#define NM_ALIAS_H

#include <stdbool.h>
#include <stdint.h>
#include <natmux/train.h>

struct nm_aliases;

enum { NM_ALIAS_POOL_MAX = 65536 /* of a larger pool only the first addresses are used */ };

/* One family's part. A `daemon` without family switches it off. */
struct nm_alias_pool_config {
	struct natmux_addr daemon; /* never an alias, even when it lies in the pool */
	struct natmux_prefix pool;
};

/* One alias that is in use. */
struct nm_alias {
	struct natmux_addr addr;
	uint32_t flow;
	bool is_reserved; /* chosen by configuration */
};

/*
 * How many aliases this pool can give out: its addresses (65536 at most) less the network's, for
 * IPv4 the broadcast address, and the daemon's. 0: the family is off, or daemon and pool are not
 * unicast addresses of one family. The mux needs no more flows than all pools together hold, and
 * with more of them it could not make room by closing one that nobody answered.
 */
uint32_t nm_alias_capacity(const struct nm_alias_pool_config *config);

/* Whether this address, whose port does not count, is one that the pool can give out. */
bool nm_alias_is_possible(
	const struct nm_alias_pool_config *config, const struct natmux_addr *addr);

/*
 * `flows_max`: flow numbers are below it. `port` is that of every alias. NATMUX_EINVAL: both
 * families off, or one with nothing to give out; NATMUX_ENOMEM. Nothing is allocated later.
 */
int nm_aliases_new(const struct nm_alias_pool_config *ipv4, const struct nm_alias_pool_config *ipv6,
	uint32_t flows_max, uint16_t port, struct nm_aliases **aliases);
void nm_aliases_free(struct nm_aliases *aliases);

/*
 * The alias of a flow; one is given to it when it has none, of `family` (enum natmux_family) or, if
 * that is off or used up, of the other. NATMUX_EFULL: no address left, or no such flow number.
 */
int nm_aliases_get(
	struct nm_aliases *aliases, uint32_t flow, uint8_t family, struct natmux_addr *alias);

/* The flow of an address of 4 or 16 bytes; NATMUX_FLOW_NONE when it is nobody's. */
uint32_t nm_aliases_find(const struct nm_aliases *aliases, uint8_t family, const uint8_t *ip);

/*
 * Gives a flow this address and no other; its port does not count. An alias that the flow has
 * goes back. NATMUX_ERANGE: in no pool; NATMUX_EINVAL: never an alias, or no such flow number;
 * NATMUX_EEXISTS: another flow has it.
 */
int nm_aliases_reserve(struct nm_aliases *aliases, uint32_t flow, const struct natmux_addr *addr);

/* The flow's alias, reserved or not, goes back to the end of the line. */
void nm_aliases_release(struct nm_aliases *aliases, uint32_t flow);

/* Calls `each` for every alias in use. */
void nm_aliases_each(const struct nm_aliases *aliases,
	void (*each)(void *user, const struct nm_alias *alias), void *user);

#endif
