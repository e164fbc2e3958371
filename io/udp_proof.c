/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves UDP_SEGMENT and UDP_GRO before they are used: the socket itself, where it can, sends a small
 * train to another one on this machine, which looks at what the kernel made of it.
 */
#include "io/udp_batch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"

enum {
	/*
	 * What is sent is there at once, unless the kernel hands it to another CPU first, or leaves it
	 * to a thread of its own that has to wait for one.
	 */
	PATIENCE_MS = 1000,
	UNIT = 40,
	BYTES = 2 * UNIT + 7, /* three datagrams, the last one shorter */
	DATAGRAMS = 3,
};

struct proof {
	struct nm_udp *udp;
	int fd; /* who listens */
	struct sockaddr_storage to;
	socklen_t to_len;
	uint8_t sent[BYTES];
};

static const char broken[] = "datagrams arrived broken";

/* The address of this machine that the socket reaches for certain: its own, or the loopback's. */
static struct natmux_addr address_of(const struct nm_udp *udp)
{
	struct natmux_addr addr = udp->local;

	addr.port = 0;
	if (!udp->is_wildcard)
		return addr;
	if (addr.family == NATMUX_FAMILY_IPV6)
		addr.ip[15] = 1;
	else
		memcpy(addr.ip, (const uint8_t[]){127, 0, 0, 1}, 4);
	return addr;
}

/* The failing call, or NULL. */
static const char *listen_there(struct proof *proof, bool use_gro)
{
	const struct natmux_addr addr = address_of(proof->udp);
	const struct nm_sys *sys = proof->udp->sys;
	const int on = 1;

	proof->to_len = (socklen_t)natmux_addr_to_sockaddr(&addr, (struct sockaddr *)&proof->to);
	proof->fd = sys->socket(proof->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	if (proof->fd < 0)
		return "socket";
	if (use_gro && sys->setsockopt(proof->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) < 0)
		return "setsockopt(UDP_GRO)";
	if (sys->bind(proof->fd, (struct sockaddr *)&proof->to, proof->to_len) < 0)
		return "bind";
	proof->to_len = sizeof(proof->to);
	if (sys->getsockname(proof->fd, (struct sockaddr *)&proof->to, &proof->to_len) < 0)
		return "getsockname";
	return NULL;
}

/* Bound to a device, a socket without an address does not reach the loopback's: who listens can. */
static int sender_of(const struct proof *proof)
{
	const struct nm_udp *udp = proof->udp;

	return udp->has_device && udp->is_wildcard ? proof->fd : udp->fd;
}

static bool send_train(struct proof *proof)
{
	const uint16_t unit = UNIT;
	struct nm_udp_control control = {0};
	struct iovec iov = {proof->sent, sizeof(proof->sent)};
	struct msghdr msg = {
		.msg_name = &proof->to,
		.msg_namelen = proof->to_len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(sizeof(unit)),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(unit));
	memcpy(CMSG_DATA(c), &unit, sizeof(unit));
	return proof->udp->sys->sendmsg(sender_of(proof), &msg, 0) == (ssize_t)sizeof(proof->sent);
}

/* Length of each datagram of a message but the last. */
static size_t unit_of(struct msghdr *msg, size_t len)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		int unit;

		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO)
			continue;
		memcpy(&unit, CMSG_DATA(c), sizeof(unit));
		return unit > 0 ? (size_t)unit : 0;
	}
	return len;
}

/*
 * One message, or -1 and errno. Who is stopped and continued while it polls goes on with the time that is
 * left; with SO_RCVTIMEO each time would begin anew.
 */
static ssize_t receive(const struct proof *proof, struct msghdr *msg)
{
	struct pollfd fd = {.fd = proof->fd, .events = POLLIN};
	int n;

	do
		n = proof->udp->sys->poll(&fd, 1, PATIENCE_MS);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = EAGAIN;
	return n > 0 ? proof->udp->sys->recvmsg(proof->fd, msg, MSG_DONTWAIT) : -1;
}

/* Takes datagrams until all have come. 0, an errno, or ENOMSG: they were others. */
static int take_train(struct proof *proof)
{
	uint8_t bytes[BYTES + 1] = {0};
	size_t at = 0, datagrams = 0;

	while (at < BYTES) {
		struct nm_udp_control control = {0};
		struct iovec iov = {bytes, sizeof(bytes)};
		struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control)};
		ssize_t n = receive(proof, &msg);
		size_t len = n > 0 ? (size_t)n : 0, unit;

		if (n < 0)
			return errno;
		unit = unit_of(&msg, len);
		/* Whole datagrams, of which only the last may be shorter. */
		if (len == 0 || len > BYTES - at || memcmp(bytes, proof->sent + at, len) != 0 ||
			(unit != UNIT && at + len < BYTES) || (len % UNIT && at + len < BYTES) ||
			(unit != UNIT && len > UNIT))
			return ENOMSG;
		datagrams += (len + UNIT - 1) / UNIT;
		at += len;
	}
	return datagrams == DATAGRAMS ? 0 : ENOMSG;
}

/* Even a namespace's own addresses are reached through its loopback interface only. */
static const char *text_of(int error)
{
	switch (error) {
	case ENOMSG: return broken;
	case EAGAIN: return "nothing came: is lo up?";
	case EADDRNOTAVAIL:
	case ENETUNREACH:
	case ENETDOWN: return "is the loopback interface up?";
	default: return strerror(error);
	}
}

/* Tries one of the two; `why` stays empty when it works. */
static void prove(struct nm_udp *udp, bool use_gro, char why[static 80])
{
	struct proof proof = {.udp = udp, .fd = -1};
	const char *failed = listen_there(&proof, use_gro);
	int error = errno;

	for (size_t i = 0; i < sizeof(proof.sent); i++)
		proof.sent[i] = (uint8_t)(i * 11 + 1);
	if (!failed && !send_train(&proof)) {
		failed = "sendmsg(UDP_SEGMENT)";
		error = errno;
	} else if (!failed) {
		error = take_train(&proof);
		failed = error != 0 ? "recvmsg" : NULL;
	}
	if (proof.fd >= 0)
		udp->sys->close(proof.fd);
	if (failed)
		snprintf(why, 80, "proof, %.28s: %.38s", failed, text_of(error));
}

void nm_udp_prove(struct nm_udp *udp)
{
	char text[NATMUX_ADDR_TEXT];

	if (udp->status.has_gso)
		prove(udp, false, udp->gso_proof);
	if (udp->status.has_gro)
		prove(udp, true, udp->gro_proof);
	if (udp->gso_proof[0])
		nm_log(&udp->log, NATMUX_LOG_WARNING, "UDP %s: UDP_SEGMENT off, %s",
			natmux_addr_format(&udp->local, text), udp->gso_proof);
	if (udp->gro_proof[0])
		nm_log(&udp->log, NATMUX_LOG_WARNING, "UDP %s: UDP_GRO off, %s",
			natmux_addr_format(&udp->local, text), udp->gro_proof);
}
