/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine on intel-ipsec-mb, made for packets of IPsec's size: AES-GCM and ChaCha20-Poly1305 by
 * its direct calls. Its multi-buffer jobs for CBC and HMAC want a manager per thread and give
 * nothing to the suites that matter; those stay with libcrypto.
 */
#include <intel-ipsec-mb.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <natmux/error.h>

#include "esp/engine.h"
#include "esp/suite_kind.h"

enum { HEADER = 8, IV = 8, ICV_MAX = 16 };

/*
 * An expanded key: this, and behind it what the cipher reads. Of GCM that is as much as this CPU's code
 * writes there: a whole struct gcm_key_data would be 1 KiB for each SA, whatever the CPU.
 */
struct key {
	uint8_t salt[NM_SALT_LEN];
	uint8_t gcm_key_len; /* 0: ChaCha20 */
	uint8_t icv_len;
	bool has_esn;
	/* The library reads 16 octets at a time: of 64 the struct's own alignment is not needed. */
	_Alignas(16) uint8_t cipher[];
};

_Static_assert(sizeof(struct key) == 16, "all of GCM and this make whole cache lines");

enum { CHACHA_BYTES = 32 };

/* Octets of struct gcm_key_data that are in use on this CPU: its powers of the hash key are last. */
static size_t gcm_bytes;

/* The library's table of functions for this CPU: written once, then only read. */
static IMB_MGR *functions;
static pthread_once_t functions_once = PTHREAD_ONCE_INIT;

/* What the expansion of a key leaves alone twice nobody reads either. */
static size_t measure_gcm(const IMB_MGR *mgr)
{
	static const uint8_t key[32];
	_Alignas(64) struct gcm_key_data data[2]; /* 16 would do: its size is a multiple */
	const uint8_t *a = (const uint8_t *)&data[0], *b = (const uint8_t *)&data[1];
	size_t len = sizeof(data[0]);

	memset(&data[0], 0x55, sizeof(data[0]));
	memset(&data[1], 0xaa, sizeof(data[1]));
	IMB_AES256_GCM_PRE(mgr, key, &data[0]);
	IMB_AES256_GCM_PRE(mgr, key, &data[1]);
	while (len > 0 && a[len - 1] != b[len - 1])
		len--;
	return (len + 15) / 16 * 16;
}

static void find_functions(void)
{
	IMB_MGR *mgr = alloc_mb_mgr(0);
	IMB_ARCH arch;

	if (!mgr)
		return;
	init_mb_mgr_auto(mgr, &arch);
	if (imb_get_errno(mgr) != 0 || arch == IMB_ARCH_NOAESNI) {
		free_mb_mgr(mgr);
		return;
	}
	gcm_bytes = measure_gcm(mgr);
	functions = mgr;
}

static bool has_suite(enum natmux_suite suite)
{
	enum nm_suite_kind kind = nm_suite_kind(suite);

	pthread_once(&functions_once, find_functions);
	return functions && (kind == NM_KIND_GCM || kind == NM_KIND_CHACHA);
}

static size_t cipher_bytes(const struct key *key)
{
	return key->gcm_key_len > 0 ? gcm_bytes : (size_t)CHACHA_BYTES;
}

static size_t key_size(enum natmux_suite suite)
{
	size_t bytes = nm_suite_kind(suite) == NM_KIND_GCM ? gcm_bytes : (size_t)CHACHA_BYTES;

	return (sizeof(struct key) + bytes + 63) / 64 * 64;
}

static int expand_gcm(struct key *key, const uint8_t *keymat)
{
	_Alignas(64) struct gcm_key_data data; /* the library's header does not ask for it */

	switch (key->gcm_key_len) {
	case 16: IMB_AES128_GCM_PRE(functions, keymat, &data); break;
	case 24: IMB_AES192_GCM_PRE(functions, keymat, &data); break;
	case 32: IMB_AES256_GCM_PRE(functions, keymat, &data); break;
	default: return NATMUX_EUNSUPPORTED;
	}
	memcpy(key->cipher, &data, gcm_bytes);
	sodium_memzero(&data, sizeof(data));
	return 0;
}

static int key_init(void *memory, enum natmux_suite suite, bool has_esn, const uint8_t *keymat)
{
	const struct natmux_suite_info *info = natmux_suite_get(suite);
	struct key *key = memory;

	key->has_esn = has_esn;
	key->icv_len = info->icv_len;
	memcpy(key->salt, keymat + info->key_len, NM_SALT_LEN);
	if (nm_suite_kind(suite) == NM_KIND_CHACHA) {
		memcpy(key->cipher, keymat, CHACHA_BYTES);
		return 0;
	}
	key->gcm_key_len = info->key_len;
	return expand_gcm(key, keymat);
}

static void key_done(void *memory)
{
	sodium_memzero(memory, sizeof(struct key) + cipher_bytes(memory));
}

/* What the cipher reads besides the text. */
struct input {
	uint8_t nonce[16]; /* 12 of them */
	uint8_t aad[16];   /* 8, or 12 with ESN */
};

/*
 * Made for the whole vector before the first packet is worked on: the cipher reads in one piece what
 * is written here in two, and a processor waits for that when it comes right behind.
 */
static void make_inputs(
	const struct key *key, const struct nm_engine_job *jobs, size_t n, struct input *inputs)
{
	for (size_t i = 0; i < n; i++) {
		memcpy(inputs[i].nonce, key->salt, NM_SALT_LEN);
		memcpy(inputs[i].nonce + NM_SALT_LEN, jobs[i].packet + HEADER, IV);
		nm_suite_aad(jobs[i].packet, key->has_esn, jobs[i].seq_high, inputs[i].aad);
	}
}

/* NULL: the key is ChaCha20's. */
static aes_gcm_enc_dec_t gcm_of(const struct key *key, bool is_open)
{
	switch (key->gcm_key_len) {
	case 16: return is_open ? functions->gcm128_dec : functions->gcm128_enc;
	case 24: return is_open ? functions->gcm192_dec : functions->gcm192_enc;
	case 32: return is_open ? functions->gcm256_dec : functions->gcm256_enc;
	default: return NULL;
	}
}

/* One packet through the cipher, either way; the ICV that it should have goes to `icv`. */
static void run(const struct key *key, aes_gcm_enc_dec_t gcm, const struct nm_engine_job *job,
	const struct input *input, bool is_open, uint8_t *icv)
{
	size_t aad_len = key->has_esn ? NM_AAD_ESN_LEN : NM_AAD_LEN;
	uint8_t *text = job->packet + HEADER + IV;

	if (gcm) {
		struct gcm_context_data context;

		gcm((const void *)key->cipher, &context, text, text, job->len, input->nonce,
			input->aad, aad_len, icv, key->icv_len);
	} else {
		struct chacha20_poly1305_context_data context;

		functions->chacha20_poly1305_init(
			key->cipher, &context, input->nonce, input->aad, aad_len);
		(is_open ? functions->chacha20_poly1305_dec_update
			 : functions->chacha20_poly1305_enc_update)(
			key->cipher, &context, text, text, job->len);
		functions->chacha20_poly1305_finalize(&context, icv, key->icv_len);
	}
}

static void seal(void *memory, struct nm_engine_job *jobs, size_t n)
{
	aes_gcm_enc_dec_t gcm = gcm_of(memory, false);
	struct input inputs[NM_ENGINE_VECTOR];

	make_inputs(memory, jobs, n, inputs);
	for (size_t i = 0; i < n; i++)
		run(memory, gcm, &jobs[i], &inputs[i], false,
			jobs[i].packet + HEADER + IV + jobs[i].len);
}

/* In the same time wherever they differ. ICVs are 8, 12 or 16 octets. */
static bool is_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	uint32_t difference = 0;

	for (size_t i = 0; i < len; i += 4) {
		uint32_t x, y;

		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		difference |= x ^ y;
	}
	return difference == 0;
}

static void open_all(void *memory, struct nm_engine_job *jobs, size_t n)
{
	const struct key *key = memory;
	aes_gcm_enc_dec_t gcm = gcm_of(key, true);
	struct input inputs[NM_ENGINE_VECTOR];
	uint8_t icvs[NM_ENGINE_VECTOR][ICV_MAX];

	make_inputs(key, jobs, n, inputs);
	for (size_t i = 0; i < n; i++)
		run(key, gcm, &jobs[i], &inputs[i], true, icvs[i]);
	for (size_t i = 0; i < n; i++)
		jobs[i].is_good =
			is_same(icvs[i], jobs[i].packet + HEADER + IV + jobs[i].len, key->icv_len);
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
