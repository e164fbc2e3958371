/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_mux.h"

void natmux_mux_drop(struct natmux_mux *mux, enum natmux_drop drop, uint64_t datagrams)
{
	mux->drops[drop] += datagrams;
}

const struct natmux_path *natmux_mux_flow_path(const struct natmux_mux *mux, uint32_t flow)
{
	if (flow >= FAKE_FLOWS || mux->paths[flow].remote.family == NATMUX_FAMILY_NONE)
		return NULL;
	return &mux->paths[flow];
}

uint64_t fake_mux_drops(const struct natmux_mux *mux)
{
	uint64_t sum = 0;

	for (int i = 0; i < NATMUX_DROP_COUNT; i++)
		sum += mux->drops[i];
	return sum;
}
