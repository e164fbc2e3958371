/* SPDX-License-Identifier: Apache-2.0 */
/* Hash index of fixed capacity; what the numbers mean is the owner's. */
#include "base/htab.h"

#include <stdlib.h>
#include <natmux/error.h>

int nm_htab_init(struct nm_htab *htab, uint32_t max)
{
	uint32_t size = 2;

	if (max < 1 || max > UINT32_C(1) << 30)
		return NATMUX_ERANGE;
	while (size < 2 * max)
		size *= 2;
	*htab = (struct nm_htab){.mask = size - 1, .max = max};
	htab->slots = malloc(size * sizeof(*htab->slots));
	if (!htab->slots)
		return NATMUX_ENOMEM;
	for (uint32_t i = 0; i < size; i++)
		htab->slots[i].value = NM_HTAB_NONE;
	return 0;
}

void nm_htab_done(struct nm_htab *htab)
{
	free(htab->slots);
	htab->slots = NULL;
}

uint32_t nm_htab_find(const struct nm_htab *htab, uint32_t hash, nm_htab_equal *equal,
	const void *owner, const void *key)
{
	/* Ends: at most half of the slots are in use. */
	for (uint32_t i = hash & htab->mask;; i = (i + 1) & htab->mask) {
		const struct nm_htab_slot *slot = &htab->slots[i];

		if (slot->value == NM_HTAB_NONE)
			return NM_HTAB_NONE;
		if (slot->hash == hash && equal(owner, slot->value, key))
			return slot->value;
	}
}

int nm_htab_add(struct nm_htab *htab, uint32_t hash, uint32_t value)
{
	uint32_t i = hash & htab->mask;

	if (htab->count == htab->max)
		return NATMUX_EFULL;
	while (htab->slots[i].value != NM_HTAB_NONE)
		i = (i + 1) & htab->mask;
	htab->slots[i] = (struct nm_htab_slot){hash, value};
	htab->count++;
	return 0;
}

/* Closes the hole at `hole`: later members of the run that may stand there move back. */
static void close_hole(struct nm_htab *htab, uint32_t hole)
{
	uint32_t i = hole;

	for (;;) {
		uint32_t home;

		i = (i + 1) & htab->mask;
		if (htab->slots[i].value == NM_HTAB_NONE)
			break;
		home = htab->slots[i].hash & htab->mask;
		/* It may move when its home lies outside of (hole, i]. */
		if (((i - home) & htab->mask) >= ((i - hole) & htab->mask)) {
			htab->slots[hole] = htab->slots[i];
			hole = i;
		}
	}
	htab->slots[hole].value = NM_HTAB_NONE;
}

void nm_htab_remove(struct nm_htab *htab, uint32_t hash, uint32_t value)
{
	for (uint32_t i = hash & htab->mask; htab->slots[i].value != NM_HTAB_NONE;
		i = (i + 1) & htab->mask) {
		if (htab->slots[i].value == value) {
			close_hole(htab, i);
			htab->count--;
			return;
		}
	}
}
