/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for keys: objects of one size in pages that are locked (never swapped), left out of core
 * dumps, and wiped when an object is given back. One pool is used by one thread at a time.
 */
#ifndef NM_SECRET_H
#define NM_SECRET_H

#include <stdbool.h>
#include <stddef.h>

struct nm_secret_pool;

/* Objects of `size` bytes, aligned to 64. NULL without memory. */
struct nm_secret_pool *nm_secret_pool_new(size_t size);

/* All objects must have been given back, or are wiped now. NULL is fine. */
void nm_secret_pool_free(struct nm_secret_pool *pool);

/* A zeroed object; NULL without memory. */
void *nm_secret_take(struct nm_secret_pool *pool);

/* Wipes the object and gives it back; NULL is fine. */
void nm_secret_give(struct nm_secret_pool *pool, void *object);

/* Whether every page could be locked: RLIMIT_MEMLOCK may be too small. */
bool nm_secret_is_locked(const struct nm_secret_pool *pool);

#endif
