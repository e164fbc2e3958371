/* SPDX-License-Identifier: Apache-2.0 */
/* The engine that is always there: libsodium's two AEADs. */
#include <sodium.h>
#include <string.h>
#include <natmux/error.h>

#include "esp/engine.h"
#include "esp/suite_kind.h"

enum { HEADER = 8, IV = 8, ICV = 16 };

struct key {
	crypto_aead_aes256gcm_state gcm; /* aligned to 16 by its type */
	uint8_t chacha[crypto_aead_chacha20poly1305_ietf_KEYBYTES];
	uint8_t salt[NM_SALT_LEN];
	bool is_gcm, has_esn;
};

static bool has_suite(enum natmux_suite suite)
{
	if (suite == NATMUX_SUITE_AES256GCM16)
		return crypto_aead_aes256gcm_is_available();
	return suite == NATMUX_SUITE_CHACHA20POLY1305;
}

static size_t key_size(enum natmux_suite suite)
{
	(void)suite;
	return (sizeof(struct key) + 63) / 64 * 64;
}

static int key_init(void *memory, enum natmux_suite suite, bool has_esn, const uint8_t *keymat)
{
	struct key *key = memory;

	key->is_gcm = suite == NATMUX_SUITE_AES256GCM16;
	key->has_esn = has_esn;
	memcpy(key->salt, keymat + 32, sizeof(key->salt));
	memcpy(key->chacha, keymat, sizeof(key->chacha));
	if (key->is_gcm && crypto_aead_aes256gcm_beforenm(&key->gcm, keymat) != 0)
		return NATMUX_ESYSTEM;
	return 0;
}

static void key_done(void *memory)
{
	sodium_memzero(memory, sizeof(struct key));
}

static void make_nonce(const struct key *key, const uint8_t *packet, uint8_t nonce[NM_NONCE_LEN])
{
	memcpy(nonce, key->salt, NM_SALT_LEN);
	memcpy(nonce + NM_SALT_LEN, packet + HEADER, IV);
}

static void seal(void *memory, struct nm_engine_job *jobs, size_t n)
{
	struct key *key = memory;

	for (size_t i = 0; i < n; i++) {
		uint8_t nonce[NM_NONCE_LEN], aad[NM_AAD_ESN_LEN];
		uint8_t *text = jobs[i].packet + HEADER + IV, *icv = text + jobs[i].len;
		size_t aad_len = nm_suite_aad(jobs[i].packet, key->has_esn, jobs[i].seq_high, aad);

		make_nonce(key, jobs[i].packet, nonce);
		if (key->is_gcm)
			crypto_aead_aes256gcm_encrypt_detached_afternm(text, icv, NULL, text,
				jobs[i].len, aad, aad_len, NULL, nonce, &key->gcm);
		else
			crypto_aead_chacha20poly1305_ietf_encrypt_detached(text, icv, NULL, text,
				jobs[i].len, aad, aad_len, NULL, nonce, key->chacha);
	}
}

static void open_all(void *memory, struct nm_engine_job *jobs, size_t n)
{
	struct key *key = memory;

	for (size_t i = 0; i < n; i++) {
		uint8_t nonce[NM_NONCE_LEN], aad[NM_AAD_ESN_LEN];
		uint8_t *text = jobs[i].packet + HEADER + IV;
		const uint8_t *icv = text + jobs[i].len;
		size_t aad_len = nm_suite_aad(jobs[i].packet, key->has_esn, jobs[i].seq_high, aad);

		make_nonce(key, jobs[i].packet, nonce);
		if (key->is_gcm)
			jobs[i].is_good =
				crypto_aead_aes256gcm_decrypt_detached_afternm(text, NULL, text,
					jobs[i].len, icv, aad, aad_len, nonce, &key->gcm) == 0;
		else
			jobs[i].is_good =
				crypto_aead_chacha20poly1305_ietf_decrypt_detached(text, NULL, text,
					jobs[i].len, icv, aad, aad_len, nonce, key->chacha) == 0;
	}
}

const struct nm_engine nm_engine_sodium = {
	.name = "sodium",
	.has_suite = has_suite,
	.key_size = key_size,
	.key_init = key_init,
	.key_done = key_done,
	.seal = seal,
	.open = open_all,
};
