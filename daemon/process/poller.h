/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A descriptor on the loop that is listened to until its owner has enough. libuv stops listening to
 * one that shows an error (POLLERR), for ever and without a word: a poller goes on.
 */
#ifndef NM_POLLER_H
#define NM_POLLER_H

#include <stdbool.h>
#include <uv.h>

/* In its owner's memory, which lives until the loop has closed the handle. Zeros before _start. */
struct nm_poller {
	uv_poll_t poll;
	/* The descriptor is readable or has an error: reading tells which, and takes it away. */
	void (*ready)(void *user);
	void *user;
	bool is_started;
};

/* Calls `ready` from the loop. NATMUX_ESYSTEM: the loop does not take such a descriptor. */
int nm_poller_start(
	struct nm_poller *poller, uv_loop_t *loop, int fd, void (*ready)(void *user), void *user);

/* Hears no more: for what would be readable for ever. Also from within `ready`. */
void nm_poller_stop(struct nm_poller *poller);

/* Begins to close, before the descriptor is closed. One that was never started is fine. */
void nm_poller_close(struct nm_poller *poller);

#endif
