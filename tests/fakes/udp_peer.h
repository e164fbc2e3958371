/* SPDX-License-Identifier: Apache-2.0 */
/* The other end: a plain UDP socket, without any of the code under test. */
#ifndef UDP_PEER_H
#define UDP_PEER_H

#include <stdbool.h>
#include <natmux/addr.h>

struct udp_peer {
	int fd;
	struct natmux_addr addr;
};

bool udp_peer_binds(const char *ip);

/* Whether this machine lets us bind the address; says so on stdout when it does not. */
bool udp_peer_can(const char *ip);

/* Bound to `ip`, port chosen by the kernel; receives for up to two seconds. Fails the test. */
struct udp_peer udp_peer_open(const char *ip);
void udp_peer_close(struct udp_peer *peer);

/* `segment` > 0: one message with UDP_SEGMENT. Fails the test when the kernel does not take it. */
void udp_peer_send(const struct udp_peer *peer, const struct natmux_addr *to, const void *data,
	size_t len, int segment, int tos);

/* One datagram, and where it came from and its TOS or traffic class. -1: none came in time. */
long udp_peer_recv(
	struct udp_peer *peer, void *data, size_t size, struct natmux_addr *from, int *tos);

/* Whether nothing waits. */
bool udp_peer_is_empty(const struct udp_peer *peer);

/* An address of the tests' notation; fails the test when it is none. */
struct natmux_addr test_addr(const char *text);

#endif
