/* SPDX-License-Identifier: Apache-2.0 */
/* Captured datagrams: a pcap reader of no more than the oracles take. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdbool.h>
#include "test.h"

/* The payload of a UDP datagram; `is_odd`: its lengths promise more than was captured. */
typedef void capture_each(void *user, const uint8_t *payload, size_t len, bool is_odd);

enum {
	CAPTURE_FILE_HEADER = 24,
	CAPTURE_RECORD_HEADER = 16,
	CAPTURE_ETHERNET = 14,
	CAPTURE_UDP = 8,
	CAPTURE_PORT = 4500,
};

static inline uint32_t capture_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline unsigned int capture_be16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* What is behind Ethernet, IPv4 and UDP of a frame on the port, as far as it was captured. */
static inline void capture_frame(const uint8_t *frame, size_t len, capture_each *each, void *user)
{
	size_t ip_len, udp_len;
	const uint8_t *udp;
	bool is_odd = false;

	if (len < CAPTURE_ETHERNET + 20 || capture_be16(frame + 12) != 0x0800)
		return;
	ip_len = 4 * (size_t)(frame[CAPTURE_ETHERNET] & 0xf);
	if (frame[CAPTURE_ETHERNET] >> 4 != 4 || frame[CAPTURE_ETHERNET + 9] != 17 ||
		len < CAPTURE_ETHERNET + ip_len + CAPTURE_UDP)
		return;
	udp = frame + CAPTURE_ETHERNET + ip_len;
	if (capture_be16(udp) != CAPTURE_PORT && capture_be16(udp + 2) != CAPTURE_PORT)
		return;
	udp_len = capture_be16(udp + 4);
	len -= CAPTURE_ETHERNET + ip_len;
	if (udp_len < CAPTURE_UDP || udp_len > len) {
		is_odd = true; /* cut by the snap length, or broken on purpose */
		udp_len = len;
	}
	each(user, udp + CAPTURE_UDP, udp_len - CAPTURE_UDP, is_odd);
}

/* Calls `each` for all datagrams from and to port 4500 of a file. */
static inline void capture_read(
	const char *name, const uint8_t *data, size_t len, capture_each *each, void *user)
{
	size_t at = CAPTURE_FILE_HEADER;

	assert_true(len >= CAPTURE_FILE_HEADER);
	if (capture_le32(data) != 0xa1b2c3d4 || (capture_le32(data + 20) & 0xffff) != 1)
		fail_msg("%s is not a little-endian pcap file of Ethernet frames", name);
	while (len - at >= CAPTURE_RECORD_HEADER) {
		size_t frame = capture_le32(data + at + 8);

		at += CAPTURE_RECORD_HEADER;
		if (frame > len - at)
			frame = len - at;
		capture_frame(data + at, frame, each, user);
		at += frame;
	}
}

#endif
