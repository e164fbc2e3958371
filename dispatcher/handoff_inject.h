/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The injector: datagrams for the IKE daemon re-enter the kernel through a TUN device as packets
 * with their original addresses and ports, and the daemon, which shares the port, receives them as
 * if natmux were not there. Its answers leave by themselves, so nothing comes back this way.
 */
#ifndef NM_HANDOFF_INJECT_H
#define NM_HANDOFF_INJECT_H

#include <stdbool.h>
#include <natmux/mux.h>
#include "base/packet.h"

struct nm_inject;

/* The mux and the port's `user` are borrowed and must live longer. NATMUX_ENOMEM. */
int nm_inject_new(
	const struct nm_packet_port *port, struct natmux_mux *mux, struct nm_inject **inject);

/* NULL is fine. The mux must not have the injector as a sink any more. */
void nm_inject_free(struct nm_inject *inject);

/*
 * For natmux_mux_set_sink() with the injector as `self`, for IKE and ESP alike. The path's local
 * address must be concrete, as pktinfo gives it: else PATH_LOCAL. A peer on a link-local address
 * is a MARTIAN here, for the daemon would look for it on the TUN device's link.
 */
extern const struct natmux_sink_ops nm_inject_sink;

/* Packets that the kernel sent to the device: none of them is for natmux. */
void nm_inject_packets(struct nm_inject *inject, size_t n);

/* What the machine and the configuration look like, for nm_inject_check(). */
struct nm_inject_facts {
	const char *tun;         /* name of the TUN device */
	bool listens4;           /* natmux has a socket for IPv4 */
	bool has_device;         /* they are bound to one interface (SO_BINDTODEVICE) */
	bool tun_has_v4_address; /* the TUN device has an IPv4 address of its own */
	int rp_filter_all;       /* net.ipv4.conf.all.rp_filter: 0 to 2 */
	int rp_filter_tun;       /* that of the TUN device */
};

enum { NM_INJECT_MESSAGE = 512 };

/*
 * Whether injected packets would reach the daemon, and only once. 0; or NATMUX_EUNSUPPORTED with one
 * line in `message` that says what stands in the way and the setting that removes it.
 */
int nm_inject_check(const struct nm_inject_facts *facts, char *message, size_t size);

#endif
