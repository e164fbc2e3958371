/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A received STUN message: header, attributes, and which of them count. Everything is borrowed from
 * the datagram, which has to outlive the struct.
 */
#ifndef NM_STUN_MSG_H
#define NM_STUN_MSG_H

#include "stun/check.h"

struct nm_stun_msg {
	const uint8_t *data;
	uint32_t len;
	uint16_t method; /* enum nm_stun_method, or one we do not know */
	enum nm_stun_class cls;
	const uint8_t *tid; /* NM_STUN_TID_LEN bytes */
	/*
	 * Offsets of attributes' headers, 0 for none. The attributes that count end at `body_end`:
	 * RFC 8489 14.5 and 14.6 have the rest ignored.
	 */
	uint32_t body_end;
	uint32_t sha1_at;        /* MESSAGE-INTEGRITY */
	uint32_t sha256_at;      /* MESSAGE-INTEGRITY-SHA256 */
	uint32_t fingerprint_at; /* FINGERPRINT, and its value is right */
};

struct nm_stun_attr {
	uint16_t type;
	uint16_t len;         /* without padding */
	const uint8_t *value; /* NULL: before the first */
};

/*
 * Reads a datagram. After 0 everything is known to be right that needs no key: form, lengths of the
 * integrity attributes, and FINGERPRINT where there is one. NATMUX_EMALFORMED otherwise.
 */
int nm_stun_decode(const uint8_t *data, size_t len, struct nm_stun_msg *msg);

/* Steps to the next attribute that counts; start from a zeroed struct. False at the end. */
bool nm_stun_next(const struct nm_stun_msg *msg, struct nm_stun_attr *attr);

/* The first attribute of a type: of duplicates the others are ignored (RFC 8489 14). */
bool nm_stun_find(const struct nm_stun_msg *msg, uint16_t type, struct nm_stun_attr *attr);

/*
 * A set of comprehension-required types, all those that exist being below 64. What is understood
 * depends on the usage: a plain Binding server has to refuse CHANGE-REQUEST.
 */
#define NM_STUN_BIT(type) (UINT64_C(1) << (type))

/* Types listed at most in one answer; who sends more will find out about them later. */
enum { NM_STUN_UNKNOWN_MAX = 8 };

/*
 * Lists the comprehension-required attributes that are not in `understood`, each once, in the order
 * of their coming. Returns how many, at most NM_STUN_UNKNOWN_MAX (RFC 8489 6.3.1, 14.13).
 */
size_t nm_stun_unknown(
	const struct nm_stun_msg *msg, uint64_t understood, uint16_t types[NM_STUN_UNKNOWN_MAX]);

/* The class of a message, without decoding it; `data` has at least its first two bytes. */
static inline enum nm_stun_class nm_stun_class(const uint8_t *data)
{
	return nm_stun_type_class(nm_get16(data));
}

/* Whether a message is signed, or names a user: what an ICE agent's peer sends. */
bool nm_stun_has_credentials(const uint8_t *data, size_t len);

#endif
