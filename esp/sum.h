/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Internet checksum over whole payloads, where nm_sum_bytes() would cost as much as the cipher:
 * as wide as the processor can, and while copying. The sums are those of wire/checksum.h.
 */
#ifndef NM_SUM_H
#define NM_SUM_H

#include "wire/checksum.h"

/* Adds `len` bytes to a sum. Of the pieces of one sum only the last may have an odd length. */
uint64_t nm_sum_long(uint64_t sum, const uint8_t *data, size_t len);

/* The same, and copies them. The two do not overlap. */
uint64_t nm_sum_copy(uint64_t sum, uint8_t *to, const uint8_t *from, size_t len);

/* One field of a header. */
static inline uint64_t nm_sum_2(uint64_t sum, const uint8_t data[2])
{
	uint16_t word;

	memcpy(&word, data, sizeof(word));
	return nm_sum_add(sum, word);
}

static inline uint64_t nm_sum_4(uint64_t sum, const uint8_t data[4])
{
	uint32_t word;

	memcpy(&word, data, sizeof(word));
	return nm_sum_add(sum, word);
}

#endif
