/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the last events and says what they look like; who is told is control.c's decision. */
#include "daemon/control/control_events.h"

#include <stdio.h>
#include "daemon/control/control_json.h"

static struct nm_control_event *push(
	struct nm_control_events *events, uint64_t time_ms, const char *name)
{
	struct nm_control_event *kept = &events->ring[++events->last % NM_CONTROL_EVENTS];

	*kept = (struct nm_control_event){.number = events->last, .time_ms = time_ms};
	if (name)
		snprintf(kept->name, sizeof(kept->name), "%s", name);
	return kept;
}

void nm_control_events_push(
	struct nm_control_events *events, uint64_t time_ms, const struct natmux_event *event)
{
	struct nm_control_event *kept = push(events, time_ms, event->name);

	kept->type = event->type;
	kept->path = event->path;
	kept->mapped = event->mapped;
	kept->mapped_before = event->mapped_before;
}

void nm_control_events_push_esp(struct nm_control_events *events, uint64_t time_ms,
	const struct natmux_esp_event *event, const char *name)
{
	struct nm_control_event *kept = push(events, time_ms, name);

	kept->is_esp = true;
	kept->esp = *event;
	kept->path = event->path;
}

uint64_t nm_control_events_oldest(const struct nm_control_events *events)
{
	return events->last >= NM_CONTROL_EVENTS ? events->last - NM_CONTROL_EVENTS + 1 : 1;
}

const struct nm_control_event *nm_control_events_get(
	const struct nm_control_events *events, uint64_t number)
{
	if (number < nm_control_events_oldest(events) || number > events->last)
		return NULL;
	return &events->ring[number % NM_CONTROL_EVENTS];
}

static const char *esp_event_name(enum natmux_esp_event_type type)
{
	static const char *const names[] = {
#define X(name, text) text,
		NATMUX_ESP_EVENT_MAP(X)
#undef X
	};

	return (unsigned int)type < NATMUX_ESP_EVENT_COUNT ? names[type] : NULL;
}

/* What events of SAs have beside the others' members. */
static int add_esp(json_t *json, const struct natmux_esp_event *event)
{
	bool is_audit = event->type == NATMUX_ESP_EVENT_AUDIT;
	bool has_spi = event->type != NATMUX_ESP_EVENT_ACQUIRE;
	json_t *more = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "direction",
		nm_json_text(has_spi ? nm_json_direction(event->direction) : NULL), "spi",
		has_spi ? nm_json_spi(event->spi) : json_null(), "reqid",
		is_audit ? json_null() : nm_json_count(event->reqid), "drop",
		nm_json_text(is_audit ? natmux_drop_name(event->drop) : NULL), "sequence",
		is_audit ? nm_json_count(event->sequence) : json_null(), "local_before",
		nm_json_addr(&event->path_before.local), "remote_before",
		nm_json_addr(&event->path_before.remote));
	int error = json_object_update(json, more);

	json_decref(more);
	return error;
}

json_t *nm_control_event_json(const struct nm_control_event *event)
{
	const char *type =
		event->is_esp ? esp_event_name(event->esp.type) : natmux_event_name(event->type);
	json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "number",
		nm_json_count(event->number), "time_ms", nm_json_count(event->time_ms), "type",
		nm_json_text(type), "name", nm_json_text(event->name[0] ? event->name : NULL),
		"local", nm_json_addr(&event->path.local), "remote",
		nm_json_addr(&event->path.remote), "mapped", nm_json_addr(&event->mapped),
		"mapped_before", nm_json_addr(&event->mapped_before));

	if (json && event->is_esp && add_esp(json, &event->esp) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}
