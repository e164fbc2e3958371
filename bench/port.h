/* SPDX-License-Identifier: Apache-2.0 */
/* A mux with sinks that count and forget, and with flows: a shared port without sockets. */
#ifndef NM_PORT_H
#define NM_PORT_H

#include <natmux/mux.h>

struct nm_port {
	struct natmux_mux *mux;
	uint64_t now_ms;
	uint64_t datagrams[NATMUX_CLASS_COUNT]; /* that came out at the sinks */
	uint64_t sent;                          /* that the mux itself wanted to send */
};

enum { NM_PORT_FLOWS_MAX = 4096, NM_PORT_OUTPUT = 64 };

/*
 * A mux whose rate limits and tables are no obstacle, with sinks for IKE, ESP and STUN.
 * NATMUX_ENOMEM.
 */
int nm_port_init(struct nm_port *port);
void nm_port_done(struct nm_port *port);

/* The path of flow `index`: the same local address, remote addresses of their own. */
void nm_port_path(uint32_t index, struct natmux_path *path);

/*
 * Establishes flows 0 to n - 1 as peers do it: an IKE message comes, ESP goes back.
 * NATMUX_ERANGE: more than the table holds. NATMUX_EFULL: the mux did not open all.
 */
int nm_port_establish(struct nm_port *port, uint32_t n);

/* Trains in, and whatever the mux wants to send taken away. The clock goes on by 1 ms. */
void nm_port_input(struct nm_port *port, const struct natmux_train *trains, size_t n);

#endif
