/* SPDX-License-Identifier: Apache-2.0 */
/* Writes messages. Decides their form and order; what to say is left to the callers. */
#include "stun/build.h"

#include "stun/attr.h"
#include "stun/check.h"

void nm_stun_begin(struct nm_stun_builder *b, uint8_t *buf, size_t cap, enum nm_stun_method method,
	enum nm_stun_class cls, const uint8_t tid[NM_STUN_TID_LEN])
{
	*b = (struct nm_stun_builder){.w = nm_writer_init(buf, cap)};
	nm_write16(&b->w, nm_stun_type(method, cls));
	nm_write16(&b->w, 0);
	nm_write32(&b->w, NM_STUN_COOKIE);
	nm_write(&b->w, tid, NM_STUN_TID_LEN);
}

/* RFC 8489 14.5-14.7: attributes, then each of the three at most once and in this order. */
static bool is_in_order(enum nm_stun_stage last, enum nm_stun_stage next)
{
	return last == NM_STUN_STAGE_BODY || last < next;
}

uint8_t *nm_stun_put_room(
	struct nm_stun_builder *b, enum nm_stun_stage stage, uint16_t type, size_t len)
{
	size_t room = nm_stun_padded((uint32_t)len);
	uint8_t *value;

	if (len > UINT16_MAX || b->w.len + NM_STUN_ATTR_HEADER_LEN + room > NM_STUN_LEN_MAX ||
		!is_in_order(b->stage, stage))
		b->w.failed = true;
	nm_write16(&b->w, type);
	nm_write16(&b->w, (uint16_t)len);
	value = nm_write_room(&b->w, room);
	if (!value)
		return NULL;
	memset(value + len, 0, room - len);
	nm_put16(b->w.start + NM_STUN_LENGTH_AT, (uint16_t)(b->w.len - NM_STUN_HEADER_LEN));
	b->stage = stage;
	return value;
}

void nm_stun_put(struct nm_stun_builder *b, uint16_t type, const void *value, size_t len)
{
	uint8_t *room = nm_stun_put_room(b, NM_STUN_STAGE_BODY, type, len);

	if (room && len > 0)
		memcpy(room, value, len);
}

void nm_stun_put_u32(struct nm_stun_builder *b, uint16_t type, uint32_t value)
{
	uint8_t *room = nm_stun_put_room(b, NM_STUN_STAGE_BODY, type, sizeof(value));

	if (room)
		nm_put32(room, value);
}

void nm_stun_put_u64(struct nm_stun_builder *b, uint16_t type, uint64_t value)
{
	uint8_t *room = nm_stun_put_room(b, NM_STUN_STAGE_BODY, type, sizeof(value));

	if (room)
		nm_put64(room, value);
}

void nm_stun_put_addr(struct nm_stun_builder *b, uint16_t type, const struct natmux_addr *addr)
{
	size_t ip_len = addr->family == NATMUX_FAMILY_IPV4 ? 4 : 16;
	uint16_t mask = nm_stun_is_xored(type) ? NM_STUN_COOKIE >> 16 : 0;
	uint8_t *room;

	if (addr->family == NATMUX_FAMILY_NONE)
		b->w.failed = true;
	room = nm_stun_put_room(b, NM_STUN_STAGE_BODY, type, 4 + ip_len);
	if (!room)
		return;
	room[0] = 0;
	room[1] = addr->family == NATMUX_FAMILY_IPV4 ? NM_STUN_IPV4 : NM_STUN_IPV6;
	nm_put16(room + 2, addr->port ^ mask);
	memcpy(room + 4, addr->ip, ip_len);
	if (mask != 0)
		nm_stun_xor_ip(room + 4, ip_len, b->w.start + NM_STUN_TID_AT);
}

void nm_stun_put_error(struct nm_stun_builder *b, unsigned int code, const char *reason)
{
	size_t len = reason ? strlen(reason) : 0;
	uint8_t *room;

	if (code < 300 || code > 699 || len > NM_STUN_TEXT_MAX)
		b->w.failed = true;
	room = nm_stun_put_room(b, NM_STUN_STAGE_BODY, NM_STUN_ERROR_CODE, 4 + len);
	if (!room)
		return;
	nm_put16(room, 0);
	room[2] = (uint8_t)(code / 100);
	room[3] = (uint8_t)(code % 100);
	if (len > 0)
		memcpy(room + 4, reason, len);
}

void nm_stun_put_unknown(struct nm_stun_builder *b, const uint16_t *types, size_t n)
{
	uint8_t *room = nm_stun_put_room(b, NM_STUN_STAGE_BODY, NM_STUN_UNKNOWN_ATTRIBUTES, 2 * n);

	for (size_t i = 0; room && i < n; i++)
		nm_put16(room + 2 * i, types[i]);
}

void nm_stun_put_fingerprint(struct nm_stun_builder *b)
{
	uint8_t *room = nm_stun_put_room(
		b, NM_STUN_STAGE_FINGERPRINT, NM_STUN_FINGERPRINT, sizeof(uint32_t));

	if (room)
		nm_put32(room, nm_stun_fingerprint(b->w.start, b->w.len - NM_STUN_FINGERPRINT_LEN));
}

size_t nm_stun_end(struct nm_stun_builder *b)
{
	return nm_writer_ok(&b->w) ? b->w.len : 0;
}
