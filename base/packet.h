/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An IP packet on its way to a TUN device: headers built by the sender beside a payload that is
 * borrowed, so that nothing is copied before the kernel does.
 */
#ifndef NM_PACKET_H
#define NM_PACKET_H

#include <stddef.h>
#include <stdint.h>

enum { NM_PACKET_HEADER_MAX = 48 /* IPv6 40 + UDP 8 */ };

struct nm_packet {
	uint8_t header[NM_PACKET_HEADER_MAX]; /* IP and UDP */
	uint8_t header_len;                   /* 28 or 48; the UDP header is its last 8 bytes */
	const uint8_t *payload;
	uint32_t len; /* of the payload */
	/*
	 * 0: a whole packet, all lengths and checksums filled in. Else a super-packet: the payload
	 * is a train of datagrams of `segment` bytes each (the last may be shorter), the headers
	 * carry the length of the whole and the UDP checksum field only the pseudo header's sum, as
	 * VIRTIO_NET_HDR_GSO_UDP_L4 wants it.
	 */
	uint16_t segment;
};

/* Where packets go: a TUN device, or a test. Returns how many packets were taken. */
struct nm_packet_port {
	size_t (*write)(void *user, const struct nm_packet *packets, size_t n);
	void *user;
	uint32_t super_max; /* largest payload of a super-packet; 0: only whole packets */
};

#endif
