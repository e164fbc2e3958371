/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A STUN message being written into the caller's buffer, with a sticky error: begin, put attribute
 * after attribute, sign (stun/auth.h), fingerprint, and ask once with nm_stun_end(). The order that
 * RFC 8489 14.5-14.7 wants is enforced: whatever stands behind what it must not follow is an error.
 */
#ifndef NM_STUN_BUILD_H
#define NM_STUN_BUILD_H

#include <natmux/addr.h>
#include "base/writer.h"
#include "stun/proto.h"

/* What was put last decides what may follow. */
enum nm_stun_stage {
	NM_STUN_STAGE_BODY,
	NM_STUN_STAGE_SHA1,        /* MESSAGE-INTEGRITY */
	NM_STUN_STAGE_SHA256,      /* MESSAGE-INTEGRITY-SHA256 */
	NM_STUN_STAGE_FINGERPRINT, /* the end */
};

struct nm_stun_builder {
	struct nm_writer w;
	enum nm_stun_stage stage;
};

/* `buf` is borrowed until nm_stun_end(). */
void nm_stun_begin(struct nm_stun_builder *b, uint8_t *buf, size_t cap, enum nm_stun_method method,
	enum nm_stun_class cls, const uint8_t tid[NM_STUN_TID_LEN]);

/* An attribute of `len` bytes, padded with zeros; `value` may be NULL when `len` is 0. */
void nm_stun_put(struct nm_stun_builder *b, uint16_t type, const void *value, size_t len);

void nm_stun_put_u32(struct nm_stun_builder *b, uint16_t type, uint32_t value);
void nm_stun_put_u64(struct nm_stun_builder *b, uint16_t type, uint64_t value);

/* Plain or XORed, as the type has it (RFC 8489 14.1, 14.2). An address without family is an error. */
void nm_stun_put_addr(struct nm_stun_builder *b, uint16_t type, const struct natmux_addr *addr);

/* ERROR-CODE (RFC 8489 14.8): 300 to 699 and a sentence of up to 763 bytes, NULL for none. */
void nm_stun_put_error(struct nm_stun_builder *b, unsigned int code, const char *reason);

/* UNKNOWN-ATTRIBUTES (RFC 8489 14.13). */
void nm_stun_put_unknown(struct nm_stun_builder *b, const uint16_t *types, size_t n);

/* FINGERPRINT (RFC 8489 14.7); nothing may follow. */
void nm_stun_put_fingerprint(struct nm_stun_builder *b);

/* Length of the finished message; 0 when anything did not fit, was out of range or out of order. */
size_t nm_stun_end(struct nm_stun_builder *b);

/*
 * For stun/auth.c. Room for a value of `len` bytes in a new attribute, the header's length field
 * counting it in; NULL once the builder has failed.
 */
uint8_t *nm_stun_put_room(
	struct nm_stun_builder *b, enum nm_stun_stage stage, uint16_t type, size_t len);

#endif
