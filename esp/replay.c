/* SPDX-License-Identifier: Apache-2.0 */
/* Anti-replay windows as they begin and move. What is asked for every packet is in the header. */
#include "esp/replay.h"

#include <string.h>

#include "base/replay_state.h"

/* One word more than the window: the newest one may be partly in the future. */
static uint32_t ring_words(uint32_t size)
{
	uint32_t words = 1;

	while (words < size / NM_REPLAY_BITS + 2)
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
	if (size > 0 && top > 0 && top % NM_REPLAY_BITS != NM_REPLAY_BITS - 1)
		ring[top / NM_REPLAY_BITS & replay->mask] =
			(UINT64_C(2) << top % NM_REPLAY_BITS) - 1;
}

void nm_replay_advance(struct nm_replay *replay, uint64_t sequence)
{
	uint64_t words = sequence / NM_REPLAY_BITS - replay->top / NM_REPLAY_BITS;

	if (words > replay->mask + UINT64_C(1))
		words = replay->mask + UINT64_C(1);
	for (uint64_t i = 0; i < words; i++)
		replay->ring[(sequence / NM_REPLAY_BITS - i) & replay->mask] = 0;
	replay->top = sequence;
}

/* Bit 0 becomes bit 63. */
static uint64_t reverse(uint64_t word)
{
	word = (word >> 1 & UINT64_C(0x5555555555555555)) | (word & UINT64_C(0x5555555555555555))
								    << 1;
	word = (word >> 2 & UINT64_C(0x3333333333333333)) | (word & UINT64_C(0x3333333333333333))
								    << 2;
	word = (word >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) | (word & UINT64_C(0x0f0f0f0f0f0f0f0f))
								    << 4;
	return __builtin_bswap64(word);
}

/* 64 numbers from `n` down, `n` itself in bit 0. */
static uint64_t word_behind(const struct nm_replay *replay, uint64_t n)
{
	uint64_t at = n / NM_REPLAY_BITS, shift = NM_REPLAY_BITS - 1 - n % NM_REPLAY_BITS;
	uint64_t word = replay->ring[at & replay->mask] << shift;

	if (shift > 0)
		word |= replay->ring[(at - 1) & replay->mask] >> (NM_REPLAY_BITS - shift);
	return reverse(word);
}

/* How many numbers the window is about: before it is full, fewer than its size. */
static uint32_t numbers_of(const struct nm_replay *replay)
{
	return replay->top < replay->size ? (uint32_t)replay->top : replay->size;
}

void nm_replay_save(const struct nm_replay *replay, struct natmux_replay_state *state)
{
	uint32_t numbers = numbers_of(replay), words = numbers / NM_REPLAY_BITS;

	*state = (struct natmux_replay_state){.top = replay->top, .window = replay->size};
	for (uint32_t i = 0; i < words; i++)
		state->seen[i] = word_behind(replay, replay->top - (uint64_t)i * NM_REPLAY_BITS);
	/* What is older than the window, or no number, stands in the same words. */
	if (numbers % NM_REPLAY_BITS != 0)
		state->seen[words] =
			word_behind(replay, replay->top - (uint64_t)words * NM_REPLAY_BITS) &
			((UINT64_C(1) << numbers % NM_REPLAY_BITS) - 1);
}

void nm_replay_join(struct nm_replay *replay, const struct natmux_replay_state *state)
{
	if (state->top > replay->top && replay->size > 0)
		nm_replay_advance(replay, state->top);
	else if (state->top > replay->top)
		replay->top = state->top;
	for (uint32_t i = 0; i < numbers_of(replay); i++) {
		uint64_t n = replay->top - i;

		if (nm_replay_state_refuses(state, n))
			replay->ring[n / NM_REPLAY_BITS & replay->mask] |= UINT64_C(1)
									   << n % NM_REPLAY_BITS;
	}
}

/* Numbers of one word of the ring, from `from` to `to`, that have not come. */
static uint64_t count_missing(const struct nm_replay *replay, uint64_t from, uint64_t to)
{
	uint64_t wanted = UINT64_MAX << from % NM_REPLAY_BITS &
			  UINT64_MAX >> (NM_REPLAY_BITS - 1 - to % NM_REPLAY_BITS);

	return (uint64_t)__builtin_popcountll(
		wanted & ~replay->ring[from / NM_REPLAY_BITS & replay->mask]);
}

uint64_t nm_replay_count_leaving(const struct nm_replay *replay, uint64_t sequence)
{
	uint64_t from = replay->top >= replay->size ? replay->top - replay->size + 1 : 1;
	uint64_t last, known, count = 0;

	if (sequence <= replay->size)
		return 0;
	last = sequence - replay->size;
	known = last < replay->top ? last : replay->top;
	while (from <= known) {
		uint64_t end = from | (NM_REPLAY_BITS - 1);

		end = end < known ? end : known;
		count += count_missing(replay, from, end);
		from = end + 1;
	}
	/* What was jumped over altogether. */
	return count + (last > replay->top ? last - replay->top : 0);
}
