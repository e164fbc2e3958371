/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of windows, read by whoever may add SAs and not trusted to be what they should. */
#include "daemon/control/control_replay.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "base/replay_state.h"

static const char digits[] = "0123456789abcdef";

/* Four numbers, the newest of them in the highest bit. */
static unsigned int digit_of(const struct natmux_replay_state *state, uint32_t behind)
{
	unsigned int digit = 0;

	for (uint32_t i = behind; i < behind + 4; i++)
		digit = digit << 1 | (i < state->window && nm_replay_state_bit(state, i));
	return digit;
}

const char *nm_control_replay_format(
	const struct natmux_replay_state *state, char text[static NM_CONTROL_REPLAY_TEXT])
{
	size_t at = (size_t)snprintf(text, NM_CONTROL_REPLAY_TEXT, "%u:", state->window);

	for (uint32_t i = 0; i < state->window; i += 4)
		text[at++] = digits[digit_of(state, i)];
	text[at] = '\0';
	return text;
}

/* Returns what follows the colon; NULL: there is no number from 0 to 8192. */
static const char *parse_window(const char *text, uint32_t *window)
{
	uint32_t number = 0;
	size_t len = strspn(text, "0123456789");

	if (len == 0 || len > 4 || text[len] != ':' || (len > 1 && *text == '0'))
		return NULL;
	for (size_t i = 0; i < len; i++)
		number = number * 10 + (uint32_t)(text[i] - '0');
	*window = number;
	return number <= NATMUX_REPLAY_MAX ? text + len + 1 : NULL;
}

static bool parse_digit(char c, uint32_t behind, struct natmux_replay_state *state)
{
	const char *found = c ? strchr(digits, c) : NULL;
	uint64_t bits;

	if (!found)
		return false;
	bits = (uint64_t)(found - digits);
	for (uint32_t i = 0; i < 4; i++)
		state->seen[behind / NM_REPLAY_STATE_BITS] |=
			(bits >> (3 - i) & 1) << (behind + i) % NM_REPLAY_STATE_BITS;
	return true;
}

int nm_control_replay_parse(const char *text, uint64_t top, struct natmux_replay_state *state)
{
	struct natmux_replay_state parsed = {.top = top};

	text = parse_window(text, &parsed.window);
	if (!text || strlen(text) != (parsed.window + 3) / 4)
		return NATMUX_EINVAL;
	for (uint32_t i = 0; i < parsed.window; i += 4)
		if (!parse_digit(*text++, i, &parsed))
			return NATMUX_EINVAL;
	if (!nm_replay_state_is_valid(&parsed))
		return NATMUX_EINVAL;
	*state = parsed;
	return 0;
}
