/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of an inner packet that does not fit through its SA (RFC 4301 8). */
#ifndef NM_TOO_BIG_H
#define NM_TOO_BIG_H

#include <stdbool.h>
#include "esp/inner.h"

enum {
	NM_TOO_BIG_MAX = 40 + 8 + 1232, /* RFC 4443 2.4: an ICMPv6 error has at most 1280 octets */
};

/*
 * Whether the sender wants to be told (IPv6, IPv4 with DF), rather than that the packet be cut.
 * An ICMP error is never answered with one (RFC 1122 3.2.2, RFC 4443 2.4).
 */
bool nm_too_big_wants_icmp(const uint8_t *packet, const struct nm_inner_info *info);

/*
 * Writes the ICMP (RFC 1191 4) or ICMPv6 (RFC 4443 3.2) message that says so, from the packet's
 * destination to its source. Returns its length; 0: this packet must not be answered.
 */
uint32_t nm_too_big_make(const uint8_t *packet, const struct nm_inner_info *info, uint32_t mtu,
	uint8_t out[NM_TOO_BIG_MAX]);

/*
 * Cuts an IPv4 packet (RFC 791 3.2): writes the fragment that begins at payload octet `*at`, of at
 * most `mtu` octets, and moves `*at` on. Returns its length; 0: there is nothing left, or no room for
 * the packet's header and eight octets.
 */
uint32_t nm_fragment_next(const uint8_t *packet, const struct nm_inner_info *info, uint32_t mtu,
	uint32_t *at, uint8_t *out);

#endif
