/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum (RFC 1071). A running sum is a 64-bit number in memory order: RFC 1071
 * 2(B) shows that adding words of either byte order gives the same bytes, so nothing is swapped.
 */
#ifndef NM_CHECKSUM_H
#define NM_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* One's complement addition: the carry comes back in at the low end. */
static inline uint64_t nm_sum_add(uint64_t a, uint64_t b)
{
	a += b;
	return a + (a < b);
}

/*
 * Adds `len` bytes to a sum that starts at 0. Of the pieces of one sum only the last may have an
 * odd length. Two chains of additions, because each has to wait for its own carry.
 */
static inline uint64_t nm_sum_bytes(uint64_t sum, const uint8_t *data, size_t len)
{
	uint64_t other = 0;
	uint64_t words[4];

	for (; len >= sizeof(words); data += sizeof(words), len -= sizeof(words)) {
		memcpy(words, data, sizeof(words));
		sum = nm_sum_add(sum, words[0]);
		other = nm_sum_add(other, words[1]);
		sum = nm_sum_add(sum, words[2]);
		other = nm_sum_add(other, words[3]);
	}
	if (len > 0) {
		memset(words, 0, sizeof(words));
		memcpy(words, data, len);
		sum = nm_sum_add(sum, words[0]);
		other = nm_sum_add(other, words[1]);
		sum = nm_sum_add(sum, words[2]);
		other = nm_sum_add(other, words[3]);
	}
	return nm_sum_add(sum, other);
}

/* Folds a sum to 16 bits, still in memory order. */
static inline uint16_t nm_sum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32); /* at most 33 bits */
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16); /* at most 17 bits */
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

/* Whether a sum over everything, the checksum field included, says that nothing changed. */
static inline bool nm_sum_is_valid(uint64_t sum)
{
	return nm_sum_fold(sum) == UINT16_MAX;
}

/* Writes the checksum for a sum taken while the field was zero. */
static inline void nm_sum_put(uint8_t field[2], uint64_t sum)
{
	uint16_t checksum = (uint16_t)~nm_sum_fold(sum);

	memcpy(field, &checksum, sizeof(checksum));
}

/* Writes the sum itself: what a device wants that completes the checksum. */
static inline void nm_sum_put_partial(uint8_t field[2], uint64_t sum)
{
	uint16_t partial = nm_sum_fold(sum);

	memcpy(field, &partial, sizeof(partial));
}

#endif
