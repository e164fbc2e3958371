/* SPDX-License-Identifier: Apache-2.0 */
/* Outbound sequence numbers. When to ask for a new SA is lifetime.c's question. */
#include "esp/sequence.h"

#include <stdlib.h>

struct nm_sequence *nm_sequence_new(uint64_t last, bool has_esn)
{
	struct nm_sequence *sequence = malloc(sizeof(*sequence));

	if (!sequence)
		return NULL;
	atomic_init(&sequence->last, last);
	atomic_init(&sequence->refs, 1);
	sequence->iv_base = 0;
	/* Far enough below 2^64 that failed takers cannot carry the counter around. */
	sequence->limit = has_esn ? UINT64_MAX - (UINT64_C(1) << 32) : UINT32_MAX;
	return sequence;
}

struct nm_sequence *nm_sequence_ref(struct nm_sequence *sequence)
{
	atomic_fetch_add_explicit(&sequence->refs, 1, memory_order_relaxed);
	return sequence;
}

void nm_sequence_unref(struct nm_sequence *sequence)
{
	if (sequence && atomic_fetch_sub_explicit(&sequence->refs, 1, memory_order_acq_rel) == 1)
		free(sequence);
}

uint64_t nm_sequence_take(struct nm_sequence *sequence, uint32_t n)
{
	uint64_t last;

	/* A used-up counter is only read: it cannot creep on. */
	if (nm_sequence_last(sequence) > sequence->limit - n)
		return 0;
	last = atomic_fetch_add_explicit(&sequence->last, n, memory_order_relaxed);
	return last <= sequence->limit - n ? last + 1 : 0;
}

uint64_t nm_sequence_last(struct nm_sequence *sequence)
{
	return atomic_load_explicit(&sequence->last, memory_order_relaxed);
}
