/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/log_tape.h"

#include <stdio.h>
#include <string.h>

static void write_line(void *user, enum natmux_log_level level, const char *text)
{
	struct log_tape *tape = user;
	size_t len = strlen(tape->text);

	(void)level;
	tape->lines++;
	snprintf(tape->text + len, sizeof(tape->text) - len, "%s\n", text);
}

struct natmux_log log_tape(struct log_tape *tape)
{
	log_tape_clear(tape);
	return (struct natmux_log){.write = write_line, .user = tape, .level = NATMUX_LOG_DEBUG};
}

bool log_tape_has(const struct log_tape *tape, const char *text)
{
	return strstr(tape->text, text) != NULL;
}

void log_tape_clear(struct log_tape *tape)
{
	memset(tape, 0, sizeof(*tape));
}
