/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps frames in order within fixed memory. What becomes of one that does not fit is the hub's. */
#include "dispatcher/handoff_queue.h"

#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

int nm_frame_queue_init(struct nm_frame_queue *queue, uint32_t max, uint32_t size)
{
	struct nm_frame_queue result = {.max = max, .size = size};

	result.slots = calloc(max, sizeof(*result.slots));
	result.bytes = malloc(size);
	if (!result.slots || !result.bytes) {
		nm_frame_queue_done(&result);
		return NATMUX_ENOMEM;
	}
	*queue = result;
	return 0;
}

void nm_frame_queue_done(struct nm_frame_queue *queue)
{
	free(queue->slots);
	free(queue->bytes);
	queue->slots = NULL;
	queue->bytes = NULL;
}

static struct nm_frame_slot *slot_at(const struct nm_frame_queue *queue, uint32_t i)
{
	return &queue->slots[(queue->head + i) % queue->max];
}

/*
 * Where `len` bytes in one piece are free: behind the last frame, else in front of the first. The
 * used bytes are one stretch, or two when the last frame lies in front of the first.
 */
static int find_room(const struct nm_frame_queue *queue, uint32_t len, uint32_t *at)
{
	const struct nm_frame_slot *first, *last;
	uint32_t end, limit;

	if (queue->count == 0) {
		*at = 0;
		return len <= queue->size ? 0 : NATMUX_EFULL;
	}
	first = slot_at(queue, 0);
	last = slot_at(queue, queue->count - 1);
	end = last->at + last->len;
	limit = last->at < first->at ? first->at : queue->size;
	if (limit - end >= len) {
		*at = end;
		return 0;
	}
	if (last->at < first->at || first->at < len)
		return NATMUX_EFULL;
	*at = 0;
	return 0;
}

int nm_frame_queue_push(struct nm_frame_queue *queue, const uint8_t *header, uint32_t header_len,
	const uint8_t *payload, uint32_t len, uint32_t datagrams)
{
	uint32_t at;

	if (queue->count == queue->max || datagrams > queue->max - queue->datagrams ||
		find_room(queue, header_len + len, &at) < 0)
		return NATMUX_EFULL;
	*slot_at(queue, queue->count) = (struct nm_frame_slot){
		.at = at,
		.len = header_len + len,
		.datagrams = datagrams,
	};
	queue->count++;
	queue->datagrams += datagrams;
	memcpy(queue->bytes + at, header, header_len);
	if (len > 0)
		memcpy(queue->bytes + at + header_len, payload, len);
	return 0;
}

const uint8_t *nm_frame_queue_first(
	const struct nm_frame_queue *queue, uint32_t *len, uint32_t *datagrams)
{
	const struct nm_frame_slot *first;

	if (queue->count == 0)
		return NULL;
	first = slot_at(queue, 0);
	*len = first->len;
	*datagrams = first->datagrams;
	return queue->bytes + first->at;
}

void nm_frame_queue_pop(struct nm_frame_queue *queue)
{
	queue->datagrams -= slot_at(queue, 0)->datagrams;
	queue->head = (queue->head + 1) % queue->max;
	queue->count--;
}

void nm_frame_queue_clear(struct nm_frame_queue *queue)
{
	queue->head = queue->count = queue->datagrams = 0;
}
