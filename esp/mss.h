/* SPDX-License-Identifier: Apache-2.0 */
/* TCP's maximum segment size, lowered on the way through (what firewalls call clamping). */
#ifndef NM_MSS_H
#define NM_MSS_H

#include <stdbool.h>
#include "esp/inner.h"

/* Whether a packet opens a TCP connection, from either side: few do. */
bool nm_mss_is_syn(const uint8_t *packet, const struct nm_inner_info *info);

/*
 * A SYN that offers to receive longer segments than packets of `mtu` octets hold offers those
 * instead (RFC 9293 3.7.1, RFC 6691). Never raises an offer, and adds none where there is none. With
 * `has_checksum` the checksum follows; without, the field has only the pseudo header's sum still.
 * Other packets are left alone. Returns whether anything was changed.
 */
bool nm_mss_clamp(
	uint8_t *packet, const struct nm_inner_info *info, uint32_t mtu, bool has_checksum);

#endif
