/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32 with the carry-less multiplication of x86-64 (Gopal et al., "Fast CRC Computation for
 * Generic Polynomials Using PCLMULQDQ", Intel 2009): 16 or 64 bytes are folded onto the next ones,
 * and what is left in the end, 16 bytes with the same remainder, goes through the tables.
 */
#include "stun/crc32.h"

#include <immintrin.h>

#define CLMUL   __attribute__((target("pclmul")))

/*
 * x^n modulo the polynomial, bits reflected, one further bit to the left: the distance by which a
 * half of the register moves (low half first). x^(64+n) for the first, x^n for the second half.
 */
#define FOLD_16 _mm_set_epi64x(0x0ccaa009e, 0x1751997d0) /* n = 96: 16 bytes on */
#define FOLD_64 _mm_set_epi64x(0x1c6e41596, 0x154442bd4) /* n = 480: 64 bytes on */

CLMUL static inline __m128i load(const uint8_t *p)
{
	return _mm_loadu_si128((const void *)p);
}

CLMUL static inline __m128i fold(__m128i x, __m128i distance, __m128i onto)
{
	__m128i low = _mm_clmulepi64_si128(x, distance, 0x00);
	__m128i high = _mm_clmulepi64_si128(x, distance, 0x11);

	return _mm_xor_si128(_mm_xor_si128(low, high), onto);
}

bool nm_crc32_fold_usable(void)
{
	return __builtin_cpu_supports("pclmul"); /* a word that the compiler's start-up code set */
}

/* Four registers side by side, because one multiplication waits for the one before it. */
CLMUL static __m128i fold_blocks(__m128i x, const uint8_t **data, size_t *len)
{
	__m128i x1 = load(*data + 16), x2 = load(*data + 32), x3 = load(*data + 48);

	*data += 64;
	*len -= 64;
	for (; *len >= 64; *data += 64, *len -= 64) {
		x = fold(x, FOLD_64, load(*data));
		x1 = fold(x1, FOLD_64, load(*data + 16));
		x2 = fold(x2, FOLD_64, load(*data + 32));
		x3 = fold(x3, FOLD_64, load(*data + 48));
	}
	x = fold(x, FOLD_16, x1);
	x = fold(x, FOLD_16, x2);
	return fold(x, FOLD_16, x3);
}

CLMUL uint32_t nm_crc32_fold(uint32_t crc, const uint8_t *data, size_t len)
{
	__m128i x = _mm_xor_si128(load(data), _mm_cvtsi32_si128((int)crc));
	uint8_t rest[16];

	if (len >= 64) {
		x = fold_blocks(x, &data, &len);
	} else {
		data += 16;
		len -= 16;
	}
	for (; len >= 16; data += 16, len -= 16)
		x = fold(x, FOLD_16, load(data));
	_mm_storeu_si128((void *)rest, x);
	return nm_crc32_slice(nm_crc32_slice(0, rest, sizeof(rest)), data, len);
}
