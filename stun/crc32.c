/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC-32 on any CPU, eight bytes a step ("slicing by eight"), and the choice of the faster way
 * where there is one. Correct on either byte order: bytes are put together by hand.
 */
#include "stun/crc32.h"

/*
 * table[k][i] is the register after byte i and k zero bytes. The CRC is linear, so a whole row
 * follows from the eight values for i = 1, 2, 4 ... 128, and the compiler writes it out: XORn lists
 * the XOR sums of all subsets of n values, each added to x.
 */
#define XOR1(x, a)                   (x), (x) ^ (a)
#define XOR2(x, a, b)                XOR1(x, a), XOR1((x) ^ (b), a)
#define XOR3(x, a, b, c)             XOR2(x, a, b), XOR2((x) ^ (c), a, b)
#define XOR4(x, a, b, c, d)          XOR3(x, a, b, c), XOR3((x) ^ (d), a, b, c)
#define XOR5(x, a, b, c, d, e)       XOR4(x, a, b, c, d), XOR4((x) ^ (e), a, b, c, d)
#define XOR6(x, a, b, c, d, e, f)    XOR5(x, a, b, c, d, e), XOR5((x) ^ (f), a, b, c, d, e)
#define XOR7(x, a, b, c, d, e, f, g) XOR6(x, a, b, c, d, e, f), XOR6((x) ^ (g), a, b, c, d, e, f)
#define ROW(a, b, c, d, e, f, g, h)                                                                \
	{                                                                                          \
		XOR7(0u, a, b, c, d, e, f, g), XOR7((h), a, b, c, d, e, f, g)                      \
	}

/* clang-format off */
static const uint32_t table[8][256] = {
	ROW(0x77073096, 0xee0e612c, 0x076dc419, 0x0edb8832, 0x1db71064, 0x3b6e20c8, 0x76dc4190, 0xedb88320),
	ROW(0x191b3141, 0x32366282, 0x646cc504, 0xc8d98a08, 0x4ac21251, 0x958424a2, 0xf0794f05, 0x3b83984b),
	ROW(0x01c26a37, 0x0384d46e, 0x0709a8dc, 0x0e1351b8, 0x1c26a370, 0x384d46e0, 0x709a8dc0, 0xe1351b80),
	ROW(0xb8bc6765, 0xaa09c88b, 0x8f629757, 0xc5b428ef, 0x5019579f, 0xa032af3e, 0x9b14583d, 0xed59b63b),
	ROW(0x3d6029b0, 0x7ac05360, 0xf580a6c0, 0x30704bc1, 0x60e09782, 0xc1c12f04, 0x58f35849, 0xb1e6b092),
	ROW(0xcb5cd3a5, 0x4dc8a10b, 0x9b914216, 0xec53826d, 0x03d6029b, 0x07ac0536, 0x0f580a6c, 0x1eb014d8),
	ROW(0xa6770bb4, 0x979f1129, 0xf44f2413, 0x33ef4e67, 0x67de9cce, 0xcfbd399c, 0x440b7579, 0x8816eaf2),
	ROW(0xccaa009e, 0x4225077d, 0x844a0efa, 0xd3e51bb5, 0x7cbb312b, 0xf9766256, 0x299dc2ed, 0x533b85da),
};
/* clang-format on */

static inline uint32_t get32_le(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Four bytes with `after` more bytes of the same step behind them. */
static inline uint32_t slice4(uint32_t v, int after)
{
	return table[after + 3][v & 0xff] ^ table[after + 2][v >> 8 & 0xff] ^
	       table[after + 1][v >> 16 & 0xff] ^ table[after][v >> 24];
}

uint32_t nm_crc32_slice(uint32_t crc, const uint8_t *data, size_t len)
{
	for (; len >= 8; data += 8, len -= 8)
		crc = slice4(crc ^ get32_le(data), 4) ^ slice4(get32_le(data + 4), 0);
	if (len >= 4) { /* STUN messages end here: their lengths are multiples of four */
		crc = slice4(crc ^ get32_le(data), 0);
		data += 4;
		len -= 4;
	}
	while (len-- > 0)
		crc = crc >> 8 ^ table[0][(crc ^ *data++) & 0xff];
	return crc;
}

uint32_t nm_crc32(const uint8_t *data, size_t len)
{
	if (len >= NM_CRC32_FOLD_MIN && nm_crc32_fold_usable())
		return ~nm_crc32_fold(0xffffffff, data, len);
	return ~nm_crc32_slice(0xffffffff, data, len);
}
