/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was done with an SA since it was added: what lifetimes and keepalives go by. The workers that
 * have copies of one outbound SA count together, in the leader's, without a lock: one addition for a
 * vector, and what is told once is told by whoever was first.
 */
#ifndef NM_USAGE_H
#define NM_USAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct nm_usage {
	_Atomic uint64_t packets, bytes;
	_Atomic uint64_t used_ms;  /* when a packet went last; 0: never */
	_Atomic bool is_soft_told; /* a soft limit was reached */
	_Atomic bool is_dead;      /* a hard limit was reached, or the counter is used up */
};

/* Adds what one vector had; both sums as they are then. */
static inline void nm_usage_add(
	struct nm_usage *usage, uint64_t packets, uint64_t bytes, uint64_t sums[static 2])
{
	sums[0] =
		atomic_fetch_add_explicit(&usage->packets, packets, memory_order_relaxed) + packets;
	sums[1] = atomic_fetch_add_explicit(&usage->bytes, bytes, memory_order_relaxed) + bytes;
}

/* Written only when the time is another one: workers share the cache line. */
static inline void nm_usage_touch(struct nm_usage *usage, uint64_t now_ms)
{
	if (atomic_load_explicit(&usage->used_ms, memory_order_relaxed) != now_ms)
		atomic_store_explicit(&usage->used_ms, now_ms, memory_order_relaxed);
}

static inline uint64_t nm_usage_last_ms(struct nm_usage *usage)
{
	return atomic_load_explicit(&usage->used_ms, memory_order_relaxed);
}

static inline bool nm_usage_is_dead(struct nm_usage *usage)
{
	return atomic_load_explicit(&usage->is_dead, memory_order_relaxed);
}

/* True for the first who says so. */
static inline bool nm_usage_end(struct nm_usage *usage)
{
	return !atomic_exchange_explicit(&usage->is_dead, true, memory_order_relaxed);
}

static inline bool nm_usage_warn(struct nm_usage *usage)
{
	return !atomic_load_explicit(&usage->is_soft_told, memory_order_relaxed) &&
	       !atomic_exchange_explicit(&usage->is_soft_told, true, memory_order_relaxed);
}

#endif
