/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner packets as a TUN device with IFF_VNET_HDR moves them: a packet, or a super-packet of many
 * segments under one header, with what is left to do about checksums. The numbers are those of
 * struct virtio_net_hdr; io/ translates, everybody else sees this.
 */
#ifndef NATMUX_INNER_H
#define NATMUX_INNER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum natmux_offload_kind {
	NATMUX_OFFLOAD_NONE, /* one packet */
	NATMUX_OFFLOAD_TCP4, /* segments of a TCP stream, IPv4 */
	NATMUX_OFFLOAD_TCP6,
	NATMUX_OFFLOAD_UDP, /* datagrams of one size (the last may be shorter), either family */
};

struct natmux_offload {
	uint8_t kind;           /* enum natmux_offload_kind */
	uint8_t needs_checksum; /* the field at checksum_start + checksum_offset holds only the
				 * pseudo header's sum; the rest, from checksum_start, is to be added */
	uint16_t header_len;    /* IP and TCP or UDP headers; kind other than NONE */
	uint16_t segment;       /* payload octets of each segment but the last */
	uint16_t checksum_start, checksum_offset;
};

/* From the device: bytes that the reader may write to, with NATMUX_INNER_ROOM spare on both sides. */
struct natmux_inner {
	uint8_t *data; /* IP header */
	uint32_t len;  /* up to 65535 + a little */
	struct natmux_offload offload;
};

enum { NATMUX_INNER_ROOM = 320 /* ESP and outer headers in front, padding and ICV behind */ };

enum { NATMUX_GATHER_PARTS = 65 /* headers and up to 64 payloads */ };

/* To the device: one packet or super-packet from many places, in order. */
struct natmux_gather_part {
	const uint8_t *data;
	uint32_t len;
};
struct natmux_gathered {
	struct natmux_offload offload;
	uint32_t parts_len;
	struct natmux_gather_part parts[NATMUX_GATHER_PARTS];
};

#ifdef __cplusplus
}
#endif
#endif
