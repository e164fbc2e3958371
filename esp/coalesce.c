/* SPDX-License-Identifier: Apache-2.0 */
/* Which packets belong together, and the header that then stands for them. */
#include "esp/coalesce.h"

#include <string.h>

#include "base/bytes.h"
#include "esp/sum.h"

enum {
	IP4_CHECKSUM = 10,
	TCP_SEQUENCE = 4,
	TCP_OFFSET = 12,
	TCP_FLAGS = 13,
	TCP_CHECKSUM = 16,
	UDP_LENGTH = 4,
	UDP_CHECKSUM = 6,
	ACK = 0x10,
	PSH = 0x08,
};

void nm_coalesce_init(struct nm_coalesce *coalesce, const struct nm_coalesce_port *port)
{
	memset(coalesce, 0, sizeof(*coalesce));
	coalesce->port = *port;
}

static void deliver_single(struct nm_coalesce *coalesce, const uint8_t *packet, uint32_t len)
{
	struct natmux_gathered
		single; /* a whole one would be more to clear than the packet is long */

	single.offload = (struct natmux_offload){0};
	single.parts_len = 1;
	single.parts[0] = (struct natmux_gather_part){packet, len};
	coalesce->port.deliver(coalesce->port.user, &single);
}

/* A field of all ones is right as well, but would come out as zero: nobody writes it. */
static bool ip_header_is_right(const uint8_t *packet, const struct nm_inner_info *info)
{
	return info->family == NATMUX_FAMILY_IPV6 ||
	       (nm_get16(packet + IP4_CHECKSUM) != 0xffff &&
		       nm_sum_is_valid(nm_sum_bytes(0, packet, NM_IP4_MIN)));
}

/* Transport header and payload, pseudo header included, over the whole packet. */
static bool checksum_is_right(const uint8_t *packet, const struct nm_inner_info *info)
{
	size_t addr_len = info->family == NATMUX_FAMILY_IPV4 ? 4 : 16;
	uint32_t len = (uint32_t)info->len - info->transport;
	uint8_t rest[6] = {0, info->protocol};
	uint64_t sum = nm_sum_bytes(0, info->source, 2 * addr_len); /* the destination follows */

	nm_put32(rest + 2, len);
	sum = nm_sum_bytes(sum, rest, sizeof(rest));
	return nm_sum_is_valid(nm_sum_long(sum, packet + info->transport, len));
}

/* A TCP segment with data and nothing out of the ordinary: ACK, at most PSH with it. */
static uint32_t tcp_header_len(const uint8_t *packet, const struct nm_inner_info *info)
{
	const uint8_t *tcp = packet + info->transport;
	uint32_t len;

	if (info->len - info->transport < NM_TCP_MIN || (tcp[TCP_FLAGS] & ~PSH) != ACK ||
		nm_get16(tcp + TCP_CHECKSUM) == 0xffff)
		return 0;
	len = (tcp[TCP_OFFSET] >> 4) * 4u;
	if (len < NM_TCP_MIN || info->transport + len >= info->len)
		return 0;
	return info->transport + len;
}

/* A datagram with data and a checksum. */
static uint32_t udp_header_len(const uint8_t *packet, const struct nm_inner_info *info)
{
	const uint8_t *udp = packet + info->transport;

	if (info->len - info->transport <= NM_UDP_LEN ||
		nm_get16(udp + UDP_LENGTH) != info->len - info->transport ||
		nm_get16(udp + UDP_CHECKSUM) == 0)
		return 0;
	return info->transport + (uint32_t)NM_UDP_LEN;
}

/* Length of all headers of a packet that may be put together with others; 0: it may not. */
static uint32_t mergeable_header_len(
	const struct nm_coalesce *coalesce, const uint8_t *packet, const struct nm_inner_info *info)
{
	uint32_t len = 0;

	/* IP options and extension headers are too rare to be worth a comparison. */
	if (info->is_fragment ||
		info->transport != (info->family == NATMUX_FAMILY_IPV4 ? NM_IP4_MIN : NM_IP6_LEN))
		return 0;
	if (info->protocol == NM_PROTO_TCP && coalesce->port.has_tcp)
		len = tcp_header_len(packet, info);
	else if (info->protocol == NM_PROTO_UDP && coalesce->port.has_udp)
		len = udp_header_len(packet, info);
	/* RFC 3948 3.1.2, row N9: a checksum that was wrong must not become right in here. */
	if (len == 0 || !ip_header_is_right(packet, info) || !checksum_is_right(packet, info))
		return 0;
	return len;
}

/* Same addresses, ports and protocol. */
static bool is_same_flow(const struct nm_coalesce_slot *slot, const struct nm_inner_info *info)
{
	size_t addrs_len = info->family == NATMUX_FAMILY_IPV4 ? 8 : 32;

	return slot->packet && slot->info.family == info->family &&
	       slot->info.protocol == info->protocol &&
	       slot->info.source_port == info->source_port &&
	       slot->info.destination_port == info->destination_port &&
	       memcmp(slot->info.source, info->source, addrs_len) == 0;
}

/*
 * Alike in all that cutting the super-packet would copy: TOS, TTL, DF and the number in a row. The
 * kernel's GRO lets packets with DF have one number for all, too (RFC 6864: it means nothing then);
 * a TUN device has no word for that, and cut again they would have others.
 */
static bool ip_fits(const struct nm_coalesce_slot *slot, const uint8_t *packet,
	const struct nm_inner_info *info)
{
	const uint8_t *first = slot->packet;

	if (info->family == NATMUX_FAMILY_IPV6)
		return memcmp(first, packet, 4) == 0 && first[7] == packet[7];
	return first[1] == packet[1] && first[8] == packet[8] &&
	       memcmp(first + 6, packet + 6, 2) == 0 && nm_get16(packet + 4) == slot->next_id;
}

/* The next octets of the stream, with acknowledgement, window and options unchanged. */
static bool tcp_fits(const struct nm_coalesce_slot *slot, const uint8_t *packet,
	const struct nm_inner_info *info)
{
	const uint8_t *first = slot->packet + slot->info.transport, *tcp = packet + info->transport;
	size_t options_len = slot->header_len - slot->info.transport - (size_t)NM_TCP_MIN;

	return nm_get32(tcp + TCP_SEQUENCE) == slot->next_sequence &&
	       memcmp(first + 8, tcp + 8, 5) == 0 &&               /* acknowledgement, offset */
	       memcmp(first + 14, tcp + 14, 2) == 0 &&             /* window */
	       memcmp(first + 18, tcp + 18, 2 + options_len) == 0; /* urgent pointer, options */
}

static bool fits(const struct nm_coalesce_slot *slot, const uint8_t *packet,
	const struct nm_inner_info *info, uint32_t header_len)
{
	uint32_t payload = info->len - header_len;

	return !slot->is_closed && header_len == slot->header_len &&
	       payload <= slot->gathered.offload.segment &&
	       slot->header_len + slot->payload_len + payload <= NM_COALESCE_MAX &&
	       slot->gathered.parts_len < NATMUX_GATHER_PARTS - 1 && ip_fits(slot, packet, info) &&
	       (info->protocol == NM_PROTO_UDP || tcp_fits(slot, packet, info));
}

static void open_slot(struct nm_coalesce_slot *slot, uint8_t *packet,
	const struct nm_inner_info *info, uint32_t header_len)
{
	slot->packet = packet;
	slot->info = *info;
	slot->header_len = (uint16_t)header_len;
	slot->payload_len = 0;
	slot->count = 0;
	slot->is_closed = false;
	slot->gathered.parts_len = 0;
	slot->gathered.offload =
		(struct natmux_offload){.segment = (uint16_t)(info->len - header_len)};
}

static void append(struct nm_coalesce_slot *slot, uint8_t *packet, const struct nm_inner_info *info)
{
	uint32_t payload = (uint32_t)info->len - slot->header_len;
	uint8_t *data = slot->count == 0 ? packet : packet + slot->header_len;

	slot->gathered.parts[slot->gathered.parts_len++] =
		(struct natmux_gather_part){data, slot->count == 0 ? info->len : payload};
	slot->payload_len += payload;
	slot->count++;
	slot->is_closed = payload < slot->gathered.offload.segment;
	if (info->family == NATMUX_FAMILY_IPV4)
		slot->next_id = (uint16_t)(nm_get16(packet + 4) + 1);
	if (info->protocol != NM_PROTO_TCP)
		return;
	slot->next_sequence = nm_get32(packet + info->transport + TCP_SEQUENCE) + payload;
	if (packet[info->transport + TCP_FLAGS] & PSH) {
		/* Cut again, the last segment has it, and this is the last. */
		slot->packet[info->transport + TCP_FLAGS] |= PSH;
		slot->is_closed = true;
	}
}

/* The lengths and checksums of a header that stands for several packets. */
static void finish_header(struct nm_coalesce_slot *slot)
{
	const struct nm_inner_info *info = &slot->info;
	uint8_t *ip = slot->packet, *transport = ip + info->transport;
	uint32_t len = slot->header_len + slot->payload_len;
	bool is_tcp = info->protocol == NM_PROTO_TCP;
	size_t addr_len = info->family == NATMUX_FAMILY_IPV4 ? 4 : 16;
	uint8_t rest[6] = {0, info->protocol};

	if (info->family == NATMUX_FAMILY_IPV4) {
		nm_put16(ip + 2, (uint16_t)len);
		nm_put16(ip + IP4_CHECKSUM, 0);
		nm_sum_put(ip + IP4_CHECKSUM, nm_sum_bytes(0, ip, NM_IP4_MIN));
	} else {
		nm_put16(ip + 4, (uint16_t)(len - NM_IP6_LEN));
	}
	len -= info->transport;
	if (!is_tcp)
		nm_put16(transport + UDP_LENGTH, (uint16_t)len);
	nm_put32(rest + 2, len);
	nm_sum_put_partial(transport + (is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM),
		nm_sum_bytes(nm_sum_bytes(0, info->source, 2 * addr_len), rest, sizeof(rest)));
}

static void describe(struct nm_coalesce_slot *slot)
{
	struct natmux_offload *offload = &slot->gathered.offload;
	bool is_tcp = slot->info.protocol == NM_PROTO_TCP;

	offload->kind = NATMUX_OFFLOAD_UDP;
	if (is_tcp)
		offload->kind = slot->info.family == NATMUX_FAMILY_IPV4 ? NATMUX_OFFLOAD_TCP4
									: NATMUX_OFFLOAD_TCP6;
	offload->needs_checksum = 1;
	offload->header_len = slot->header_len;
	offload->checksum_start = slot->info.transport;
	offload->checksum_offset = is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM;
}

static void empty_slot(struct nm_coalesce *coalesce, struct nm_coalesce_slot *slot)
{
	if (!slot->packet)
		return;
	if (slot->count > 1) {
		finish_header(slot);
		describe(slot);
		coalesce->port.deliver(coalesce->port.user, &slot->gathered);
	} else {
		deliver_single(coalesce, slot->packet, slot->info.len);
	}
	slot->packet = NULL;
}

static struct nm_coalesce_slot *find_slot(
	struct nm_coalesce *coalesce, const struct nm_inner_info *info)
{
	for (unsigned int i = 0; i < NM_COALESCE_SLOTS; i++)
		if (is_same_flow(&coalesce->slots[i], info))
			return &coalesce->slots[i];
	return NULL;
}

static struct nm_coalesce_slot *free_slot(struct nm_coalesce *coalesce)
{
	struct nm_coalesce_slot *slot;

	for (unsigned int i = 0; i < NM_COALESCE_SLOTS; i++)
		if (!coalesce->slots[i].packet)
			return &coalesce->slots[i];
	slot = &coalesce->slots[coalesce->oldest];
	coalesce->oldest = (coalesce->oldest + 1) % NM_COALESCE_SLOTS;
	empty_slot(coalesce, slot);
	return slot;
}

void nm_coalesce_add(
	struct nm_coalesce *coalesce, uint8_t *packet, const struct nm_inner_info *info)
{
	uint32_t header_len = mergeable_header_len(coalesce, packet, info);
	struct nm_coalesce_slot *slot = find_slot(coalesce, info);

	if (slot && header_len > 0 && fits(slot, packet, info, header_len)) {
		append(slot, packet, info);
		return;
	}
	/* Whatever does not fit goes behind what is there: the flow's order stays. */
	if (slot)
		empty_slot(coalesce, slot);
	if (header_len == 0) {
		deliver_single(coalesce, packet, info->len);
		return;
	}
	slot = slot ? slot : free_slot(coalesce);
	open_slot(slot, packet, info, header_len);
	append(slot, packet, info);
}

void nm_coalesce_flush(struct nm_coalesce *coalesce)
{
	for (unsigned int i = 0; i < NM_COALESCE_SLOTS; i++)
		empty_slot(coalesce, &coalesce->slots[i]);
}
