/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cursor over a buffer of fixed size with a sticky error: write on, check once with
 * nm_writer_ok(). A write that does not fit writes nothing, and neither does any after it.
 */
#ifndef NM_WRITER_H
#define NM_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include "base/bytes.h"

struct nm_writer {
	uint8_t *start;
	size_t len; /* bytes written */
	size_t cap;
	bool failed;
};

static inline struct nm_writer nm_writer_init(uint8_t *buf, size_t cap)
{
	return (struct nm_writer){.start = buf, .cap = cap};
}

/* Room for `n` bytes that the caller fills in; NULL once the writer has failed. */
static inline uint8_t *nm_write_room(struct nm_writer *w, size_t n)
{
	uint8_t *p;

	if (w->failed || n > w->cap - w->len) {
		w->failed = true;
		return NULL;
	}
	p = w->start + w->len;
	w->len += n;
	return p;
}

static inline void nm_write(struct nm_writer *w, const void *data, size_t n)
{
	uint8_t *p = nm_write_room(w, n);

	if (p && n > 0)
		memcpy(p, data, n);
}

static inline void nm_write8(struct nm_writer *w, uint8_t v)
{
	nm_write(w, &v, 1);
}

static inline void nm_write16(struct nm_writer *w, uint16_t v)
{
	uint8_t *p = nm_write_room(w, 2);

	if (p)
		nm_put16(p, v);
}

static inline void nm_write32(struct nm_writer *w, uint32_t v)
{
	uint8_t *p = nm_write_room(w, 4);

	if (p)
		nm_put32(p, v);
}

static inline bool nm_writer_ok(const struct nm_writer *w)
{
	return !w->failed;
}

#endif
