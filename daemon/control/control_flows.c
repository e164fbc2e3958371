/* SPDX-License-Identifier: Apache-2.0 */
/* Commands that list what the mux and the relay keep: flows, STUN servers, alias addresses. */
#include "daemon/control/control_commands.h"

#include <natmux/error.h>
#include <natmux/mux.h>
#include "daemon/control/control_json.h"
#include "daemon/control/control_request.h"
#include "daemon/server.h"

/* A list that grows by callbacks; once one entry failed, the whole answer does. */
struct list {
	json_t *array;
	uint64_t now_ms;
	uint64_t skip; /* entries still to be passed over */
	uint64_t total;
	bool failed;
};

static void list_add(struct list *list, json_t *entry)
{
	if (json_array_append_new(list->array, entry) < 0)
		list->failed = true;
}

/* {key: the list, "total": n}, or NULL. The list is used up. */
static json_t *list_done(struct list *list, const char *key)
{
	if (list->failed) {
		json_decref(list->array);
		return NULL;
	}
	return json_pack("{s:o, s:o}", key, list->array, "total", nm_json_count(list->total));
}

/* How long ago; null for never. */
static json_t *ago(uint64_t now_ms, uint64_t then_ms)
{
	if (then_ms == 0)
		return json_null();
	return nm_json_count(now_ms > then_ms ? now_ms - then_ms : 0);
}

static const char *state_name(enum natmux_flow_state state)
{
	switch (state) {
	case NATMUX_FLOW_NEW: return "new";
	case NATMUX_FLOW_ANSWERED: return "answered";
	case NATMUX_FLOW_ESTABLISHED: return "established";
	}
	return "unknown";
}

static void count_flow(void *user, const struct natmux_flow_info *info)
{
	struct list *list = user;

	(void)info;
	list->total++;
}

static void add_flow(void *user, const struct natmux_flow_info *info)
{
	struct list *list = user;

	if (list->skip > 0) {
		list->skip--;
		return;
	}
	list_add(list,
		json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "flow",
			(json_int_t)info->flow, "state", state_name(info->state), "peer",
			nm_json_text(info->peer), "local", nm_json_addr(&info->path.local),
			"remote", nm_json_addr(&info->path.remote), "age_ms",
			ago(list->now_ms, info->created_ms), "rx_ago_ms",
			ago(list->now_ms, info->last_rx_ms), "tx_ago_ms",
			ago(list->now_ms, info->last_tx_ms), "rx", nm_json_classes(info->rx), "tx",
			nm_json_traffic(&info->tx), "keepalives_rx",
			nm_json_count(info->keepalives_rx), "keepalives_tx",
			nm_json_count(info->keepalives_tx)));
}

int nm_control_flows(struct nm_control_call *call)
{
	struct natmux_mux *mux = nm_server_mux(call->server);
	struct list list = {.now_ms = nm_server_now_ms(call->server)};
	uint64_t limit = NM_CONTROL_FLOWS_MAX;

	if (nm_control_get_number(call, "limit", 1, NM_CONTROL_FLOWS_MAX, &limit) < 0)
		return NATMUX_EINVAL;
	natmux_mux_flows(mux, count_flow, &list);
	list.skip = list.total > limit ? list.total - limit : 0;
	list.array = json_array();
	natmux_mux_flows(mux, add_flow, &list);
	call->result = list_done(&list, "flows");
	return 0;
}

static void add_server(void *user, const struct natmux_server_info *info)
{
	struct list *list = user;
	uint64_t wait_ms = info->next_ms > list->now_ms ? info->next_ms - list->now_ms : 0;

	list->total++;
	list_add(list,
		json_pack("{s:o, s:o, s:o, s:o, s:b, s:I, s:o, s:o, s:o, s:o, s:o}", "name",
			nm_json_text(info->name), "local", nm_json_addr(&info->path.local),
			"remote", nm_json_addr(&info->path.remote), "mapped",
			nm_json_addr(&info->mapped), "answering", (int)info->is_answering, "rtt_ms",
			(json_int_t)info->rtt_ms, "requests", nm_json_count(info->requests),
			"answers", nm_json_count(info->answers), "timeouts",
			nm_json_count(info->timeouts), "changes", nm_json_count(info->changes),
			"next_ms", nm_json_count(wait_ms)));
}

int nm_control_servers(struct nm_control_call *call)
{
	struct list list = {.now_ms = nm_server_now_ms(call->server), .array = json_array()};

	natmux_mux_servers(nm_server_mux(call->server), add_server, &list);
	call->result = list_done(&list, "servers");
	return 0;
}

static void add_alias(void *user, const struct nm_server_alias *alias)
{
	struct list *list = user;

	list->total++;
	list_add(list, json_pack("{s:o, s:I, s:o}", "alias", nm_json_addr(&alias->alias), "flow",
			       (json_int_t)alias->flow, "peer", nm_json_text(alias->peer)));
}

int nm_control_aliases(struct nm_control_call *call)
{
	struct list list = {.array = json_array()};

	nm_server_aliases(call->server, add_alias, &list);
	call->result = list_done(&list, "aliases");
	return 0;
}
