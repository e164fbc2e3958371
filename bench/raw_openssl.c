/* SPDX-License-Identifier: Apache-2.0 */
/* libcrypto's EVP, contexts reused: a nonce, the data, the tag. */
#include "bench/raw_aead.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include "esp/suite_kind.h"

struct raw {
	EVP_CIPHER_CTX *seal, *open;
	int icv_len;
};

static const char *cipher_name(enum nm_suite_kind kind, size_t key_len)
{
	static const char *const gcm[] = {"AES-128-GCM", "AES-192-GCM", "AES-256-GCM"};

	if (kind == NM_KIND_CHACHA)
		return "ChaCha20-Poly1305";
	return kind == NM_KIND_GCM ? gcm[(key_len - 16) / 8] : NULL;
}

static void close_key(void *self)
{
	struct raw *raw = self;

	EVP_CIPHER_CTX_free(raw->seal);
	EVP_CIPHER_CTX_free(raw->open);
	free(raw);
}

static EVP_CIPHER_CTX *new_context(const char *name, const uint8_t *key, int is_seal)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();

	if (!cipher || !context ||
		EVP_CipherInit_ex2(context, cipher, key, NULL, is_seal, NULL) != 1) {
		EVP_CIPHER_CTX_free(context);
		context = NULL;
	}
	EVP_CIPHER_free(cipher);
	return context;
}

static void *open_key(enum natmux_suite suite, const uint8_t *keymat)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	const char *name = cipher_name(nm_suite_kind(suite), info->key_len);
	struct raw *raw = name ? calloc(1, sizeof(*raw)) : NULL;

	if (!raw)
		return NULL;
	raw->icv_len = info->icv_len;
	raw->seal = new_context(name, keymat, 1);
	raw->open = new_context(name, keymat, 0);
	if (raw->seal && raw->open)
		return raw;
	close_key(raw);
	return NULL;
}

static void seal(void *self, const struct nm_raw_call *calls, size_t n)
{
	const struct raw *raw = self;
	uint8_t block[16];
	int out;

	for (const struct nm_raw_call *c = calls; c < calls + n; c++) {
		EVP_EncryptInit_ex2(raw->seal, NULL, NULL, c->nonce, NULL);
		EVP_EncryptUpdate(raw->seal, NULL, &out, c->aad, 8);
		EVP_EncryptUpdate(raw->seal, c->text, &out, c->text, (int)c->len);
		EVP_EncryptFinal_ex(raw->seal, block, &out);
		EVP_CIPHER_CTX_ctrl(raw->seal, EVP_CTRL_AEAD_GET_TAG, raw->icv_len, c->icv);
	}
}

static void open_all(void *self, const struct nm_raw_call *calls, size_t n)
{
	const struct raw *raw = self;
	uint8_t block[16];
	int out;

	for (const struct nm_raw_call *c = calls; c < calls + n; c++) {
		EVP_DecryptInit_ex2(raw->open, NULL, NULL, c->nonce, NULL);
		EVP_DecryptUpdate(raw->open, NULL, &out, c->aad, 8);
		EVP_DecryptUpdate(raw->open, c->text, &out, c->text, (int)c->len);
		EVP_CIPHER_CTX_ctrl(raw->open, EVP_CTRL_AEAD_SET_TAG, raw->icv_len, c->icv);
		EVP_DecryptFinal_ex(raw->open, block, &out);
	}
}

const struct nm_raw_aead nm_raw_openssl = {
	.engine = "openssl",
	.open_key = open_key,
	.close_key = close_key,
	.seal = seal,
	.open = open_all,
};
