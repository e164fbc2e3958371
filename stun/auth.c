/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides whether a message was signed with a key. Which key belongs to whom, and what happens to
 * messages that fail, is left to the callers.
 */
#include "stun/auth.h"

#include <natmux/error.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include "stun/attr.h"

static EVP_MAC_CTX *hmac_new(EVP_MAC *hmac, const char *digest)
{
	char name[16]; /* OSSL_PARAM has no const */
	OSSL_PARAM params[2];
	EVP_MAC_CTX *ctx = hmac ? EVP_MAC_CTX_new(hmac) : NULL;

	if (!ctx)
		return NULL;
	strncpy(name, digest, sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0);
	params[1] = OSSL_PARAM_construct_end();
	if (EVP_MAC_CTX_set_params(ctx, params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

int nm_stun_auth_init(struct nm_stun_auth *auth)
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	struct nm_stun_auth a = {
		.sha1 = hmac_new(hmac, OSSL_DIGEST_NAME_SHA1),
		.sha256 = hmac_new(hmac, OSSL_DIGEST_NAME_SHA2_256),
		.key_md5 = EVP_MD_fetch(NULL, OSSL_DIGEST_NAME_MD5, NULL),
		.key_sha256 = EVP_MD_fetch(NULL, OSSL_DIGEST_NAME_SHA2_256, NULL),
		.key_ctx = EVP_MD_CTX_new(),
	};

	EVP_MAC_free(hmac); /* the contexts hold it */
	if (!a.sha1 || !a.sha256 || !a.key_sha256 || !a.key_ctx) {
		nm_stun_auth_done(&a);
		return NATMUX_EUNSUPPORTED;
	}
	*auth = a;
	return 0;
}

void nm_stun_auth_done(struct nm_stun_auth *auth)
{
	EVP_MAC_CTX_free(auth->sha1);
	EVP_MAC_CTX_free(auth->sha256);
	EVP_MD_free(auth->key_md5);
	EVP_MD_free(auth->key_sha256);
	EVP_MD_CTX_free(auth->key_ctx);
	*auth = (struct nm_stun_auth){.sha1 = NULL};
}

size_t nm_stun_hmac(struct nm_stun_auth *auth, enum nm_stun_integrity algorithm, const void *key,
	size_t key_len, const uint8_t *head, size_t head_len, const uint8_t *body, size_t body_len,
	uint8_t mac[NM_STUN_SHA256_LEN])
{
	EVP_MAC_CTX *ctx = algorithm == NM_STUN_SHA1 ? auth->sha1 : auth->sha256;
	size_t len;

	/* An empty key would let everyone sign; libcrypto would keep the key before it. */
	if (key_len == 0 || EVP_MAC_init(ctx, key, key_len, NULL) != 1 ||
		EVP_MAC_update(ctx, head, head_len) != 1 ||
		EVP_MAC_update(ctx, body, body_len) != 1 ||
		EVP_MAC_final(ctx, mac, &len, NM_STUN_SHA256_LEN) != 1)
		return 0;
	return len;
}

/*
 * The HMAC of an attribute at `at` whose value has `value_len` bytes: everything in front of it, in
 * the header a length as if the message ended with it (RFC 8489 14.5).
 */
static size_t message_hmac(struct nm_stun_auth *auth, enum nm_stun_integrity algorithm,
	const void *key, size_t key_len, const uint8_t *data, uint32_t at, uint32_t value_len,
	uint8_t mac[NM_STUN_SHA256_LEN])
{
	uint32_t end = at + NM_STUN_ATTR_HEADER_LEN + value_len;
	uint8_t header[NM_STUN_HEADER_LEN];

	memcpy(header, data, sizeof(header));
	nm_put16(header + NM_STUN_LENGTH_AT, (uint16_t)(end - NM_STUN_HEADER_LEN));
	return nm_stun_hmac(auth, algorithm, key, key_len, header, sizeof(header),
		data + NM_STUN_HEADER_LEN, at - NM_STUN_HEADER_LEN, mac);
}

int nm_stun_integrity_check(struct nm_stun_auth *auth, const struct nm_stun_msg *msg,
	enum nm_stun_integrity algorithm, const void *key, size_t key_len)
{
	uint32_t at = algorithm == NM_STUN_SHA1 ? msg->sha1_at : msg->sha256_at;
	uint8_t mac[NM_STUN_SHA256_LEN];
	uint16_t len;

	if (at == 0)
		return NATMUX_ENOTFOUND;
	len = nm_get16(msg->data + at + 2); /* 20, or 16 to 32: nm_stun_decode() */
	if (message_hmac(auth, algorithm, key, key_len, msg->data, at, len, mac) < len)
		return NATMUX_EAUTH;
	if (CRYPTO_memcmp(mac, msg->data + at + NM_STUN_ATTR_HEADER_LEN, len) != 0)
		return NATMUX_EAUTH;
	return 0;
}

void nm_stun_put_integrity(struct nm_stun_builder *b, struct nm_stun_auth *auth,
	enum nm_stun_integrity algorithm, const void *key, size_t key_len)
{
	bool is_sha1 = algorithm == NM_STUN_SHA1;
	uint32_t len = is_sha1 ? NM_STUN_SHA1_LEN : NM_STUN_SHA256_LEN;
	uint32_t at = (uint32_t)b->w.len;
	uint8_t mac[NM_STUN_SHA256_LEN];
	uint8_t *room = nm_stun_put_room(b, is_sha1 ? NM_STUN_STAGE_SHA1 : NM_STUN_STAGE_SHA256,
		is_sha1 ? NM_STUN_MESSAGE_INTEGRITY : NM_STUN_MESSAGE_INTEGRITY_SHA256, len);

	if (!room)
		return;
	if (message_hmac(auth, algorithm, key, key_len, b->w.start, at, len, mac) == len)
		memcpy(room, mac, len);
	else
		b->w.failed = true;
}

static bool is_user(const struct nm_stun_user *user, const uint8_t *name, size_t len)
{
	return len == user->name_len && (len == 0 || memcmp(name, user->name, len) == 0);
}

unsigned int nm_stun_judge_request(
	struct nm_stun_auth *auth, const struct nm_stun_msg *msg, const struct nm_stun_user *user)
{
	enum nm_stun_integrity algorithm = msg->sha256_at > 0 ? NM_STUN_SHA256 : NM_STUN_SHA1;
	const uint8_t *name;
	size_t name_len;

	if ((msg->sha1_at == 0 && msg->sha256_at == 0) ||
		nm_stun_get_text(msg, NM_STUN_USERNAME, &name, &name_len) < 0)
		return NM_STUN_BAD_REQUEST;
	if (!is_user(user, name, name_len))
		return NM_STUN_UNAUTHENTICATED;
	if (nm_stun_integrity_check(auth, msg, algorithm, user->password, user->password_len) < 0)
		return NM_STUN_UNAUTHENTICATED;
	return 0;
}

bool nm_stun_response_is_authentic(struct nm_stun_auth *auth, const struct nm_stun_msg *msg,
	enum nm_stun_integrity algorithm, const void *password, size_t password_len)
{
	return nm_stun_integrity_check(auth, msg, algorithm, password, password_len) == 0;
}

static int derive_key(EVP_MD_CTX *ctx, const EVP_MD *md, const char *user, const char *realm,
	const char *password, uint8_t *key)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int len;

	if (!md || EVP_DigestInit_ex(ctx, md, NULL) != 1 ||
		EVP_DigestUpdate(ctx, user, strlen(user)) != 1 ||
		EVP_DigestUpdate(ctx, ":", 1) != 1 ||
		EVP_DigestUpdate(ctx, realm, strlen(realm)) != 1 ||
		EVP_DigestUpdate(ctx, ":", 1) != 1 ||
		EVP_DigestUpdate(ctx, password, strlen(password)) != 1 ||
		EVP_DigestFinal_ex(ctx, digest, &len) != 1)
		return NATMUX_EUNSUPPORTED;
	memcpy(key, digest, len);
	OPENSSL_cleanse(digest, sizeof(digest));
	return 0;
}

int nm_stun_key_md5(struct nm_stun_auth *auth, const char *user, const char *realm,
	const char *password, uint8_t key[NM_STUN_KEY_MD5_LEN])
{
	return derive_key(auth->key_ctx, auth->key_md5, user, realm, password, key);
}

int nm_stun_key_sha256(struct nm_stun_auth *auth, const char *user, const char *realm,
	const char *password, uint8_t key[NM_STUN_KEY_SHA256_LEN])
{
	return derive_key(auth->key_ctx, auth->key_sha256, user, realm, password, key);
}
