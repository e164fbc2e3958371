/* SPDX-License-Identifier: Apache-2.0 */
/* libsodium's AEADs with their keys expanded; and which library's call is whose. */
#include "bench/raw_aead.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct raw {
	crypto_aead_aes256gcm_state gcm;
	uint8_t chacha[32];
	int is_gcm;
};

static void *open_key(enum natmux_suite suite, const uint8_t *keymat)
{
	struct raw *raw;

	if (suite != NATMUX_SUITE_CHACHA20POLY1305 &&
		(suite != NATMUX_SUITE_AES256GCM16 || !crypto_aead_aes256gcm_is_available()))
		return NULL;
	raw = aligned_alloc(64, (sizeof(*raw) + 63) / 64 * 64);
	if (!raw)
		return NULL;
	raw->is_gcm = suite == NATMUX_SUITE_AES256GCM16;
	memcpy(raw->chacha, keymat, sizeof(raw->chacha));
	if (raw->is_gcm)
		crypto_aead_aes256gcm_beforenm(&raw->gcm, keymat);
	return raw;
}

static void seal(void *self, const struct nm_raw_call *calls, size_t n)
{
	const struct raw *raw = self;

	for (const struct nm_raw_call *c = calls; c < calls + n; c++) {
		if (raw->is_gcm)
			crypto_aead_aes256gcm_encrypt_detached_afternm(c->text, c->icv, NULL,
				c->text, c->len, c->aad, 8, NULL, c->nonce, &raw->gcm);
		else
			crypto_aead_chacha20poly1305_ietf_encrypt_detached(c->text, c->icv, NULL,
				c->text, c->len, c->aad, 8, NULL, c->nonce, raw->chacha);
	}
}

static void open_all(void *self, const struct nm_raw_call *calls, size_t n)
{
	const struct raw *raw = self;
	int wrong = 0;

	for (const struct nm_raw_call *c = calls; c < calls + n; c++) {
		if (raw->is_gcm)
			wrong |= crypto_aead_aes256gcm_decrypt_detached_afternm(c->text, NULL,
				c->text, c->len, c->icv, c->aad, 8, c->nonce, &raw->gcm);
		else
			wrong |= crypto_aead_chacha20poly1305_ietf_decrypt_detached(c->text, NULL,
				c->text, c->len, c->icv, c->aad, 8, c->nonce, raw->chacha);
	}
	/* Used, for all the compiler knows. */
	__asm__ volatile("" : : "r"(wrong));
}

const struct nm_raw_aead nm_raw_sodium = {
	.engine = "sodium",
	.open_key = open_key,
	.close_key = free,
	.seal = seal,
	.open = open_all,
};

const struct nm_raw_aead *nm_raw_aead_find(const char *engine)
{
	static const struct nm_raw_aead *const all[] = {
		&nm_raw_ipsecmb, &nm_raw_openssl, &nm_raw_sodium};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i]->engine, engine) == 0)
			return all[i];
	return NULL;
}
