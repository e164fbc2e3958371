/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stands in for the mux where a handoff is tested alone: keeps the paths of a few flows and counts
 * drops. A test that links it must not use other functions of the mux.
 */
#ifndef FAKE_MUX_H
#define FAKE_MUX_H

#include <natmux/mux.h>

enum { FAKE_FLOWS = 300 };

struct natmux_mux {
	struct natmux_path paths[FAKE_FLOWS]; /* remote.family 0: no such flow */
	uint64_t drops[NATMUX_DROP_COUNT];
};

/* All drops together. */
uint64_t fake_mux_drops(const struct natmux_mux *mux);

#endif
