/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine on intel-ipsec-mb, made for packets of IPsec's size: AES-GCM and ChaCha20-Poly1305 by
 * its direct calls. Its multi-buffer jobs for CBC and HMAC want a manager per thread and give
 * nothing to the suites that matter; those stay with libcrypto.
 */
#include <intel-ipsec-mb.h>
#include <sodium.h>
#include <string.h>
#include <threads.h>
#include <natmux/error.h>

#include "esp/engine.h"
#include "esp/suite_kind.h"

enum { HEADER = 8, IV = 8, ICV_MAX = 16 };

struct key {
	union {
		struct gcm_key_data gcm; /* aligned to 64, as key states are */
		uint8_t chacha[32];
	};
	aes_gcm_enc_dec_t seal, open; /* of GCM */
	uint8_t salt[NM_SALT_LEN];
	uint8_t icv_len;
	bool has_esn;
};

/* The library's table of functions for this CPU: written once, then only read. */
static IMB_MGR *functions;
static once_flag functions_once = ONCE_FLAG_INIT;

static void find_functions(void)
{
	IMB_MGR *mgr = alloc_mb_mgr(0);
	IMB_ARCH arch;

	if (!mgr)
		return;
	init_mb_mgr_auto(mgr, &arch);
	if (imb_get_errno(mgr) == 0 && arch != IMB_ARCH_NOAESNI)
		functions = mgr;
	else
		free_mb_mgr(mgr);
}

static bool has_suite(enum natmux_suite suite)
{
	enum nm_suite_kind kind = nm_suite_kind(suite);

	call_once(&functions_once, find_functions);
	return functions && (kind == NM_KIND_GCM || kind == NM_KIND_CHACHA);
}

static size_t key_size(enum natmux_suite suite)
{
	(void)suite;
	return (sizeof(struct key) + 63) / 64 * 64;
}

static int key_init(void *memory, enum natmux_suite suite, bool has_esn, const uint8_t *keymat)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	struct key *key = memory;

	key->has_esn = has_esn;
	key->icv_len = info->icv_len;
	memcpy(key->salt, keymat + info->key_len, NM_SALT_LEN);
	if (nm_suite_kind(suite) == NM_KIND_CHACHA) {
		memcpy(key->chacha, keymat, sizeof(key->chacha));
		return 0;
	}
	switch (info->key_len) {
	case 16:
		IMB_AES128_GCM_PRE(functions, keymat, &key->gcm);
		key->seal = functions->gcm128_enc;
		key->open = functions->gcm128_dec;
		return 0;
	case 24:
		IMB_AES192_GCM_PRE(functions, keymat, &key->gcm);
		key->seal = functions->gcm192_enc;
		key->open = functions->gcm192_dec;
		return 0;
	case 32:
		IMB_AES256_GCM_PRE(functions, keymat, &key->gcm);
		key->seal = functions->gcm256_enc;
		key->open = functions->gcm256_dec;
		return 0;
	default: return NATMUX_EUNSUPPORTED;
	}
}

static void key_done(void *memory)
{
	sodium_memzero(memory, sizeof(struct key));
}

/* One packet through the cipher, either way; the ICV that it should have goes to `icv`. */
static void run(struct key *key, const struct nm_engine_job *job, bool is_open, uint8_t *icv)
{
	uint8_t nonce[16], aad[NM_AAD_ESN_LEN + 4];
	uint8_t *text = job->packet + HEADER + IV;
	size_t aad_len = nm_suite_aad(job->packet, key->has_esn, job->seq_high, aad);

	memcpy(nonce, key->salt, NM_SALT_LEN);
	memcpy(nonce + NM_SALT_LEN, job->packet + HEADER, IV);
	if (key->seal) {
		struct gcm_context_data context;

		(is_open ? key->open : key->seal)(&key->gcm, &context, text, text, job->len, nonce,
			aad, aad_len, icv, key->icv_len);
	} else {
		struct chacha20_poly1305_context_data context;

		functions->chacha20_poly1305_init(key->chacha, &context, nonce, aad, aad_len);
		(is_open ? functions->chacha20_poly1305_dec_update
			 : functions->chacha20_poly1305_enc_update)(
			key->chacha, &context, text, text, job->len);
		functions->chacha20_poly1305_finalize(&context, icv, key->icv_len);
	}
}

static void seal(void *memory, struct nm_engine_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		run(memory, &jobs[i], false, jobs[i].packet + HEADER + IV + jobs[i].len);
}

static void open_all(void *memory, struct nm_engine_job *jobs, size_t n)
{
	const struct key *key = memory;

	for (size_t i = 0; i < n; i++) {
		uint8_t icv[ICV_MAX];

		run(memory, &jobs[i], true, icv);
		jobs[i].is_good = sodium_memcmp(icv, jobs[i].packet + HEADER + IV + jobs[i].len,
					  key->icv_len) == 0;
	}
}

const struct nm_engine nm_engine_ipsecmb = {
	.name = "ipsec-mb",
	.has_suite = has_suite,
	.key_size = key_size,
	.key_init = key_init,
	.key_done = key_done,
	.seal = seal,
	.open = open_all,
};
