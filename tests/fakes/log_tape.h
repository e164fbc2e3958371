/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the log lines of one test. */
#ifndef LOG_TAPE_H
#define LOG_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <natmux/log.h>

struct log_tape {
	size_t lines;
	char text[8192]; /* all lines, each with its newline; the rest is cut */
};

/* A log of all levels onto the tape. */
struct natmux_log log_tape(struct log_tape *tape);

bool log_tape_has(const struct log_tape *tape, const char *text);
void log_tape_clear(struct log_tape *tape);

#endif
