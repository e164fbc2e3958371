/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's two forms of an anti-replay window (RFC 4303 3.4.3), read and written bit by bit. */
#include <string.h>
#include <natmux/error.h>
#include "base/replay_state.h"
#include "xfrm/state.h"

enum { OLD_WINDOW_MAX = 32 };

/* Bit of the number `behind` the highest one. */
static uint32_t ring_bit(const struct nm_xfrm_replay *replay, uint32_t behind)
{
	uint32_t top = ((uint32_t)replay->in - 1) % replay->window;

	return top >= behind ? top - behind : replay->window - (behind - top);
}

/* A ring's bits of the numbers 1 to `ahead` beyond the highest are those of the oldest ones. */
static void ring_clear_ahead(struct nm_xfrm_replay *replay, uint64_t ahead)
{
	if (ahead >= replay->window) {
		memset(replay->bitmap, 0, sizeof(replay->bitmap));
		return;
	}
	for (uint32_t i = 1; i <= ahead; i++) {
		uint32_t bit = ring_bit(replay, replay->window - i);

		replay->bitmap[bit / 32] &= ~(UINT32_C(1) << bit % 32);
	}
}

static void advance(struct nm_xfrm_replay *replay, uint64_t n)
{
	uint64_t ahead = n - replay->in;

	if (replay->is_ring)
		ring_clear_ahead(replay, ahead);
	else
		replay->bitmap[0] = ahead < OLD_WINDOW_MAX ? replay->bitmap[0] << ahead : 0;
	replay->in = n;
}

bool nm_xfrm_replay_is_seen(const struct nm_xfrm_replay *replay, uint64_t n)
{
	uint32_t bit;

	if (n > replay->in)
		return false;
	if (replay->window == 0)
		return n == 0;
	if (n == 0 || replay->in - n >= replay->window)
		return true;
	bit = (uint32_t)(replay->in - n);
	if (replay->is_ring)
		bit = ring_bit(replay, bit);
	return replay->bitmap[bit / 32] >> bit % 32 & 1;
}

void nm_xfrm_replay_mark(struct nm_xfrm_replay *replay, uint64_t n)
{
	uint32_t bit;

	if (replay->window == 0) {
		replay->in = n > replay->in ? n : replay->in;
		return;
	}
	if (n > replay->in)
		advance(replay, n);
	if (n == 0 || replay->in - n >= replay->window)
		return;
	bit = (uint32_t)(replay->in - n);
	if (replay->is_ring)
		bit = ring_bit(replay, bit);
	replay->bitmap[bit / 32] |= UINT32_C(1) << bit % 32;
}

void nm_xfrm_replay_save(const struct nm_xfrm_replay *replay, struct natmux_replay_state *state)
{
	uint32_t bit = replay->is_ring && replay->window > 0 ? ring_bit(replay, 0) : 0;

	*state = (struct natmux_replay_state){.top = replay->in, .window = replay->window};
	nm_replay_state_mark(state, 0);
	for (uint32_t i = 0; i < replay->window; i++) {
		if (replay->bitmap[bit / 32] >> bit % 32 & 1)
			nm_replay_state_mark(state, i);
		/* Towards older numbers: up in the old form, down and around in a ring. */
		if (!replay->is_ring)
			bit++;
		else
			bit = bit > 0 ? bit - 1 : replay->window - 1;
	}
}

void nm_xfrm_replay_join(struct nm_xfrm_replay *replay, const struct natmux_replay_state *state)
{
	uint64_t n;

	if (state->top > replay->in)
		advance(replay, state->top);
	n = replay->in;
	for (uint32_t i = 0; i < replay->window && n > 0; i++, n--)
		if (nm_replay_state_refuses(state, n))
			nm_xfrm_replay_mark(replay, n);
}

/*
 * The kernel takes the low half of a number, less 1, modulo the window: only a power of two keeps every
 * bit in its place where the low half begins anew, and where it is 0 before the first packet. With any
 * other ring that packet's bit is another one than it is looked up by, and it is accepted again.
 */
static uint32_t power_of_two(uint32_t window)
{
	uint32_t size = 1;

	while (size < window)
		size *= 2;
	return size;
}

int nm_xfrm_replay_init(struct nm_xfrm_replay *replay, uint32_t window, bool has_esn)
{
	struct nm_xfrm_replay made = {0};

	if (window > NM_XFRM_WINDOW_MAX)
		return NATMUX_ERANGE;
	made.is_ring = has_esn || window > OLD_WINDOW_MAX;
	made.window = made.is_ring ? power_of_two(window) : window;
	made.words = made.is_ring ? (made.window + 31) / 32 : 0;
	*replay = made;
	return 0;
}

void nm_xfrm_replay_close(struct nm_xfrm_replay *replay, uint64_t top)
{
	replay->in = top;
	if (top > 0)
		memset(replay->bitmap, 0xff, 4 * (size_t)(replay->is_ring ? replay->words : 1));
}

int nm_xfrm_replay_jump(struct nm_xfrm_replay *replay, bool has_esn, uint64_t margin)
{
	uint64_t last = has_esn ? UINT64_MAX : UINT32_MAX;

	/* The last number of all is never reached: the kernel stops at it (RFC 4303 3.3.3). */
	if (replay->out >= last || margin >= last - replay->out)
		return NATMUX_EFULL;
	replay->out += margin;
	return 0;
}
