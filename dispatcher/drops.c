/* SPDX-License-Identifier: Apache-2.0 */
/* When a drop is worth a log line; counting it is the business of whoever drops. */
#include "dispatcher/drops.h"

#include <inttypes.h>

#include "base/log.h"

void nm_drops_report(struct nm_drop_report *report, const struct natmux_stats *stats,
	const struct natmux_log *log, uint64_t now_ms)
{
	if (report->total == report->seen || !nm_log_wants(log, NATMUX_LOG_INFO))
		return;
	report->seen = report->total;
	for (unsigned int i = 0; i < NATMUX_DROP_COUNT; i++) {
		uint64_t fresh = stats->drops[i] - report->reported[i];

		if (fresh == 0 || now_ms < report->next_ms[i])
			continue;
		nm_log(log, NATMUX_LOG_INFO, "dropped %" PRIu64 " (%s): %s", fresh,
			natmux_drop_name(i), natmux_drop_text(i));
		report->reported[i] = stats->drops[i];
		report->next_ms[i] = now_ms + NM_DROP_REPORT_MS;
	}
}
