/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum as the tests reckon it: octet by octet, with nothing of what it judges. */
#ifndef INET_SUM_H
#define INET_SUM_H

#include <stddef.h>
#include <stdint.h>

/* RFC 1071 1: the one's complement sum, carried on from `start`; folded, not inverted. */
static inline uint16_t inet_sum(const uint8_t *data, size_t len, uint32_t start)
{
	uint32_t sum = start;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/*
 * The field of a TCP or UDP header for such a sum. Where it would be zero it is not (RFC 768): in UDP
 * that says there is none, which IPv6 does not take; in TCP both mean the same.
 */
static inline uint16_t inet_field(uint16_t sum)
{
	return sum == 0xffff ? 0xffff : (uint16_t)~sum;
}

#endif
