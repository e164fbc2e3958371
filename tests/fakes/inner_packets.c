/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/inner_packets.h"

#include <stdlib.h>
#include <string.h>
#include "tests/fakes/inet_sum.h"

enum { TCP = 6, UDP = 17, DESTINATION_OPTIONS = 60 };

static void put16(uint8_t *to, unsigned int v)
{
	to[0] = (uint8_t)(v >> 8);
	to[1] = (uint8_t)v;
}

static void put32(uint8_t *to, uint32_t v)
{
	put16(to, v >> 16);
	put16(to + 2, v & 0xffff);
}

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

uint16_t inner_sum(uint32_t start, const uint8_t *data, size_t len)
{
	return (uint16_t)~inet_sum(data, len, start);
}

/* Where the transport's header begins, behind options of either family. */
static size_t transport_at(const uint8_t *packet)
{
	if (packet[0] >> 4 == 4)
		return (packet[0] & 15) * (size_t)4;
	return 40 + (packet[6] == DESTINATION_OPTIONS ? (packet[41] + (size_t)1) * 8 : 0);
}

static uint8_t protocol_of(const uint8_t *packet)
{
	if (packet[0] >> 4 == 4)
		return packet[9];
	return packet[6] == DESTINATION_OPTIONS ? packet[40] : packet[6];
}

static size_t len_of(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? get16(packet + 2) : get16(packet + 4) + (size_t)40;
}

/* RFC 793 3.1, RFC 8200 8.1. */
static uint32_t pseudo_sum(const uint8_t *packet)
{
	bool is_v4 = packet[0] >> 4 == 4;
	uint8_t rest[8] = {0, 0, 0, 0, 0, 0, 0, protocol_of(packet)};
	uint32_t sum = inet_sum(packet + (is_v4 ? 12 : 8), is_v4 ? 8 : 32, 0);

	put32(rest, (uint32_t)(len_of(packet) - transport_at(packet)));
	return inet_sum(rest, sizeof(rest), sum);
}

void inner_fix(uint8_t *packet)
{
	size_t at = transport_at(packet);
	bool is_tcp = protocol_of(packet) == TCP;
	uint8_t *field = packet + at + (is_tcp ? 16 : 6);
	uint16_t sum;

	if (packet[0] >> 4 == 4) {
		put16(packet + 10, 0);
		put16(packet + 10, inner_sum(0, packet, at));
	}
	put16(field, 0);
	sum = inner_sum(pseudo_sum(packet), packet + at, len_of(packet) - at);
	put16(field, sum == 0 && !is_tcp ? 0xffff : sum);
}

bool inner_is_right(const uint8_t *packet, size_t len)
{
	size_t at = transport_at(packet);
	bool is_v4 = packet[0] >> 4 == 4;

	if (len != len_of(packet) || (is_v4 && inner_sum(0, packet, at) != 0))
		return false;
	if (protocol_of(packet) == UDP && get16(packet + at + 4) != len - at)
		return false;
	if (protocol_of(packet) == UDP && get16(packet + at + 6) == 0)
		return is_v4;
	return inner_sum(pseudo_sum(packet), packet + at, len - at) == 0;
}

struct inner_spec inner_spec(uint8_t family, uint8_t protocol)
{
	return (struct inner_spec){
		.family = family,
		.protocol = protocol,
		.host = 7,
		.source_port = 443,
		.destination_port = 50000,
		.ttl = 63,
		.id = 0x1234,
		.fragment = INNER_DF,
		.sequence = 1000000,
		.ack = 77,
		.flags = INNER_ACK,
		.window = 501,
		.payload_len = 1000,
	};
}

static size_t put_ipv4(const struct inner_spec *spec, uint8_t *packet, size_t rest)
{
	size_t len = 20 + (size_t)spec->ip_options;
	const uint8_t addrs[8] = {10, 1, 0, spec->host, 10, 2, 0, spec->host};

	packet[0] = (uint8_t)(0x40 | len / 4);
	packet[1] = spec->tos;
	put16(packet + 2, (unsigned int)(len + rest));
	put16(packet + 4, spec->id);
	put16(packet + 6, spec->fragment);
	packet[8] = spec->ttl;
	packet[9] = spec->protocol;
	memcpy(packet + 12, addrs, sizeof(addrs));
	memset(packet + 20, 1, spec->ip_options);
	return len;
}

static size_t put_ipv6(const struct inner_spec *spec, uint8_t *packet, size_t rest)
{
	uint8_t options = spec->ip_options;

	put32(packet, UINT32_C(6) << 28 | (uint32_t)spec->tos << 20 | spec->flow_label);
	put16(packet + 4, (unsigned int)(options + rest));
	packet[6] = options ? DESTINATION_OPTIONS : spec->protocol;
	packet[7] = spec->ttl;
	packet[8] = packet[24] = 0xfd;
	packet[22] = 1;
	packet[38] = 2;
	packet[23] = packet[39] = spec->host;
	if (options) {
		packet[40] = spec->protocol;
		packet[41] = (uint8_t)(options / 8 - 1);
		packet[42] = 1; /* PadN */
		packet[43] = (uint8_t)(options - 4);
	}
	return 40 + (size_t)options;
}

static void put_tcp(const struct inner_spec *spec, uint8_t *tcp)
{
	put16(tcp, spec->source_port);
	put16(tcp + 2, spec->destination_port);
	put32(tcp + 4, spec->sequence);
	put32(tcp + 8, spec->ack);
	tcp[12] = (uint8_t)((20 + spec->tcp_options) / 4 << 4 | spec->reserved);
	tcp[13] = spec->flags;
	put16(tcp + 14, spec->window);
	put16(tcp + 18, spec->urgent);
	memset(tcp + 20, 1, spec->tcp_options);
	if (spec->tcp_options >= 12) {
		tcp[22] = 8; /* RFC 7323 3.2 */
		tcp[23] = 10;
		put32(tcp + 24, spec->timestamp);
		put32(tcp + 28, 0);
	}
}

static void put_udp(const struct inner_spec *spec, uint8_t *udp)
{
	put16(udp, spec->source_port);
	put16(udp + 2, spec->destination_port);
	put16(udp + 4, (unsigned int)(8 + spec->payload_len));
}

size_t inner_build(const struct inner_spec *spec, uint8_t *packet)
{
	size_t header = spec->protocol == TCP ? 20 + (size_t)spec->tcp_options : 8;
	size_t rest = header + spec->payload_len, at;

	memset(packet, 0, 40 + (size_t)spec->ip_options + header);
	at = spec->family == 4 ? put_ipv4(spec, packet, rest) : put_ipv6(spec, packet, rest);
	if (spec->protocol == TCP)
		put_tcp(spec, packet + at);
	else
		put_udp(spec, packet + at);
	for (uint32_t i = 0; i < spec->payload_len; i++)
		packet[at + header + i] = (uint8_t)(spec->seed + i);
	inner_fix(packet);
	return at + rest;
}

/* One segment: the super-packet's headers, with what is the segment's own. */
static size_t cut_one(const uint8_t *super, size_t header, const uint8_t *payload, size_t len,
	size_t before, bool is_last, uint8_t *packet)
{
	size_t at = transport_at(super);
	uint8_t *transport = packet + at;

	memcpy(packet, super, header);
	memcpy(packet + header, payload, len);
	if (packet[0] >> 4 == 4)
		put16(packet + 2, (unsigned int)(header + len));
	else
		put16(packet + 4, (unsigned int)(header + len - 40));
	if (protocol_of(packet) == UDP) {
		put16(transport + 4, (unsigned int)(header - at + len));
	} else {
		put32(transport + 4, (uint32_t)(get32(transport + 4) + before));
		if (!is_last)
			transport[13] &= (uint8_t)(0xff - INNER_FIN - INNER_PSH);
		if (before > 0)
			transport[13] &= 0xff - INNER_CWR;
	}
	return header + len;
}

size_t inner_cut(const uint8_t *super, size_t len, uint32_t segment,
	void (*each)(void *user, const uint8_t *packet, size_t len), void *user)
{
	size_t at = transport_at(super), count = 0, before = 0;
	size_t header =
		at + (protocol_of(super) == TCP ? (super[at + 12] >> 4) * (size_t)4 : (size_t)8);
	uint8_t *packet = malloc(header + (segment < len - header ? segment : len - header));

	if (!packet)
		abort();
	do {
		size_t left = len - header - before, size = left < segment ? left : segment;
		size_t made = cut_one(
			super, header, super + header + before, size, before, size == left, packet);

		/* Identifications in a row. */
		if (packet[0] >> 4 == 4)
			put16(packet + 4, (get16(super + 4) + (unsigned int)count) & 0xffff);
		inner_fix(packet);
		each(user, packet, made);
		before += size;
		count++;
	} while (before < len - header);
	free(packet);
	return count;
}
