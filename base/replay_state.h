/* SPDX-License-Identifier: Apache-2.0 */
/*
 * struct natmux_replay_state, bit by bit: what stands between the planes' own windows. Who gives a
 * state to an SA may have made it up: it is checked before it is believed.
 */
#ifndef NM_REPLAY_STATE_H
#define NM_REPLAY_STATE_H

#include <natmux/sa.h>

enum { NM_REPLAY_STATE_BITS = 64 /* of a word */ };

static inline bool nm_replay_state_bit(const struct natmux_replay_state *state, uint32_t behind)
{
	return state->seen[behind / NM_REPLAY_STATE_BITS] >> behind % NM_REPLAY_STATE_BITS & 1;
}

/* Whether an SA that goes on with the state refuses number `n` of 1 and above. */
static inline bool nm_replay_state_refuses(const struct natmux_replay_state *state, uint64_t n)
{
	if (n > state->top)
		return false;
	return state->top - n >= state->window ||
	       nm_replay_state_bit(state, (uint32_t)(state->top - n));
}

/* Number top - behind has come; nothing for one that is none, or older than the window. */
static inline void nm_replay_state_mark(struct natmux_replay_state *state, uint32_t behind)
{
	if (behind < state->window && behind < state->top)
		state->seen[behind / NM_REPLAY_STATE_BITS] |= UINT64_C(1)
							      << behind % NM_REPLAY_STATE_BITS;
}

static inline bool nm_replay_state_is_valid(const struct natmux_replay_state *state)
{
	uint64_t numbers = state->top < state->window ? state->top : state->window;

	if (state->window > NATMUX_REPLAY_MAX)
		return false;
	if (numbers > 0 && !nm_replay_state_bit(state, 0))
		return false;
	for (uint32_t i = 0; i < NATMUX_REPLAY_MAX / NM_REPLAY_STATE_BITS; i++) {
		uint64_t from = (uint64_t)i * NM_REPLAY_STATE_BITS, allowed = 0;

		if (numbers >= from + NM_REPLAY_STATE_BITS)
			allowed = UINT64_MAX;
		else if (numbers > from)
			allowed = (UINT64_C(1) << (numbers - from)) - 1;
		if (state->seen[i] & ~allowed)
			return false;
	}
	return true;
}

/* Whether an SA of this configuration can go on with the state that it brings, if any. */
static inline bool nm_replay_state_fits(const struct natmux_sa_config *config)
{
	const struct natmux_replay_state *state = config->replay;

	return !state || (config->direction == NATMUX_SA_IN && state->top == config->sequence &&
				 nm_replay_state_is_valid(state));
}

#endif
