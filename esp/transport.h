/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport mode (RFC 4303 3.1.1): only what is behind the IP header is sealed, so the receiver
 * makes the header anew, from the addresses that the datagram came with.
 */
#ifndef NM_TRANSPORT_H
#define NM_TRANSPORT_H

#include <natmux/train.h>
#include "esp/inner.h"

/*
 * Writes the IP header of an opened payload into `out` (NM_IP6_LEN octets) and returns its length; 0:
 * the path's addresses are not those of one family, or it would be too long. The payload's TCP or
 * UDP checksum was made with the sender's own addresses, which a NAT has changed: it is made anew,
 * as the ICV vouches for the rest (RFC 3948 3.1.2, row N8). Writes into the payload.
 */
uint32_t nm_transport_restore(const struct natmux_path *path, uint8_t tos, uint8_t protocol,
	uint8_t *payload, uint32_t len, uint8_t *out);

/* Whether a packet can be carried: no IP options, no extension headers, no fragment (RFC 4303 3.3.4). */
bool nm_transport_fits(const struct nm_inner_info *info);

#endif
