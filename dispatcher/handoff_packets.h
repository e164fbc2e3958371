/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trains on their way to a TUN device: IP and UDP headers are built for each datagram, or for a
 * whole train when the device takes super-packets, and written in vectors.
 */
#ifndef NM_HANDOFF_PACKETS_H
#define NM_HANDOFF_PACKETS_H

#include <natmux/train.h>
#include "base/packet.h"

struct natmux_mux;

enum {
	NM_PACKETS_MAX = 64, /* of one write */
	NM_PACKETS_SUPER_MAX =
		64, /* datagrams of one super-packet: UDP_MAX_SEGMENTS of old kernels */
};

struct nm_packets {
	struct nm_packet packets[NM_PACKETS_MAX];
	size_t n;
	struct nm_packet_port port;
	struct natmux_mux *mux; /* counts what is dropped: HANDOFF_SIZE, TUN_WRITE */
};

/*
 * Adds the datagrams of a train, from `source` to `destination` (of one family) and with the
 * train's TOS. Payloads are borrowed until nm_packets_flush(), which may happen in here.
 */
void nm_packets_add(struct nm_packets *packets, const struct natmux_addr *source,
	const struct natmux_addr *destination, const struct natmux_train *train);

/* Writes what has been added. What the port does not take is dropped. */
void nm_packets_flush(struct nm_packets *packets);

#endif
