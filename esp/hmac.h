/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC (RFC 2104) under a key that stays: what the key does to the hash is done once and kept (section
 * 4), in memory of whoever asks.
 */
#ifndef NM_HMAC_H
#define NM_HMAC_H

#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>

enum { NM_HMAC_MAX = 64 };

union nm_hmac_state {
	SHA_CTX sha1;
	SHA256_CTX sha256;
	SHA512_CTX sha512; /* SHA-384 as well */
};

struct nm_hmac {
	union nm_hmac_state inner, outer;
	size_t hash_len;
};

/* 20, 32, 48 or 64 octets of key: of SHA-1, SHA-256, SHA-384 or SHA-512 (RFC 2404, RFC 4868). */
void nm_hmac_init(struct nm_hmac *hmac, const uint8_t *key, size_t len);

/* Writes as many octets as the key is long: the HMAC of two pieces, one behind the other. */
void nm_hmac(const struct nm_hmac *hmac, const uint8_t *data, size_t len, const uint8_t *more,
	size_t more_len, uint8_t out[NM_HMAC_MAX]);

#endif
