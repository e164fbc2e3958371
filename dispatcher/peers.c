/* SPDX-License-Identifier: Apache-2.0 */
/* Flows as the mux's owner sees them: configured peers, and a look at all of them. */
#include <string.h>
#include <natmux/error.h>

#include "base/export.h"
#include "dispatcher/mux.h"

static bool is_unspecified(const struct natmux_addr *addr)
{
	static const uint8_t zero[16];

	return memcmp(addr->ip, zero, sizeof(zero)) == 0;
}

/* Flows that strangers opened from the peer's address would hide the peer's own. */
static void close_strangers(struct nm_flow_table *table, const struct natmux_addr *remote)
{
	for (uint32_t i = 0; i < table->touched; i++) {
		const struct nm_flow *flow = nm_flow_get(table, i);

		if (flow && !flow->is_peer && natmux_addr_equal(&flow->path.remote, remote))
			nm_flow_close(table, i);
	}
}

NM_EXPORT int natmux_mux_peer_add(struct natmux_mux *mux, uint64_t now_ms, const char *name,
	const struct natmux_path *path, uint32_t *flow)
{
	struct natmux_path own = *path;
	int err;

	if (own.remote.family == NATMUX_FAMILY_NONE || own.remote.port == 0 ||
		is_unspecified(&own.remote))
		return NATMUX_EINVAL;
	if (is_unspecified(&own.local))
		own.local = (struct natmux_addr){.family = own.remote.family};
	if (own.local.family != own.remote.family)
		return NATMUX_EINVAL;
	err = nm_flow_open_peer(&mux->flows, now_ms, name, &own, flow);
	if (err == 0)
		close_strangers(&mux->flows, &own.remote);
	return err;
}

NM_EXPORT int natmux_mux_peer_remove(struct natmux_mux *mux, const char *name)
{
	uint32_t flow = nm_flow_find_peer(&mux->flows, name);

	if (flow == NATMUX_FLOW_NONE)
		return NATMUX_ENOTFOUND;
	nm_flow_close(&mux->flows, flow);
	return 0;
}

NM_EXPORT int natmux_mux_flow_close(struct natmux_mux *mux, uint32_t number)
{
	const struct nm_flow *flow = nm_flow_get(&mux->flows, number);

	if (!flow)
		return NATMUX_ENOTFOUND;
	if (flow->is_peer)
		return NATMUX_EINVAL;
	nm_flow_close(&mux->flows, number);
	return 0;
}

NM_EXPORT const struct natmux_path *natmux_mux_flow_path(
	const struct natmux_mux *mux, uint32_t number)
{
	const struct nm_flow *flow = nm_flow_get(&mux->flows, number);

	return flow ? &flow->path : NULL;
}

NM_EXPORT const char *natmux_mux_flow_peer(const struct natmux_mux *mux, uint32_t number)
{
	const struct nm_flow *flow = nm_flow_get(&mux->flows, number);

	return flow && flow->is_peer ? flow->name : NULL;
}

static void show_flow(const struct nm_flow_table *table, const struct nm_flow *flow,
	void (*each)(void *user, const struct natmux_flow_info *info), void *user)
{
	struct natmux_flow_info info = {
		.flow = (uint32_t)(flow - table->flows),
		.state = flow->state,
		.peer = flow->is_peer ? flow->name : NULL,
		.path = flow->path,
		.tx = flow->tx,
		.created_ms = flow->created_ms,
		.last_rx_ms = flow->rx_ms,
		.last_tx_ms = flow->tx_ms,
		.keepalives_rx = flow->rx[NATMUX_CLASS_KEEPALIVE].datagrams,
		.keepalives_tx = flow->keepalives_tx,
	};

	memcpy(info.rx, flow->rx, sizeof(info.rx));
	each(user, &info);
}

static void show_list(const struct nm_flow_table *table, const struct nm_list *list,
	void (*each)(void *user, const struct natmux_flow_info *info), void *user)
{
	for (const struct nm_list *node = list->next; node != list; node = node->next)
		show_flow(table, NM_LIST_ENTRY(node, const struct nm_flow, activity), each, user);
}

NM_EXPORT void natmux_mux_flows(const struct natmux_mux *mux,
	void (*each)(void *user, const struct natmux_flow_info *info), void *user)
{
	const struct nm_flow_table *table = &mux->flows;

	for (unsigned int state = 0; state < 3; state++)
		show_list(table, &table->by_state[state], each, user);
	show_list(table, &table->peers, each, user);
}
