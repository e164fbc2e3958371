/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that show counters: by class, by drop reason. */
#include "daemon/control/control_commands.h"

#include <natmux/error.h>
#include <natmux/mux.h>
#include "daemon/control/control_json.h"
#include "daemon/control/control_request.h"
#include "daemon/server.h"

static void add_kernel_drops(void *user, const struct nm_server_socket *socket)
{
	uint64_t *sum = user;

	*sum += socket->kernel_drops;
}

static json_t *kernel_drops(struct nm_server *server)
{
	uint64_t sum = 0;

	nm_server_sockets(server, add_kernel_drops, &sum);
	return nm_json_count(sum);
}

int nm_control_stats(struct nm_control_call *call)
{
	struct natmux_stats stats;
	uint64_t dropped = 0;

	nm_server_stats(call->server, &stats);
	for (int i = 0; i < NATMUX_DROP_COUNT; i++)
		dropped += stats.drops[i];
	call->result = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "now_ms",
		nm_json_count(nm_server_now_ms(call->server)), "rx", nm_json_classes(stats.rx),
		"tx", nm_json_classes(stats.tx), "rx_trains", nm_json_count(stats.rx_trains),
		"stun_lookalikes", nm_json_count(stats.stun_lookalikes), "drops",
		nm_json_count(dropped), "kernel_drops", kernel_drops(call->server));
	return 0;
}

static json_t *drop_json(enum natmux_drop drop, uint64_t count)
{
	return json_pack("{s:s, s:o, s:s}", "reason", natmux_drop_name(drop), "count",
		nm_json_count(count), "text", natmux_drop_text(drop));
}

int nm_control_drops(struct nm_control_call *call)
{
	struct natmux_stats stats;
	json_t *drops;
	bool all = false;

	if (nm_control_get_bool(call, "all", &all) < 0)
		return NATMUX_EINVAL;
	nm_server_stats(call->server, &stats);
	drops = json_array();
	for (int i = 0; i < NATMUX_DROP_COUNT; i++) {
		if (stats.drops[i] == 0 && !all)
			continue;
		if (json_array_append_new(drops, drop_json((enum natmux_drop)i, stats.drops[i])) <
			0) {
			json_decref(drops);
			return 0;
		}
	}
	call->result =
		json_pack("{s:o, s:o}", "drops", drops, "kernel_drops", kernel_drops(call->server));
	return 0;
}
