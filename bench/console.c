/* SPDX-License-Identifier: Apache-2.0 */
/* Terminal and signals of natmux-bench. */
#include "bench/console.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static volatile sig_atomic_t is_stopped;
static bool has_progress_line;

static void clear_progress(void)
{
	if (has_progress_line)
		fputs("\r\033[K", stderr);
	has_progress_line = false;
}

void nm_console_error(const char *format, ...)
{
	va_list args;

	clear_progress();
	fputs("natmux-bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void nm_console_progress(const char *format, ...)
{
	va_list args;

	if (!isatty(STDERR_FILENO))
		return;
	clear_progress();
	va_start(args, format);
	has_progress_line = vfprintf(stderr, format, args) > 0;
	va_end(args);
	fflush(stderr);
}

static void stop(int number)
{
	(void)number;
	is_stopped = 1;
}

void nm_console_catch_signals(void)
{
	/* No SA_RESTART: a receiver that waits in the kernel shall notice. */
	struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool nm_console_stopped(void)
{
	return is_stopped != 0;
}
