/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts a client's bytes into lines; what the lines say is control_request.c's concern. */
#include "daemon/control/control_line.h"

#include <sodium.h>
#include <string.h>

enum { BUFFER_SIZE = NM_CONTROL_LINE_MAX + 1 /* the newline */ };

size_t nm_control_line_room(struct nm_control_line *line, char **room)
{
	if (line->start > 0) {
		size_t end = line->end - line->start;

		memmove(line->buf, line->buf + line->start, end);
		sodium_memzero(line->buf + end, line->end - end);
		line->end = end;
		line->seen -= line->start;
		line->start = 0;
	}
	*room = line->buf + line->end;
	return BUFFER_SIZE - line->end;
}

void nm_control_line_commit(struct nm_control_line *line, size_t n)
{
	line->end += n;
}

enum nm_control_line_verdict nm_control_line_next(
	struct nm_control_line *line, char **text, size_t *len)
{
	while (line->seen < line->end) {
		char *start = line->buf + line->start;
		const char *newline = memchr(line->buf + line->seen, '\n', line->end - line->seen);
		size_t n;

		if (!newline) {
			line->seen = line->end;
			break;
		}
		n = (size_t)(newline - start);
		line->start += n + 1;
		line->seen = line->start;
		if (n > 0 && start[n - 1] == '\r')
			n--;
		if (n > 0) {
			*text = start;
			*len = n;
			return NM_CONTROL_LINE_READY;
		}
	}
	return line->end - line->start == BUFFER_SIZE ? NM_CONTROL_LINE_TOO_LONG
						      : NM_CONTROL_LINE_NONE;
}
