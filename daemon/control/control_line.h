/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a stream in, whole lines out, within a buffer of fixed size. */
#ifndef NM_CONTROL_LINE_H
#define NM_CONTROL_LINE_H

#include <stddef.h>

/* The longest request, without its newline. */
enum { NM_CONTROL_LINE_MAX = 65536 };

enum nm_control_line_verdict {
	NM_CONTROL_LINE_NONE, /* no whole line yet */
	NM_CONTROL_LINE_READY,
	NM_CONTROL_LINE_TOO_LONG, /* the buffer is full and holds no newline */
};

/* Start with all zeros but for `buf`, which is the caller's and has one byte more than a line. */
struct nm_control_line {
	char *buf;         /* NM_CONTROL_LINE_MAX + 1 bytes */
	size_t start, end; /* what has been read and not yet given out */
	size_t seen;       /* no newline lies before it: bytes are searched once */
};

/*
 * Where to read to: sets `room` and returns the number of bytes there, 0 when the buffer is full.
 * Moves what is left to the front, and wipes where it was: lines may hold keys. Lines given out
 * before are gone.
 */
size_t nm_control_line_room(struct nm_control_line *line, char **room);

/* `n` bytes have been read into the room. */
void nm_control_line_commit(struct nm_control_line *line, size_t n);

/*
 * The next line that is not blank, without its newline (or CR LF): borrowed until the next call
 * of nm_control_line_room. `text` and `len` are set for READY only.
 */
enum nm_control_line_verdict nm_control_line_next(
	struct nm_control_line *line, char **text, size_t *len);

#endif
