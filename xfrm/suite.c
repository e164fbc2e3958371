/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's names for natmux's suites. Whether the running kernel has them it says itself. */
#include "xfrm/suite.h"

#include <string.h>
#include <sodium.h>
#include <natmux/error.h>

/*
 * One family of suites, told apart by key and ICV lengths. The ICV of an HMAC is always said
 * (XFRMA_ALG_AUTH_TRUNC): the kernel's own default for hmac(sha256) is 96 bits, which was an error.
 */
struct naming {
	enum natmux_suite first, last;
	const char *aead; /* or */
	const char *cipher, *auth;
};

static const char gcm[] = "rfc4106(gcm(aes))", gmac[] = "rfc4543(gcm(aes))";
static const char chacha[] = "rfc7539esp(chacha20,poly1305)";
static const char cbc[] = "cbc(aes)", null[] = "ecb(cipher_null)";
static const char sha1[] = "hmac(sha1)", sha256[] = "hmac(sha256)";
static const char sha384[] = "hmac(sha384)", sha512[] = "hmac(sha512)";

#define ONE(suite, cipher, auth)                                                                   \
	{                                                                                          \
		NATMUX_SUITE_##suite, NATMUX_SUITE_##suite, NULL, cipher, auth                     \
	}

static const struct naming namings[] = {
	{NATMUX_SUITE_AES128GCM16, NATMUX_SUITE_AES256GCM8, gcm, NULL, NULL},
	{NATMUX_SUITE_CHACHA20POLY1305, NATMUX_SUITE_CHACHA20POLY1305, chacha, NULL, NULL},
	{NATMUX_SUITE_AES128GMAC, NATMUX_SUITE_AES256GMAC, gmac, NULL, NULL},
	{NATMUX_SUITE_AES128_SHA1, NATMUX_SUITE_AES256_SHA1, NULL, cbc, sha1},
	{NATMUX_SUITE_AES128_SHA256, NATMUX_SUITE_AES256_SHA256, NULL, cbc, sha256},
	{NATMUX_SUITE_AES128_SHA384, NATMUX_SUITE_AES256_SHA384, NULL, cbc, sha384},
	{NATMUX_SUITE_AES128_SHA512, NATMUX_SUITE_AES256_SHA512, NULL, cbc, sha512},
	ONE(NULL_SHA1, null, sha1),
	ONE(NULL_SHA256, null, sha256),
	ONE(NULL_SHA384, null, sha384),
	ONE(NULL_SHA512, null, sha512),
};

static const struct naming *find_naming(enum natmux_suite suite)
{
	for (size_t i = 0; i < sizeof(namings) / sizeof(namings[0]); i++)
		if (suite >= namings[i].first && suite <= namings[i].last)
			return &namings[i];
	return NULL;
}

int nm_xfrm_suite_set(
	struct nm_xfrm_state *state, enum natmux_suite suite, const uint8_t *key, size_t key_len)
{
	static const struct nm_xfrm_algorithm none;
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	const struct naming *naming = find_naming(suite);
	uint32_t cipher_len, icv_bits;

	if (!info || !naming || !key || key_len != natmux_suite_key_len(suite))
		return NATMUX_EINVAL;
	cipher_len = (uint32_t)info->key_len + info->salt_len;
	icv_bits = (uint32_t)info->icv_len * 8;
	state->aead = state->cipher = state->auth = none;
	if (naming->aead) {
		state->aead = (struct nm_xfrm_algorithm){naming->aead, key, cipher_len, icv_bits};
		return 0;
	}
	state->cipher = (struct nm_xfrm_algorithm){naming->cipher, key, cipher_len, 0};
	state->auth = (struct nm_xfrm_algorithm){
		naming->auth, key + cipher_len, info->auth_len, icv_bits};
	return 0;
}

static bool is_named(const struct nm_xfrm_algorithm *algorithm, const char *name)
{
	return name ? algorithm->name && strcmp(algorithm->name, name) == 0 : !algorithm->name;
}

static bool is_suite(const struct nm_xfrm_state *state, const struct naming *naming,
	const struct natmux_suite_info *info)
{
	const struct nm_xfrm_algorithm *cipher = naming->aead ? &state->aead : &state->cipher;
	const struct nm_xfrm_algorithm *icv = naming->aead ? &state->aead : &state->auth;

	return is_named(&state->aead, naming->aead) && is_named(&state->cipher, naming->cipher) &&
	       is_named(&state->auth, naming->auth) &&
	       cipher->key_len == (uint32_t)info->key_len + info->salt_len &&
	       icv->icv_bits == (uint32_t)info->icv_len * 8 &&
	       (naming->aead || state->auth.key_len == info->auth_len);
}

int nm_xfrm_suite_find(const struct nm_xfrm_state *state, enum natmux_suite *suite)
{
	for (unsigned int i = 0; i < NATMUX_SUITE_COUNT; i++) {
		enum natmux_suite candidate = (enum natmux_suite)i;
		const struct naming *naming = find_naming(candidate);

		if (!naming || !is_suite(state, naming, natmux_suite_get(candidate)))
			continue;
		*suite = candidate;
		return 0;
	}
	return NATMUX_ENOTFOUND;
}

size_t nm_xfrm_key_join(const struct nm_xfrm_state *state, uint8_t out[NATMUX_SUITE_KEY_MAX])
{
	const struct nm_xfrm_algorithm *parts[] = {&state->aead, &state->cipher, &state->auth};
	size_t len = 0;

	for (size_t i = 0; i < 3; i++)
		len += parts[i]->key_len;
	if (len > NATMUX_SUITE_KEY_MAX)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		if (parts[i]->key_len > 0)
			memcpy(out, parts[i]->key, parts[i]->key_len);
		out += parts[i]->key_len;
	}
	return len;
}

bool nm_xfrm_key_is_hidden(const struct nm_xfrm_state *state)
{
	const struct nm_xfrm_algorithm *parts[] = {&state->aead, &state->cipher, &state->auth};
	bool has_key = false;

	for (size_t i = 0; i < 3; i++) {
		if (parts[i]->key_len == 0)
			continue;
		has_key = true;
		if (!sodium_is_zero(parts[i]->key, parts[i]->key_len))
			return false;
	}
	return has_key;
}
