/* SPDX-License-Identifier: Apache-2.0 */
/* Whether bytes are a STUN message at all: what the demultiplexer asks, without decoding. */
#ifndef NM_STUN_CHECK_H
#define NM_STUN_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include "base/bytes.h"
#include "stun/proto.h"

/* Whether bytes 4..7 are the magic cookie. One ESP packet in 2^32 of each SA has it too. */
static inline bool nm_stun_has_cookie(const uint8_t *data, size_t len)
{
	return len >= NM_STUN_TID_AT && nm_get32(data + NM_STUN_COOKIE_AT) == NM_STUN_COOKIE;
}

/*
 * Whether this is a Binding request of nothing but a header, as simple clients send it. The class
 * of these 20 bytes is ESP; docs/wire.md tells when they may be answered all the same.
 */
static inline bool nm_stun_is_bare_binding(const uint8_t *data, size_t len)
{
	return len == NM_STUN_HEADER_LEN && nm_get32(data) == (uint32_t)NM_STUN_BINDING << 16 &&
	       nm_stun_has_cookie(data, len);
}

/*
 * Two zero bits, cookie, a length that is a multiple of four and the datagram's own, attributes
 * that fill it exactly, and no FINGERPRINT but as the last of them (RFC 8489 5, 6.3, 14, 14.7).
 */
bool nm_stun_is_well_formed(const uint8_t *data, size_t len);

/* The same, and it does end in a FINGERPRINT whose CRC-32 is right. */
bool nm_stun_has_right_fingerprint(const uint8_t *data, size_t len);

/* The value that a FINGERPRINT behind these `len` bytes must have; their header counts it in. */
uint32_t nm_stun_fingerprint(const uint8_t *data, size_t len);

#endif
