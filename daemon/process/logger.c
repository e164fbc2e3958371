/* SPDX-License-Identifier: Apache-2.0 */
/* Writes log lines to standard error; what is worth one is decided elsewhere. */
#include "daemon/process/logger.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct {
	const char *word;
	int priority; /* syslog(3) */
} levels[] = {
	[NATMUX_LOG_ERROR] = {"error", 3},
	[NATMUX_LOG_WARNING] = {"warning", 4},
	[NATMUX_LOG_INFO] = {"info", 6},
	[NATMUX_LOG_DEBUG] = {"debug", 7},
};

static void write_for_journal(void *user, enum natmux_log_level level, const char *text)
{
	if (level <= *(const enum natmux_log_level *)user)
		fprintf(stderr, "<%d>%s\n", levels[level].priority, text);
}

static void write_for_people(void *user, enum natmux_log_level level, const char *text)
{
	char stamp[32] = "";
	struct timespec now;
	struct tm local;

	if (level > *(const enum natmux_log_level *)user)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	if (localtime_r(&now.tv_sec, &local))
		strftime(stamp, sizeof(stamp), "%F %T", &local);
	fprintf(stderr, "%s.%03ld natmuxd %s: %s\n", stamp, now.tv_nsec / 1000000,
		levels[level].word, text);
}

struct natmux_log nm_logger_init(const enum natmux_log_level *level)
{
	return (struct natmux_log){
		.write = getenv("JOURNAL_STREAM") ? write_for_journal : write_for_people,
		.user = (void *)(uintptr_t)level,
		.level = NATMUX_LOG_DEBUG,
	};
}
