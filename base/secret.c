/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of locked memory; what is secret in it is the owner's business. */
#include "base/secret.h"

#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>

enum {
	ALIGNMENT = 64,
	CHUNK_BYTES = 64 * 1024, /* locked at once: few calls, and small next to RLIMIT_MEMLOCK */
	PAGE_BYTES = 4096,
};

struct chunk {
	struct chunk *next;
	uint8_t *memory;
	size_t bytes;
};

/* In an object that is free: the next one that is. */
struct hole {
	struct hole *next;
};

struct nm_secret_pool {
	size_t size;
	struct chunk *chunks;
	struct hole *holes;
	bool is_locked;
};

struct nm_secret_pool *nm_secret_pool_new(size_t size)
{
	struct nm_secret_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	pool->is_locked = true;
	return pool;
}

void nm_secret_pool_free(struct nm_secret_pool *pool)
{
	if (!pool)
		return;
	while (pool->chunks) {
		struct chunk *chunk = pool->chunks;

		pool->chunks = chunk->next;
		/* Wipes as well. */
		sodium_munlock(chunk->memory, chunk->bytes);
		free(chunk->memory);
		free(chunk);
	}
	free(pool);
}

/* Cuts a new chunk into holes. */
static void grow(struct nm_secret_pool *pool)
{
	size_t bytes = pool->size > CHUNK_BYTES ? pool->size : CHUNK_BYTES;
	struct chunk *chunk = calloc(1, sizeof(*chunk));

	if (!chunk)
		return;
	bytes = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
	chunk->memory = aligned_alloc(PAGE_BYTES, bytes);
	if (!chunk->memory) {
		free(chunk);
		return;
	}
	/* mlock and MADV_DONTDUMP. */
	if (sodium_mlock(chunk->memory, bytes) != 0)
		pool->is_locked = false;
	sodium_memzero(chunk->memory, bytes);
	chunk->bytes = bytes;
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	for (size_t at = 0; at + pool->size <= bytes; at += pool->size) {
		struct hole *hole = (void *)(chunk->memory + at);

		hole->next = pool->holes;
		pool->holes = hole;
	}
}

void *nm_secret_take(struct nm_secret_pool *pool)
{
	struct hole *hole;

	if (!pool->holes)
		grow(pool);
	hole = pool->holes;
	if (!hole)
		return NULL;
	pool->holes = hole->next;
	hole->next = NULL;
	return hole;
}

void nm_secret_give(struct nm_secret_pool *pool, void *object)
{
	struct hole *hole = object;

	if (!object)
		return;
	sodium_memzero(object, pool->size);
	hole->next = pool->holes;
	pool->holes = hole;
}

bool nm_secret_is_locked(const struct nm_secret_pool *pool)
{
	return pool->is_locked;
}
