/* SPDX-License-Identifier: Apache-2.0 */
/* What receives datagrams in "receive": one const table of functions for each way to do it. */
#ifndef NM_RECEIVER_H
#define NM_RECEIVER_H

#include <stdint.h>
#include <natmux/addr.h>

enum {
	NM_RECEIVER_BUFFER = 4 << 20, /* bytes of socket buffer, the same for all */
	NM_RECEIVER_STEP_MS = 10,     /* longest wait of a step */
};

struct nm_receiver_ops {
	const char *name;
	/*
	 * Opens a receiver on `local` (port 0: the kernel chooses) and writes what it is bound to.
	 * NULL on failure, said on stderr.
	 */
	void *(*open)(const struct natmux_addr *local, struct natmux_addr *bound);
	/* Waits for datagrams, for NM_RECEIVER_STEP_MS at most, and takes what is there. */
	void (*step)(void *self);
	/* Datagrams received since it was opened. */
	uint64_t (*count)(const void *self);
	void (*close)(void *self);
};

extern const struct nm_receiver_ops nm_receiver_bare;   /* recvmmsg and UDP_GRO, bytes unseen */
extern const struct nm_receiver_ops nm_receiver_natmux; /* io, libuv driver, mux, a counting sink */
extern const struct nm_receiver_ops nm_receiver_uv;     /* uv_udp_t */
extern const struct nm_receiver_ops nm_receiver_uv_mmsg; /* uv_udp_t with UV_UDP_RECVMMSG */

/*
 * A UDP socket bound to `local` with a socket buffer of NM_RECEIVER_BUFFER, as far as the system
 * allows. -1 on failure, said on stderr.
 */
int nm_receiver_bind(const struct natmux_addr *local, struct natmux_addr *bound);

#endif
