/* SPDX-License-Identifier: Apache-2.0 */
/* Decides what the value of an attribute says, and whether it has the size that takes. */
#include "stun/attr.h"

#include <string.h>
#include <natmux/error.h>
#include "base/reader.h"

/* Borrows the value of the first attribute of a type, to be read to its very end. */
static int open_value(const struct nm_stun_msg *msg, uint16_t type, struct nm_reader *r)
{
	struct nm_stun_attr attr;

	if (!nm_stun_find(msg, type, &attr))
		return NATMUX_ENOTFOUND;
	*r = nm_reader_init(attr.value, attr.len);
	return 0;
}

static bool is_read_out(const struct nm_reader *r)
{
	return nm_reader_ok(r) && r->left == 0;
}

void nm_stun_xor_ip(uint8_t *ip, size_t len, const uint8_t tid[NM_STUN_TID_LEN])
{
	uint8_t mask[16];

	nm_put32(mask, NM_STUN_COOKIE);
	memcpy(mask + 4, tid, NM_STUN_TID_LEN);
	for (size_t i = 0; i < len; i++)
		ip[i] ^= mask[i];
}

/* ::ffff:192.0.2.1 is IPv4 (RFC 4291 2.5.5.2), which a dual-stack server may well tell us. */
static void unmap_ipv4(struct natmux_addr *addr)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	if (addr->family != NATMUX_FAMILY_IPV6 || memcmp(addr->ip, prefix, sizeof(prefix)) != 0)
		return;
	addr->family = NATMUX_FAMILY_IPV4;
	memcpy(addr->ip, addr->ip + 12, 4);
	memset(addr->ip + 4, 0, 12);
}

int nm_stun_get_addr(const struct nm_stun_msg *msg, uint16_t type, struct natmux_addr *addr)
{
	struct natmux_addr a = {.family = NATMUX_FAMILY_NONE};
	struct nm_reader r;
	const uint8_t *ip;
	size_t ip_len;

	if (open_value(msg, type, &r) < 0)
		return NATMUX_ENOTFOUND;
	nm_read8(&r); /* RFC 8489 14.1: zero for the sender, ignored by the receiver */
	switch (nm_read8(&r)) {
	case NM_STUN_IPV4: a.family = NATMUX_FAMILY_IPV4; break;
	case NM_STUN_IPV6: a.family = NATMUX_FAMILY_IPV6; break;
	default: return NATMUX_EMALFORMED;
	}
	ip_len = a.family == NATMUX_FAMILY_IPV4 ? 4 : 16;
	a.port = nm_read16(&r);
	ip = nm_read(&r, ip_len);
	if (!ip || !is_read_out(&r))
		return NATMUX_EMALFORMED;
	memcpy(a.ip, ip, ip_len);
	if (nm_stun_is_xored(type)) {
		a.port ^= NM_STUN_COOKIE >> 16;
		nm_stun_xor_ip(a.ip, ip_len, msg->tid);
	}
	unmap_ipv4(&a);
	*addr = a;
	return 0;
}

int nm_stun_get_u32(const struct nm_stun_msg *msg, uint16_t type, uint32_t *value)
{
	struct nm_reader r;
	uint32_t v;

	if (open_value(msg, type, &r) < 0)
		return NATMUX_ENOTFOUND;
	v = nm_read32(&r);
	if (!is_read_out(&r))
		return NATMUX_EMALFORMED;
	*value = v;
	return 0;
}

int nm_stun_get_port(const struct nm_stun_msg *msg, uint16_t type, uint16_t *port)
{
	uint32_t v;
	int err = nm_stun_get_u32(msg, type, &v);

	if (err < 0)
		return err;
	*port = (uint16_t)(v >> 16);
	return 0;
}

int nm_stun_get_u64(const struct nm_stun_msg *msg, uint16_t type, uint64_t *value)
{
	struct nm_reader r;
	uint64_t v;

	if (open_value(msg, type, &r) < 0)
		return NATMUX_ENOTFOUND;
	v = nm_read64(&r);
	if (!is_read_out(&r))
		return NATMUX_EMALFORMED;
	*value = v;
	return 0;
}

int nm_stun_get_flag(const struct nm_stun_msg *msg, uint16_t type)
{
	struct nm_reader r;

	if (open_value(msg, type, &r) < 0)
		return NATMUX_ENOTFOUND;
	return is_read_out(&r) ? 0 : NATMUX_EMALFORMED;
}

int nm_stun_get_text(
	const struct nm_stun_msg *msg, uint16_t type, const uint8_t **text, size_t *len)
{
	size_t max = type == NM_STUN_USERNAME ? NM_STUN_USERNAME_MAX : NM_STUN_TEXT_MAX;
	struct nm_stun_attr attr;

	if (!nm_stun_find(msg, type, &attr))
		return NATMUX_ENOTFOUND;
	if (attr.len > max)
		return NATMUX_EMALFORMED;
	*text = attr.value;
	*len = attr.len;
	return 0;
}

int nm_stun_get_error(const struct nm_stun_msg *msg, struct nm_stun_error_info *error)
{
	struct nm_reader r;
	unsigned int hundreds, number;

	if (open_value(msg, NM_STUN_ERROR_CODE, &r) < 0)
		return NATMUX_ENOTFOUND;
	nm_read16(&r);                 /* RFC 8489 14.8: 21 reserved bits */
	hundreds = nm_read8(&r) & 0x7; /* then three of the class */
	number = nm_read8(&r);
	if (!nm_reader_ok(&r) || hundreds < 3 || hundreds > 6 || number > 99 ||
		r.left > NM_STUN_TEXT_MAX)
		return NATMUX_EMALFORMED;
	error->code = (uint16_t)(hundreds * 100 + number);
	error->reason = r.at;
	error->reason_len = r.left;
	return 0;
}

int nm_stun_get_unknown(
	const struct nm_stun_msg *msg, uint16_t types[NM_STUN_UNKNOWN_MAX], size_t *n)
{
	struct nm_reader r;
	size_t count = 0;

	if (open_value(msg, NM_STUN_UNKNOWN_ATTRIBUTES, &r) < 0)
		return NATMUX_ENOTFOUND;
	if (r.left % 2 != 0)
		return NATMUX_EMALFORMED;
	while (count < NM_STUN_UNKNOWN_MAX && r.left > 0)
		types[count++] = nm_read16(&r);
	*n = count;
	return 0;
}
