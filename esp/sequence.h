/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sequence counter of one outbound SA. Workers that share the SA share the counter: numbers are
 * handed out in runs, one atomic addition per vector, and never twice (RFC 4303 3.3.3).
 */
#ifndef NM_SEQUENCE_H
#define NM_SEQUENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct nm_sequence {
	_Atomic uint64_t last; /* handed out last; runs past `limit` when it is used up */
	_Atomic uint32_t refs;
	uint64_t limit; /* highest number that may be sent */
	/*
	 * Of IVs that count: 0, or random, so that a key that is used again by mistake (a static one
	 * after a restart) does not meet its old IVs again.
	 */
	uint64_t iv_base;
};

/* `last`: 0, or where another machine stopped. NULL without memory. */
struct nm_sequence *nm_sequence_new(uint64_t last, bool has_esn);
struct nm_sequence *nm_sequence_ref(struct nm_sequence *sequence);
void nm_sequence_unref(struct nm_sequence *sequence); /* NULL is fine */

/*
 * Takes `n` numbers in a row and returns the first, or 0 when fewer are left: the counter must not
 * cycle, with or without anti-replay at the other end (RFC 4303 3.3.3 allows otherwise only then,
 * RFC 4106 2 and the like never: number and IV are one).
 */
uint64_t nm_sequence_take(struct nm_sequence *sequence, uint32_t n);

/* The number handed out last. */
uint64_t nm_sequence_last(struct nm_sequence *sequence);

#endif
