/* SPDX-License-Identifier: Apache-2.0 */
/* The one log line per drop reason: the first at once, then a sum once a minute. */
#ifndef NM_DROPS_H
#define NM_DROPS_H

#include <natmux/log.h>
#include <natmux/stats.h>

enum { NM_DROP_REPORT_MS = 60000 };

struct nm_drop_report {
	uint64_t next_ms[NATMUX_DROP_COUNT]; /* no line for this reason before */
	uint64_t reported[NATMUX_DROP_COUNT];
	uint64_t seen; /* sum of all counters when they were last looked at */
	uint64_t total;
};

/* Logs what has been dropped since the last line. Called once per vector, not per datagram. */
void nm_drops_report(struct nm_drop_report *report, const struct natmux_stats *stats,
	const struct natmux_log *log, uint64_t now_ms);

#endif
