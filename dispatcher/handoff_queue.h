/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that wait for a client of the Unix handoff: a queue bounded in datagrams and in bytes,
 * whose memory is all there from the start (and untouched until it is used). Each frame lies in one
 * piece.
 */
#ifndef NM_HANDOFF_QUEUE_H
#define NM_HANDOFF_QUEUE_H

#include <stddef.h>
#include <stdint.h>

struct nm_frame_slot {
	uint32_t at, len; /* in the bytes */
	uint32_t datagrams;
};

struct nm_frame_queue {
	struct nm_frame_slot *slots; /* ring */
	uint32_t head, count, max;
	uint32_t datagrams; /* in all slots; at most `max` */
	uint8_t *bytes;
	uint32_t size;
};

/* Room for `max` datagrams and `size` bytes. NATMUX_ENOMEM. */
int nm_frame_queue_init(struct nm_frame_queue *queue, uint32_t max, uint32_t size);
void nm_frame_queue_done(struct nm_frame_queue *queue);

/* Copies a frame in. NATMUX_EFULL when it would go beyond either bound. */
int nm_frame_queue_push(struct nm_frame_queue *queue, const uint8_t *header, uint32_t header_len,
	const uint8_t *payload, uint32_t len, uint32_t datagrams);

/* The oldest frame, or NULL. Borrowed until it is popped. */
const uint8_t *nm_frame_queue_first(
	const struct nm_frame_queue *queue, uint32_t *len, uint32_t *datagrams);

/* Forgets the oldest frame; there is one. */
void nm_frame_queue_pop(struct nm_frame_queue *queue);

/* Forgets all frames. */
void nm_frame_queue_clear(struct nm_frame_queue *queue);

#endif
