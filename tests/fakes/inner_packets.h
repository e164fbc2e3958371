/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP and UDP packets, built field by field from RFC 791, 8200, 793 and 768, and a naive machine that
 * cuts super-packets into them. It shares nothing with the code that it judges, the sum included.
 */
#ifndef INNER_PACKETS_H
#define INNER_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INNER_MAX = 65535, INNER_DF = 0x4000, INNER_MF = 0x2000 };

enum inner_tcp_flags {
	INNER_FIN = 0x01,
	INNER_SYN = 0x02,
	INNER_RST = 0x04,
	INNER_PSH = 0x08,
	INNER_ACK = 0x10,
	INNER_URG = 0x20,
	INNER_ECE = 0x40,
	INNER_CWR = 0x80,
};

struct inner_spec {
	uint8_t family;   /* 4 or 6 */
	uint8_t protocol; /* 6 or 17 */
	uint8_t host;     /* last octet of both addresses */
	uint16_t source_port, destination_port;
	uint8_t tos, ttl;
	uint16_t id, fragment; /* IPv4: identification; flags and offset as on the wire */
	uint32_t flow_label;   /* IPv6 */
	uint8_t ip_options;    /* IPv4: so many octets of NOP, a multiple of 4, at most 40.
				* IPv6: so many octets of destination options, a multiple of 8 */
	/* TCP */
	uint32_t sequence, ack;
	uint8_t flags, reserved; /* the four bits behind the offset */
	uint16_t window, urgent;
	uint8_t tcp_options; /* octets, a multiple of 4, at most 40: NOP NOP timestamps, then NOP */
	uint32_t timestamp;
	/* Both. The payload is seed, seed + 1… */
	uint32_t payload_len;
	uint8_t seed;
};

/* A plain packet of the kind; 1000 octets of payload, ACK alone, no options, DF. */
struct inner_spec inner_spec(uint8_t family, uint8_t protocol);

/* Writes the packet, checksums included; returns its length. */
size_t inner_build(const struct inner_spec *spec, uint8_t *packet);

/* The one's complement of the one's complement sum, two octets at a time (RFC 1071 1). */
uint16_t inner_sum(uint32_t start, const uint8_t *data, size_t len);

/* Recomputes the IPv4 header's and the transport's checksums of a whole TCP or UDP packet. */
void inner_fix(uint8_t *packet);

/* Whether they are right, as a receiver sees it. UDP without one is right over IPv4. */
bool inner_is_right(const uint8_t *packet, size_t len);

/*
 * What a network card does with a super-packet: each segment goes to `each` as a packet of its own,
 * `segment` octets of payload but for the last. Returns how many there were.
 */
size_t inner_cut(const uint8_t *packet, size_t len, uint32_t segment,
	void (*each)(void *user, const uint8_t *packet, size_t len), void *user);

#endif
