/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/udp_peer.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "tests/unit/test.h"

struct natmux_addr test_addr(const char *text)
{
	struct natmux_addr addr;

	assert_int_equal(natmux_addr_parse(text, 0, &addr), 0);
	return addr;
}

static int bind_to(const struct natmux_addr *addr)
{
	struct sockaddr_storage sa;
	socklen_t len = (socklen_t)natmux_addr_to_sockaddr(addr, (struct sockaddr *)&sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, len) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool udp_peer_binds(const char *ip)
{
	struct natmux_addr addr = test_addr(ip);
	int fd = bind_to(&addr);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool udp_peer_can(const char *ip)
{
	if (udp_peer_binds(ip))
		return true;
	printf("skipped: %s cannot be bound here\n", ip);
	return false;
}

struct udp_peer udp_peer_open(const char *ip)
{
	struct udp_peer peer = {.addr = test_addr(ip)};
	const struct timeval patience = {.tv_sec = 20};
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	const int on = 1, buffer = 8 * 1024 * 1024;

	peer.fd = bind_to(&peer.addr);
	assert_true(peer.fd >= 0);
	assert_int_equal(getsockname(peer.fd, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(natmux_addr_from_sockaddr((struct sockaddr *)&sa, len, &peer.addr), 0);
	setsockopt(peer.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
		setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (peer.addr.family == NATMUX_FAMILY_IPV6)
		setsockopt(peer.fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on));
	else
		setsockopt(peer.fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on));
	return peer;
}

void udp_peer_close(struct udp_peer *peer)
{
	close(peer->fd);
	peer->fd = -1;
}

void udp_peer_send(const struct udp_peer *peer, const struct natmux_addr *to, const void *data,
	size_t len, int segment, int tos)
{
	struct sockaddr_storage sa;
	socklen_t sa_len = (socklen_t)natmux_addr_to_sockaddr(to, (struct sockaddr *)&sa);
	bool is_v6 = to->family == NATMUX_FAMILY_IPV6;

	setsockopt(peer->fd, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_TCLASS : IP_TOS, &tos,
		sizeof(tos));
	assert_int_equal(
		setsockopt(peer->fd, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
	assert_int_equal(sendto(peer->fd, data, len, 0, (struct sockaddr *)&sa, sa_len), len);
}

long udp_peer_recv(
	struct udp_peer *peer, void *data, size_t size, struct natmux_addr *from, int *tos)
{
	struct sockaddr_storage sa;
	_Alignas(struct cmsghdr) char control[64];
	struct iovec iov = {data, size};
	struct msghdr msg = {.msg_name = &sa,
		.msg_namelen = sizeof(sa),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(peer->fd, &msg, 0);
	struct cmsghdr *c;

	if (n < 0)
		return -1;
	natmux_addr_from_sockaddr((struct sockaddr *)&sa, msg.msg_namelen, from);
	c = CMSG_FIRSTHDR(&msg);
	*tos = c ? *CMSG_DATA(c) : -1;
	/* the traffic class is an int */
	if (c && c->cmsg_level == IPPROTO_IPV6)
		memcpy(tos, CMSG_DATA(c), sizeof(*tos));
	return n;
}

bool udp_peer_is_empty(const struct udp_peer *peer)
{
	char byte;

	return recv(peer->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0;
}
