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

#include <stddef.h>
#include <natmux/sa.h>

enum { NM_REPLAY_WINDOW_MAX = NATMUX_REPLAY_MAX, NM_REPLAY_BITS = 64 /* of a word of the ring */ };

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

/* The window as it is told to others. */
void nm_replay_save(const struct nm_replay *replay, struct natmux_replay_state *state);

/*
 * Goes on where another window stopped: what either of them refuses is refused from now on, and so is
 * what is too old for this one. The state is valid, its top within what the window's numbers can be.
 */
void nm_replay_join(struct nm_replay *replay, const struct natmux_replay_state *state);

/* As nm_replay_leaving(), for any `sequence` above the top of a window. */
uint64_t nm_replay_count_leaving(const struct nm_replay *replay, uint64_t sequence);

/* Moves the window up to `sequence`, which is above its top, and clears what it moves into. */
void nm_replay_advance(struct nm_replay *replay, uint64_t sequence);

/*
 * Every packet is judged twice, which has to cost less than a call would: so all of it that is not
 * rare is written here.
 */

/*
 * RFC 4303 A2.2: the window lies within one subspace of 2^32 numbers (case A), or reaches back into
 * the one before (case B). Returns false for a number of before the very first subspace.
 */
static inline bool nm_replay_infer(const struct nm_replay *replay, uint32_t low, uint64_t *sequence)
{
	/* Without anti-replay the half space stands in for the window. */
	uint32_t window = replay->size > 0 ? replay->size : UINT32_C(1) << 31;
	uint32_t top_low = (uint32_t)replay->top;
	uint64_t high = replay->top >> 32;
	uint32_t bottom = top_low - window + 1; /* modulo 2^32 */

	if (top_low >= window - 1)
		high += low < bottom;
	else if (low >= bottom && high-- == 0)
		return false;
	*sequence = high << 32 | low;
	return true;
}

static inline enum nm_replay_verdict nm_replay_judge(
	const struct nm_replay *replay, uint64_t sequence)
{
	uint64_t word;

	if (replay->size == 0 || sequence > replay->top)
		return NM_REPLAY_NEW;
	if (replay->top - sequence >= replay->size)
		return NM_REPLAY_LATE;
	word = replay->ring[sequence / NM_REPLAY_BITS & replay->mask];
	return word >> sequence % NM_REPLAY_BITS & 1 ? NM_REPLAY_DUPLICATE : NM_REPLAY_NEW;
}

/* Judges the number on the wire and completes it; changes nothing. */
static inline enum nm_replay_verdict nm_replay_check(
	const struct nm_replay *replay, uint32_t wire, uint64_t *sequence)
{
	uint64_t complete = wire;

	if (replay->has_esn && !nm_replay_infer(replay, wire, &complete))
		return NM_REPLAY_LATE;
	if (complete == 0)
		return NM_REPLAY_INVALID;
	*sequence = complete;
	return nm_replay_judge(replay, complete);
}

/*
 * Marks a number whose packet was authentic. Judges it again, for another packet of the same
 * vector may have had it: only NEW is marked.
 */
static inline enum nm_replay_verdict nm_replay_commit(struct nm_replay *replay, uint64_t sequence)
{
	enum nm_replay_verdict verdict = nm_replay_judge(replay, sequence);

	if (verdict != NM_REPLAY_NEW)
		return verdict;
	if (replay->size == 0) {
		replay->top = sequence > replay->top ? sequence : replay->top;
		return NM_REPLAY_NEW;
	}
	if (sequence > replay->top)
		nm_replay_advance(replay, sequence);
	replay->ring[sequence / NM_REPLAY_BITS & replay->mask] |= UINT64_C(1)
								  << sequence % NM_REPLAY_BITS;
	return NM_REPLAY_NEW;
}

/*
 * How many numbers that have not come would leave the window if it moved up to `sequence`: they are
 * lost, for they are LATE from then on. Without a window nobody knows what has come: 0.
 */
static inline uint64_t nm_replay_leaving(const struct nm_replay *replay, uint64_t sequence)
{
	uint64_t number = sequence - replay->size;

	if (replay->size == 0 || sequence <= replay->top)
		return 0;
	if (sequence != replay->top + 1)
		return nm_replay_count_leaving(replay, sequence);
	/* Number 0 is never sent: before the window is full nothing leaves it. */
	return sequence > replay->size &&
	       !(replay->ring[number / NM_REPLAY_BITS & replay->mask] >> number % NM_REPLAY_BITS &
		       1);
}

#endif
