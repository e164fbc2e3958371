/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the last events and says what they look like; who is told is control.c's decision. */
#include "daemon/control_events.h"

#include <stdio.h>
#include "daemon/control_json.h"

void nm_control_events_push(
	struct nm_control_events *events, uint64_t time_ms, const struct natmux_event *event)
{
	struct nm_control_event *kept = &events->ring[++events->last % NM_CONTROL_EVENTS];

	*kept = (struct nm_control_event){
		.number = events->last,
		.time_ms = time_ms,
		.type = event->type,
		.path = event->path,
		.mapped = event->mapped,
		.mapped_before = event->mapped_before,
	};
	if (event->name)
		snprintf(kept->name, sizeof(kept->name), "%s", event->name);
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

json_t *nm_control_event_json(const struct nm_control_event *event)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "number",
		nm_json_count(event->number), "time_ms", nm_json_count(event->time_ms), "type",
		nm_json_text(natmux_event_name(event->type)), "name",
		nm_json_text(event->name[0] ? event->name : NULL), "local",
		nm_json_addr(&event->path.local), "remote", nm_json_addr(&event->path.remote),
		"mapped", nm_json_addr(&event->mapped), "mapped_before",
		nm_json_addr(&event->mapped_before));
}
