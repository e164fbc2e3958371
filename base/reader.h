/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cursor over received bytes with a sticky error: read on, check once with nm_reader_ok(). A
 * read beyond the end yields zeros (or NULL) and moves nothing ever after.
 */
#ifndef NM_READER_H
#define NM_READER_H

#include <stdbool.h>
#include <stddef.h>
#include "base/bytes.h"

struct nm_reader {
	const uint8_t *at;
	size_t left;
	bool failed;
};

static inline struct nm_reader nm_reader_init(const uint8_t *data, size_t len)
{
	return (struct nm_reader){.at = data, .left = len};
}

/* Borrows the next `n` bytes; NULL once the reader has failed. */
static inline const uint8_t *nm_read(struct nm_reader *r, size_t n)
{
	const uint8_t *p = r->at;

	if (r->failed || n > r->left) {
		r->failed = true;
		r->left = 0;
		return NULL;
	}
	r->at += n;
	r->left -= n;
	return p;
}

static inline uint8_t nm_read8(struct nm_reader *r)
{
	const uint8_t *p = nm_read(r, 1);

	return p ? *p : 0;
}

static inline uint16_t nm_read16(struct nm_reader *r)
{
	const uint8_t *p = nm_read(r, 2);

	return p ? nm_get16(p) : 0;
}

static inline uint32_t nm_read32(struct nm_reader *r)
{
	const uint8_t *p = nm_read(r, 4);

	return p ? nm_get32(p) : 0;
}

static inline uint64_t nm_read64(struct nm_reader *r)
{
	const uint8_t *p = nm_read(r, 8);

	return p ? nm_get64(p) : 0;
}

static inline bool nm_reader_ok(const struct nm_reader *r)
{
	return !r->failed;
}

#endif
