/* SPDX-License-Identifier: Apache-2.0 */
/* Link, IP and UDP headers of captured frames. */
#include "bench/frame.h"

#include "base/reader.h"
#include "wire/ip.h"
#include "wire/udp.h"

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	TYPE_VLAN = 0x8100,         /* IEEE 802.1Q */
	TYPE_SERVICE_VLAN = 0x88a8, /* IEEE 802.1ad */
	TAGS_MAX = 2,
};

bool nm_frame_link_is_known(int link)
{
	switch (link) {
#define X(name, number) case number:
		NM_FRAME_LINK_MAP(X)
#undef X
		return true;
	default: return false;
	}
}

static bool is_vlan(uint16_t type)
{
	return type == TYPE_VLAN || type == TYPE_SERVICE_VLAN;
}

/* Moves over the link's header. False: what follows is not IP. */
static bool skip_link(int link, struct nm_reader *r)
{
	uint16_t type = TYPE_IPV4;

	switch (link) {
	case NM_FRAME_LINK_RAW:
	case NM_FRAME_LINK_IPV4:
	case NM_FRAME_LINK_IPV6: return true;
	/* The family's number differs between systems; the IP version will tell. */
	case NM_FRAME_LINK_NULL:
	case NM_FRAME_LINK_LOOP: nm_read(r, 4); return nm_reader_ok(r);
	case NM_FRAME_LINK_ETHERNET:
		nm_read(r, 12);
		type = nm_read16(r);
		break;
	case NM_FRAME_LINK_LINUX_SLL:
		nm_read(r, 14);
		type = nm_read16(r);
		break;
	case NM_FRAME_LINK_LINUX_SLL2:
		type = nm_read16(r);
		nm_read(r, 18);
		break;
	default: return false;
	}
	for (int i = 0; i < TAGS_MAX && is_vlan(type); i++) {
		nm_read16(r);
		type = nm_read16(r);
	}
	return nm_reader_ok(r) && (type == TYPE_IPV4 || type == TYPE_IPV6);
}

const uint8_t *nm_frame_udp_payload(int link, const uint8_t *frame, size_t len, size_t *payload_len)
{
	struct nm_reader r = nm_reader_init(frame, len);
	struct nm_ip ip;
	size_t udp_len;

	if (!skip_link(link, &r) || nm_ip_decode(r.at, r.left, &ip) != NM_IP_GOOD)
		return NULL;
	if (ip.protocol != NM_IP_PROTOCOL_UDP || ip.len < NM_UDP_HEADER_LEN)
		return NULL;
	udp_len = nm_get16(ip.payload + 4);
	if (udp_len < NM_UDP_HEADER_LEN || udp_len > ip.len)
		return NULL;
	*payload_len = udp_len - NM_UDP_HEADER_LEN;
	return ip.payload + NM_UDP_HEADER_LEN;
}
