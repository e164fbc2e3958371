/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NM_LOG_H
#define NM_LOG_H

#include <stdbool.h>
#include <natmux/log.h>

/* Whether a message of this level would be written: ask before work done for logging only. */
static inline bool nm_log_wants(const struct natmux_log *log, enum natmux_log_level level)
{
	return log->write && level <= log->level;
}

/* Formats and writes one line (cut at 511 bytes; control characters become '?'). */
void nm_log(const struct natmux_log *log, enum natmux_log_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
