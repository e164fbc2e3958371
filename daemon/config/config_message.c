/* SPDX-License-Identifier: Apache-2.0 */
/* Messages about the configuration: one line each, safe for a log and a terminal. */
#include "daemon/config/config_message.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

int nm_config_refuse(
	struct nm_config_report *report, uint32_t line, const char *key, const char *format, ...)
{
	char where[16] = "", what[384];
	va_list args;

	if (report->size == 0 || report->text[0] != '\0')
		return NATMUX_EINVAL;
	if (line > 0)
		snprintf(where, sizeof(where), ":%" PRIu32, line);
	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	snprintf(report->text, report->size, "%s%s: %s%s%s", report->name, where,
		key && *key ? key : "", key && *key ? ": " : "", what);
	return NATMUX_EINVAL;
}

const char *nm_config_quote(const char *text, char quoted[NM_CONFIG_QUOTE_SIZE])
{
	static const char more[] = "...\"";
	size_t len = 0;

	quoted[len++] = '"';
	for (; *text && len < NM_CONFIG_QUOTE_SIZE - sizeof(more); text++)
		quoted[len++] =
			(unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e ? '?' : *text;
	strcpy(quoted + len, *text ? more : "\"");
	return quoted;
}
