/* SPDX-License-Identifier: Apache-2.0 */
/* A namespace with a TUN device of the user ESP plane, and packets for and from it. */
#ifndef INNER_TUN_HOST_H
#define INNER_TUN_HOST_H

#include "inner_tun_test.h"

#include <fcntl.h>
#include <netinet/in.h>
#include "base/bytes.h"
#include "tests/fakes/inet_sum.h"

enum { MTU = 1400, PORT = 14500 };

static uint8_t bytes[65536];

/* One end of the wire. */
struct host {
	int ns;
	const char *ip4, *ip6;
	struct nm_inner_tun *tun;
	struct nm_inner_tun_queue *queue;
};

static struct host a = {.ns = -1, .ip4 = "10.99.0.1", .ip6 = "fd99::1"};

static struct host b = {.ns = -1, .ip4 = "10.99.0.2", .ip6 = "fd99::2"};

static inline void enter(struct host *host)
{
	if (host->ns < 0) {
		assert_int_equal(unshare(CLONE_NEWNET), 0);
		host->ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
		assert_true(host->ns >= 0);
	}
	assert_int_equal(setns(host->ns, CLONE_NEWNET), 0);
}

static inline bool is_v6(const uint8_t *ip)
{
	return ip[0] >> 4 == 6;
}

static inline uint32_t ip_len(const uint8_t *ip)
{
	return is_v6(ip) ? 40 : 20; /* nobody here sends options */
}

static inline uint8_t protocol_of(const uint8_t *ip)
{
	return ip[is_v6(ip) ? 6 : 9];
}

static inline uint32_t pseudo_sum(const uint8_t *ip, uint32_t len)
{
	return inet_sum(ip + (is_v6(ip) ? 8 : 12), is_v6(ip) ? 32 : 8, protocol_of(ip) + len);
}

static inline uint32_t checksum_offset(const uint8_t *ip)
{
	return protocol_of(ip) == IPPROTO_TCP ? 16 : 6;
}

/* Everything the device says about a packet is so. */
static inline void check_packet(const struct natmux_inner *packet)
{
	const struct natmux_offload *offload = &packet->offload;
	const uint8_t *ip = packet->data, *transport = ip + ip_len(ip);
	uint32_t start = ip_len(ip), len = packet->len - start, header_len = start + 8;

	assert_true((uintptr_t)ip % 64 == 0);
	assert_true(is_v6(ip) || ip[0] == 0x45);
	assert_int_equal(packet->len, is_v6(ip) ? 40 + nm_get16(ip + 4) : nm_get16(ip + 2));
	if (!is_v6(ip))
		assert_int_equal(inet_sum(ip, 20, 0), 0xffff);
	if (offload->needs_checksum) {
		assert_int_equal(offload->checksum_start, start);
		assert_int_equal(offload->checksum_offset, checksum_offset(ip));
		assert_int_equal(
			nm_get16(transport + offload->checksum_offset), pseudo_sum(ip, len));
	} else if (protocol_of(ip) == IPPROTO_TCP || protocol_of(ip) == IPPROTO_UDP) {
		assert_int_equal(inet_sum(transport, len, pseudo_sum(ip, len)), 0xffff);
	}
	if (offload->kind == NATMUX_OFFLOAD_NONE) {
		assert_int_equal(offload->header_len, 0);
		assert_int_equal(offload->segment, 0);
		return;
	}
	if (protocol_of(ip) == IPPROTO_TCP)
		header_len = start + (transport[12] >> 4) * 4;
	assert_true(offload->needs_checksum);
	assert_int_equal(offload->header_len, header_len);
	assert_in_range(offload->segment, 1, MTU - header_len);
	assert_true(packet->len > (uint32_t)offload->header_len + offload->segment);
	assert_int_equal(offload->kind, protocol_of(ip) == IPPROTO_UDP ? NATMUX_OFFLOAD_UDP
					: is_v6(ip)                    ? NATMUX_OFFLOAD_TCP6
								       : NATMUX_OFFLOAD_TCP4);
}

static inline void open_with(struct host *host, const struct nm_inner_tun_config *config)
{
	enter(host);
	assert_int_equal(nm_inner_tun_open(config, &host->tun), 0);
	host->queue = nm_inner_tun_queue(host->tun, 0);
	log_tape_clear(&tape); /* what this kernel has not */
}

static inline void close_host(struct host *host)
{
	nm_inner_tun_close(host->tun);
	host->tun = NULL;
	host->queue = NULL;
}

static inline uint8_t octet_at(size_t i)
{
	return (uint8_t)(i * 13 + i / 251 + i / 65521);
}

/* Datagrams to a far port, one by one. */
static inline void send_to_far(struct host *from, int n, size_t len)
{
	struct natmux_addr far = test_addr("10.99.0.77");
	struct udp_peer sender;

	enter(from);
	sender = udp_peer_open(from->ip4);
	far.port = PORT;
	for (int i = 0; i < n; i++) {
		memcpy(bytes, &i, sizeof(i));
		udp_peer_send(&sender, &far, bytes, len, 0, 0);
	}
	udp_peer_close(&sender);
}

/* Without IPv6, whose multicast reports could come between. */
static inline void open_alone(void)
{
	struct nm_inner_tun_config config = config_of(a.ip4, a.ip6);

	config.ipv6.ip.family = NATMUX_FAMILY_NONE;
	open_with(&a, &config);
}

/* A packet or super-packet of UDP from the far side to a socket of host a. */
struct written {
	uint8_t data[28 + 3000];
	struct natmux_gathered gathered;
};

static inline void make_written(
	struct written *written, const struct udp_peer *to, uint16_t segment)
{
	static const uint8_t ip[20] = {
		0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, IPPROTO_UDP, 0, 0, 10, 99, 0, 77, 10, 99, 0, 1};
	uint32_t len = segment > 0 ? 3000 : 500;
	uint8_t *udp = written->data + 20;

	memcpy(written->data, ip, sizeof(ip));
	nm_put16(written->data + 2, (uint16_t)(28 + len));
	nm_put16(written->data + 10, (uint16_t)~inet_sum(written->data, 20, 0));
	nm_put16(udp, PORT);
	nm_put16(udp + 2, to->addr.port);
	nm_put16(udp + 4, (uint16_t)(8 + len));
	memcpy(udp + 8, bytes, len);
	nm_put16(udp + 6, (uint16_t)pseudo_sum(written->data, 8 + len));
	written->gathered = (struct natmux_gathered){
		.offload = {.kind = segment > 0 ? NATMUX_OFFLOAD_UDP : NATMUX_OFFLOAD_NONE,
			.needs_checksum = 1,
			.header_len = segment > 0 ? 28 : 0,
			.segment = segment,
			.checksum_start = 20,
			.checksum_offset = 6},
		.parts_len = 2,
		.parts = {{written->data, 28}, {written->data + 28, len}},
	};
}

static inline void expect(struct udp_peer *peer, uint32_t len, uint32_t segment)
{
	for (uint32_t at = 0; at < len; at += segment) {
		struct natmux_addr from;
		uint8_t received[4000];
		int tos;

		assert_int_equal(
			udp_peer_recv(peer, received, sizeof(received), &from, &tos), segment);
		assert_memory_equal(received, bytes + at, segment);
	}
}

/* A test that fails must not take the next one along. */
static inline int tidy(void **state)
{
	close_host(&a);
	close_host(&b);
	return teardown(state);
}

#endif
