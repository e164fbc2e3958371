/* SPDX-License-Identifier: Apache-2.0 */
/* Storage and order of datagrams to measure with. What they mean is gen.c's. */
#include "bench/corpus.h"

#include <stdlib.h>
#include <string.h>

#include <natmux/error.h>

enum { CACHE_LINE = 64 };

/* The next power-of-two size that holds `need`. */
static size_t grown(size_t cap, size_t need)
{
	size_t size = cap ? cap : 1024;

	while (size < need)
		size *= 2;
	return size;
}

static int reserve_memory(struct nm_corpus *corpus, size_t need)
{
	size_t cap = grown(corpus->memory_cap, need);
	uint8_t *memory;

	if (need <= corpus->memory_cap)
		return 0;
	if (need > NM_CORPUS_MEMORY_MAX)
		return NATMUX_EFULL;
	memory = realloc(corpus->memory, cap);
	if (!memory)
		return NATMUX_ENOMEM;
	corpus->memory = memory;
	corpus->memory_cap = cap;
	return 0;
}

static int reserve_items(struct nm_corpus *corpus, size_t need)
{
	size_t cap = grown(corpus->count_cap, need);
	struct nm_corpus_item *items;

	if (need <= corpus->count_cap)
		return 0;
	if (need > NM_CORPUS_ITEMS_MAX)
		return NATMUX_EFULL;
	items = realloc(corpus->items, cap * sizeof(*items));
	if (!items)
		return NATMUX_ENOMEM;
	corpus->items = items;
	corpus->count_cap = cap;
	return 0;
}

/* Room for a datagram at the end of the memory, `size` bytes with what keeps the next one away. */
static int add_room(struct nm_corpus *corpus, size_t len, size_t size, uint8_t **room)
{
	int err = reserve_memory(corpus, corpus->memory_len + size);

	if (err == 0)
		err = reserve_items(corpus, corpus->count + 1);
	if (err < 0)
		return err;
	*room = corpus->memory + corpus->memory_len;
	corpus->items[corpus->count++] = (struct nm_corpus_item){
		.offset = (uint32_t)corpus->memory_len, .len = (uint32_t)len};
	corpus->memory_len += size;
	return 0;
}

int nm_corpus_add(struct nm_corpus *corpus, const uint8_t *data, size_t len)
{
	uint8_t *room;
	int err = add_room(corpus, len, (len + CACHE_LINE) / CACHE_LINE * CACHE_LINE, &room);

	if (err == 0 && len > 0)
		memcpy(room, data, len);
	return err;
}

static const struct nm_corpus_part *pick_part(
	const struct nm_corpus_part *parts, size_t n, unsigned int ticket)
{
	for (size_t i = 0; i < n; i++) {
		if (ticket < parts[i].share)
			return &parts[i];
		ticket -= parts[i].share;
	}
	return &parts[0];
}

/* An odd number of cache lines, so that neighbours do not meet in the same cache set. */
static size_t stride_for(size_t len, size_t memory_size, size_t count)
{
	size_t stride = (len + CACHE_LINE - 1) / CACHE_LINE;

	if (memory_size / count / CACHE_LINE > stride)
		stride = memory_size / count / CACHE_LINE;
	return (stride | 1) * CACHE_LINE;
}

static size_t clamp(size_t value, size_t min, size_t max)
{
	return value < min ? min : value > max ? max : value;
}

static int fill(
	struct nm_corpus *corpus, const struct nm_corpus_part *parts, size_t n, size_t memory_size)
{
	struct nm_gen gen = {0};
	unsigned int shares = 0;
	size_t longest = 0, count, stride;

	for (size_t i = 0; i < n; i++) {
		shares += parts[i].share;
		if (parts[i].len > longest)
			longest = parts[i].len;
	}
	if (shares == 0)
		return NATMUX_EINVAL;
	count = clamp(memory_size / stride_for(longest, 0, 1), shares, NM_CORPUS_VISITS);
	stride = stride_for(longest, memory_size, count);
	for (size_t i = 0; i < count; i++) {
		const struct nm_corpus_part *part = pick_part(parts, n, (unsigned int)(i % shares));
		uint8_t *room;
		int err = add_room(corpus, part->len, stride, &room);

		if (err == 0)
			err = nm_gen_datagram(&gen, part->kind, room, part->len);
		if (err < 0)
			return err;
	}
	return nm_corpus_shuffle(corpus);
}

int nm_corpus_generate(
	struct nm_corpus *corpus, const struct nm_corpus_part *parts, size_t n, size_t memory_size)
{
	int err = fill(corpus, parts, n, memory_size);

	if (err < 0)
		nm_corpus_done(corpus);
	return err;
}

/* Every item as often as any other (one visit more or less), then Fisher and Yates. */
int nm_corpus_shuffle(struct nm_corpus *corpus)
{
	struct nm_gen gen = {.state = 1};
	size_t visits = corpus->count > NM_CORPUS_VISITS ? corpus->count : NM_CORPUS_VISITS;
	uint32_t *order;

	if (corpus->count == 0)
		return NATMUX_EINVAL;
	order = malloc(visits * sizeof(*order));
	if (!order)
		return NATMUX_ENOMEM;
	for (size_t i = 0; i < visits; i++)
		order[i] = (uint32_t)(i % corpus->count);
	for (size_t i = visits - 1; i > 0; i--) {
		size_t other = nm_gen_number(&gen) % (i + 1);
		uint32_t swap = order[i];

		order[i] = order[other];
		order[other] = swap;
	}
	free(corpus->order);
	corpus->order = order;
	corpus->visits = visits;
	return 0;
}

void nm_corpus_done(struct nm_corpus *corpus)
{
	free(corpus->memory);
	free(corpus->items);
	free(corpus->order);
	memset(corpus, 0, sizeof(*corpus));
}
