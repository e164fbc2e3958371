/* SPDX-License-Identifier: Apache-2.0 */
/* Sends probes to a group of sockets and looks where they come out. */
#include "io/reuseport_proof.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <natmux/error.h>

enum { PATIENCE_S = 1, PAYLOAD_MAX = 64 };

struct proof {
	const struct nm_sys *sys;
	int sockets[NM_REUSEPORT_SOCKETS_MAX], sender;
	unsigned int sockets_n;       /* open */
	int family;                   /* AF_INET, AF_INET6 */
	struct sockaddr_storage port; /* of the group */
	socklen_t port_len;
	bool is_missing; /* the machine has no such loopback address */
	char *why;
};

static int failed(struct proof *proof, const char *call)
{
	proof->is_missing |= errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;
	snprintf(proof->why, NM_REUSEPORT_WHY, "%s: %s%s", call, strerror(errno),
		proof->family == AF_INET6 ? " (IPv6)" : "");
	return NATMUX_EUNSUPPORTED;
}

/* Port 0 of the family's loopback address: the kernel chooses. */
static void begin(struct proof *proof)
{
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	proof->port_len = proof->family == AF_INET6 ? sizeof(sin6) : sizeof(sin);
	if (proof->family == AF_INET6)
		memcpy(&proof->port, &sin6, sizeof(sin6));
	else
		memcpy(&proof->port, &sin, sizeof(sin));
}

/* The first socket is given a port, the others take the same. */
static int open_socket(struct proof *proof)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	const struct nm_sys *sys = proof->sys;
	const int on = 1;
	socklen_t len = sizeof(proof->port);
	int fd = sys->socket(proof->family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);

	if (fd < 0)
		return failed(proof, "socket");
	proof->sockets[proof->sockets_n++] = fd; /* closed by the caller, whatever comes */
	if (sys->setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return failed(proof, "setsockopt(SO_REUSEPORT)");
	if (sys->setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return failed(proof, "setsockopt(SO_RCVTIMEO)");
	if (sys->bind(fd, (const struct sockaddr *)&proof->port, proof->port_len) < 0)
		return failed(proof, "bind");
	if (sys->getsockname(fd, (struct sockaddr *)&proof->port, &len) < 0)
		return failed(proof, "getsockname");
	return 0;
}

static int send_probe(struct proof *proof, const struct nm_reuseport_probe *probe)
{
	uint8_t bytes[PAYLOAD_MAX];
	struct iovec iov = {.iov_base = bytes, .iov_len = probe->len};
	struct msghdr msg = {.msg_name = &proof->port,
		.msg_namelen = proof->port_len,
		.msg_iov = &iov,
		.msg_iovlen = 1};

	if (probe->len > sizeof(bytes)) {
		errno = EMSGSIZE;
		return failed(proof, "sendmsg");
	}
	memcpy(bytes, probe->bytes, probe->len);
	if (proof->sys->sendmsg(proof->sender, &msg, 0) == (ssize_t)probe->len)
		return 0;
	failed(proof, "sendmsg over the loopback interface");
	return NATMUX_EUNSUPPORTED;
}

/* Whether the socket has the probe. Strangers cannot know the port; who guesses it fails the proof. */
static bool has_probe(
	struct proof *proof, unsigned int socket, const struct nm_reuseport_probe *probe, int flags)
{
	uint8_t bytes[PAYLOAD_MAX] = {0};
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t len;

	do
		len = proof->sys->recvmsg(proof->sockets[socket], &msg, flags);
	while (len < 0 && errno == EINTR);
	return len == (ssize_t)probe->len && memcmp(bytes, probe->bytes, probe->len) == 0;
}

/* Whether any other socket has it. */
static bool is_elsewhere(struct proof *proof, const struct nm_reuseport_probe *probe)
{
	for (unsigned int i = 0; i < proof->sockets_n; i++)
		if (i != probe->goes_to && has_probe(proof, i, probe, MSG_DONTWAIT))
			return true;
	return false;
}

static int try_probe(struct proof *proof, const struct nm_reuseport_probe *probe)
{
	int error = send_probe(proof, probe);

	if (error < 0)
		return error;
	if (has_probe(proof, probe->goes_to, probe, 0))
		return 0;
	snprintf(proof->why, NM_REUSEPORT_WHY, "%s %s%s", probe->what,
		is_elsewhere(proof, probe) ? "comes out at the wrong socket"
					   : "does not come through the loopback interface",
		proof->family == AF_INET6 ? " (IPv6)" : "");
	return NATMUX_EUNSUPPORTED;
}

static int prove(struct proof *proof, unsigned int sockets, const struct nm_filter_step *steps,
	size_t n, const struct nm_reuseport_probe *probes, size_t probes_n)
{
	int error = 0;

	while (proof->sockets_n < sockets && error == 0)
		error = open_socket(proof);
	if (error < 0)
		return error;
	proof->sender = proof->sys->socket(proof->family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);
	if (proof->sender < 0)
		return failed(proof, "socket");
	if (nm_reuseport_attach(proof->sys, proof->sockets[0], steps, n) < 0)
		return failed(proof, "setsockopt(SO_ATTACH_REUSEPORT_CBPF)");
	for (size_t i = 0; i < probes_n && error == 0; i++)
		error = try_probe(proof, &probes[i]);
	return error;
}

int nm_reuseport_prove(const struct nm_sys *sys, unsigned int sockets,
	const struct nm_filter_step *steps, size_t n, const struct nm_reuseport_probe *probes,
	size_t probes_n, char why[static NM_REUSEPORT_WHY])
{
	static const int families[] = {AF_INET, AF_INET6};
	char reason[NM_REUSEPORT_WHY];
	int error = 0;

	if (sockets == 0 || sockets > NM_REUSEPORT_SOCKETS_MAX)
		return NATMUX_EINVAL;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && error == 0; i++) {
		struct proof proof = {
			.sys = sys, .sender = -1, .family = families[i], .why = reason};

		begin(&proof);
		error = prove(&proof, sockets, steps, n, probes, probes_n);
		while (proof.sockets_n > 0)
			sys->close(proof.sockets[--proof.sockets_n]);
		if (proof.sender >= 0)
			sys->close(proof.sender);
		/* Where there is no IPv6 there is none to be steered. */
		if (error < 0 && proof.is_missing && proof.family == AF_INET6)
			error = 0;
	}
	if (error < 0)
		memcpy(why, reason, sizeof(reason));
	return error;
}
