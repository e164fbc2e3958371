/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets: one, and a bounded table of them for the source prefixes of the Internet. */
#ifndef NM_RATE_H
#define NM_RATE_H

#include <stdbool.h>
#include <stdint.h>
#include <natmux/addr.h>

/* Tokens are counted in thousandths: `per_s` tokens a second are per_s thousandths a millisecond. */
struct nm_bucket {
	uint64_t milli;
	uint64_t filled_ms; /* when it was last filled up */
};

enum { NM_RATE_BURST_MAX = 1000000, NM_RATE_PER_S_MAX = 1000000 };

/* A full bucket. */
void nm_bucket_init(struct nm_bucket *bucket, uint32_t burst, uint64_t now_ms);

/* Takes one token if there is one. `per_s` and `burst` as in struct natmux_rate. */
bool nm_bucket_take(struct nm_bucket *bucket, uint32_t per_s, uint32_t burst, uint64_t now_ms);

/*
 * Buckets by source prefix, four to a set. When a set is full the fullest bucket makes room, for a
 * full bucket says nothing that a new one would not say. A sender of many forged prefixes can so
 * at most win back a burst; the total is bounded by a bucket for all.
 */
struct nm_rate_table;

enum { NM_RATE_KEY_BYTES = 16 };

/* The keyed hash, never 0, of the prefix of `bits4` or `bits6` bits that the address lies in. */
uint64_t nm_prefix_hash(const struct natmux_addr *addr, uint8_t bits4, uint8_t bits6,
	const uint8_t key[NM_RATE_KEY_BYTES]);

/* `sets` is a power of two. NULL without memory. */
struct nm_rate_table *nm_rate_table_new(uint32_t sets, const uint8_t key[NM_RATE_KEY_BYTES]);
void nm_rate_table_free(struct nm_rate_table *table);

/* Takes a token of the prefix of `bits4` or `bits6` bits that the address lies in. */
struct nm_rate_prefix {
	uint32_t per_s, burst;
	uint8_t bits4, bits6;
};
bool nm_rate_table_take(struct nm_rate_table *table, const struct nm_rate_prefix *rate,
	const struct natmux_addr *addr, uint64_t now_ms);

#endif
