/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams become IP packets here, for relay and inject. Which addresses they get is theirs. */
#include "dispatcher/handoff_packets.h"

#include <natmux/mux.h>
#include "wire/udp.h"

_Static_assert((int)NM_PACKET_HEADER_MAX == (int)NM_UDP_STACK_MAX, "room for the longest headers");

/* Both sides of every packet of one train. */
struct ends {
	const struct natmux_addr *source, *destination;
	uint8_t tos;
};

static uint64_t datagrams_of(const struct nm_packet *packet)
{
	return packet->segment == 0 ? 1 : (packet->len + packet->segment - 1U) / packet->segment;
}

/* The port says how many it took, not which: the last ones are counted for those it refused. */
void nm_packets_flush(struct nm_packets *packets)
{
	size_t taken;
	uint64_t lost = 0;

	if (packets->n == 0)
		return;
	taken = packets->port.write(packets->port.user, packets->packets, packets->n);
	for (size_t i = taken; i < packets->n; i++)
		lost += datagrams_of(&packets->packets[i]);
	if (lost > 0)
		natmux_mux_drop(packets->mux, NATMUX_DROP_TUN_WRITE, lost);
	packets->n = 0;
}

static struct nm_packet *next_packet(struct nm_packets *packets)
{
	if (packets->n == NM_PACKETS_MAX)
		nm_packets_flush(packets);
	return &packets->packets[packets->n++];
}

static void add_one(
	struct nm_packets *packets, const struct ends *ends, const uint8_t *data, uint32_t len)
{
	struct nm_packet *packet = next_packet(packets);

	packet->header_len = (uint8_t)nm_udp_encode(
		packet->header, ends->source, ends->destination, ends->tos, data, len);
	packet->payload = data;
	packet->len = len;
	packet->segment = 0;
}

static void add_super(struct nm_packets *packets, const struct ends *ends, const uint8_t *data,
	uint32_t len, uint32_t segment)
{
	struct nm_packet *packet = next_packet(packets);

	packet->header_len = (uint8_t)nm_udp_encode_partial(
		packet->header, ends->source, ends->destination, ends->tos, len);
	packet->payload = data;
	packet->len = len;
	packet->segment = (uint16_t)segment;
}

/* Bytes of the longest super-packet of such segments; one segment when there are none. */
static uint32_t stride_of(const struct nm_packets *packets, uint32_t segment, size_t payload_max)
{
	uint32_t most = packets->port.super_max;

	if (most > payload_max)
		most = (uint32_t)payload_max;
	most -= most % segment;
	if (most > NM_PACKETS_SUPER_MAX * segment)
		most = NM_PACKETS_SUPER_MAX * segment;
	return most > segment ? most : segment;
}

void nm_packets_add(struct nm_packets *packets, const struct natmux_addr *source,
	const struct natmux_addr *destination, const struct natmux_train *train)
{
	struct ends ends = {source, destination, train->tos};
	size_t payload_max = nm_udp_payload_max(source->family);
	uint32_t segment = train->segment, stride;

	if (segment == 0 || segment > train->len)
		segment = train->len;
	if (segment > payload_max) {
		natmux_mux_drop(packets->mux, NATMUX_DROP_HANDOFF_SIZE, natmux_train_count(train));
		return;
	}
	if (segment == train->len) {
		add_one(packets, &ends, train->data, train->len);
		return;
	}
	stride = stride_of(packets, segment, payload_max);
	for (uint32_t at = 0; at < train->len; at += stride) {
		uint32_t len = train->len - at < stride ? train->len - at : stride;

		if (len > segment)
			add_super(packets, &ends, train->data + at, len, segment);
		else
			add_one(packets, &ends, train->data + at, len);
	}
}
