/* SPDX-License-Identifier: Apache-2.0 */
/* ICMP errors and IPv4 fragments; whether a packet is too big is decided by who seals it. */
#include "esp/too_big.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/checksum.h"

enum {
	TTL = 64,
	IP4_DF = 0x4000,
	IP4_MF = 0x2000,
	IP4_OFFSET = 0x1fff,
	PIECE_MIN = 8, /* RFC 791 3.2: a fragment block */
	OPTION_END = 0,
	OPTION_NONE = 1,
	OPTION_COPIED = 0x80,
	UNREACHABLE = 3, /* RFC 792 */
	FRAGMENTATION_NEEDED = 4,
	QUOTED4 = 548,       /* RFC 1812 4.3.2.3: as much as fits into 576 octets */
	PACKET_TOO_BIG = 2,  /* RFC 4443 3.2 */
	ICMPV6_ERRORS = 128, /* types below are errors */
};

bool nm_too_big_wants_icmp(const uint8_t *packet, const struct nm_inner_info *info)
{
	return info->family == NATMUX_FAMILY_IPV6 || (nm_get16(packet + 6) & IP4_DF);
}

/* RFC 1122 3.2.2: never about an ICMP error, nor a fragment but the first, nor a multicast. */
static bool may_be_answered(const uint8_t *packet, const struct nm_inner_info *info)
{
	if (info->family == NATMUX_FAMILY_IPV4) {
		if ((nm_get16(packet + 6) & IP4_OFFSET) || info->destination[0] >= 224 ||
			info->source[0] == 0 || info->source[0] >= 224)
			return false;
		return info->protocol != NM_PROTO_ICMP || info->transport >= info->len ||
		       packet[info->transport] == 8 || packet[info->transport] == 0;
	}
	/* Nor one that is from nobody in particular (RFC 4443 2.4 (e)). */
	if (info->source[0] == 0xff || memcmp(info->source, (const uint8_t[16]){0}, 16) == 0)
		return false;
	return info->protocol != NM_PROTO_ICMPV6 || info->transport >= info->len ||
	       packet[info->transport] >= ICMPV6_ERRORS;
}

static uint32_t make4(
	const uint8_t *packet, const struct nm_inner_info *info, uint32_t mtu, uint8_t *out)
{
	uint32_t quoted = info->len < QUOTED4 ? info->len : QUOTED4;
	uint8_t *icmp = out + NM_IP4_MIN;

	memset(out, 0, NM_IP4_MIN + 8);
	out[0] = 4 << 4 | NM_IP4_MIN / 4;
	out[1] = 0xc0; /* RFC 1812 4.3.2.5: internetwork control */
	nm_put16(out + 2, (uint16_t)(NM_IP4_MIN + 8 + quoted));
	out[8] = TTL;
	out[9] = NM_PROTO_ICMP;
	memcpy(out + 12, info->destination, 4);
	memcpy(out + 16, info->source, 4);
	nm_sum_put(out + 10, nm_sum_bytes(0, out, NM_IP4_MIN));
	icmp[0] = UNREACHABLE;
	icmp[1] = FRAGMENTATION_NEEDED;
	nm_put16(icmp + 6, (uint16_t)mtu);
	memcpy(icmp + 8, packet, quoted);
	nm_sum_put(icmp + 2, nm_sum_bytes(0, icmp, 8 + quoted));
	return NM_IP4_MIN + 8 + quoted;
}

static uint32_t make6(
	const uint8_t *packet, const struct nm_inner_info *info, uint32_t mtu, uint8_t *out)
{
	uint32_t most = NM_TOO_BIG_MAX - NM_IP6_LEN - 8;
	uint32_t quoted = info->len < most ? info->len : most;
	uint8_t *icmp = out + NM_IP6_LEN, rest[8] = {0};
	uint64_t sum;

	memset(out, 0, NM_IP6_LEN + 8);
	out[0] = 6 << 4;
	nm_put16(out + 4, (uint16_t)(8 + quoted));
	out[6] = NM_PROTO_ICMPV6;
	out[7] = TTL;
	memcpy(out + 8, info->destination, 16);
	memcpy(out + 24, info->source, 16);
	icmp[0] = PACKET_TOO_BIG;
	nm_put32(icmp + 4, mtu);
	memcpy(icmp + 8, packet, quoted);
	nm_put32(rest, 8 + quoted);
	rest[7] = NM_PROTO_ICMPV6;
	sum = nm_sum_bytes(nm_sum_bytes(0, out + 8, 32), rest, sizeof(rest));
	nm_sum_put(icmp + 2, nm_sum_bytes(sum, icmp, 8 + quoted));
	return NM_IP6_LEN + 8 + quoted;
}

uint32_t nm_too_big_make(const uint8_t *packet, const struct nm_inner_info *info, uint32_t mtu,
	uint8_t out[NM_TOO_BIG_MAX])
{
	if (!may_be_answered(packet, info))
		return 0;
	return info->family == NATMUX_FAMILY_IPV4 ? make4(packet, info, mtu, out)
						  : make6(packet, info, mtu, out);
}

/*
 * RFC 791 3.1: options with the copied flag are in each fragment, the others in the first alone.
 * Returns the header's length; what cannot be read, and all behind it, is left out.
 */
static uint32_t write_header(const uint8_t *packet, uint32_t len, bool is_first, uint8_t *out)
{
	uint32_t to = NM_IP4_MIN;

	memcpy(out, packet, is_first ? len : NM_IP4_MIN);
	if (is_first)
		return len;
	for (uint32_t at = NM_IP4_MIN; at < len && packet[at] != OPTION_END;) {
		bool is_single = packet[at] == OPTION_NONE;
		uint32_t size = is_single || at + 1 == len ? 1 : packet[at + 1];

		if (!is_single && (size < 2 || size > len - at))
			break;
		if (packet[at] & OPTION_COPIED) {
			memcpy(out + to, packet + at, size);
			to += size;
		}
		at += size;
	}
	while (to % 4 != 0)
		out[to++] = OPTION_END;
	out[0] = (uint8_t)(4 << 4 | to / 4);
	return to;
}

uint32_t nm_fragment_next(const uint8_t *packet, const struct nm_inner_info *info, uint32_t mtu,
	uint32_t *at, uint8_t *out)
{
	uint32_t header = info->transport, left = (uint32_t)info->len - header - *at, len;
	unsigned int flags = nm_get16(packet + 6);
	bool is_last;

	/* The first one's header is the longest: what takes it and a piece takes all. */
	if (left == 0 || mtu < header + PIECE_MIN)
		return 0;
	header = write_header(packet, header, *at == 0, out);
	len = left <= mtu - header ? left : (mtu - header) / PIECE_MIN * PIECE_MIN;
	is_last = len == left && !(flags & IP4_MF);
	memcpy(out + header, packet + info->transport + *at, len);
	nm_put16(out + 2, (uint16_t)(header + len));
	nm_put16(out + 6, (uint16_t)((is_last ? 0 : IP4_MF) | ((flags & IP4_OFFSET) + *at / 8)));
	nm_put16(out + 10, 0);
	nm_sum_put(out + 10, nm_sum_bytes(0, out, header));
	*at += len;
	return header + len;
}
