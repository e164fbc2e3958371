/* SPDX-License-Identifier: Apache-2.0 */
/* Reads inner packets' headers; what may pass is the selectors' question. */
#include "esp/inner.h"

#include "base/bytes.h"

enum {
	HOP_BY_HOP = 0, /* RFC 8200 4 */
	ROUTING = 43,
	FRAGMENT = 44,
	DESTINATION = 60,
	EXTENSIONS_MAX = 8, /* more is nobody's packet */
	DCCP = 33,
	SCTP = 132,
	UDP_LITE = 136,
};

static bool protocol_has_ports(uint8_t protocol)
{
	return protocol == NM_PROTO_TCP || protocol == NM_PROTO_UDP || protocol == SCTP ||
	       protocol == DCCP || protocol == UDP_LITE;
}

static void read_ports(const uint8_t *packet, bool is_later_fragment, struct nm_inner_info *info)
{
	info->has_ports = !is_later_fragment && protocol_has_ports(info->protocol) &&
			  info->transport + 4 <= info->len;
	if (!info->has_ports)
		return;
	info->source_port = nm_get16(packet + info->transport);
	info->destination_port = nm_get16(packet + info->transport + 2);
}

static bool read_ipv4(const uint8_t *packet, size_t len, struct nm_inner_info *info)
{
	unsigned int fragment;

	if (len < NM_IP4_MIN)
		return false;
	fragment = nm_get16(packet + 6);
	*info = (struct nm_inner_info){
		.family = NATMUX_FAMILY_IPV4,
		.protocol = packet[9],
		.is_fragment = (fragment & 0x3fff) != 0,
		.tos = packet[1],
		.len = nm_get16(packet + 2),
		.transport = (uint16_t)((packet[0] & 0x0f) * 4),
		.source = packet + 12,
		.destination = packet + 16,
	};
	if (info->transport < NM_IP4_MIN || info->len < info->transport || info->len > len)
		return false;
	read_ports(packet, (fragment & 0x1fff) != 0, info);
	return true;
}

/* Walks to the header that is no extension. False when one is cut off. */
static bool skip_extensions(
	const uint8_t *packet, struct nm_inner_info *info, bool *is_later_fragment)
{
	for (unsigned int i = 0; i <= EXTENSIONS_MAX; i++) {
		const uint8_t *header = packet + info->transport;
		unsigned int size;

		if (info->protocol != HOP_BY_HOP && info->protocol != ROUTING &&
			info->protocol != FRAGMENT && info->protocol != DESTINATION)
			return true;
		if (info->transport + 8u > info->len)
			return false;
		size = info->protocol == FRAGMENT ? 8 : (header[1] + 1u) * 8;
		if (info->protocol == FRAGMENT) {
			/* Offset and more-flag; neither: all of a packet (RFC 6946). */
			info->is_fragment |= (nm_get16(header + 2) & 0xfff9) != 0;
			*is_later_fragment = nm_get16(header + 2) >> 3 != 0;
		}
		if (info->transport + size > info->len)
			return false;
		info->has_routing |= info->protocol == ROUTING;
		info->protocol = header[0];
		info->transport = (uint16_t)(info->transport + size);
		/* What follows in a later fragment is data, whatever it looks like. */
		if (*is_later_fragment)
			return true;
	}
	return false;
}

static bool read_ipv6(const uint8_t *packet, size_t len, struct nm_inner_info *info)
{
	bool is_later_fragment = false;

	if (len < NM_IP6_LEN || nm_get16(packet + 4) > len - NM_IP6_LEN ||
		nm_get16(packet + 4) > UINT16_MAX - NM_IP6_LEN)
		return false;
	*info = (struct nm_inner_info){
		.family = NATMUX_FAMILY_IPV6,
		.protocol = packet[6],
		.tos = (uint8_t)(packet[0] << 4 | packet[1] >> 4),
		.len = (uint16_t)(nm_get16(packet + 4) + NM_IP6_LEN),
		.transport = NM_IP6_LEN,
		.source = packet + 8,
		.destination = packet + 24,
	};
	if (!skip_extensions(packet, info, &is_later_fragment))
		return false;
	read_ports(packet, is_later_fragment, info);
	return true;
}

bool nm_inner_read(const uint8_t *packet, size_t len, struct nm_inner_info *result)
{
	struct nm_inner_info info;
	unsigned int version = len > 0 ? packet[0] >> 4 : 0;

	if (version == 4 ? !read_ipv4(packet, len, &info)
			 : version != 6 || !read_ipv6(packet, len, &info))
		return false;
	*result = info;
	return true;
}
