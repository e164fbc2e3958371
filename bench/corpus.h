/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams in memory, and the order in which a measurement visits them. */
#ifndef NM_CORPUS_H
#define NM_CORPUS_H

#include <stddef.h>
#include <stdint.h>
#include "bench/gen.h"

/* Long enough, at random, that no branch predictor learns it by heart. */
enum { NM_CORPUS_VISITS = 65536 };

enum {
	NM_CORPUS_ITEMS_MAX = 1 << 20,
	NM_CORPUS_MEMORY_MAX = 1 << 30, /* bytes */
};

struct nm_corpus_item {
	uint32_t offset; /* in memory */
	uint32_t len;
};

struct nm_corpus {
	uint8_t *memory;
	size_t memory_len, memory_cap;
	struct nm_corpus_item *items;
	size_t count, count_cap;
	uint32_t *order; /* numbers of items, as nm_corpus_shuffle() made it */
	size_t visits;   /* in `order`: NM_CORPUS_VISITS, or one for each item if those are more */
};

/* One kind of datagram and how often it comes, in relation to the other parts. */
struct nm_corpus_part {
	enum nm_gen_kind kind;
	size_t len;
	unsigned int share;
};

/*
 * Generates datagrams, each in cache lines of its own, spread over about `memory_size` bytes (more
 * where that is too little for the shares of all parts), and the order of visits. The corpus comes
 * zeroed. NATMUX_EINVAL (no shares), NATMUX_ENOMEM, NATMUX_ERANGE (see gen.h): then it is empty.
 */
int nm_corpus_generate(
	struct nm_corpus *corpus, const struct nm_corpus_part *parts, size_t n, size_t memory_size);

/* Copies one datagram into a zeroed or growing corpus. NATMUX_ENOMEM, NATMUX_EFULL. */
int nm_corpus_add(struct nm_corpus *corpus, const uint8_t *data, size_t len);

/* Makes the order of visits, at random. NATMUX_ENOMEM, NATMUX_EINVAL for an empty corpus. */
int nm_corpus_shuffle(struct nm_corpus *corpus);

void nm_corpus_done(struct nm_corpus *corpus);

#endif
