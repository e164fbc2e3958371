/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine on libcrypto: every suite. Ciphers are fetched once for each key and their contexts
 * reused, for a fetch costs more than a packet. The contexts are libcrypto's own memory; it wipes
 * them when they are freed.
 */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <string.h>
#include <natmux/error.h>

#include "esp/engine.h"
#include "esp/hmac.h"
#include "esp/suite_kind.h"

enum { HEADER = 8 };

struct key {
	EVP_CIPHER_CTX *cipher[2]; /* sealing, opening */
	uint8_t salt[NM_SALT_LEN];
	uint8_t iv_len, icv_len;
	enum nm_suite_kind kind;
	bool has_hmac, has_esn;
	struct nm_hmac hmac; /* last: AEADs have no memory for it */
};

static size_t bytes_of(bool has_hmac)
{
	return has_hmac ? sizeof(struct key) : offsetof(struct key, hmac);
}

static bool has_suite(enum natmux_suite suite)
{
	return natmux_suite_get(suite) != NULL;
}

static size_t key_size(enum natmux_suite suite)
{
	return (bytes_of(natmux_suite_get(suite)->auth_len > 0) + 63) / 64 * 64;
}

static const char *cipher_name(enum nm_suite_kind kind, size_t key_len)
{
	static const char *const gcm[] = {"AES-128-GCM", "AES-192-GCM", "AES-256-GCM"};
	static const char *const cbc[] = {"AES-128-CBC", "AES-192-CBC", "AES-256-CBC"};

	if (kind == NM_KIND_CHACHA)
		return "ChaCha20-Poly1305";
	return (kind == NM_KIND_CBC_HMAC ? cbc : gcm)[(key_len - 16) / 8];
}

static int init_ciphers(
	struct key *key, const struct natmux_suite_info *info, const uint8_t *keymat)
{
	/* Said once, libcrypto says it again for every packet: 70 ns that an AEAD can do without. */
	bool has_padding = key->kind == NM_KIND_CBC_HMAC;
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, cipher_name(key->kind, info->key_len), NULL);
	int result = cipher ? 0 : NATMUX_ESYSTEM;

	for (int is_open = 0; result == 0 && is_open < 2; is_open++) {
		key->cipher[is_open] = EVP_CIPHER_CTX_new();
		if (!key->cipher[is_open])
			result = NATMUX_ENOMEM;
		else if (EVP_CipherInit_ex2(
				 key->cipher[is_open], cipher, keymat, NULL, !is_open, NULL) != 1 ||
			 (has_padding && EVP_CIPHER_CTX_set_padding(key->cipher[is_open], 0) != 1))
			result = NATMUX_ESYSTEM;
	}
	EVP_CIPHER_free(cipher);
	return result;
}

static int key_init(void *memory, enum natmux_suite suite, bool has_esn, const uint8_t *keymat)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	struct key *key = memory;
	int err = 0;

	key->has_hmac = info->auth_len > 0;
	key->kind = nm_suite_kind(suite);
	key->iv_len = info->iv_len;
	key->icv_len = info->icv_len;
	key->has_esn = has_esn;
	memcpy(key->salt, keymat + info->key_len, info->salt_len);
	if (info->key_len > 0)
		err = init_ciphers(key, info, keymat);
	if (key->has_hmac)
		nm_hmac_init(&key->hmac, keymat + info->key_len, info->auth_len);
	return err;
}

static void key_done(void *memory)
{
	struct key *key = memory;

	EVP_CIPHER_CTX_free(key->cipher[0]);
	EVP_CIPHER_CTX_free(key->cipher[1]);
	OPENSSL_cleanse(key, bytes_of(key->has_hmac));
}

static uint8_t *text_of(const struct key *key, const struct nm_engine_job *job)
{
	return job->packet + HEADER + key->iv_len;
}

/* Nonce and associated data of an AEAD; GMAC's data is the whole packet (RFC 4543 3.3). */
static bool begin_aead(const struct key *key, EVP_CIPHER_CTX *ctx, const struct nm_engine_job *job)
{
	uint8_t nonce[NM_NONCE_LEN], aad[NM_AAD_ESN_LEN];
	size_t aad_len = nm_suite_aad(job->packet, key->has_esn, job->seq_high, aad);
	int out;

	memcpy(nonce, key->salt, NM_SALT_LEN);
	memcpy(nonce + NM_SALT_LEN, job->packet + HEADER, key->iv_len);
	if (EVP_CipherInit_ex2(ctx, NULL, NULL, nonce, -1, NULL) != 1 ||
		EVP_CipherUpdate(ctx, NULL, &out, aad, (int)aad_len) != 1)
		return false;
	if (key->kind != NM_KIND_GMAC)
		return true;
	return EVP_CipherUpdate(
		       ctx, NULL, &out, job->packet + HEADER, (int)(key->iv_len + job->len)) == 1;
}

static bool text_through(
	const struct key *key, EVP_CIPHER_CTX *ctx, const struct nm_engine_job *job)
{
	uint8_t *text = text_of(key, job);
	int out;

	return key->kind == NM_KIND_GMAC || job->len == 0 ||
	       EVP_CipherUpdate(ctx, text, &out, text, (int)job->len) == 1;
}

static void seal_aead(const struct key *key, struct nm_engine_job *job)
{
	EVP_CIPHER_CTX *ctx = key->cipher[0];
	uint8_t *icv = text_of(key, job) + job->len;
	uint8_t block[16];
	int out;

	/* Cannot fail with these sizes; if it did, an ICV of zeros would be sent, not the text. */
	if (!begin_aead(key, ctx, job) || !text_through(key, ctx, job) ||
		EVP_CipherFinal_ex(ctx, block, &out) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, key->icv_len, icv) != 1)
		memset(text_of(key, job), 0, job->len + key->icv_len);
}

static bool open_aead(const struct key *key, struct nm_engine_job *job)
{
	EVP_CIPHER_CTX *ctx = key->cipher[1];
	uint8_t *icv = text_of(key, job) + job->len;
	uint8_t block[16];
	int out;

	return begin_aead(key, ctx, job) && text_through(key, ctx, job) &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, key->icv_len, icv) == 1 &&
	       EVP_CipherFinal_ex(ctx, block, &out) == 1;
}

/* Header, IV and text; with ESN the high half comes behind them (RFC 4303 2.2.1). */
static void make_icv(
	const struct key *key, const struct nm_engine_job *job, uint8_t icv[NM_HMAC_MAX])
{
	const uint8_t high[4] = {(uint8_t)(job->seq_high >> 24), (uint8_t)(job->seq_high >> 16),
		(uint8_t)(job->seq_high >> 8), (uint8_t)job->seq_high};

	nm_hmac(&key->hmac, job->packet, HEADER + (size_t)key->iv_len + job->len, high,
		key->has_esn ? sizeof(high) : 0, icv);
}

static bool cbc(const struct key *key, EVP_CIPHER_CTX *ctx, const struct nm_engine_job *job)
{
	return key->kind == NM_KIND_HMAC ||
	       (EVP_CipherInit_ex2(ctx, NULL, NULL, job->packet + HEADER, -1, NULL) == 1 &&
		       text_through(key, ctx, job));
}

static void seal_hmac(const struct key *key, struct nm_engine_job *job)
{
	uint8_t icv[NM_HMAC_MAX];

	if (!cbc(key, key->cipher[0], job))
		memset(text_of(key, job), 0, job->len);
	make_icv(key, job, icv);
	memcpy(text_of(key, job) + job->len, icv, key->icv_len);
}

static bool open_hmac(const struct key *key, struct nm_engine_job *job)
{
	uint8_t icv[NM_HMAC_MAX];

	make_icv(key, job, icv);
	return CRYPTO_memcmp(icv, text_of(key, job) + job->len, key->icv_len) == 0 &&
	       cbc(key, key->cipher[1], job);
}

static void seal(void *memory, struct nm_engine_job *jobs, size_t n)
{
	const struct key *key = memory;

	for (size_t i = 0; i < n; i++) {
		if (key->has_hmac)
			seal_hmac(key, &jobs[i]);
		else
			seal_aead(key, &jobs[i]);
	}
}

static void open_all(void *memory, struct nm_engine_job *jobs, size_t n)
{
	const struct key *key = memory;

	for (size_t i = 0; i < n; i++)
		jobs[i].is_good =
			key->has_hmac ? open_hmac(key, &jobs[i]) : open_aead(key, &jobs[i]);
}

const struct nm_engine nm_engine_openssl = {
	.name = "openssl",
	.has_suite = has_suite,
	.key_size = key_size,
	.key_init = key_init,
	.key_done = key_done,
	.seal = seal,
	.open = open_all,
};
