/* SPDX-License-Identifier: Apache-2.0 */
/* What an inner packet says about itself: read once, for selectors, splitting and coalescing. */
#ifndef NM_INNER_H
#define NM_INNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <natmux/addr.h>

enum {
	NM_PROTO_ICMP = 1,
	NM_PROTO_IPIP = 4, /* next header of tunnel mode, RFC 4303 2.6 */
	NM_PROTO_TCP = 6,
	NM_PROTO_UDP = 17,
	NM_PROTO_IPV6 = 41,
	NM_PROTO_ICMPV6 = 58,
	NM_IP4_MIN = 20,
	NM_IP6_LEN = 40,
	NM_TCP_MIN = 20,
	NM_UDP_LEN = 8,
};

struct nm_inner_info {
	uint8_t family;   /* enum natmux_family */
	uint8_t protocol; /* of the layer above IP; of IPv6 behind its extension headers */
	bool is_fragment; /* any but a whole packet */
	bool has_routing; /* IPv6 with a routing header: its destination is not the last one */
	bool has_ports;   /* TCP, UDP, UDP-Lite, SCTP, DCCP; not in a fragment but the first */
	uint8_t tos;
	uint16_t len;       /* of the packet, as its own header says */
	uint16_t transport; /* where the protocol's header begins */
	uint16_t source_port, destination_port;
	const uint8_t *source, *destination; /* addresses, in the packet */
};

/*
 * Reads a packet of `len` octets, of which the last may be TFC padding. False when it is no IP
 * packet, is longer than `len`, or its lengths contradict each other (RFC 791, RFC 8200). `info` is
 * written only for true.
 */
bool nm_inner_read(const uint8_t *packet, size_t len, struct nm_inner_info *info);

#endif
