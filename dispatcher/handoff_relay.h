/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay: the IKE daemon lives behind a TUN device, where each peer has an alias address that
 * stays the same whatever happens to its path.
 *
 *   network                    natmux                        TUN device
 *   203.0.113.7:31022 ──────── flow 5 ── alias 100.64.0.9:4500 ──────── daemon 100.64.0.1:14500
 *
 * Towards the daemon the relay is a sink of the mux, for IKE and, where the daemon does ESP
 * itself, for ESP: one peer's datagrams become packets from its alias. What the daemon sends to
 * an alias becomes trains on the path of the flow. The TOS octet, and with it ECN, goes along both
 * ways. No packet allocates; nothing is answered, no ICMP either.
 */
#ifndef NM_HANDOFF_RELAY_H
#define NM_HANDOFF_RELAY_H

#include <natmux/mux.h>
#include "base/packet.h"
#include "dispatcher/alias.h"

struct nm_relay;

struct nm_relay_config {
	struct natmux_addr daemon4, daemon6; /* with the daemon's port; without family: off */
	struct natmux_prefix pool4, pool6;
	uint16_t peer_port; /* of every alias */
	uint32_t flows_max; /* of the mux */
	struct nm_packet_port port;
	struct natmux_mux *mux;
};

/*
 * Makes a relay; `config` is copied, the mux and the port's `user` are borrowed and must live
 * longer. NATMUX_EINVAL: no family, a pool with nothing to give out (nm_alias_capacity), or a zero
 * port; NATMUX_ENOMEM.
 */
int nm_relay_new(const struct nm_relay_config *config, struct nm_relay **relay);

/* NULL is fine. The mux must not have the relay as a sink any more. */
void nm_relay_free(struct nm_relay *relay);

/*
 * For natmux_mux_set_sink() with the relay as `self`, for IKE and ESP alike. Datagrams without a
 * flow are dropped as ESP_NO_FLOW: ESP of strangers, and the rare IKE whose flow had to make room
 * while it waited. A flow for which there is no alias is dropped as ALIAS_NONE.
 */
extern const struct natmux_sink_ops nm_relay_sink;

/* A packet as the TUN device gives it: IPv4 or IPv6 from its first byte. */
struct nm_relay_packet {
	const uint8_t *data;
	size_t len;
};

/*
 * What the daemon's side sent: packets from the daemon's address and port to an alias become
 * trains to be told to natmux_mux_sent() and sent; all others are dropped and counted. Consecutive
 * datagrams of one peer, TOS and class become one train of at most 64 (NM_RELAY_TRAIN_MAX) and as
 * many bytes as one send can carry. Returns the number of trains, never more than `n`; `max` must not be
 * less. The trains are borrowed until the next call and as long as the packets' bytes last.
 */
size_t nm_relay_packets(struct nm_relay *relay, const struct nm_relay_packet *packets, size_t n,
	struct natmux_train *trains, size_t max);

enum {
	NM_RELAY_TRAIN_MAX = 64,          /* datagrams: UDP_MAX_SEGMENTS of old kernels */
	NM_RELAY_TRAIN_BYTES = 65535 - 48 /* the longest that UDP_SEGMENT takes on IPv6 */
};

/* As nm_aliases_reserve(), _release() and _each(): what a configured peer's flow is known as. */
int nm_relay_alias_reserve(struct nm_relay *relay, uint32_t flow, const struct natmux_addr *alias);
void nm_relay_alias_release(struct nm_relay *relay, uint32_t flow);
void nm_relay_aliases(const struct nm_relay *relay,
	void (*each)(void *user, const struct nm_alias *alias), void *user);

#endif
