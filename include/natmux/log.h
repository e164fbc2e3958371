/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_LOG_H
#define NATMUX_LOG_H

#ifdef __cplusplus
extern "C" {
#endif

enum natmux_log_level {
	NATMUX_LOG_ERROR,
	NATMUX_LOG_WARNING,
	NATMUX_LOG_INFO,
	NATMUX_LOG_DEBUG,
};

/*
 * Where an object's messages go. One line each, without a newline, never more than one per drop
 * reason and second, never with key material. A NULL `write` keeps the object silent.
 */
struct natmux_log {
	void (*write)(void *user, enum natmux_log_level level, const char *text);
	void *user;
	enum natmux_log_level level; /* nothing below this is formatted */
};

#ifdef __cplusplus
}
#endif
#endif
