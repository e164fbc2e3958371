/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC on libcrypto's bare hashes. They are deprecated in favour of EVP, which takes two blocks from the
 * heap for each message; a packet must cost none.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "esp/hmac.h"

#include <openssl/crypto.h>
#include <string.h>

enum { BLOCK_MAX = SHA512_CBLOCK, INNER_PAD = 0x36, OUTER_PAD = 0x5c };

static void begin(union nm_hmac_state *state, size_t hash_len)
{
	switch (hash_len) {
	case SHA_DIGEST_LENGTH: SHA1_Init(&state->sha1); break;
	case SHA256_DIGEST_LENGTH: SHA256_Init(&state->sha256); break;
	case SHA384_DIGEST_LENGTH: SHA384_Init(&state->sha512); break;
	default: SHA512_Init(&state->sha512); break;
	}
}

static void add(union nm_hmac_state *state, size_t hash_len, const uint8_t *data, size_t len)
{
	switch (hash_len) {
	case SHA_DIGEST_LENGTH: SHA1_Update(&state->sha1, data, len); break;
	case SHA256_DIGEST_LENGTH: SHA256_Update(&state->sha256, data, len); break;
	default: SHA512_Update(&state->sha512, data, len); break;
	}
}

static void end(union nm_hmac_state *state, size_t hash_len, uint8_t out[NM_HMAC_MAX])
{
	switch (hash_len) {
	case SHA_DIGEST_LENGTH: SHA1_Final(out, &state->sha1); break;
	case SHA256_DIGEST_LENGTH: SHA256_Final(out, &state->sha256); break;
	case SHA384_DIGEST_LENGTH: SHA384_Final(out, &state->sha512); break;
	default: SHA512_Final(out, &state->sha512); break;
	}
}

/* A whole block of the key, with zeros behind it, and the pad over all of it. */
static void begin_padded(union nm_hmac_state *state, const uint8_t *key, size_t len, uint8_t pad)
{
	size_t block_len = len <= SHA256_DIGEST_LENGTH ? SHA256_CBLOCK : SHA512_CBLOCK;
	uint8_t block[BLOCK_MAX];

	memset(block, pad, sizeof(block));
	for (size_t i = 0; i < len; i++)
		block[i] ^= key[i];
	begin(state, len);
	add(state, len, block, block_len);
	OPENSSL_cleanse(block, sizeof(block));
}

void nm_hmac_init(struct nm_hmac *hmac, const uint8_t *key, size_t len)
{
	hmac->hash_len = len;
	begin_padded(&hmac->inner, key, len, INNER_PAD);
	begin_padded(&hmac->outer, key, len, OUTER_PAD);
}

void nm_hmac(const struct nm_hmac *hmac, const uint8_t *data, size_t len, const uint8_t *more,
	size_t more_len, uint8_t out[NM_HMAC_MAX])
{
	union nm_hmac_state state = hmac->inner;

	add(&state, hmac->hash_len, data, len);
	add(&state, hmac->hash_len, more, more_len);
	end(&state, hmac->hash_len, out);
	state = hmac->outer;
	add(&state, hmac->hash_len, out, hmac->hash_len);
	end(&state, hmac->hash_len, out);
}
