/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mux's own datagrams (STUN replies and requests, keepalives) between the call that made them
 * and the caller that sends them. A fixed number of fixed buffers; what does not fit is dropped.
 */
#ifndef NM_TXQ_H
#define NM_TXQ_H

#include <natmux/train.h>

enum {
	NM_TXQ_SLOTS = 128,
	NM_TXQ_BYTES = 576, /* RFC 8489 6.1: what every path carries without fragments */
};

struct nm_txq {
	uint32_t count, taken;
	struct natmux_train trains[NM_TXQ_SLOTS];
	uint8_t buffers[NM_TXQ_SLOTS][NM_TXQ_BYTES];
};

/*
 * A buffer of NM_TXQ_BYTES for the next datagram, or NULL when the queue is full. Forgets what was
 * taken: the mux's caller has sent it, or it would not be back.
 */
uint8_t *nm_txq_reserve(struct nm_txq *queue);

/* Queues the `len` bytes in the buffer that nm_txq_reserve gave last. */
void nm_txq_commit(struct nm_txq *queue, size_t len, const struct natmux_path *path);

/* Takes up to `max` datagrams in order; borrowed until the next nm_txq_reserve. */
size_t nm_txq_take(struct nm_txq *queue, struct natmux_train *trains, size_t max);

#endif
