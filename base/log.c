/* SPDX-License-Identifier: Apache-2.0 */
/* Formatting of log lines; where they go is the owner's choice. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void nm_log(const struct natmux_log *log, enum natmux_log_level level, const char *format, ...)
{
	char line[512];
	va_list args;

	if (!nm_log_wants(log, level))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* A name from the network must not forge log lines or move a terminal's cursor. */
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	log->write(log->user, level, line);
}
