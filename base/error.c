/* SPDX-License-Identifier: Apache-2.0 */
/* Names and texts of the library's X-macro lists. */
#include <natmux/classify.h>
#include <natmux/error.h>
#include <natmux/event.h>
#include <natmux/stats.h>
#include <natmux/version.h>

#include "base/export.h"

NM_EXPORT const char *natmux_strerror(int error)
{
	switch (error) {
	case NATMUX_OK: return "success";
#define X(name, value, text)                                                                       \
	case value: return text;
		NATMUX_ERROR_MAP(X)
#undef X
	default: return "unknown error";
	}
}

NM_EXPORT const char *natmux_error_name(int error)
{
	switch (error) {
	case NATMUX_OK: return "OK";
#define X(name, value, text)                                                                       \
	case value: return "E" #name;
		NATMUX_ERROR_MAP(X)
#undef X
	default: return "EUNKNOWN";
	}
}

NM_EXPORT const char *natmux_class_name(enum natmux_class cls)
{
	static const char *const names[] = {
#define X(name, text) text,
		NATMUX_CLASS_MAP(X)
#undef X
	};

	return (unsigned int)cls < NATMUX_CLASS_COUNT ? names[cls] : NULL;
}

NM_EXPORT const char *natmux_event_name(enum natmux_event_type type)
{
	static const char *const names[] = {
#define X(name, text) text,
		NATMUX_EVENT_MAP(X)
#undef X
	};

	return (unsigned int)type < NATMUX_EVENT_COUNT ? names[type] : NULL;
}

NM_EXPORT const char *natmux_drop_name(enum natmux_drop drop)
{
	static const char *const names[] = {
#define X(name, label, text) label,
		NATMUX_DROP_MAP(X)
#undef X
	};

	return (unsigned int)drop < NATMUX_DROP_COUNT ? names[drop] : NULL;
}

NM_EXPORT const char *natmux_drop_text(enum natmux_drop drop)
{
	static const char *const texts[] = {
#define X(name, label, text) text,
		NATMUX_DROP_MAP(X)
#undef X
	};

	return (unsigned int)drop < NATMUX_DROP_COUNT ? texts[drop] : NULL;
}

NM_EXPORT const char *natmux_version(void)
{
	return NATMUX_VERSION;
}
