/* SPDX-License-Identifier: Apache-2.0 */
/* The last events, numbered: both what a late client is told and the queue of every stream. */
#ifndef NM_CONTROL_EVENTS_H
#define NM_CONTROL_EVENTS_H

#include <jansson.h>
#include <natmux/esp.h>
#include <natmux/event.h>

enum { NM_CONTROL_EVENTS = 64, NM_CONTROL_EVENT_NAME = 32 };

struct nm_control_event {
	uint64_t number;  /* 1 for the first event of the daemon's life */
	uint64_t time_ms; /* since 1970, UTC */
	bool is_esp;
	enum natmux_event_type type; /* unless `is_esp` */
	struct natmux_path path;
	struct natmux_addr mapped, mapped_before;
	struct natmux_esp_event esp;      /* with `is_esp` */
	char name[NM_CONTROL_EVENT_NAME]; /* "" for none */
};

/* All zeros is an empty ring. */
struct nm_control_events {
	struct nm_control_event ring[NM_CONTROL_EVENTS];
	uint64_t last; /* number of the newest; 0: there was none */
};

/* Keeps a copy; the oldest makes room. */
void nm_control_events_push(
	struct nm_control_events *events, uint64_t time_ms, const struct natmux_event *event);

/* The same for an event of the user ESP plane; `name`: of its SA, or NULL. */
void nm_control_events_push_esp(struct nm_control_events *events, uint64_t time_ms,
	const struct natmux_esp_event *event, const char *name);

/* Number of the oldest event that is still kept; last + 1 when there is none. */
uint64_t nm_control_events_oldest(const struct nm_control_events *events);

/* NULL for a number that is no longer, or not yet, kept. */
const struct nm_control_event *nm_control_events_get(
	const struct nm_control_events *events, uint64_t number);

/* A new reference, or NULL without memory. */
json_t *nm_control_event_json(const struct nm_control_event *event);

#endif
