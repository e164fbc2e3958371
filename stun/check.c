/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides whether bytes are a STUN message, by form and by FINGERPRINT. What it means is left to
 * msg.c, which trusts the walk made here.
 */
#include "stun/check.h"

#include "stun/crc32.h"

#define FINGERPRINT_HEAD 0x80280004u /* type, length of the value */

/* RFC 8489 5: all that the first 8 bytes and the datagram's length can tell. */
static bool header_is_right(const uint8_t *data, size_t len)
{
	if (len < NM_STUN_HEADER_LEN || !nm_stun_has_cookie(data, len))
		return false;
	return (data[0] & 0xc0) == 0 && len % 4 == 0 &&
	       nm_get16(data + NM_STUN_LENGTH_AT) == len - NM_STUN_HEADER_LEN;
}

/*
 * Walks the attributes, each padded to a multiple of four (RFC 8489 14), up to the first
 * FINGERPRINT. Returns its offset, `len` when there is none, 0 when an attribute overruns the
 * message. `at` and `len` are multiples of four: a step that begins inside has its header inside.
 */
static size_t walk(const uint8_t *data, size_t len)
{
	size_t at = NM_STUN_HEADER_LEN;

	while (at < len) {
		uint32_t head = nm_get32(data + at);
		size_t size = NM_STUN_ATTR_HEADER_LEN + nm_stun_padded(head & 0xffff);

		if (size > len - at)
			return 0;
		if (head >> 16 == NM_STUN_FINGERPRINT)
			return at;
		at += size;
	}
	return at;
}

/* RFC 8489 14.7: FINGERPRINT is the last attribute, and has four bytes. */
static bool is_fingerprint(const uint8_t *data, size_t len, size_t at)
{
	return len - at == NM_STUN_FINGERPRINT_LEN && nm_get32(data + at) == FINGERPRINT_HEAD;
}

bool nm_stun_is_well_formed(const uint8_t *data, size_t len)
{
	size_t end;

	if (!header_is_right(data, len))
		return false;
	end = walk(data, len);
	return end == len || (end > 0 && is_fingerprint(data, len, end));
}

uint32_t nm_stun_fingerprint(const uint8_t *data, size_t len)
{
	return nm_crc32(data, len) ^ NM_STUN_FINGERPRINT_XOR;
}

/* The end is looked at first: it dismisses ESP packets with the right sequence number at once. */
bool nm_stun_has_right_fingerprint(const uint8_t *data, size_t len)
{
	size_t end = len - NM_STUN_FINGERPRINT_LEN;

	if (len < NM_STUN_HEADER_LEN + NM_STUN_FINGERPRINT_LEN || !is_fingerprint(data, len, end))
		return false;
	return header_is_right(data, len) && walk(data, len) == end &&
	       nm_get32(data + end + NM_STUN_ATTR_HEADER_LEN) == nm_stun_fingerprint(data, end);
}
