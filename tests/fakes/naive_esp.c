/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/naive_esp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

enum { HIGH_LEN = 4 };

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static void put32(uint8_t *to, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* RFC 4106 5, RFC 7634 2.1: with extended numbers all 64 bits of it. */
static int make_aad(const struct naive_esp *esp, uint8_t aad[12])
{
	put32(aad, esp->spi);
	if (esp->has_esn)
		put32(aad + 4, (uint32_t)(esp->sequence >> 32));
	put32(aad + (esp->has_esn ? 8 : 4), (uint32_t)esp->sequence);
	return esp->has_esn ? 12 : 8;
}

static const EVP_CIPHER *cipher_of(const struct natmux_suite_info *info)
{
	if (strncmp(info->name, "chacha", 6) == 0)
		return EVP_chacha20_poly1305();
	if (info->auth_len > 0)
		return info->key_len == 16   ? EVP_aes_128_cbc()
		       : info->key_len == 24 ? EVP_aes_192_cbc()
					     : EVP_aes_256_cbc();
	return info->key_len == 16   ? EVP_aes_128_gcm()
	       : info->key_len == 24 ? EVP_aes_192_gcm()
				     : EVP_aes_256_gcm();
}

/* RFC 4106, RFC 7634; RFC 4543, where IV and text are associated data too. `body`: IV and text. */
static void seal_aead(
	const struct naive_esp *esp, const struct natmux_suite_info *info, uint8_t *body)
{
	bool is_gmac = strstr(info->name, "gmac") != NULL;
	uint8_t nonce[12], aad[12], *text = body + info->iv_len;
	int len, aad_len = make_aad(esp, aad), text_len = (int)esp->text_len;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	memcpy(nonce, esp->keymat + info->key_len, 4);
	memcpy(nonce + 4, esp->iv, 8);
	must(EVP_EncryptInit_ex(ctx, cipher_of(info), NULL, esp->keymat, nonce) == 1);
	must(EVP_EncryptUpdate(ctx, NULL, &len, aad, aad_len) == 1);
	if (is_gmac)
		must(EVP_EncryptUpdate(ctx, NULL, &len, body, info->iv_len + text_len) == 1);
	else if (text_len > 0)
		must(EVP_EncryptUpdate(ctx, text, &len, text, text_len) == 1);
	must(EVP_EncryptFinal_ex(ctx, text + text_len, &len) == 1);
	must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, info->icv_len, text + text_len) == 1);
	EVP_CIPHER_CTX_free(ctx);
}

/* RFC 3602 3. */
static void encrypt_cbc(
	const struct naive_esp *esp, const struct natmux_suite_info *info, uint8_t *text)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len, left;

	must(EVP_EncryptInit_ex(ctx, cipher_of(info), NULL, esp->keymat, esp->iv) == 1);
	must(EVP_CIPHER_CTX_set_padding(ctx, 0) == 1);
	must(EVP_EncryptUpdate(ctx, text, &len, text, (int)esp->text_len) == 1);
	must(EVP_EncryptFinal_ex(ctx, text + len, &left) == 1 && left == 0);
	EVP_CIPHER_CTX_free(ctx);
}

/* RFC 2404, RFC 4868 2.6: over the whole packet and, unsent, the high half of the number. */
static void put_hmac(const struct naive_esp *esp, const struct natmux_suite_info *info,
	uint8_t *packet, size_t len)
{
	const EVP_MD *hash = info->auth_len == 20   ? EVP_sha1()
			     : info->auth_len == 32 ? EVP_sha256()
			     : info->auth_len == 48 ? EVP_sha384()
						    : EVP_sha512();
	uint8_t *covered = malloc(len + HIGH_LEN), icv[EVP_MAX_MD_SIZE];

	must(covered != NULL);
	memcpy(covered, packet, len);
	put32(covered + len, (uint32_t)(esp->sequence >> 32));
	must(HMAC(hash, esp->keymat + info->key_len, info->auth_len, covered,
		     len + (esp->has_esn ? HIGH_LEN : 0), icv, NULL) != NULL);
	memcpy(packet + len, icv, info->icv_len);
	free(covered);
}

size_t naive_seal(const struct naive_esp *esp, uint8_t *packet)
{
	const struct natmux_suite_info *info = natmux_suite_get(esp->suite);
	size_t len = (size_t)8 + info->iv_len + esp->text_len;

	put32(packet, esp->spi);
	put32(packet + 4, (uint32_t)esp->sequence);
	memcpy(packet + 8, esp->iv, info->iv_len);
	memcpy(packet + 8 + info->iv_len, esp->text, esp->text_len);
	if (info->auth_len == 0) {
		seal_aead(esp, info, packet + 8);
	} else {
		if (info->key_len > 0 && esp->text_len > 0)
			encrypt_cbc(esp, info, packet + 8 + info->iv_len);
		put_hmac(esp, info, packet, len);
	}
	return len + info->icv_len;
}
