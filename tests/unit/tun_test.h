/* SPDX-License-Identifier: Apache-2.0 */
/* A TUN device in a network namespace, and packets for it. */
#ifndef TUN_TEST_H
#define TUN_TEST_H

#include "test.h"

#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <net/if.h>
#include "base/bytes.h"
#include "io/tun.h"
#include "io/udp_socket.h"
#include "tests/fakes/fake_sys.h"
#include "tests/fakes/inet_sum.h"
#include "tests/fakes/log_tape.h"
#include "tests/fakes/udp_peer.h"

#define OWN4 "10.99.0.1"
#define FAR4 "10.99.0.2"
#define OWN6 "fd99::1"
#define FAR6 "fd99::2"

static struct log_tape tape;
static bool has_v6;
static uint8_t bytes[65536];

static inline struct nm_tun_config config_all(void)
{
	struct nm_tun_config config = {
		.sys = &fake_sys,
		.log = log_tape(&tape),
		.name = "test%d",
		.ipv4 = {test_addr(OWN4), 24},
		.mtu = 1400,
		.use_super = true,
	};

	if (has_v6)
		config.ipv6 = (struct nm_tun_address){test_addr(OWN6), 64};
	return config;
}

static inline int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 13 + i / 256);
	fake_sys_reset();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	assert_int_equal(fake_sys_maps(), 0);
	assert_int_equal(fake_sys_open_fds(), 0);
	return 0;
}

/* Sum of the pseudo header of an IPv4 or IPv6 header at `ip`. */
static inline uint32_t pseudo_sum(const uint8_t *ip, uint32_t udp_len)
{
	bool is_v6 = ip[0] >> 4 == 6;

	return inet_sum(ip + (is_v6 ? 8 : 12), is_v6 ? 32 : 8, IPPROTO_UDP + udp_len);
}

/* Headers from the far side to ours; for a super-packet with the pseudo header's sum only. */
static inline struct nm_packet packet_to(
	const struct udp_peer *peer, const uint8_t *payload, uint32_t len, uint16_t segment)
{
	bool is_v6 = peer->addr.family == NATMUX_FAMILY_IPV6;
	struct natmux_addr far = test_addr(is_v6 ? FAR6 : FAR4);
	struct nm_packet packet = {
		.header_len = is_v6 ? 48 : 28, .payload = payload, .len = len, .segment = segment};
	uint8_t *ip = packet.header, *udp = ip + packet.header_len - 8;
	uint32_t sum;

	if (is_v6) {
		ip[0] = 0x60;
		nm_put16(ip + 4, (uint16_t)(len + 8));
		ip[6] = IPPROTO_UDP;
		ip[7] = 64;
		memcpy(ip + 8, far.ip, 16);
		memcpy(ip + 24, peer->addr.ip, 16);
	} else {
		ip[0] = 0x45;
		nm_put16(ip + 2, (uint16_t)(len + 28));
		ip[8] = 64;
		ip[9] = IPPROTO_UDP;
		memcpy(ip + 12, far.ip, 4);
		memcpy(ip + 16, peer->addr.ip, 4);
		nm_put16(ip + 10, (uint16_t)~inet_sum(ip, 20, 0));
	}
	nm_put16(udp, 4500);
	nm_put16(udp + 2, peer->addr.port);
	nm_put16(udp + 4, (uint16_t)(len + 8));
	sum = pseudo_sum(ip, len + 8);
	nm_put16(udp + 6, segment ? (uint16_t)sum
				  : inet_field(inet_sum(payload, len, inet_sum(udp, 8, sum))));
	return packet;
}

/* The kernel adds the route of an IPv6 address of its own a moment after the address. */
static inline void await_ipv6(struct nm_tun *tun)
{
	struct udp_peer peer = udp_peer_open(OWN6);
	struct nm_packet packet = packet_to(&peer, bytes, 1, 0);

	for (int tries = 0; tries < 2000 && udp_peer_is_empty(&peer); tries++) {
		assert_int_equal(nm_tun_write(tun, &packet, 1), 1);
		usleep(10000);
	}
	assert_false(udp_peer_is_empty(&peer));
	udp_peer_close(&peer);
}

static inline struct nm_tun *open_tun(void)
{
	struct nm_tun_config config = config_all();
	struct nm_tun *tun;

	assert_int_equal(nm_tun_open(&config, &tun), 0);
	if (has_v6)
		await_ipv6(tun);
	return tun;
}

/* UDP_SEGMENT is proved over the loopback device, which a new namespace has switched off. */
static inline bool set_loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_up = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;

	close(fd);
	return is_up;
}

/* 0: go on; else what main() returns. */
static inline int enter_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: needs CAP_NET_ADMIN for a network namespace (%s)\n",
			strerror(errno));
		return 77;
	}
	if (access("/dev/net/tun", R_OK | W_OK) < 0) {
		printf("skipped: /dev/net/tun: %s\n", strerror(errno));
		return 77;
	}
	has_v6 = access("/proc/sys/net/ipv6", F_OK) == 0;
	return set_loopback_up() ? 0 : 1;
}

#endif
