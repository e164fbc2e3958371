/* SPDX-License-Identifier: Apache-2.0 */
/* How a suite works, for engines: its cipher, its hash, and whether the two are one. */
#ifndef NM_SUITE_KIND_H
#define NM_SUITE_KIND_H

#include <stdbool.h>
#include <string.h>
#include <natmux/suite.h>
#include "base/bytes.h"

enum nm_suite_kind {
	NM_KIND_GCM,      /* RFC 4106 */
	NM_KIND_CHACHA,   /* RFC 7634 */
	NM_KIND_GMAC,     /* RFC 4543: all of the packet is associated data */
	NM_KIND_CBC_HMAC, /* RFC 3602, and RFC 2404 or RFC 4868 over the ciphertext */
	NM_KIND_HMAC,     /* RFC 2410 */
};

static inline enum nm_suite_kind nm_suite_kind(enum natmux_suite suite)
{
	if (suite <= NATMUX_SUITE_AES256GCM8)
		return NM_KIND_GCM;
	if (suite == NATMUX_SUITE_CHACHA20POLY1305)
		return NM_KIND_CHACHA;
	if (suite <= NATMUX_SUITE_AES256GMAC)
		return NM_KIND_GMAC;
	return suite <= NATMUX_SUITE_AES256_SHA512 ? NM_KIND_CBC_HMAC : NM_KIND_HMAC;
}

/* What integrity covers in front of the text: SPI, with ESN the high half, sequence number. */
enum { NM_AAD_LEN = 8, NM_AAD_ESN_LEN = 12, NM_NONCE_LEN = 12, NM_SALT_LEN = 4 };

/* RFC 4106 5, RFC 7634 2.1. Returns its length. */
static inline size_t nm_suite_aad(
	const uint8_t *packet, bool has_esn, uint32_t seq_high, uint8_t aad[NM_AAD_ESN_LEN])
{
	if (!has_esn) {
		memcpy(aad, packet, NM_AAD_LEN);
		return NM_AAD_LEN;
	}
	memcpy(aad, packet, 4);
	nm_put32(aad + 4, seq_high);
	memcpy(aad + 8, packet + 4, 4);
	return NM_AAD_ESN_LEN;
}

#endif
