/* SPDX-License-Identifier: Apache-2.0 */
/* The direct calls of intel-ipsec-mb. */
#include "bench/raw_aead.h"

#include <intel-ipsec-mb.h>
#include <stdlib.h>
#include <string.h>

#include "esp/suite_kind.h"

struct raw {
	struct gcm_key_data gcm;
	IMB_MGR *mgr;
	aes_gcm_enc_dec_t seal, open; /* NULL: ChaCha20-Poly1305 */
	uint8_t chacha[32];
	uint8_t icv_len;
};

static void set_gcm(struct raw *raw, size_t key_len, const uint8_t *key)
{
	switch (key_len) {
	case 16:
		IMB_AES128_GCM_PRE(raw->mgr, key, &raw->gcm);
		raw->seal = raw->mgr->gcm128_enc;
		raw->open = raw->mgr->gcm128_dec;
		break;
	case 24:
		IMB_AES192_GCM_PRE(raw->mgr, key, &raw->gcm);
		raw->seal = raw->mgr->gcm192_enc;
		raw->open = raw->mgr->gcm192_dec;
		break;
	default:
		IMB_AES256_GCM_PRE(raw->mgr, key, &raw->gcm);
		raw->seal = raw->mgr->gcm256_enc;
		raw->open = raw->mgr->gcm256_dec;
	}
}

static void close_key(void *self)
{
	struct raw *raw = self;

	free_mb_mgr(raw->mgr);
	free(raw);
}

static void *open_key(enum natmux_suite suite, const uint8_t *keymat)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	enum nm_suite_kind kind = nm_suite_kind(suite);
	struct raw *raw;
	IMB_ARCH arch;

	if (kind != NM_KIND_GCM && kind != NM_KIND_CHACHA)
		return NULL;
	raw = aligned_alloc(64, (sizeof(*raw) + 63) / 64 * 64);
	if (!raw)
		return NULL;
	memset(raw, 0, sizeof(*raw));
	raw->mgr = alloc_mb_mgr(0);
	if (!raw->mgr) {
		free(raw);
		return NULL;
	}
	init_mb_mgr_auto(raw->mgr, &arch);
	raw->icv_len = info->icv_len;
	if (kind == NM_KIND_GCM)
		set_gcm(raw, info->key_len, keymat);
	else
		memcpy(raw->chacha, keymat, sizeof(raw->chacha));
	return raw;
}

static void seal(void *self, const struct nm_raw_call *calls, size_t n)
{
	struct raw *raw = self;

	for (const struct nm_raw_call *c = calls; c < calls + n; c++) {
		struct chacha20_poly1305_context_data chacha;
		struct gcm_context_data gcm;

		if (raw->seal) {
			raw->seal(&raw->gcm, &gcm, c->text, c->text, c->len, c->nonce, c->aad, 8,
				c->icv, raw->icv_len);
			continue;
		}
		raw->mgr->chacha20_poly1305_init(raw->chacha, &chacha, c->nonce, c->aad, 8);
		raw->mgr->chacha20_poly1305_enc_update(
			raw->chacha, &chacha, c->text, c->text, c->len);
		raw->mgr->chacha20_poly1305_finalize(&chacha, c->icv, raw->icv_len);
	}
}

static void open_all(void *self, const struct nm_raw_call *calls, size_t n)
{
	struct raw *raw = self;
	uint8_t icv[16];

	for (const struct nm_raw_call *c = calls; c < calls + n; c++) {
		struct chacha20_poly1305_context_data chacha;
		struct gcm_context_data gcm;

		if (raw->open) {
			raw->open(&raw->gcm, &gcm, c->text, c->text, c->len, c->nonce, c->aad, 8,
				icv, raw->icv_len);
			continue;
		}
		raw->mgr->chacha20_poly1305_init(raw->chacha, &chacha, c->nonce, c->aad, 8);
		raw->mgr->chacha20_poly1305_dec_update(
			raw->chacha, &chacha, c->text, c->text, c->len);
		raw->mgr->chacha20_poly1305_finalize(&chacha, icv, raw->icv_len);
	}
}

const struct nm_raw_aead nm_raw_ipsecmb = {
	.engine = "ipsec-mb",
	.open_key = open_key,
	.close_key = close_key,
	.seal = seal,
	.open = open_all,
};
