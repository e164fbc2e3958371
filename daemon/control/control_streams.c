/* SPDX-License-Identifier: Apache-2.0 */
/* Commands after whose answer the connection is a stream: events, captures. */
#include "daemon/control/control_commands.h"

#include <string.h>
#include <natmux/error.h>
#include "daemon/control/control_json.h"
#include "daemon/control/control_request.h"

/* The events kept, as an array; NULL without memory. */
static json_t *kept_events(const struct nm_control_events *events)
{
	json_t *array = json_array();

	for (uint64_t n = nm_control_events_oldest(events); n <= events->last; n++)
		if (json_array_append_new(
			    array, nm_control_event_json(nm_control_events_get(events, n))) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

int nm_control_list_events(struct nm_control_call *call)
{
	uint64_t oldest = nm_control_events_oldest(call->events);
	bool follow = false;

	if (nm_control_get_bool(call, "follow", &follow) < 0)
		return NATMUX_EINVAL;
	if (!follow) {
		call->result = json_pack("{s:o}", "events", kept_events(call->events));
		return 0;
	}
	call->stream = NM_CONTROL_STREAM_EVENTS;
	call->next_event = oldest;
	call->result =
		json_pack("{s:o}", "replayed", nm_json_count(call->events->last + 1 - oldest));
	return 0;
}

/* The class with this name, or NATMUX_CLASS_COUNT. */
static enum natmux_class find_class(const char *name)
{
	int cls = 0;

	while (cls < NATMUX_CLASS_COUNT &&
		strcmp(natmux_class_name((enum natmux_class)cls), name) != 0)
		cls++;
	return (enum natmux_class)cls;
}

static int get_classes(struct nm_control_call *call, uint32_t *mask)
{
	const json_t *list = json_object_get(call->request, "classes");
	uint32_t classes = 0;

	if (!list)
		return 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		enum natmux_class cls = name ? find_class(name) : NATMUX_CLASS_COUNT;

		if (cls == NATMUX_CLASS_COUNT)
			return nm_control_fail(call, "bad-argument",
				"no class \"%.32s\"; there are ike, esp, stun, keepalive and runt",
				name ? name : "?");
		classes |= 1u << cls;
	}
	if (classes == 0)
		return nm_control_fail(
			call, "bad-argument", "\"classes\" must be a list of at least one class");
	*mask = classes;
	return 0;
}

static int get_direction(struct nm_control_call *call, bool *received, bool *sent)
{
	const char *direction = "both";
	bool both;

	if (nm_control_get_text(call, "direction", &direction) < 0)
		return NATMUX_EINVAL;
	both = strcmp(direction, "both") == 0;
	*received = both || strcmp(direction, "in") == 0;
	*sent = both || strcmp(direction, "out") == 0;
	if (!*received && !*sent)
		return nm_control_fail(
			call, "bad-argument", "\"direction\" must be in, out or both");
	return 0;
}

int nm_control_begin_capture(struct nm_control_call *call)
{
	struct nm_capture_filter filter = {.classes = (1u << NATMUX_CLASS_COUNT) - 1};
	uint64_t snaplen = NM_CAPTURE_SNAPLEN_MAX;

	if (get_classes(call, &filter.classes) < 0 ||
		get_direction(call, &filter.received, &filter.sent) < 0 ||
		nm_control_get_number(call, "snaplen", 1, NM_CAPTURE_SNAPLEN_MAX, &snaplen) < 0 ||
		nm_control_get_number(call, "count", 0, INT64_MAX, &filter.count) < 0)
		return NATMUX_EINVAL;
	if (call->is_capture_taken)
		return nm_control_fail(call, "busy", "a capture runs already; there can be one");
	filter.snaplen = (uint32_t)snaplen;
	call->filter = filter;
	call->stream = NM_CONTROL_STREAM_CAPTURE;
	call->result = json_pack(
		"{s:i, s:o}", "snaplen", (int)filter.snaplen, "count", nm_json_count(filter.count));
	return 0;
}
