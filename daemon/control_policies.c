/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about policies: adding, deleting, listing. */
#include "daemon/control_commands.h"

#include <stdlib.h>
#include <natmux/error.h>

#include "daemon/config_check.h"
#include "daemon/config_selector.h"
#include "daemon/control_item.h"
#include "daemon/control_json.h"
#include "daemon/server.h"

static int get_policy(struct nm_control_call *call, struct nm_config_policy *policy)
{
	return nm_control_read_item(call, "policy", "policy", NULL, policy);
}

/* One of the same priority and selector gives way; its place in the table is ours then. */
static int add(struct natmux_esp *esp, const struct natmux_policy *policy, bool *is_replaced)
{
	int err = natmux_esp_policy_add(esp, policy);

	*is_replaced = err == NATMUX_EEXISTS;
	if (!*is_replaced)
		return err;
	natmux_esp_policy_delete(esp, policy);
	return natmux_esp_policy_add(esp, policy);
}

int nm_control_policy_add(struct nm_control_call *call)
{
	char message[NM_CONFIG_MESSAGE_SIZE] = "";
	struct nm_config_report report = {
		.name = "policy-add", .text = message, .size = sizeof(message)};
	struct natmux_esp *esp = nm_control_esp(call);
	struct nm_config_policy policy;
	struct natmux_policy filled;
	bool is_replaced;
	int err;

	if (!esp || get_policy(call, &policy) < 0)
		return NATMUX_EINVAL;
	if (nm_config_check_policy(&policy, &report) < 0)
		return nm_control_fail(call, "bad-argument", "%s", message);
	nm_config_policy_fill(&policy, &filled);
	err = add(esp, &filled, &is_replaced);
	if (err < 0)
		return nm_control_fail(
			call, "failed", "%s: nothing was changed", natmux_strerror(err));
	call->result = json_pack("{s:b}", "replaced", (int)is_replaced);
	return 0;
}

int nm_control_policy_delete(struct nm_control_call *call)
{
	struct natmux_esp *esp = nm_control_esp(call);
	struct nm_config_policy policy;
	struct natmux_policy filled;

	if (!esp || get_policy(call, &policy) < 0)
		return NATMUX_EINVAL;
	nm_config_policy_fill(&policy, &filled);
	if (natmux_esp_policy_delete(esp, &filled) < 0)
		return nm_control_fail(
			call, "failed", "there is no policy of that priority and selector");
	call->result = json_object();
	return 0;
}

/* A copy of all: they come in no order, and cannot be deleted while they are walked over. */
struct all {
	struct natmux_policy *list;
	size_t len, room;
	bool failed;
};

static void collect(void *user, const struct natmux_policy *policy)
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
	struct natmux_esp *esp = nm_control_esp(call);
	struct all all = {.len = 0};

	if (!esp)
		return NATMUX_EINVAL;
	natmux_esp_policies(esp, collect, &all);
	for (size_t i = 0; i < all.len && !all.failed; i++)
		natmux_esp_policy_delete(esp, &all.list[i]);
	if (!all.failed)
		call->result = json_pack("{s:o}", "deleted", nm_json_count(all.len));
	free(all.list);
	return 0;
}

static int by_priority(const void *a, const void *b)
{
	const struct natmux_policy *x = a, *y = b;

	return (x->priority > y->priority) - (x->priority < y->priority);
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

static json_t *policy_json(const struct nm_config *config, const struct natmux_policy *policy)
{
	const struct nm_config_policy *named = nm_config_policy_find(config, policy);
	char text[NM_SELECTOR_TEXT];

	return json_pack("{s:o, s:I, s:o, s:I, s:s}", "name",
		nm_json_text(named ? named->name : NULL), "priority", (json_int_t)policy->priority,
		"action", nm_json_text(action_name(policy->action)), "reqid",
		(json_int_t)policy->reqid, "selector", nm_selector_format(&policy->selector, text));
}

int nm_control_policy_list(struct nm_control_call *call)
{
	const struct nm_config *config = nm_server_config(call->server);
	const struct natmux_esp *esp = nm_control_esp(call);
	uint64_t limit = NM_CONTROL_SAS_MAX;
	struct all all = {.len = 0};
	json_t *array;

	if (!esp || nm_control_get_number(call, "limit", 1, NM_CONTROL_SAS_MAX, &limit) < 0)
		return NATMUX_EINVAL;
	natmux_esp_policies(esp, collect, &all);
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
