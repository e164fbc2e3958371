/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about SAs: adding, deleting, listing. Their keys come in here and nowhere out. */
#include "daemon/control/control_commands.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_addr.h"
#include "daemon/config/config_check.h"
#include "daemon/config/config_selector.h"
#include "daemon/config/config_value.h"
#include "daemon/control/control_item.h"
#include "daemon/control/control_json.h"
#include "daemon/control/control_kernel.h"
#include "daemon/control/control_replay.h"
#include "daemon/control/control_sa_filter.h"
#include "daemon/config/key_file.h"
#include "daemon/planes/sa_plane_move.h"
#include "daemon/server.h"

/* Reads the request's "key" for that suite into `key`. */
static int get_key(struct nm_control_call *call, enum natmux_suite suite,
	uint8_t key[static NATMUX_SUITE_KEY_MAX])
{
	size_t len = natmux_suite_key_len(suite);
	const char *text = NULL;

	if (nm_control_get_text(call, "key", &text) < 0)
		return NATMUX_EINVAL;
	if (text && nm_key_decode((const uint8_t *)text, strlen(text), key, len) == 0)
		return 0;
	return nm_control_fail(call, "bad-argument",
		"%s, allowed are the %zu octets of %s in hexadecimal or base64: nothing was "
		"changed",
		text ? "\"key\" is none of that suite" : "\"key\" is missing", len,
		natmux_suite_get(suite)->name);
}

/* Where the SA goes on, if it does. `replay` is what the order then points to. */
static int get_numbers(struct nm_control_call *call, struct natmux_sa_config *config,
	struct natmux_replay_state *replay)
{
	uint64_t last = config->has_esn ? INT64_MAX : UINT32_MAX;
	const char *text = NULL;

	if (nm_control_get_number(call, "sequence", 0, last, &config->sequence) < 0 ||
		nm_control_get_text(call, "replay", &text) < 0)
		return NATMUX_EINVAL;
	if (!text)
		return 0;
	if (config->direction != NATMUX_SA_IN)
		return nm_control_fail(
			call, "bad-argument", "\"replay\" is a window: an outbound SA has none");
	if (nm_control_replay_parse(text, config->sequence, replay) < 0)
		return nm_control_fail(call, "bad-argument",
			"\"replay\" is no window whose highest number is \"sequence\", such as "
			"sa-list shows it");
	config->replay = replay;
	return 0;
}

static int add_sa(struct nm_control_call *call, const struct nm_sa_plane *plane,
	const struct nm_config_sa *sa)
{
	const struct nm_config *config = nm_server_config(call->server);
	struct natmux_replay_state replay;
	uint8_t key[NATMUX_SUITE_KEY_MAX];
	char why[NM_SA_PLANE_WHY];
	struct nm_sa_order order;
	int err;

	nm_config_sa_order(sa, config->port, &order);
	err = get_numbers(call, &order.config, &replay);
	if (err == 0)
		err = get_key(call, sa->suite, key);
	if (err == 0) {
		order.config.key = key;
		order.config.key_len = natmux_suite_key_len(sa->suite);
		err = nm_sa_plane_add(plane, &order, why);
		if (err < 0)
			nm_control_fail(call, "failed", "%s: nothing was changed", why);
	}
	sodium_memzero(key, sizeof(key));
	return err;
}

int nm_control_sa_add(struct nm_control_call *call)
{
	char message[NM_CONFIG_MESSAGE_SIZE] = "";
	struct nm_config_report report = {
		.name = "sa-add", .text = message, .size = sizeof(message)};
	const struct nm_sa_plane *plane = nm_control_sa_plane(call);
	struct nm_config_sa *sa;
	int err = NATMUX_EINVAL;

	if (!plane)
		return err;
	sa = calloc(1, sizeof(*sa));
	if (!sa)
		return 0;
	if (nm_control_read_item(call, "sa", "sa", "key-file", sa) < 0)
		goto done;
	if (nm_config_check_sa(nm_server_config(call->server), sa, &report) < 0) {
		nm_control_fail(call, "bad-argument", "%s", message);
		goto done;
	}
	err = add_sa(call, plane, sa);
	if (err < 0)
		goto done;
	call->result = json_pack("{s:s, s:o, s:o}", "direction", nm_json_direction(sa->direction),
		"spi", nm_json_spi(sa->spi), "remote", nm_json_addr(&sa->remote));
done:
	free(sa);
	return err;
}

int nm_control_sa_delete(struct nm_control_call *call)
{
	const struct nm_sa_plane *plane = nm_control_sa_plane(call);
	struct nm_sa_filter filter;
	bool is_out;
	int err;

	if (!plane || nm_sa_filter_get(call, &filter) < 0)
		return NATMUX_EINVAL;
	is_out = filter.direction == NATMUX_SA_OUT;
	if (!filter.has_direction || !filter.has_spi || is_out != filter.has_remote)
		return nm_control_fail(call, "bad-argument",
			"an SA is named by \"direction\" and \"spi\", an outbound one by its "
			"\"remote\" as well");
	err = nm_sa_plane_delete(plane, filter.direction, filter.spi, &filter.remote);
	if (err == NATMUX_ENOTFOUND)
		return nm_control_fail(call, "failed", "there is no such SA");
	if (err < 0)
		return nm_control_fail(call, "failed",
			"%s: the SA is still there, and natmuxd's log says why",
			natmux_strerror(err));
	call->result = json_object();
	return 0;
}

/* SAs cannot be deleted while they are walked over. */
struct found {
	struct nm_sa_filter filter;
	struct natmux_sa_info *list; /* of which only the identity counts */
	size_t len, room;
	bool failed;
};

static void collect(void *user, const struct nm_sa_seen *sa)
{
	struct found *found = user;
	const struct natmux_sa_info *info = sa->info;

	if (!nm_sa_filter_matches(&found->filter, info) || found->failed)
		return;
	if (found->len == found->room) {
		size_t room = found->room > 0 ? found->room * 2 : 64;
		void *list = reallocarray(found->list, room, sizeof(*found->list));

		if (!list) {
			found->failed = true;
			return;
		}
		found->list = list;
		found->room = room;
	}
	found->list[found->len++] = *info;
}

int nm_control_sa_flush(struct nm_control_call *call)
{
	const struct nm_sa_plane *plane = nm_control_sa_plane(call);
	struct found found = {.len = 0};
	size_t deleted = 0;

	if (!plane || nm_sa_filter_get(call, &found.filter) < 0)
		return NATMUX_EINVAL;
	nm_sa_plane_each(plane, collect, &found);
	for (size_t i = 0; i < found.len && !found.failed; i++)
		deleted += nm_sa_plane_delete(plane, found.list[i].direction, found.list[i].spi,
				   &found.list[i].added_remote) == 0;
	if (!found.failed)
		call->result = json_pack("{s:o}", "deleted", nm_json_count(deleted));
	free(found.list);
	return 0;
}

int nm_control_sa_move(struct nm_control_call *call)
{
	struct nm_sa_plane_moved moved = {0};
	char why[NM_SA_PLANE_WHY] = "";
	const char *plane = "";

	if (!nm_control_sa_plane(call) || nm_control_get_text(call, "plane", &plane) < 0)
		return NATMUX_EINVAL;
	if (strcmp(plane, "user") != 0 && strcmp(plane, "kernel") != 0)
		return nm_control_fail(call, "bad-argument", "\"plane\" must be user or kernel");
	if (nm_server_move_sas(call->server, plane, &moved, why, sizeof(why)) < 0)
		return nm_control_fail(call, "failed", "%s: nothing was changed", why);
	call->result = json_pack(
		"{s:I, s:I}", "sas", (json_int_t)moved.sas, "policies", (json_int_t)moved.policies);
	return 0;
}

static json_t *lifetime_json(const struct natmux_lifetime *lifetime)
{
	return json_pack("{s:o, s:o, s:I}", "bytes", nm_json_count(lifetime->bytes), "packets",
		nm_json_count(lifetime->packets), "seconds", (json_int_t)lifetime->seconds);
}

static json_t *selectors_json(const struct natmux_sa_info *info)
{
	json_t *list = json_array();

	for (size_t i = 0; i < info->selectors_len; i++) {
		char text[NM_SELECTOR_TEXT];

		json_array_append_new(
			list, json_string(nm_selector_format(&info->selectors[i], text)));
	}
	return list;
}

static json_t *replay_json(const struct natmux_sa_info *info)
{
	char text[NM_CONTROL_REPLAY_TEXT];

	if (!info->replay)
		return json_null();
	return json_string(nm_control_replay_format(info->replay, text));
}

static json_t *counters_json(const struct natmux_sa_counters *counters)
{
	json_t *json = json_object(), *reorder = json_array();

	for (size_t i = 0; i < NM_SA_COUNTERS; i++)
		json_object_set_new(
			json, nm_sa_counter_name(i), nm_json_count(nm_sa_counter(counters, i)));
	for (size_t i = 0; i < NATMUX_REORDER_BUCKETS; i++)
		json_array_append_new(reorder, nm_json_count(counters->reorder[i]));
	json_object_set_new(json, "reorder", reorder);
	return json;
}

static const char *word_of(const char *name, int value)
{
	const struct nm_config_key *key = nm_config_key_find(nm_config_section_find("sa"), name);

	for (const struct nm_config_word *word = key->words; word->text; word++)
		if (word->value == value)
			return word->text;
	return NULL;
}

static json_t *ago(uint64_t now_ms, uint64_t then_ms)
{
	if (then_ms == 0)
		return json_null();
	return nm_json_count(now_ms > then_ms ? now_ms - then_ms : 0);
}

/* What only the kernel has stands there only if it is given. */
static void add_kernel(json_t *json, const struct nm_sa_kernel *kernel)
{
	if (kernel->mark.mask > 0)
		json_object_set_new(json, "mark", nm_json_mark(&kernel->mark));
	if (kernel->output_mark.mask > 0)
		json_object_set_new(json, "output_mark", nm_json_mark(&kernel->output_mark));
	if (kernel->if_id > 0)
		json_object_set_new(json, "if_id", json_integer(kernel->if_id));
	if (*kernel->offload)
		json_object_set_new(json, "offload", nm_json_text(kernel->offload));
}

static json_t *sa_json(
	const struct nm_config *config, uint64_t now_ms, const struct nm_sa_seen *seen)
{
	const struct natmux_sa_info *info = seen->info;
	const struct nm_config_sa *sa =
		nm_config_sa_find(config, info->direction, info->spi, &info->added_remote);
	uint64_t age_ms = now_ms > info->added_ms ? now_ms - info->added_ms : 0;
	json_t *json = json_pack(
		"{s:o, s:s, s:s, s:s, s:o, s:I, s:s, s:s, s:o, s:o, s:o, s:b, s:I, s:s, s:s, "
		"s:o, s:b, s:i, s:s, s:i, s:b, s:I, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"name", nm_json_text(sa ? sa->name : NULL), "plane", seen->plane, "direction",
		nm_json_direction(info->direction), "mode", word_of("mode", (int)info->mode), "spi",
		nm_json_spi(info->spi), "reqid", (json_int_t)info->reqid, "suite",
		natmux_suite_get(info->suite)->name, "engine", info->engine, "local",
		nm_json_addr(&info->path.local), "remote", nm_json_addr(&info->path.remote),
		"added_remote", nm_json_addr(&info->added_remote), "esn", (int)info->has_esn,
		"replay_window", (json_int_t)info->replay_window, "roam",
		word_of("roam", (int)info->roam), "df", word_of("df", (int)info->df), "dscp",
		info->dscp < 0 ? json_string("copy") : json_integer(info->dscp), "ecn",
		(int)!info->no_ecn, "tfc_pad", (int)info->tfc_pad, "too_big",
		word_of("too-big", (int)info->too_big), "dummy", (int)info->dummy_seconds, "resync",
		(int)!info->no_resync, "path_mtu", (json_int_t)info->path_mtu, "dead",
		(int)info->is_dead, "sequence", nm_json_count(info->sequence), "replay",
		replay_json(info), "age_ms", nm_json_count(age_ms), "used_ago_ms",
		ago(now_ms, info->used_ms), "soft", lifetime_json(&info->soft), "hard",
		lifetime_json(&info->hard), "selectors", selectors_json(info), "counters",
		counters_json(&info->counters));

	add_kernel(json, seen->kernel);
	return json;
}

struct list {
	const struct nm_config *config;
	uint64_t now_ms, limit, total;
	struct nm_sa_filter filter;
	json_t *array;
	bool failed;
};

static void list_sa(void *user, const struct nm_sa_seen *sa)
{
	struct list *list = user;

	if (!nm_sa_filter_matches(&list->filter, sa->info))
		return;
	if (++list->total > list->limit)
		return;
	if (json_array_append_new(list->array, sa_json(list->config, list->now_ms, sa)) < 0)
		list->failed = true;
}

int nm_control_sa_list(struct nm_control_call *call)
{
	const struct nm_sa_plane *plane = nm_control_sa_plane(call);
	struct list list = {.config = nm_server_config(call->server),
		.now_ms = nm_server_now_ms(call->server),
		.limit = NM_CONTROL_SAS_MAX};

	if (!plane || nm_sa_filter_get(call, &list.filter) < 0 ||
		nm_control_get_number(call, "limit", 1, NM_CONTROL_SAS_MAX, &list.limit) < 0)
		return NATMUX_EINVAL;
	list.array = json_array();
	nm_sa_plane_each(plane, list_sa, &list);
	if (list.failed)
		json_decref(list.array);
	else
		call->result = json_pack("{s:o, s:o, s:o*}", "sas", list.array, "total",
			nm_json_count(list.total), "xfrm_stat", nm_json_xfrm_stat(call->server));
	return 0;
}
