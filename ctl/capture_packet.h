/* SPDX-License-Identifier: Apache-2.0 */
/* A captured datagram as the packet it was on the wire. */
#ifndef NM_CTL_CAPTURE_PACKET_H
#define NM_CTL_CAPTURE_PACKET_H

#include <jansson.h>
#include <stdint.h>
#include "wire/udp.h"

enum { NM_CAPTURED_MAX = NM_UDP_STACK_MAX + 65535 };

struct nm_captured {
	uint64_t time_us;              /* since 1970, UTC */
	uint32_t len;                  /* bytes in `data` */
	uint32_t wire_len;             /* what it was before the daemon cut it to the snap length */
	uint8_t data[NM_CAPTURED_MAX]; /* an IPv4 or IPv6 packet */
};

/*
 * Makes the packet of a "datagram" object of the control protocol: IP and UDP headers with their
 * checksums around the payload. One that was cut has no UDP checksum (zero), for the rest of it
 * is not here. NATMUX_EMALFORMED: the object lacks something, or no packet can be like this.
 */
int nm_captured_decode(const json_t *datagram, struct nm_captured *packet);

#endif
