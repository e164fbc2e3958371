/* SPDX-License-Identifier: Apache-2.0 */
/* What the user sees and does while a scenario runs: errors, progress, Ctrl-C. */
#ifndef NM_CONSOLE_H
#define NM_CONSOLE_H

#include <stdbool.h>

/* One line "natmux-bench: …" on stderr. */
void nm_console_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Replaces the progress line on stderr; nothing where stderr is no terminal. "" clears it. */
void nm_console_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* From now on SIGINT and SIGTERM only set what nm_console_stopped() says; a second one kills. */
void nm_console_catch_signals(void);
bool nm_console_stopped(void);

#endif
