/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_SUITE_H
#define NATMUX_SUITE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What protects the packets of an SA (RFC 8221). The sizes are octets:
 *
 *   X(NAME, "word", cipher key, salt, integrity key, IV, ICV, alignment)
 *
 * Key material is what IKE calls KEYMAT: cipher key, salt (RFC 4106 8.1, RFC 7634 2), integrity key,
 * one behind the other. Alignment is that of the ciphertext (RFC 4303 2.4: at least 4). The word is
 * the one strongSwan uses in esp_proposals.
 */
#define NATMUX_SUITE_MAP(X)                                                                        \
	/* RFC 4106 */                                                                             \
	X(AES128GCM16, "aes128gcm16", 16, 4, 0, 8, 16, 4)                                          \
	X(AES192GCM16, "aes192gcm16", 24, 4, 0, 8, 16, 4)                                          \
	X(AES256GCM16, "aes256gcm16", 32, 4, 0, 8, 16, 4)                                          \
	X(AES128GCM12, "aes128gcm12", 16, 4, 0, 8, 12, 4)                                          \
	X(AES192GCM12, "aes192gcm12", 24, 4, 0, 8, 12, 4)                                          \
	X(AES256GCM12, "aes256gcm12", 32, 4, 0, 8, 12, 4)                                          \
	X(AES128GCM8, "aes128gcm8", 16, 4, 0, 8, 8, 4)                                             \
	X(AES192GCM8, "aes192gcm8", 24, 4, 0, 8, 8, 4)                                             \
	X(AES256GCM8, "aes256gcm8", 32, 4, 0, 8, 8, 4)                                             \
	/* RFC 7634 */                                                                             \
	X(CHACHA20POLY1305, "chacha20poly1305", 32, 4, 0, 8, 16, 4)                                \
	/* RFC 4543: integrity only */                                                             \
	X(AES128GMAC, "aes128gmac", 16, 4, 0, 8, 16, 4)                                            \
	X(AES192GMAC, "aes192gmac", 24, 4, 0, 8, 16, 4)                                            \
	X(AES256GMAC, "aes256gmac", 32, 4, 0, 8, 16, 4)                                            \
	/* RFC 3602 with RFC 2404 and RFC 4868 */                                                  \
	X(AES128_SHA1, "aes128-sha1", 16, 0, 20, 16, 12, 16)                                       \
	X(AES192_SHA1, "aes192-sha1", 24, 0, 20, 16, 12, 16)                                       \
	X(AES256_SHA1, "aes256-sha1", 32, 0, 20, 16, 12, 16)                                       \
	X(AES128_SHA256, "aes128-sha256", 16, 0, 32, 16, 16, 16)                                   \
	X(AES192_SHA256, "aes192-sha256", 24, 0, 32, 16, 16, 16)                                   \
	X(AES256_SHA256, "aes256-sha256", 32, 0, 32, 16, 16, 16)                                   \
	X(AES128_SHA384, "aes128-sha384", 16, 0, 48, 16, 24, 16)                                   \
	X(AES192_SHA384, "aes192-sha384", 24, 0, 48, 16, 24, 16)                                   \
	X(AES256_SHA384, "aes256-sha384", 32, 0, 48, 16, 24, 16)                                   \
	X(AES128_SHA512, "aes128-sha512", 16, 0, 64, 16, 32, 16)                                   \
	X(AES192_SHA512, "aes192-sha512", 24, 0, 64, 16, 32, 16)                                   \
	X(AES256_SHA512, "aes256-sha512", 32, 0, 64, 16, 32, 16)                                   \
	/* RFC 2410: integrity only; there is no suite without integrity */                        \
	X(NULL_SHA1, "null-sha1", 0, 0, 20, 0, 12, 4)                                              \
	X(NULL_SHA256, "null-sha256", 0, 0, 32, 0, 16, 4)                                          \
	X(NULL_SHA384, "null-sha384", 0, 0, 48, 0, 24, 4)                                          \
	X(NULL_SHA512, "null-sha512", 0, 0, 64, 0, 32, 4)

enum natmux_suite {
#define X(name, word, key, salt, auth, iv, icv, align) NATMUX_SUITE_##name,
	NATMUX_SUITE_MAP(X)
#undef X
		NATMUX_SUITE_COUNT
};

struct natmux_suite_info {
	const char *name;
	uint8_t key_len, salt_len, auth_len; /* sum: natmux_suite_key_len() */
	uint8_t iv_len, icv_len, align;
};

/* Longest key material of any suite: aes256-sha512. */
#define NATMUX_SUITE_KEY_MAX 96

/* What a suite is; NULL for a number that is none. */
const struct natmux_suite_info *natmux_suite_get(enum natmux_suite suite);

/* Octets of key material that the suite takes. 0 for a number that is none. */
size_t natmux_suite_key_len(enum natmux_suite suite);

/* The suite of a word such as "aes128gcm16". NATMUX_ENOTFOUND. */
int natmux_suite_parse(const char *word, enum natmux_suite *suite);

#ifdef __cplusplus
}
#endif
#endif
