/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_tun.h"

#include <stdlib.h>
#include <string.h>
#include "../unit/test.h"
#include "inet_sum.h"

static size_t ip_header_len(const uint8_t *packet)
{
	return packet[0] >> 4 == 4 ? 20 : 40;
}

static void put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void fake_fix_checksums(uint8_t *packet, size_t len)
{
	size_t header = ip_header_len(packet);
	bool is_v4 = header == 20;
	uint32_t pseudo = 17 + (uint32_t)(len - header);

	if (is_v4) {
		put16(packet + 10, 0);
		put16(packet + 10, (uint16_t)~inet_sum(packet, 20, 0));
	}
	pseudo += inet_sum(packet + (is_v4 ? 12 : 8), is_v4 ? 8 : 32, 0);
	put16(packet + header + 6, 0);
	put16(packet + header + 6, inet_field(inet_sum(packet + header, len - header, pseudo)));
}

static void swap(uint8_t *a, uint8_t *b, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = a[i];

		a[i] = b[i];
		b[i] = byte;
	}
}

void fake_echo(uint8_t *packet)
{
	size_t header = ip_header_len(packet), addr = header == 20 ? 4 : 16;

	swap(packet + header - 2 * addr, packet + header - addr, addr);
	swap(packet + header, packet + header + 2, 2);
}

static void keep(
	struct fake_tun *tun, const struct nm_packet *packet, const uint8_t *payload, size_t len)
{
	size_t total = packet->header_len + len;
	uint8_t *data = malloc(total);

	assert_non_null(data);
	assert_true(tun->n < FAKE_TUN_PACKETS);
	memcpy(data, packet->header, packet->header_len);
	memcpy(data + packet->header_len, payload, len);
	tun->packets[tun->n].data = data;
	tun->packets[tun->n].len = total;
	tun->n++;
}

/*
 * virtio-net (Virtual I/O Device 1.2, 5.1.6.2): the lengths are those of the whole, the checksum
 * field holds the pseudo header's sum.
 */
static void check_super(const struct nm_packet *packet)
{
	const uint8_t *header = packet->header;
	size_t ip = ip_header_len(header), udp_len = 8 + packet->len;
	uint16_t pseudo =
		inet_sum(header + (ip == 20 ? 12 : 8), ip == 20 ? 8 : 32, 17 + (uint32_t)udp_len);

	assert_true(packet->len > packet->segment);
	assert_true(packet->len <= 64U * packet->segment);
	assert_int_equal((header[ip + 4] << 8) + header[ip + 5], udp_len);
	assert_int_equal((header[ip + 6] << 8) + header[ip + 7], pseudo);
	if (ip == 20) {
		assert_int_equal((header[2] << 8) + header[3], 20 + udp_len);
		assert_int_equal(inet_sum(header, 20, 0), 0xffff);
	} else {
		assert_int_equal((header[4] << 8) + header[5], udp_len);
	}
}

static void keep_super(struct fake_tun *tun, const struct nm_packet *packet)
{
	size_t ip = ip_header_len(packet->header);

	check_super(packet);
	tun->supers++;
	for (size_t at = 0; at < packet->len; at += packet->segment) {
		size_t left = packet->len - at;
		size_t len = left < packet->segment ? left : packet->segment;
		uint8_t *data;

		keep(tun, packet, packet->payload + at, len);
		data = tun->packets[tun->n - 1].data;
		if (ip == 20)
			put16(data + 2, 28 + len);
		else
			put16(data + 4, 8 + len);
		put16(data + ip + 4, 8 + len);
		fake_fix_checksums(data, packet->header_len + len);
	}
}

static size_t take(void *user, const struct nm_packet *packets, size_t n)
{
	struct fake_tun *tun = user;

	tun->writes++;
	assert_in_range(n, 1, 64);
	if (n > tun->refuse_after)
		n = tun->refuse_after;
	for (size_t i = 0; i < n; i++) {
		if (packets[i].segment > 0)
			keep_super(tun, &packets[i]);
		else
			keep(tun, &packets[i], packets[i].payload, packets[i].len);
	}
	return n;
}

void fake_tun_init(struct fake_tun *tun)
{
	memset(tun, 0, sizeof(*tun));
	tun->refuse_after = SIZE_MAX;
}

void fake_tun_clear(struct fake_tun *tun)
{
	for (size_t i = 0; i < tun->n; i++)
		free(tun->packets[i].data);
	tun->n = tun->writes = tun->supers = 0;
}

struct nm_packet_port fake_tun_port(struct fake_tun *tun, uint32_t super_max)
{
	return (struct nm_packet_port){.write = take, .user = tun, .super_max = super_max};
}
