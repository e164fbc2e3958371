/* SPDX-License-Identifier: Apache-2.0 */
/* Anti-replay: which sequence numbers are new. Whether packets are authentic is not its question. */
#include "esp/replay.h"

#include <string.h>

enum { BITS = 64 };

/* One word more than the window: the newest one may be partly in the future. */
static uint32_t ring_words(uint32_t size)
{
	uint32_t words = 1;

	while (words < size / BITS + 2)
		words *= 2;
	return words;
}

size_t nm_replay_bytes(uint32_t size)
{
	return size > 0 ? ring_words(size) * sizeof(uint64_t) : 0;
}

void nm_replay_init(
	struct nm_replay *replay, uint32_t size, bool has_esn, uint64_t top, uint64_t *ring)
{
	*replay = (struct nm_replay){
		.top = top,
		.size = size,
		.mask = size > 0 ? ring_words(size) - 1 : 0,
		.ring = ring,
		.has_esn = has_esn,
	};
	if (size > 0)
		memset(ring, top > 0 ? 0xff : 0, nm_replay_bytes(size));
	/* The bits of the top's word behind it are numbers that have not come yet. */
	if (size > 0 && top > 0 && top % BITS != BITS - 1)
		ring[top / BITS & replay->mask] = (UINT64_C(2) << top % BITS) - 1;
}

/*
 * RFC 4303 A2.2: the window lies within one subspace of 2^32 numbers (case A), or reaches back into
 * the one before (case B). Returns false for a number of before the very first subspace.
 */
static bool infer_high(const struct nm_replay *replay, uint32_t low, uint64_t *sequence)
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

static bool is_seen(const struct nm_replay *replay, uint64_t sequence)
{
	return replay->ring[sequence / BITS & replay->mask] >> sequence % BITS & 1;
}

static enum nm_replay_verdict judge(const struct nm_replay *replay, uint64_t sequence)
{
	if (replay->size == 0 || sequence > replay->top)
		return NM_REPLAY_NEW;
	if (replay->top - sequence >= replay->size)
		return NM_REPLAY_LATE;
	return is_seen(replay, sequence) ? NM_REPLAY_DUPLICATE : NM_REPLAY_NEW;
}

enum nm_replay_verdict nm_replay_check(
	const struct nm_replay *replay, uint32_t wire, uint64_t *sequence)
{
	uint64_t complete = wire;

	if (replay->has_esn && !infer_high(replay, wire, &complete))
		return NM_REPLAY_LATE;
	if (complete == 0)
		return NM_REPLAY_INVALID;
	*sequence = complete;
	return judge(replay, complete);
}

/* Clears the words that the window moves into. */
static void advance(struct nm_replay *replay, uint64_t sequence)
{
	uint64_t words = sequence / BITS - replay->top / BITS;

	if (words > replay->mask + UINT64_C(1))
		words = replay->mask + UINT64_C(1);
	for (uint64_t i = 0; i < words; i++)
		replay->ring[(sequence / BITS - i) & replay->mask] = 0;
	replay->top = sequence;
}

enum nm_replay_verdict nm_replay_commit(struct nm_replay *replay, uint64_t sequence)
{
	enum nm_replay_verdict verdict = judge(replay, sequence);

	if (verdict != NM_REPLAY_NEW)
		return verdict;
	if (replay->size == 0) {
		replay->top = sequence > replay->top ? sequence : replay->top;
		return NM_REPLAY_NEW;
	}
	if (sequence > replay->top)
		advance(replay, sequence);
	replay->ring[sequence / BITS & replay->mask] |= UINT64_C(1) << sequence % BITS;
	return NM_REPLAY_NEW;
}
