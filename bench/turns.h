/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps that take turns in slices of microseconds: whatever else the machine does meets all of them
 * alike, so that their ratios hold where each alone would be noise.
 */
#ifndef NM_TURNS_H
#define NM_TURNS_H

#include <stddef.h>
#include <stdint.h>

enum { NM_TURNS_STEPS_MAX = 8 };

/* One step of a turn; NULL `run` ends a list. */
struct nm_turn_step {
	void (*run)(void *user);
	uint64_t items; /* that one call handles */
};

/*
 * Runs the steps one after the other, again and again, until `budget_ns` has gone by (a few turns at
 * least). Writes for each step the nanoseconds of one item: the median of all turns. The clock's own
 * time is taken off. The first turn is not counted.
 */
void nm_turns_measure(
	const struct nm_turn_step *steps, size_t n, void *user, uint64_t budget_ns, double *ns);

#endif
