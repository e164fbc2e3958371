/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Translates the header that goes before each packet of the device. Trusts the kernel as little as
 * anybody: what the header says must fit the packet.
 */
#include "io/inner_tun_vnet.h"

#include <string.h>

enum {
	IP4_MIN = 20, /* RFC 791 3.1 */
	IP4_PROTOCOL = 9,
	IP6_LEN = 40, /* RFC 8200 3 */
	IP6_NEXT_HEADER = 6,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	TCP_MIN = 20, /* RFC 9293 3.1 */
	TCP_OFFSET = 12,
	TCP_CHECKSUM = 16,
	UDP_LEN = 8, /* RFC 768 */
	UDP_CHECKSUM = 6,
};

/* False: not a kind of ours. */
static bool decode_kind(uint8_t gso_type, uint8_t *kind)
{
	/* ECN: the first segment has CWR, which whoever cuts it sees in its flags. */
	switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_NONE: *kind = NATMUX_OFFLOAD_NONE; return true;
	case VIRTIO_NET_HDR_GSO_TCPV4: *kind = NATMUX_OFFLOAD_TCP4; return true;
	case VIRTIO_NET_HDR_GSO_TCPV6: *kind = NATMUX_OFFLOAD_TCP6; return true;
	case VIRTIO_NET_HDR_GSO_UDP_L4: *kind = NATMUX_OFFLOAD_UDP; return true;
	default: return false;
	}
}

static uint8_t encode_kind(uint8_t kind)
{
	switch ((enum natmux_offload_kind)kind) {
	case NATMUX_OFFLOAD_TCP4: return VIRTIO_NET_HDR_GSO_TCPV4;
	case NATMUX_OFFLOAD_TCP6: return VIRTIO_NET_HDR_GSO_TCPV6;
	case NATMUX_OFFLOAD_UDP: return VIRTIO_NET_HDR_GSO_UDP_L4;
	case NATMUX_OFFLOAD_NONE: break;
	}
	return VIRTIO_NET_HDR_GSO_NONE;
}

/*
 * Where the transport header begins, asked of the IP header; 0: it is none of this protocol. Behind
 * extension headers it is where the kernel `said` (0: it did not say).
 */
static uint32_t transport_of(const uint8_t *data, uint32_t len, uint8_t protocol, uint32_t said)
{
	uint32_t ip4_len;

	if (len >= IP6_LEN && data[0] >> 4 == 6) {
		if (data[IP6_NEXT_HEADER] == protocol)
			return IP6_LEN;
		return said > IP6_LEN ? said : 0;
	}
	if (len < IP4_MIN || data[0] >> 4 != 4 || data[IP4_PROTOCOL] != protocol)
		return 0;
	ip4_len = (data[0] & 0x0f) * 4u;
	return ip4_len < IP4_MIN ? 0 : ip4_len;
}

/* The kinds of TCP name their IP version. */
static bool has_version(uint8_t kind, const uint8_t *data)
{
	return (kind != NATMUX_OFFLOAD_TCP4 || data[0] >> 4 == 4) &&
	       (kind != NATMUX_OFFLOAD_TCP6 || data[0] >> 4 == 6);
}

/*
 * A super-packet: what the packet shows is taken from there. The kernel's own header_len is that of
 * a buffer and may be anything.
 */
static bool decode_super(struct natmux_offload *offload, const uint8_t *data, uint32_t len)
{
	bool is_tcp = offload->kind != NATMUX_OFFLOAD_UDP;
	uint32_t said = offload->needs_checksum ? offload->checksum_start : 0;
	uint32_t start = transport_of(data, len, is_tcp ? PROTO_TCP : PROTO_UDP, said);
	uint32_t header_len = UDP_LEN;

	if (start == 0 || (said > 0 && said != start) || offload->segment == 0 ||
		!has_version(offload->kind, data) || start + (is_tcp ? TCP_MIN : UDP_LEN) > len)
		return false;
	if (offload->needs_checksum &&
		offload->checksum_offset != (is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM))
		return false;
	if (is_tcp)
		header_len = (data[start + TCP_OFFSET] >> 4) * 4u;
	if ((is_tcp && header_len < TCP_MIN) || start + header_len > len)
		return false;
	offload->header_len = (uint16_t)(start + header_len);
	return true;
}

bool nm_vnet_decode(const uint8_t bytes[static NM_VNET_LEN], bool is_le, const uint8_t *data,
	uint32_t len, struct natmux_offload *result)
{
	struct natmux_offload offload = {0};
	struct virtio_net_hdr vnet;

	memcpy(&vnet, bytes, sizeof(vnet));
	if (!decode_kind(vnet.gso_type, &offload.kind))
		return false;
	if (vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		offload.needs_checksum = 1;
		offload.checksum_start = nm_vnet16(is_le, vnet.csum_start);
		offload.checksum_offset = nm_vnet16(is_le, vnet.csum_offset);
		if (offload.checksum_start == 0 ||
			(uint32_t)offload.checksum_start + offload.checksum_offset + 2 > len)
			return false;
	}
	offload.segment = nm_vnet16(is_le, vnet.gso_size);
	if (offload.kind == NATMUX_OFFLOAD_NONE)
		offload.segment = 0;
	else if (!decode_super(&offload, data, len))
		return false;
	*result = offload;
	return true;
}

void nm_vnet_encode(
	const struct natmux_offload *offload, bool is_le, uint8_t bytes[static NM_VNET_LEN])
{
	struct virtio_net_hdr vnet = {.gso_type = encode_kind(offload->kind)};

	if (offload->needs_checksum) {
		vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		vnet.csum_start = nm_vnet16(is_le, offload->checksum_start);
		vnet.csum_offset = nm_vnet16(is_le, offload->checksum_offset);
	}
	if (offload->kind != NATMUX_OFFLOAD_NONE) {
		/* So much the kernel puts in one piece; the rest goes to pages. */
		vnet.hdr_len = nm_vnet16(is_le, offload->header_len);
		vnet.gso_size = nm_vnet16(is_le, offload->segment);
	}
	memcpy(bytes, &vnet, sizeof(vnet));
}
