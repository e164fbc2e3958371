/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash index of fixed capacity: finds the number of an object in its owner's array. Open
 * addressing with backward-shift deletion, at most half full, so that a probe stays short. The
 * owner hashes with a secret key where the network chooses what is hashed.
 */
#ifndef NM_HTAB_H
#define NM_HTAB_H

#include <stdbool.h>
#include <stdint.h>

struct nm_htab_slot {
	uint32_t hash;
	uint32_t value; /* NM_HTAB_NONE: empty */
};

struct nm_htab {
	struct nm_htab_slot *slots;
	uint32_t mask;
	uint32_t count, max;
};

#define NM_HTAB_NONE UINT32_MAX

/* Whether the object numbered `value` is the one meant by `key`. */
typedef bool nm_htab_equal(const void *owner, uint32_t value, const void *key);

/* Room for `max` objects (1 to 2^30). NATMUX_ENOMEM, NATMUX_ERANGE. */
int nm_htab_init(struct nm_htab *htab, uint32_t max);
void nm_htab_done(struct nm_htab *htab);

/* The object's number, or NM_HTAB_NONE. */
uint32_t nm_htab_find(const struct nm_htab *htab, uint32_t hash, nm_htab_equal *equal,
	const void *owner, const void *key);

/*
 * For owners that look up many objects at once: brings a slot into the cache, and reads there, without
 * touching any object, which number the lookup will probably give (NM_HTAB_NONE: none).
 */
static inline void nm_htab_prefetch(const struct nm_htab *htab, uint32_t hash)
{
	__builtin_prefetch(&htab->slots[hash & htab->mask]);
}

static inline uint32_t nm_htab_guess(const struct nm_htab *htab, uint32_t hash)
{
	uint32_t i = hash & htab->mask;

	while (htab->slots[i].value != NM_HTAB_NONE && htab->slots[i].hash != hash)
		i = (i + 1) & htab->mask;
	return htab->slots[i].value;
}

/* Adds an object that is not there yet. NATMUX_EFULL. */
int nm_htab_add(struct nm_htab *htab, uint32_t hash, uint32_t value);

/* Removes the object with this hash and number; nothing happens when it is not there. */
void nm_htab_remove(struct nm_htab *htab, uint32_t hash, uint32_t value);

#endif
