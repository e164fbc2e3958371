/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which attributes of a message count. Their values are attr.c's, their truth auth.c's.
 */
#include "stun/msg.h"

#include <natmux/error.h>

/* nm_stun_is_well_formed() walked the same way: no header or value lies beyond the message. */
static uint32_t attr_at(const uint8_t *data, uint32_t at, struct nm_stun_attr *attr)
{
	attr->type = nm_get16(data + at);
	attr->len = nm_get16(data + at + 2);
	attr->value = data + at + NM_STUN_ATTR_HEADER_LEN;
	return at + NM_STUN_ATTR_HEADER_LEN + nm_stun_padded(attr->len);
}

/* RFC 8489 14.6: 16 to 32 bytes, in steps of four. */
static bool sha256_len_is_right(uint16_t len)
{
	return len >= NM_STUN_SHA256_LEN_MIN && len <= NM_STUN_SHA256_LEN && len % 4 == 0;
}

/*
 * RFC 8489 14.5, 14.6: behind MESSAGE-INTEGRITY only MESSAGE-INTEGRITY-SHA256 and FINGERPRINT
 * count, behind MESSAGE-INTEGRITY-SHA256 only FINGERPRINT; the first of each.
 */
static int note_integrity(struct nm_stun_msg *msg, const struct nm_stun_attr *attr, uint32_t at)
{
	if (attr->type == NM_STUN_MESSAGE_INTEGRITY && msg->sha1_at == 0 && msg->sha256_at == 0) {
		if (attr->len != NM_STUN_SHA1_LEN)
			return NATMUX_EMALFORMED;
		msg->sha1_at = at;
	} else if (attr->type == NM_STUN_MESSAGE_INTEGRITY_SHA256 && msg->sha256_at == 0) {
		if (!sha256_len_is_right(attr->len))
			return NATMUX_EMALFORMED;
		msg->sha256_at = at;
	} else {
		return 0;
	}
	if (at < msg->body_end)
		msg->body_end = at;
	return 0;
}

static int note_tail(struct nm_stun_msg *msg)
{
	uint32_t at = NM_STUN_HEADER_LEN;

	while (at < msg->len) {
		struct nm_stun_attr attr;
		uint32_t next = attr_at(msg->data, at, &attr);
		int err = note_integrity(msg, &attr, at);

		if (err < 0)
			return err;
		if (attr.type == NM_STUN_FINGERPRINT)
			msg->fingerprint_at = at;
		at = next;
	}
	if (msg->fingerprint_at == 0)
		return 0;
	if (msg->fingerprint_at < msg->body_end)
		msg->body_end = msg->fingerprint_at;
	return nm_get32(msg->data + msg->fingerprint_at + NM_STUN_ATTR_HEADER_LEN) ==
			       nm_stun_fingerprint(msg->data, msg->fingerprint_at)
		       ? 0
		       : NATMUX_EMALFORMED;
}

int nm_stun_decode(const uint8_t *data, size_t len, struct nm_stun_msg *msg)
{
	struct nm_stun_msg m = {.data = data, .len = (uint32_t)len, .body_end = (uint32_t)len};
	int err;

	if (!nm_stun_is_well_formed(data, len))
		return NATMUX_EMALFORMED;
	m.method = nm_stun_type_method(nm_get16(data));
	m.cls = nm_stun_type_class(nm_get16(data));
	m.tid = data + NM_STUN_TID_AT;
	err = note_tail(&m);
	if (err < 0)
		return err;
	*msg = m;
	return 0;
}

bool nm_stun_next(const struct nm_stun_msg *msg, struct nm_stun_attr *attr)
{
	uint32_t at = NM_STUN_HEADER_LEN;

	if (attr->value)
		at = (uint32_t)(attr->value - msg->data) + nm_stun_padded(attr->len);
	if (at >= msg->body_end)
		return false;
	attr_at(msg->data, at, attr);
	return true;
}

bool nm_stun_find(const struct nm_stun_msg *msg, uint16_t type, struct nm_stun_attr *attr)
{
	struct nm_stun_attr a = {0};

	while (nm_stun_next(msg, &a)) {
		if (a.type != type)
			continue;
		*attr = a;
		return true;
	}
	return false;
}

static bool is_listed(const uint16_t *types, size_t n, uint16_t type)
{
	for (size_t i = 0; i < n; i++)
		if (types[i] == type)
			return true;
	return false;
}

static bool is_understood(uint64_t understood, uint16_t type)
{
	if (type >= NM_STUN_COMPREHENSION_OPTIONAL)
		return true;
	return type < 64 && (understood & NM_STUN_BIT(type)) != 0;
}

size_t nm_stun_unknown(
	const struct nm_stun_msg *msg, uint64_t understood, uint16_t types[NM_STUN_UNKNOWN_MAX])
{
	struct nm_stun_attr attr = {0};
	size_t n = 0;

	while (n < NM_STUN_UNKNOWN_MAX && nm_stun_next(msg, &attr))
		if (!is_understood(understood, attr.type) && !is_listed(types, n, attr.type))
			types[n++] = attr.type;
	return n;
}

bool nm_stun_has_credentials(const uint8_t *data, size_t len)
{
	struct nm_stun_msg msg;
	struct nm_stun_attr attr;

	if (nm_stun_decode(data, len, &msg) < 0)
		return false;
	return msg.sha1_at > 0 || msg.sha256_at > 0 ||
	       nm_stun_find(&msg, NM_STUN_USERNAME, &attr) ||
	       nm_stun_find(&msg, NM_STUN_USERHASH, &attr);
}
