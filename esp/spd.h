/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbound policies of one plane, in their order. Policies of one shape (family, prefix lengths,
 * whether a protocol and single ports are given) lie in one hash table, so that a packet is looked
 * up once per shape, not once per policy; port ranges are compared along a chain.
 */
#ifndef NM_SPD_H
#define NM_SPD_H

#include <natmux/esp.h>
#include "base/htab.h"
#include "esp/inner.h"

enum { NM_SPD_SHAPES_MAX = 256 };

struct nm_spd_shape {
	uint8_t family, source_bits, destination_bits;
	bool has_protocol, has_source_port, has_destination_port;
	uint32_t count; /* policies */
	uint64_t first; /* rank of its first policy */
};

struct nm_spd_entry {
	struct natmux_policy policy;
	uint64_t rank; /* priority, then the order of coming: unique */
	uint32_t shape;
	uint32_t next; /* in the chain of its key, by rank; NM_HTAB_NONE: the last */
	uint32_t hash;
	bool is_used;
};

struct nm_spd {
	struct nm_spd_entry *entries;
	uint32_t max, count;
	uint32_t order; /* policies added so far */
	struct nm_htab chains;
	uint8_t key[16];
	struct nm_spd_shape shapes[NM_SPD_SHAPES_MAX];
	uint32_t shapes_len;
	uint32_t
		by_rank[NM_SPD_SHAPES_MAX]; /* shapes in use, the one with the first policy first */
	uint32_t by_rank_len;
};

/* NATMUX_ENOMEM, NATMUX_ERANGE. */
int nm_spd_init(struct nm_spd *spd, uint32_t max, const uint8_t key[16]);
void nm_spd_done(struct nm_spd *spd);

/* Adds a copy. NATMUX_EINVAL, NATMUX_EFULL (policies, or shapes), NATMUX_EEXISTS (same priority and selector). */
int nm_spd_add(struct nm_spd *spd, const struct natmux_policy *policy);

/* Removes the policy of this priority and selector. NATMUX_ENOTFOUND. */
int nm_spd_delete(struct nm_spd *spd, const struct natmux_policy *policy);

/* The first policy that a packet matches, or NULL. Borrowed until the next change. */
const struct natmux_policy *nm_spd_find(const struct nm_spd *spd, const struct nm_inner_info *info);

/* Calls `each` for every policy, in no order. */
void nm_spd_each(const struct nm_spd *spd,
	void (*each)(void *user, const struct natmux_policy *policy), void *user);

#endif
