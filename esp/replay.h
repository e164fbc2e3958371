/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The anti-replay window of one inbound SA: RFC 4303 3.4.3, kept as RFC 6479 has it, a ring of
 * words of which whole ones are cleared as the window moves on. Three steps, never in another
 * order: nm_replay_check(), the packet's ICV, nm_replay_commit().
 *
 * Numbers are 64 bits wide inside. With ESN the high half is inferred as RFC 4303 appendix A2 does,
 * without it the low half is the number.
 */
#ifndef NM_REPLAY_H
#define NM_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NM_REPLAY_WINDOW_MAX = 8192 };

struct nm_replay {
	uint64_t top;   /* highest number committed; 0: none */
	uint32_t size;  /* packets; 0: no anti-replay */
	uint32_t mask;  /* of the ring's words */
	uint64_t *ring; /* memory of nm_replay_bytes(size), the caller's */
	bool has_esn;
};

enum nm_replay_verdict {
	NM_REPLAY_NEW,
	NM_REPLAY_LATE,      /* older than the window */
	NM_REPLAY_DUPLICATE, /* seen before */
	NM_REPLAY_INVALID,   /* number 0, which is never sent (3.3.3) */
};

/* Bytes of ring that a window of this size takes; 0 for none. */
size_t nm_replay_bytes(uint32_t size);

/* `top`: highest number seen, for a window that goes on elsewhere: all up to it counts as seen. */
void nm_replay_init(
	struct nm_replay *replay, uint32_t size, bool has_esn, uint64_t top, uint64_t *ring);

/* Judges the number on the wire and completes it; changes nothing. */
enum nm_replay_verdict nm_replay_check(
	const struct nm_replay *replay, uint32_t wire, uint64_t *sequence);

/*
 * Marks a number whose packet was authentic. Judges it again, for another packet of the same
 * vector may have had it: only NEW is marked.
 */
enum nm_replay_verdict nm_replay_commit(struct nm_replay *replay, uint64_t sequence);

#endif
