/* SPDX-License-Identifier: Apache-2.0 */
/* Segmentation in software: TCP over both IPs, UDP over both. */
#include "esp/split.h"

#include <string.h>

#include "base/bytes.h"
#include "esp/sum.h"

enum {
	TCP_SEQUENCE = 4,
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_CHECKSUM = 16,
	UDP_LENGTH = 4,
	UDP_CHECKSUM = 6,
	IP4_LENGTH = 2,
	IP4_ID = 4,
	IP4_CHECKSUM = 10,
	FIN = 0x01,
	PSH = 0x08,
	CWR = 0x80,
};

/* RFC 793 3.1, RFC 768, RFC 8200 8.1: addresses and protocol; the length is added later. */
static uint64_t pseudo_sum(const struct nm_inner_info *info)
{
	size_t addr_len = info->family == NATMUX_FAMILY_IPV4 ? 4 : 16;
	const uint8_t protocol[2] = {0, info->protocol};
	uint64_t sum = nm_sum_bytes(0, info->source, addr_len);

	sum = nm_sum_bytes(sum, info->destination, addr_len);
	return nm_sum_bytes(sum, protocol, sizeof(protocol));
}

/*
 * A single packet, whose checksum may be left to us: the transport's, or that of a packet inside it
 * when another tunnel (GRE, VXLAN, IP in IP) ends in the same device.
 */
static bool init_single(struct nm_split *split, const struct natmux_offload *offload)
{
	const struct nm_inner_info *info = &split->info;
	uint32_t at = (uint32_t)offload->checksum_start + offload->checksum_offset;

	split->count = 1;
	split->header_len = info->len;
	split->needs_checksum = offload->needs_checksum;
	if (!split->needs_checksum)
		return true;
	split->checksum_start = offload->checksum_start;
	split->checksum_at = (uint16_t)at;
	return offload->checksum_start >= info->transport && !info->is_fragment &&
	       at + 2 <= info->len;
}

/* RFC 1071 2(A): the order of addition is free, so what changes is left out and added later. */
static void sum_headers(struct nm_split *split)
{
	const uint8_t *ip = split->packet, *transport = ip + split->info.transport;
	size_t len = (size_t)split->header_len - split->info.transport;
	uint64_t sum = pseudo_sum(&split->info);

	if (split->info.family == NATMUX_FAMILY_IPV4)
		split->ip_sum = nm_sum_bytes(nm_sum_4(nm_sum_2(0, ip), ip + IP4_ID + 2),
			ip + IP4_CHECKSUM + 2, (size_t)split->info.transport - IP4_CHECKSUM - 2);
	sum = nm_sum_4(sum, transport); /* ports */
	if (split->kind != NATMUX_OFFLOAD_UDP) {
		sum = nm_sum_4(sum, transport + TCP_SEQUENCE + 4); /* acknowledgement */
		sum = nm_sum_2(sum, transport + TCP_OFFSET + 2);   /* window */
		sum = nm_sum_bytes(sum, transport + TCP_CHECKSUM + 2, len - TCP_CHECKSUM - 2);
	}
	split->transport_sum = sum;
}

static bool init_train(struct nm_split *split, const struct natmux_offload *offload)
{
	const struct nm_inner_info *info = &split->info;
	bool is_tcp = split->kind != NATMUX_OFFLOAD_UDP;
	uint32_t transport_len = NM_UDP_LEN;

	/* RFC 8200 8.1: the pseudo header has the last destination, which a routing header hides. */
	if (info->has_routing)
		return false;
	if (split->kind > NATMUX_OFFLOAD_UDP || info->is_fragment || offload->segment == 0 ||
		info->protocol != (is_tcp ? NM_PROTO_TCP : NM_PROTO_UDP))
		return false;
	if ((split->kind == NATMUX_OFFLOAD_TCP4 && info->family != NATMUX_FAMILY_IPV4) ||
		(split->kind == NATMUX_OFFLOAD_TCP6 && info->family != NATMUX_FAMILY_IPV6))
		return false;
	if (is_tcp) {
		if (info->transport + (uint32_t)NM_TCP_MIN > info->len)
			return false;
		transport_len = (split->packet[info->transport + TCP_OFFSET] >> 4) * 4u;
		if (transport_len < NM_TCP_MIN)
			return false;
	}
	if (info->transport + transport_len > info->len)
		return false;
	split->header_len = (uint16_t)(info->transport + transport_len);
	split->checksum_at = (uint16_t)(info->transport + (is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM));
	split->segment = offload->segment;
	split->payload_len = (uint32_t)info->len - split->header_len;
	split->count = (split->payload_len + split->segment - 1) / split->segment;
	split->count += split->count == 0;
	sum_headers(split);
	return true;
}

bool nm_split_init(struct nm_split *split, const struct natmux_inner *inner)
{
	memset(split, 0, sizeof(*split));
	split->packet = inner->data;
	split->kind = inner->offload.kind;
	/* The device hands out whole packets: nothing in front of the header, nothing behind. */
	if (!nm_inner_read(inner->data, inner->len, &split->info) || split->info.len != inner->len)
		return false;
	return split->kind == NATMUX_OFFLOAD_NONE ? init_single(split, &inner->offload)
						  : init_train(split, &inner->offload);
}

static uint32_t payload_of(const struct nm_split *split, uint32_t i)
{
	uint32_t left = split->payload_len - i * split->segment;

	return left < split->segment ? left : split->segment;
}

uint32_t nm_split_len(const struct nm_split *split, uint32_t i)
{
	return split->header_len + (split->kind == NATMUX_OFFLOAD_NONE ? 0 : payload_of(split, i));
}

static void write_ip(const struct nm_split *split, uint32_t i, uint8_t *out, uint32_t len)
{
	if (split->info.family == NATMUX_FAMILY_IPV6) {
		nm_put16(out + 4, (uint16_t)(len - NM_IP6_LEN));
		return;
	}
	nm_put16(out + IP4_LENGTH, (uint16_t)len);
	nm_put16(out + IP4_ID, (uint16_t)(nm_get16(out + IP4_ID) + i));
	nm_sum_put(out + IP4_CHECKSUM, nm_sum_4(split->ip_sum, out + IP4_LENGTH));
}

/* RFC 793 3.1; FIN and PSH belong to the last segment, CWR to the first (RFC 3168 6.1.2). */
static void write_tcp(const struct nm_split *split, uint32_t i, uint8_t *tcp)
{
	nm_put32(tcp + TCP_SEQUENCE, nm_get32(tcp + TCP_SEQUENCE) + i * split->segment);
	if (i + 1 < split->count)
		tcp[TCP_FLAGS] &= (uint8_t) ~(FIN | PSH);
	if (i > 0)
		tcp[TCP_FLAGS] &= (uint8_t)~CWR;
}

/* RFC 768: a sum of zero is sent as all ones, for zero means that there is none. */
static void put_checksum(uint8_t *field, uint64_t sum, bool is_tcp)
{
	nm_sum_put(field, sum);
	if (!is_tcp && nm_get16(field) == 0)
		nm_put16(field, 0xffff);
}

/* A single packet. The field holds the sum of the pseudo header: it belongs to what is summed. */
static void write_single(const struct nm_split *split, uint8_t *out)
{
	const uint8_t *packet = split->packet;
	uint32_t len = split->info.len, start = split->checksum_start;

	if (!split->needs_checksum) {
		memcpy(out, packet, len);
		return;
	}
	memcpy(out, packet, start);
	put_checksum(out + split->checksum_at,
		nm_sum_copy(0, out + start, packet + start, len - start), false);
}

/* Of a segment of `len` octets, complete but for it; `sum` is the payload's. */
static void write_checksum(const struct nm_split *split, uint64_t sum, uint8_t *out, uint32_t len)
{
	const uint8_t *transport = out + split->info.transport;
	bool is_tcp = split->kind != NATMUX_OFFLOAD_UDP;
	uint8_t length[4];

	nm_put32(length, len - split->info.transport); /* of the pseudo header */
	sum = nm_sum_4(nm_sum_add(sum, split->transport_sum), length);
	if (is_tcp)
		sum = nm_sum_2(nm_sum_4(sum, transport + TCP_SEQUENCE), transport + TCP_OFFSET);
	else
		sum = nm_sum_2(sum, transport + UDP_LENGTH);
	put_checksum(out + split->checksum_at, sum, is_tcp);
}

void nm_split_write(const struct nm_split *split, uint32_t i, uint8_t *out)
{
	uint32_t len = nm_split_len(split, i), header_len = split->header_len;
	uint64_t sum;

	if (split->kind == NATMUX_OFFLOAD_NONE) {
		write_single(split, out);
		return;
	}
	memcpy(out, split->packet, header_len);
	sum = nm_sum_copy(0, out + header_len,
		split->packet + header_len + (size_t)i * split->segment, len - header_len);
	write_ip(split, i, out, len);
	if (split->kind == NATMUX_OFFLOAD_UDP)
		nm_put16(out + split->info.transport + UDP_LENGTH,
			(uint16_t)(len - split->info.transport));
	else
		write_tcp(split, i, out + split->info.transport);
	write_checksum(split, sum, out, len);
}
