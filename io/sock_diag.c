/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two halves of a sock_diag dump: one request, datagrams of answers. Who the sockets belong to
 * is process.c's to find out.
 */
#include "io/sock_diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>
#include <natmux/error.h>

/* The kernel's number of a UDP socket that is bound and not connected (net/tcp_states.h). */
enum { STATE_CLOSE = 7, TRIES = 3 };

_Static_assert(NM_SOCK_DIAG_REQUEST == NLMSG_LENGTH(sizeof(struct inet_diag_req_v2)),
	"header and request");

void nm_sock_diag_encode(
	uint8_t family, uint16_t port, uint32_t sequence, uint8_t request[NM_SOCK_DIAG_REQUEST])
{
	struct nlmsghdr header = {
		.nlmsg_len = NM_SOCK_DIAG_REQUEST,
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.nlmsg_seq = sequence,
	};
	struct inet_diag_req_v2 body = {
		.sdiag_family = family == NATMUX_FAMILY_IPV6 ? AF_INET6 : AF_INET,
		.sdiag_protocol = IPPROTO_UDP,
		.idiag_states = 1 << STATE_CLOSE,
		.id.idiag_sport = htons(port),
		.id.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE},
	};

	memcpy(request, &header, sizeof(header));
	memcpy(request + NLMSG_HDRLEN, &body, sizeof(body));
}

/* INET_DIAG_SKV6ONLY is told of every IPv6 socket that is not connected, asked for or not. */
static bool read_v6only(const uint8_t *attrs, size_t len)
{
	while (len >= NLA_HDRLEN) {
		struct nlattr attr;
		size_t step;

		memcpy(&attr, attrs, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > len)
			return false;
		if (attr.nla_type == INET_DIAG_SKV6ONLY && attr.nla_len > NLA_HDRLEN)
			return attrs[NLA_HDRLEN] != 0;
		step = NLA_ALIGN((size_t)attr.nla_len);
		if (step > len)
			return false;
		attrs += step;
		len -= step;
	}
	return false;
}

static bool is_link_local(const void *ip)
{
	const uint8_t *bytes = ip;

	return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

/* False for what is not on the port: the kernel was asked, but an old one may know no filter. */
static bool read_socket(
	const uint8_t *body, size_t len, uint16_t port, struct nm_port_socket *socket)
{
	struct inet_diag_msg msg;

	memcpy(&msg, body, sizeof(msg));
	if (ntohs(msg.id.idiag_sport) != port || msg.idiag_state != STATE_CLOSE)
		return false;
	*socket = (struct nm_port_socket){
		.local.port = port,
		.local.family =
			msg.idiag_family == AF_INET6 ? NATMUX_FAMILY_IPV6 : NATMUX_FAMILY_IPV4,
		.interface = msg.id.idiag_if,
		.uid = msg.idiag_uid,
		.inode = msg.idiag_inode,
	};
	/* RFC 4291 2.5.6: such an address can only be bound together with its interface. */
	if (msg.idiag_family == AF_INET6 && is_link_local(msg.id.idiag_src))
		socket->local.scope_id = msg.id.idiag_if;
	memcpy(socket->local.ip, msg.id.idiag_src, msg.idiag_family == AF_INET6 ? 16 : 4);
	if (msg.idiag_family == AF_INET6)
		socket->is_v6only = read_v6only(body + sizeof(msg), len - sizeof(msg));
	return true;
}

/* NLMSG_ERROR, and NLMSG_DONE since 5.x: a negative errno, or 0. */
static int read_error(const uint8_t *body, size_t len)
{
	int32_t error = 0;

	if (len >= sizeof(error))
		memcpy(&error, body, sizeof(error));
	if (error == 0)
		return 1;
	/* ENOENT: no module udp_diag. */
	if (error == -ENOENT || error == -EINVAL || error == -EOPNOTSUPP)
		return NATMUX_EUNSUPPORTED;
	errno = error > 0 ? EPROTO : -error;
	return NATMUX_ESYSTEM;
}

static int read_message(const struct nlmsghdr *header, const uint8_t *body, size_t len,
	uint16_t port, const uint32_t *uid, struct nm_port_socket *sockets, size_t max, size_t *n)
{
	struct nm_port_socket socket;

	if (header->nlmsg_flags & NLM_F_DUMP_INTR) {
		errno = EINTR;
		return NATMUX_ESYSTEM;
	}
	switch (header->nlmsg_type) {
	case NLMSG_NOOP: return 0;
	case NLMSG_ERROR:
	case NLMSG_DONE: return read_error(body, len);
	case SOCK_DIAG_BY_FAMILY: break;
	default: return NATMUX_EINVAL;
	}
	if (len < sizeof(struct inet_diag_msg))
		return NATMUX_EINVAL;
	if (!read_socket(body, len, port, &socket) || (uid && socket.uid != *uid))
		return 0;
	if (*n == max)
		return NATMUX_EFULL;
	sockets[(*n)++] = socket;
	return 0;
}

int nm_sock_diag_decode(const void *reply, size_t len, uint16_t port, uint32_t sequence,
	const uint32_t *uid, struct nm_port_socket *sockets, size_t max, size_t *n)
{
	const uint8_t *at = reply;
	int result = 0;

	while (len > 0 && result == 0) {
		struct nlmsghdr header;
		size_t step;

		if (len < sizeof(header))
			return NATMUX_EINVAL;
		memcpy(&header, at, sizeof(header));
		if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > len ||
			header.nlmsg_seq != sequence)
			return NATMUX_EINVAL;
		result = read_message(&header, at + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN,
			port, uid, sockets, max, n);
		step = NLMSG_ALIGN((size_t)header.nlmsg_len);
		step = step > len ? len : step;
		at += step;
		len -= step;
	}
	return result;
}

static int send_request(const struct nm_sys *sys, int fd, uint8_t request[NM_SOCK_DIAG_REQUEST])
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct iovec iov = {.iov_base = request, .iov_len = NM_SOCK_DIAG_REQUEST};
	struct msghdr msg = {.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
		.msg_iov = &iov,
		.msg_iovlen = 1};

	return sys->sendmsg(fd, &msg, 0) < 0 ? NATMUX_ESYSTEM : 0;
}

/* One datagram; those that are not the kernel's are passed over. */
static ssize_t receive(const struct nm_sys *sys, int fd, void *reply)
{
	ssize_t len;
	struct sockaddr_nl from;
	struct msghdr msg;

	do {
		struct iovec iov = {.iov_base = reply, .iov_len = NM_SOCK_DIAG_REPLY};

		from = (struct sockaddr_nl){0};
		msg = (struct msghdr){.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1};
		len = sys->recvmsg(fd, &msg, 0);
	} while ((len < 0 && errno == EINTR) || (len >= 0 && from.nl_pid != 0));
	if (len >= 0 && msg.msg_flags & MSG_TRUNC) {
		errno = EMSGSIZE;
		return -1;
	}
	return len;
}

static int list_family(const struct nm_sys *sys, int fd, uint8_t family, uint16_t port,
	const uint32_t *uid, struct nm_port_socket *sockets, size_t max, size_t *n)
{
	_Alignas(struct nlmsghdr) uint8_t reply[NM_SOCK_DIAG_REPLY];
	uint8_t request[NM_SOCK_DIAG_REQUEST];
	int result;

	nm_sock_diag_encode(family, port, family, request);
	result = send_request(sys, fd, request);
	while (result == 0) {
		ssize_t len = receive(sys, fd, reply);

		if (len < 0)
			return NATMUX_ESYSTEM;
		result =
			nm_sock_diag_decode(reply, (size_t)len, port, family, uid, sockets, max, n);
	}
	return result < 0 ? result : 0;
}

/* NATMUX_EFULL: `*n` are there, and more. */
static int list(const struct nm_sys *sys, uint16_t port, const uint32_t *uid,
	struct nm_port_socket *sockets, size_t max, size_t *n)
{
	const struct timeval second = {.tv_sec = 1};
	int fd = sys->socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	size_t found = 0;
	int err, error;

	if (fd < 0)
		return NATMUX_ESYSTEM;
	err = sys->setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)) < 0
		      ? NATMUX_ESYSTEM
		      : 0;
	if (err == 0)
		err = list_family(sys, fd, NATMUX_FAMILY_IPV4, port, uid, sockets, max, &found);
	if (err == 0)
		err = list_family(sys, fd, NATMUX_FAMILY_IPV6, port, uid, sockets, max, &found);
	error = errno;
	sys->close(fd);
	errno = error;
	if (err == 0 || err == NATMUX_EFULL)
		*n = found;
	return err;
}

static int list_again(const struct nm_sys *sys, uint16_t port, const uint32_t *uid,
	struct nm_port_socket *sockets, size_t max, size_t *n)
{
	int err = 0;

	for (unsigned int i = 0; i < TRIES; i++) {
		err = list(sys, port, uid, sockets, max, n);
		if (err != NATMUX_ESYSTEM || errno != EINTR)
			break;
	}
	return err;
}

int nm_sock_diag_list(const struct nm_sys *sys, uint16_t port, uint32_t uid,
	struct nm_port_socket *sockets, size_t max, size_t *n)
{
	size_t found = 0;
	int err = list_again(sys, port, &uid, sockets, max, &found);

	if (err == 0 && found == 0) {
		err = list_again(sys, port, NULL, sockets, max, &found);
		/* These are only to be named. */
		if (err == NATMUX_EFULL)
			err = 0;
	}
	if (err == 0)
		*n = found;
	return err;
}
