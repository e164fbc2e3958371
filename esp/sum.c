/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums in vectors. RFC 1071 2: words of 32 bits may be added in place of 16, in any order, as long
 * as no carry is lost; lanes of 64 bits have room for 2^32 of them.
 */
#include "esp/sum.h"

#include <stdbool.h>

/* Vectors of the compiler's own: whatever the processor lacks is made of smaller ones. */
typedef uint64_t lanes __attribute__((vector_size(32)));

static inline __attribute__((always_inline)) uint64_t sum_lanes(
	uint64_t sum, uint8_t *to, const uint8_t *from, size_t len, bool is_copy)
{
	lanes low = {0}, high = {0};

	for (; len >= 2 * sizeof(lanes); from += 2 * sizeof(lanes), len -= 2 * sizeof(lanes)) {
		lanes a, b;

		memcpy(&a, from, sizeof(a));
		memcpy(&b, from + sizeof(a), sizeof(b));
		if (is_copy) {
			memcpy(to, &a, sizeof(a));
			memcpy(to + sizeof(a), &b, sizeof(b));
			to += 2 * sizeof(lanes);
		}
		low += (a & UINT32_MAX) + (b & UINT32_MAX);
		high += (a >> 32) + (b >> 32);
	}
	low += high;
	sum = nm_sum_add(sum, low[0] + low[1] + low[2] + low[3]);
	if (is_copy)
		memcpy(to, from, len);
	return nm_sum_bytes(sum, from, len);
}

static uint64_t sum_narrow(uint64_t sum, const uint8_t *data, size_t len)
{
	return sum_lanes(sum, NULL, data, len, false);
}

static uint64_t copy_narrow(uint64_t sum, uint8_t *to, const uint8_t *from, size_t len)
{
	return sum_lanes(sum, to, from, len, true);
}

#if defined(__x86_64__)
/* Programs are built for the first x86-64 processor; nearly all since 2013 have more. */
#define WIDE __attribute__((target("avx2")))

static bool is_wide(void)
{
	return __builtin_cpu_supports("avx2");
}
#else
#define WIDE

static bool is_wide(void)
{
	return false;
}
#endif

static WIDE uint64_t sum_wide(uint64_t sum, const uint8_t *data, size_t len)
{
	return sum_lanes(sum, NULL, data, len, false);
}

static WIDE uint64_t copy_wide(uint64_t sum, uint8_t *to, const uint8_t *from, size_t len)
{
	return sum_lanes(sum, to, from, len, true);
}

uint64_t nm_sum_long(uint64_t sum, const uint8_t *data, size_t len)
{
	return is_wide() ? sum_wide(sum, data, len) : sum_narrow(sum, data, len);
}

uint64_t nm_sum_copy(uint64_t sum, uint8_t *to, const uint8_t *from, size_t len)
{
	return is_wide() ? copy_wide(sum, to, from, len) : copy_narrow(sum, to, from, len);
}
