/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about policies: adding, deleting, listing. */
#include "daemon/control/control_commands.h"

#include <stdlib.h>
#include <natmux/error.h>

#include "daemon/config/config_check.h"
#include "daemon/config/config_selector.h"
#include "daemon/control/control_item.h"
#include "daemon/control/control_json.h"
#include "daemon/server.h"

static int get_policy(struct nm_control_call *call, struct nm_config_policy *policy)
{
	return nm_control_read_item(call, "policy", "policy", NULL, policy);
}

int nm_control_policy_add(struct nm_control_call *call)
{
	char message[NM_CONFIG_MESSAGE_SIZE] = "";
	struct nm_config_report report = {
		.name = "policy-add", .text = message, .size = sizeof(message)};
	const struct nm_sa_plane *plane = nm_control_sa_plane(call);
	char why[NM_SA_PLANE_WHY];
	struct nm_config_policy policy;
	struct nm_policy_order order;
	bool is_replaced;
	int err;

	if (!plane || get_policy(call, &policy) < 0)
		return NATMUX_EINVAL;
	if (nm_config_check_policy(nm_server_config(call->server), &policy, &report) < 0)
		return nm_control_fail(call, "bad-argument", "%s", message);
	nm_config_policy_order(&policy, &order);
	err = nm_sa_plane_policy_put(plane, &order, &is_replaced, why);
	if (err < 0)
		return nm_control_fail(call, "failed", "%s: nothing was changed", why);
	call->result = json_pack("{s:b}", "replaced", (int)is_replaced);
	return 0;
}

int nm_control_policy_delete(struct nm_control_call *call)
{
	const struct nm_sa_plane *plane = nm_control_sa_plane(call);
	struct nm_config_policy policy;
	struct nm_policy_order order;
	char why[NM_SA_PLANE_WHY];
	int err;

	if (!plane || get_policy(call, &policy) < 0)
		return NATMUX_EINVAL;
	nm_config_policy_order(&policy, &order);
	err = nm_sa_plane_policy_delete(plane, &order, why);
	if (err == NATMUX_ENOTFOUND)
		return nm_control_fail(
			call, "failed", "there is no policy of that priority and selector");
	if (err < 0)
		return nm_control_fail(call, "failed", "%s: it is still there", why);
	call->result = json_object();
	return 0;
}

/* A copy of all: they come in no order, and cannot be deleted while they are walked over. */
struct all {
	struct nm_policy_order *list;
	size_t len, room;
	bool failed;
};

static void collect(void *user, const struct nm_policy_order *policy)
{
	struct all *all = user;

	if (all->failed)
		return;
	if (all->len == all->room) {
		size_t room = all->room > 0 ? all->room * 2 : 64;
		void *list = reallocarray(all->list, room, sizeof(*all->list));

		if (!list) {
			all->failed = true;
			return;
		}
		all->list = list;
		all->room = room;
	}
	all->list[all->len++] = *policy;
}

int nm_control_policy_flush(struct nm_control_call *call)
{
	const struct nm_sa_plane *plane = nm_control_sa_plane(call);
	struct all all = {.len = 0};
	char ignored[NM_SA_PLANE_WHY];
	size_t deleted = 0;

	if (!plane)
		return NATMUX_EINVAL;
	nm_sa_plane_policies(plane, collect, &all);
	for (size_t i = 0; i < all.len && !all.failed; i++)
		deleted += nm_sa_plane_policy_delete(plane, &all.list[i], ignored) == 0;
	if (!all.failed)
		call->result = json_pack("{s:o}", "deleted", nm_json_count(deleted));
	free(all.list);
	return 0;
}

static int by_priority(const void *a, const void *b)
{
	const struct nm_policy_order *x = a, *y = b;

	return (x->policy.priority > y->policy.priority) -
	       (x->policy.priority < y->policy.priority);
}

static const char *action_name(enum natmux_policy_action action)
{
	switch (action) {
	case NATMUX_POLICY_PROTECT: return "protect";
	case NATMUX_POLICY_BYPASS: return "bypass";
	case NATMUX_POLICY_DISCARD: return "discard";
	}
	return NULL;
}

static json_t *policy_json(const struct nm_config *config, const struct nm_policy_order *order)
{
	const struct natmux_policy *policy = &order->policy;
	const struct nm_config_policy *named = nm_config_policy_find(config, policy);
	char text[NM_SELECTOR_TEXT];
	json_t *json = json_pack("{s:o, s:I, s:o, s:I, s:s}", "name",
		nm_json_text(named ? named->name : NULL), "priority", (json_int_t)policy->priority,
		"action", nm_json_text(action_name(policy->action)), "reqid",
		(json_int_t)policy->reqid, "selector", nm_selector_format(&policy->selector, text));

	/* What only the kernel has stands there only if it is given. */
	if (order->mark.mask > 0)
		json_object_set_new(json, "mark", nm_json_mark(&order->mark));
	if (order->if_id > 0)
		json_object_set_new(json, "if_id", json_integer(order->if_id));
	return json;
}

int nm_control_policy_list(struct nm_control_call *call)
{
	const struct nm_config *config = nm_server_config(call->server);
	const struct nm_sa_plane *plane = nm_control_sa_plane(call);
	uint64_t limit = NM_CONTROL_SAS_MAX;
	struct all all = {.len = 0};
	json_t *array;

	if (!plane || nm_control_get_number(call, "limit", 1, NM_CONTROL_SAS_MAX, &limit) < 0)
		return NATMUX_EINVAL;
	nm_sa_plane_policies(plane, collect, &all);
	if (all.len > 0)
		qsort(all.list, all.len, sizeof(*all.list), by_priority);
	array = json_array();
	for (size_t i = 0; i < all.len && i < limit && !all.failed; i++)
		all.failed = json_array_append_new(array, policy_json(config, &all.list[i])) < 0;
	if (all.failed)
		json_decref(array);
	else
		call->result =
			json_pack("{s:o, s:o}", "policies", array, "total", nm_json_count(all.len));
	free(all.list);
	return 0;
}
