/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 (RFC 791) and IPv6 (RFC 8200) headers: a checked reader and a builder. */
#ifndef NM_IP_H
#define NM_IP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <natmux/addr.h>
#include "base/bytes.h"
#include "wire/checksum.h"

enum {
	NM_IP4_HEADER_LEN = 20, /* RFC 791 3.1, without options */
	NM_IP6_HEADER_LEN = 40, /* RFC 8200 3 */
	NM_IP_TTL = 64,         /* RFC 1340 */
	NM_IP_PROTOCOL_UDP = 17,
	NM_IP6_NEXT_FRAGMENT = 44, /* RFC 8200 4.5 */
	NM_IP4_FLAG_DF = 0x4000,   /* RFC 791 3.1 */
	NM_IP4_FRAGMENT = 0x3fff,  /* MF and the offset: any of them makes a fragment */
};

/* What a reader says about a packet. */
enum nm_ip_verdict {
	NM_IP_GOOD,
	NM_IP_FORMAT,   /* not IP, or lengths that contradict each other */
	NM_IP_CHECKSUM, /* arrived changed */
	NM_IP_FRAGMENT, /* a piece of a packet */
};

/* A packet that has been read. Borrows its bytes. */
struct nm_ip {
	const uint8_t *source; /* 4 or 16 bytes */
	const uint8_t *destination;
	const uint8_t *payload; /* behind the IP header and its options */
	size_t len;             /* of the payload */
	uint8_t family;         /* enum natmux_family */
	uint8_t tos;            /* TOS or traffic class */
	uint8_t protocol;       /* IPv6: the first next header; extension headers are not walked */
};

static inline size_t nm_ip_addr_len(uint8_t family)
{
	return family == NATMUX_FAMILY_IPV4 ? 4 : 16;
}

/* RFC 791 3.1. Bytes behind the total length are not part of the packet. */
static inline enum nm_ip_verdict nm_ip4_decode(const uint8_t *data, size_t len, struct nm_ip *ip)
{
	size_t header_len, total_len;

	if (len < NM_IP4_HEADER_LEN)
		return NM_IP_FORMAT;
	header_len = 4 * (data[0] & 0x0fU);
	total_len = nm_get16(data + 2);
	if (header_len < NM_IP4_HEADER_LEN || total_len < header_len || total_len > len)
		return NM_IP_FORMAT;
	if (!nm_sum_is_valid(nm_sum_bytes(0, data, header_len)))
		return NM_IP_CHECKSUM;
	if (nm_get16(data + 6) & NM_IP4_FRAGMENT)
		return NM_IP_FRAGMENT;
	*ip = (struct nm_ip){
		.source = data + 12,
		.destination = data + 16,
		.payload = data + header_len,
		.len = total_len - header_len,
		.family = NATMUX_FAMILY_IPV4,
		.tos = data[1],
		.protocol = data[9],
	};
	return NM_IP_GOOD;
}

/* RFC 8200 3. A jumbogram (RFC 2675: payload length 0) has no payload here. */
static inline enum nm_ip_verdict nm_ip6_decode(const uint8_t *data, size_t len, struct nm_ip *ip)
{
	size_t payload_len;

	if (len < NM_IP6_HEADER_LEN)
		return NM_IP_FORMAT;
	payload_len = nm_get16(data + 4);
	if (payload_len > len - NM_IP6_HEADER_LEN)
		return NM_IP_FORMAT;
	if (data[6] == NM_IP6_NEXT_FRAGMENT)
		return NM_IP_FRAGMENT;
	*ip = (struct nm_ip){
		.source = data + 8,
		.destination = data + 24,
		.payload = data + NM_IP6_HEADER_LEN,
		.len = payload_len,
		.family = NATMUX_FAMILY_IPV6,
		.tos = (uint8_t)(nm_get16(data) >> 4),
		.protocol = data[6],
	};
	return NM_IP_GOOD;
}

/* Reads the header of a packet; `ip` is written only for NM_IP_GOOD. */
static inline enum nm_ip_verdict nm_ip_decode(const uint8_t *data, size_t len, struct nm_ip *ip)
{
	switch (len > 0 ? data[0] >> 4 : 0) {
	case 4: return nm_ip4_decode(data, len, ip);
	case 6: return nm_ip6_decode(data, len, ip);
	default: return NM_IP_FORMAT;
	}
}

/* RFC 6864 4.1: a packet that may not be fragmented needs no identification. */
static inline void nm_ip4_encode(uint8_t header[NM_IP4_HEADER_LEN], const uint8_t source[4],
	const uint8_t destination[4], uint8_t tos, uint8_t protocol, size_t len)
{
	header[0] = 4 << 4 | NM_IP4_HEADER_LEN / 4;
	header[1] = tos;
	nm_put16(header + 2, (uint16_t)(NM_IP4_HEADER_LEN + len));
	nm_put16(header + 4, 0);
	nm_put16(header + 6, NM_IP4_FLAG_DF);
	header[8] = NM_IP_TTL;
	header[9] = protocol;
	nm_put16(header + 10, 0);
	memcpy(header + 12, source, 4);
	memcpy(header + 16, destination, 4);
	nm_sum_put(header + 10, nm_sum_bytes(0, header, NM_IP4_HEADER_LEN));
}

static inline void nm_ip6_encode(uint8_t header[NM_IP6_HEADER_LEN], const uint8_t source[16],
	const uint8_t destination[16], uint8_t tos, uint8_t protocol, size_t len)
{
	nm_put32(header, 6U << 28 | (uint32_t)tos << 20);
	nm_put16(header + 4, (uint16_t)len);
	header[6] = protocol;
	header[7] = NM_IP_TTL;
	memcpy(header + 8, source, 16);
	memcpy(header + 24, destination, 16);
}

/*
 * Writes an IP header for `len` bytes of payload, without options or extension headers. Both
 * addresses are of one family; the caller has held `len` against what the family can carry.
 * Returns the header's length: 20 or 40.
 */
static inline size_t nm_ip_encode(uint8_t header[NM_IP6_HEADER_LEN],
	const struct natmux_addr *source, const struct natmux_addr *destination, uint8_t tos,
	uint8_t protocol, size_t len)
{
	if (source->family == NATMUX_FAMILY_IPV4) {
		nm_ip4_encode(header, source->ip, destination->ip, tos, protocol, len);
		return NM_IP4_HEADER_LEN;
	}
	nm_ip6_encode(header, source->ip, destination->ip, tos, protocol, len);
	return NM_IP6_HEADER_LEN;
}

#endif
