/* SPDX-License-Identifier: Apache-2.0 */
/* IP headers of transport mode. Who may use it is decided by the SA. */
#include "esp/transport.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/checksum.h"

enum { TTL = 64, IP4_DF = 0x4000, TCP_CHECKSUM = 16, UDP_CHECKSUM = 6 };

bool nm_transport_fits(const struct nm_inner_info *info)
{
	return !info->is_fragment &&
	       info->transport == (info->family == NATMUX_FAMILY_IPV4 ? NM_IP4_MIN : NM_IP6_LEN);
}

static uint64_t pseudo_sum(
	const struct natmux_path *path, size_t addr_len, uint8_t protocol, uint32_t len)
{
	uint8_t rest[6] = {0, protocol};
	uint64_t sum = nm_sum_bytes(0, path->remote.ip, addr_len);

	nm_put32(rest + 2, len);
	return nm_sum_bytes(nm_sum_bytes(sum, path->local.ip, addr_len), rest, sizeof(rest));
}

static void fix_checksum(
	const struct natmux_path *path, uint8_t protocol, uint8_t *payload, uint32_t len)
{
	size_t addr_len = path->remote.family == NATMUX_FAMILY_IPV4 ? 4 : 16;
	uint32_t at = protocol == NM_PROTO_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;

	if ((protocol != NM_PROTO_TCP && protocol != NM_PROTO_UDP) || len < at + 2)
		return;
	/* RFC 768: a datagram without a checksum keeps none. */
	if (protocol == NM_PROTO_UDP && nm_get16(payload + at) == 0)
		return;
	nm_put16(payload + at, 0);
	nm_sum_put(payload + at,
		nm_sum_bytes(pseudo_sum(path, addr_len, protocol, len), payload, len));
	if (protocol == NM_PROTO_UDP && nm_get16(payload + at) == 0)
		nm_put16(payload + at, 0xffff);
}

static uint32_t make4(
	const struct natmux_path *path, uint8_t tos, uint8_t protocol, uint32_t len, uint8_t *out)
{
	memset(out, 0, NM_IP4_MIN);
	out[0] = 4 << 4 | NM_IP4_MIN / 4;
	out[1] = tos;
	nm_put16(out + 2, (uint16_t)(NM_IP4_MIN + len));
	nm_put16(out + 6, IP4_DF);
	out[8] = TTL;
	out[9] = protocol;
	memcpy(out + 12, path->remote.ip, 4);
	memcpy(out + 16, path->local.ip, 4);
	nm_sum_put(out + 10, nm_sum_bytes(0, out, NM_IP4_MIN));
	return NM_IP4_MIN;
}

static uint32_t make6(
	const struct natmux_path *path, uint8_t tos, uint8_t protocol, uint32_t len, uint8_t *out)
{
	memset(out, 0, NM_IP6_LEN);
	out[0] = (uint8_t)(6 << 4 | tos >> 4);
	out[1] = (uint8_t)((tos & 0x0f) << 4);
	nm_put16(out + 4, (uint16_t)len);
	out[6] = protocol;
	out[7] = TTL;
	memcpy(out + 8, path->remote.ip, 16);
	memcpy(out + 24, path->local.ip, 16);
	return NM_IP6_LEN;
}

uint32_t nm_transport_restore(const struct natmux_path *path, uint8_t tos, uint8_t protocol,
	uint8_t *payload, uint32_t len, uint8_t *out)
{
	if (path->remote.family == NATMUX_FAMILY_NONE ||
		path->remote.family != path->local.family || len > UINT16_MAX - NM_IP6_LEN)
		return 0;
	fix_checksum(path, protocol, payload, len);
	return path->remote.family == NATMUX_FAMILY_IPV4 ? make4(path, tos, protocol, len, out)
							 : make6(path, tos, protocol, len, out);
}
