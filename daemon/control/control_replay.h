/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anti-replay windows as texts of the control protocol: "64:ffffffffffffffff". Before the colon stands
 * the window in packets, behind it are its bits in hexadecimal, from the highest number to the oldest
 * as one reads, a set bit for a number that has come.
 */
#ifndef NM_CONTROL_REPLAY_H
#define NM_CONTROL_REPLAY_H

#include <natmux/sa.h>

enum { NM_CONTROL_REPLAY_TEXT = 5 + NATMUX_REPLAY_MAX / 4 + 1 /* "8192:", digits, '\0' */ };

/* Returns `text`. */
const char *nm_control_replay_format(
	const struct natmux_replay_state *state, char text[static NM_CONTROL_REPLAY_TEXT]);

/*
 * `top` is the highest number. NATMUX_EINVAL: not of that form; digits missing or too many; a bit set
 * for a number that is none or lies outside the window, or not set for the highest one.
 */
int nm_control_replay_parse(const char *text, uint64_t top, struct natmux_replay_state *state);

#endif
