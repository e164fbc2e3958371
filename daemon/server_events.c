/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to flows and SAs, in the log and for those who follow. */
#include <inttypes.h>

#include "base/log.h"
#include "daemon/control/control.h"
#include "daemon/server_parts.h"

static void log_event(const struct natmux_log *log, const struct natmux_event *event)
{
	char remote[NATMUX_ADDR_TEXT], mapped[NATMUX_ADDR_TEXT], before[NATMUX_ADDR_TEXT];
	const char *name = event->name ? event->name : "-";

	natmux_addr_format(&event->path.remote, remote);
	switch (event->type) {
	case NATMUX_EVENT_MAPPED_CHANGED:
		nm_log(log, NATMUX_LOG_INFO, "STUN server %s (%s) sees us at %s, before: %s", name,
			remote, natmux_addr_format(&event->mapped, mapped),
			natmux_addr_format(&event->mapped_before, before));
		break;
	case NATMUX_EVENT_SERVER_LOST:
		nm_log(log, NATMUX_LOG_WARNING, "STUN server %s (%s) does not answer", name,
			remote);
		break;
	case NATMUX_EVENT_FLOW_OPENED:
	case NATMUX_EVENT_FLOW_CLOSED:
	case NATMUX_EVENT_FLOW_ESTABLISHED:
	case NATMUX_EVENT_COUNT:
		/* Unauthenticated senders open and close flows: no line of the log for each. */
		nm_log(log, NATMUX_LOG_DEBUG, "%s: %s (peer %s)", natmux_event_name(event->type),
			remote, name);
		break;
	}
}

void nm_server_on_event(void *user, const struct natmux_event *event)
{
	struct nm_server *server = user;

	log_event(&server->log, event);
	nm_control_event(server->control, event);
}

/* The plane tells of no reason more than once a second. */
static void log_esp_event(const struct natmux_log *log, const struct natmux_esp_event *event)
{
	const char *direction = event->direction == NATMUX_SA_IN ? "in" : "out";
	char remote[NATMUX_ADDR_TEXT], before[NATMUX_ADDR_TEXT];

	natmux_addr_format(&event->path.remote, remote);
	switch (event->type) {
	case NATMUX_ESP_EVENT_SOFT:
		nm_log(log, NATMUX_LOG_INFO,
			"SA %s 0x%08" PRIx32 " (reqid %" PRIu32
			"): a soft limit is reached, it wants a successor",
			direction, event->spi, event->reqid);
		break;
	case NATMUX_ESP_EVENT_HARD:
		nm_log(log, NATMUX_LOG_WARNING,
			"SA %s 0x%08" PRIx32 " (reqid %" PRIu32
			"): a hard limit is reached, it is dead",
			direction, event->spi, event->reqid);
		break;
	case NATMUX_ESP_EVENT_MOVED:
		nm_log(log, NATMUX_LOG_INFO,
			"SA %s 0x%08" PRIx32 " (reqid %" PRIu32 "): its peer moved from %s to %s",
			direction, event->spi, event->reqid,
			natmux_addr_format(&event->path_before.remote, before), remote);
		break;
	case NATMUX_ESP_EVENT_ACQUIRE:
		nm_log(log, NATMUX_LOG_INFO,
			"a policy wants an SA with reqid %" PRIu32 ", and there is none",
			event->reqid);
		break;
	case NATMUX_ESP_EVENT_AUDIT:
		nm_log(log, NATMUX_LOG_WARNING,
			"ESP dropped, %s: SPI 0x%08" PRIx32 " sequence %" PRIu32 " from %s to %s",
			natmux_drop_name(event->drop), event->spi, event->sequence, remote,
			natmux_addr_format(&event->path.local, before));
		break;
	case NATMUX_ESP_EVENT_COUNT: break;
	}
}

void nm_server_on_esp_event(void *user, const struct natmux_esp_event *event)
{
	struct nm_server *server = user;

	log_esp_event(&server->log, event);
	nm_control_esp_event(server->control, event);
}
