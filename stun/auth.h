/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Integrity of messages and the keys for it (RFC 8489 9, 14.5, 14.6). The algorithms are fetched
 * once into an object that the caller owns; messages use it without allocation or lookup. One
 * object is used by one thread at a time.
 */
#ifndef NM_STUN_AUTH_H
#define NM_STUN_AUTH_H

#include "stun/build.h"
#include "stun/msg.h"

struct evp_mac_ctx_st;
struct evp_md_st;
struct evp_md_ctx_st;

struct nm_stun_auth {
	struct evp_mac_ctx_st *sha1;   /* HMAC, digest set */
	struct evp_mac_ctx_st *sha256; /* HMAC, digest set */
	struct evp_md_st *key_md5;     /* NULL: libcrypto has none, as under FIPS */
	struct evp_md_st *key_sha256;
	struct evp_md_ctx_st *key_ctx;
};

enum nm_stun_integrity {
	NM_STUN_SHA1,   /* MESSAGE-INTEGRITY: HMAC-SHA1 */
	NM_STUN_SHA256, /* MESSAGE-INTEGRITY-SHA256: HMAC-SHA256 */
};

enum { NM_STUN_KEY_MD5_LEN = 16, NM_STUN_KEY_SHA256_LEN = 32 };

/* NATMUX_EUNSUPPORTED, with nothing to be undone, when libcrypto cannot do HMAC with both hashes. */
int nm_stun_auth_init(struct nm_stun_auth *auth);

/* Frees what _init fetched; a zeroed object is fine. Keys do not outlive it. */
void nm_stun_auth_done(struct nm_stun_auth *auth);

/*
 * Writes HMAC(key, head | body) to `mac`, and returns its length (20 or 32), or 0 for an empty key or a failing libcrypto.
 */
size_t nm_stun_hmac(struct nm_stun_auth *auth, enum nm_stun_integrity algorithm, const void *key,
	size_t key_len, const uint8_t *head, size_t head_len, const uint8_t *body, size_t body_len,
	uint8_t mac[NM_STUN_SHA256_LEN]);

/*
 * Holds the attribute against the key: 0, NATMUX_ENOTFOUND (no such attribute), NATMUX_EAUTH
 * (another value, or an empty key). MESSAGE-INTEGRITY-SHA256 may be truncated down to 16 bytes.
 */
int nm_stun_integrity_check(struct nm_stun_auth *auth, const struct nm_stun_msg *msg,
	enum nm_stun_integrity algorithm, const void *key, size_t key_len);

/* Signs what has been put so far. An empty key is an error of the builder. */
void nm_stun_put_integrity(struct nm_stun_builder *b, struct nm_stun_auth *auth,
	enum nm_stun_integrity algorithm, const void *key, size_t key_len);

/* A user of the short-term mechanism; for ICE the fragments and password of RFC 8445 7.2.2. */
struct nm_stun_user {
	const void *name;
	size_t name_len;
	const void *password; /* as OpaqueString (RFC 8489 9.1.1): the caller prepares it */
	size_t password_len;
};

/*
 * Judges a request or indication of a user (RFC 8489 9.1.3): 0 when it is authentic, else
 * NM_STUN_BAD_REQUEST (no USERNAME or no integrity) or NM_STUN_UNAUTHENTICATED. That is the error
 * to answer a request with; an indication is dropped. The stronger of two integrities decides.
 */
unsigned int nm_stun_judge_request(
	struct nm_stun_auth *auth, const struct nm_stun_msg *msg, const struct nm_stun_user *user);

/*
 * Whether a response may end the transaction whose request was signed with `algorithm` and this
 * password (RFC 8489 9.1.4). False: it is as if it had never come, and the transaction goes on.
 */
bool nm_stun_response_is_authentic(struct nm_stun_auth *auth, const struct nm_stun_msg *msg,
	enum nm_stun_integrity algorithm, const void *password, size_t password_len);

/*
 * Keys of the long-term mechanism (RFC 8489 9.2.2, 18.5.1): a digest over "user:realm:password", all
 * three as OpaqueString. NATMUX_EUNSUPPORTED when libcrypto refuses the digest, as MD5 under FIPS.
 */
int nm_stun_key_md5(struct nm_stun_auth *auth, const char *user, const char *realm,
	const char *password, uint8_t key[NM_STUN_KEY_MD5_LEN]);
int nm_stun_key_sha256(struct nm_stun_auth *auth, const char *user, const char *realm,
	const char *password, uint8_t key[NM_STUN_KEY_SHA256_LEN]);

#endif
