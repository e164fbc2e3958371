/* SPDX-License-Identifier: Apache-2.0 */
/* UDP (RFC 768) over IPv4 and IPv6: a checked reader and a builder of whole header stacks. */
#ifndef NM_UDP_H
#define NM_UDP_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <natmux/addr.h>
#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"

enum {
	NM_UDP_HEADER_LEN = 8,
	NM_UDP4_PAYLOAD_MAX = 65535 - NM_IP4_HEADER_LEN - NM_UDP_HEADER_LEN, /* 65507 */
	NM_UDP6_PAYLOAD_MAX = 65535 - NM_UDP_HEADER_LEN, /* IPv6 does not count its own header */
	NM_UDP_STACK_MAX = NM_IP6_HEADER_LEN + NM_UDP_HEADER_LEN,
};

/* A datagram that has been read. Borrows its bytes. */
struct nm_udp {
	const uint8_t *payload;
	size_t len;
	uint16_t source_port;
	uint16_t destination_port;
};

/* Most payload that one datagram of this family can carry. */
static inline size_t nm_udp_payload_max(uint8_t family)
{
	return family == NATMUX_FAMILY_IPV4 ? NM_UDP4_PAYLOAD_MAX : NM_UDP6_PAYLOAD_MAX;
}

/* The pseudo header of RFC 768 and of RFC 8200 8.1; `len` is that of UDP header and payload. */
static inline uint64_t nm_udp_pseudo_sum(
	uint8_t family, const uint8_t *source, const uint8_t *destination, size_t len)
{
	uint8_t tail[8];

	nm_put32(tail, (uint32_t)len);
	nm_put32(tail + 4, NM_IP_PROTOCOL_UDP);
	return nm_sum_bytes(nm_sum_bytes(nm_sum_bytes(0, source, nm_ip_addr_len(family)),
				    destination, nm_ip_addr_len(family)),
		tail, sizeof(tail));
}

/*
 * Reads the UDP header of a packet that nm_ip_decode() found good; `udp` is written only for
 * NM_IP_GOOD. A zero checksum means "none" on IPv4 (RFC 768) and is wrong on IPv6 (RFC 8200 8.1).
 */
static inline enum nm_ip_verdict nm_udp_decode(const struct nm_ip *ip, struct nm_udp *udp)
{
	size_t len;

	if (ip->protocol != NM_IP_PROTOCOL_UDP || ip->len < NM_UDP_HEADER_LEN)
		return NM_IP_FORMAT;
	len = nm_get16(ip->payload + 4);
	if (len < NM_UDP_HEADER_LEN || len > ip->len)
		return NM_IP_FORMAT;
	if (nm_get16(ip->payload + 6) == 0) {
		if (ip->family == NATMUX_FAMILY_IPV6)
			return NM_IP_CHECKSUM;
	} else if (!nm_sum_is_valid(nm_sum_bytes(
			   nm_udp_pseudo_sum(ip->family, ip->source, ip->destination, len),
			   ip->payload, len))) {
		return NM_IP_CHECKSUM;
	}
	*udp = (struct nm_udp){
		.payload = ip->payload + NM_UDP_HEADER_LEN,
		.len = len - NM_UDP_HEADER_LEN,
		.source_port = nm_get16(ip->payload),
		.destination_port = nm_get16(ip->payload + 2),
	};
	return NM_IP_GOOD;
}

/* IP and UDP headers with the checksum field holding the pseudo header's sum. */
static inline size_t nm_udp_encode_partial(uint8_t stack[NM_UDP_STACK_MAX],
	const struct natmux_addr *source, const struct natmux_addr *destination, uint8_t tos,
	size_t len)
{
	size_t udp_len = NM_UDP_HEADER_LEN + len;
	size_t at = nm_ip_encode(stack, source, destination, tos, NM_IP_PROTOCOL_UDP, udp_len);

	nm_put16(stack + at, source->port);
	nm_put16(stack + at + 2, destination->port);
	nm_put16(stack + at + 4, (uint16_t)udp_len);
	nm_sum_put_partial(stack + at + 6,
		nm_udp_pseudo_sum(source->family, source->ip, destination->ip, udp_len));
	return at + NM_UDP_HEADER_LEN;
}

/*
 * Writes the IP and UDP headers of one whole datagram. Both addresses are of one family, `len` is
 * at most nm_udp_payload_max() of it. The UDP checksum is computed on IPv4 too. Returns the
 * headers' length: 28 or 48.
 */
static inline size_t nm_udp_encode(uint8_t stack[NM_UDP_STACK_MAX],
	const struct natmux_addr *source, const struct natmux_addr *destination, uint8_t tos,
	const uint8_t *payload, size_t len)
{
	size_t stack_len = nm_udp_encode_partial(stack, source, destination, tos, len);
	uint8_t *udp = stack + stack_len - NM_UDP_HEADER_LEN;
	uint64_t sum = nm_sum_bytes(0, udp, NM_UDP_HEADER_LEN); /* the pseudo header's is in it */

	nm_sum_put(udp + 6, nm_sum_bytes(sum, payload, len));
	/* RFC 768: a checksum that comes out as zero is sent as all ones. */
	if (nm_get16(udp + 6) == 0)
		nm_put16(udp + 6, UINT16_MAX);
	return stack_len;
}

#endif
