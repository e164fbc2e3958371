/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/run_filter.h"

#include <stdbool.h>

/* False: the load reaches beyond the payload, which ends the program with 0. */
static bool load_word(
	uint32_t at, const uint8_t *payload, size_t len, uint32_t interface, uint32_t *word)
{
	if (at == NM_FILTER_AT_INTERFACE) {
		*word = interface;
		return true;
	}
	if (len < 4 || at > len - 4)
		return false;
	*word = (uint32_t)payload[at] << 24 | (uint32_t)payload[at + 1] << 16 |
		(uint32_t)payload[at + 2] << 8 | payload[at + 3];
	return true;
}

uint32_t run_filter(const struct nm_filter_step *steps, size_t n, const void *payload, size_t len,
	uint32_t interface)
{
	uint32_t a = 0;

	for (size_t at = 0; at < n; at++) {
		const struct nm_filter_step *step = &steps[at];

		switch (step->code) {
		case NM_FILTER_LOAD_WORD:
			if (!load_word(step->k, payload, len, interface, &a))
				return 0;
			break;
		case NM_FILTER_MODULO:
			if (step->k == 0)
				return RUN_FILTER_BAD;
			a %= step->k;
			break;
		case NM_FILTER_AND: a &= step->k; break;
		case NM_FILTER_JUMP_EQUAL:
			at += a == step->k ? step->jump_true : step->jump_false;
			break;
		case NM_FILTER_RETURN: return step->k;
		case NM_FILTER_RETURN_RESULT: return a;
		default: return RUN_FILTER_BAD;
		}
	}
	return RUN_FILTER_BAD;
}
