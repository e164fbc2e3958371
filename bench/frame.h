/* SPDX-License-Identifier: Apache-2.0 */
/* From a captured frame to the UDP payload in it. */
#ifndef NM_FRAME_H
#define NM_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Link types as pcap files number them (tcpdump.org/linktypes.html). */
#define NM_FRAME_LINK_MAP(X)                                                                       \
	X(NULL, 0) /* 4 bytes of address family */                                                 \
	X(ETHERNET, 1)                                                                             \
	X(RAW, 101)       /* an IP packet */                                                       \
	X(LOOP, 108)      /* as NULL, in network order */                                          \
	X(LINUX_SLL, 113) /* 16 bytes, the last two an Ethernet type */                            \
	X(IPV4, 228)                                                                               \
	X(IPV6, 229)                                                                               \
	X(LINUX_SLL2, 276) /* 20 bytes, the first two an Ethernet type */

enum nm_frame_link {
#define X(name, number) NM_FRAME_LINK_##name = (number),
	NM_FRAME_LINK_MAP(X)
#undef X
};

bool nm_frame_link_is_known(int link);

/*
 * Borrows the UDP payload of a captured frame. NULL: no whole UDP datagram in it (another
 * protocol, a fragment, cut by the capture). UDP checksums are not judged: senders that leave them
 * to their network card are captured without.
 */
const uint8_t *nm_frame_udp_payload(
	int link, const uint8_t *frame, size_t len, size_t *payload_len);

#endif
