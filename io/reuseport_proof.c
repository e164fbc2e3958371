/* SPDX-License-Identifier: Apache-2.0 */
/* Tries a reuseport program on the running kernel, between sockets of its own. */
#include "io/reuseport_proof.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <natmux/error.h>

struct proof {
	const struct nm_sys *sys;
	int fds[NM_REUSEPORT_PROOF_SOCKETS];
	uint32_t fds_n;
	struct sockaddr_storage at; /* where the group is */
	socklen_t at_len;
	char *why;
};

static int failed(struct proof *proof, const char *call)
{
	snprintf(proof->why, NM_REUSEPORT_PROOF_WHY, "%.40s: %.48s", call, strerror(errno));
	return NATMUX_ESYSTEM;
}

/* The loopback address, port 0. */
static void set_loopback(struct proof *proof, enum natmux_family family)
{
	struct natmux_addr addr = {.family = (uint8_t)family};

	if (family == NATMUX_FAMILY_IPV6)
		addr.ip[15] = 1;
	else
		memcpy(addr.ip, (const uint8_t[]){127, 0, 0, 1}, 4);
	proof->at_len = (socklen_t)natmux_addr_to_sockaddr(&addr, (struct sockaddr *)&proof->at);
}

/* One more of the group; the first finds the port. */
static int open_one(struct proof *proof)
{
	const struct timeval wait = {.tv_usec = NM_REUSEPORT_PROOF_WAIT_MS * 1000};
	const struct nm_sys *sys = proof->sys;
	int on = 1, fd = sys->socket(proof->at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);

	if (fd < 0)
		return failed(proof, "socket");
	proof->fds[proof->fds_n++] = fd;
	if (sys->setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
		return failed(proof, "setsockopt(SO_REUSEPORT)");
	if (sys->setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0)
		return failed(proof, "setsockopt(SO_RCVTIMEO)");
	if (sys->bind(fd, (struct sockaddr *)&proof->at, proof->at_len) < 0)
		return failed(proof, "bind");
	if (sys->getsockname(fd, (struct sockaddr *)&proof->at, &proof->at_len) < 0)
		return failed(proof, "getsockname");
	return 0;
}

static int send_probe(struct proof *proof, const struct nm_reuseport_probe *probe)
{
	struct iovec iov = {(void *)(uintptr_t)probe->payload, probe->len};
	struct msghdr msg = {
		.msg_name = &proof->at,
		.msg_namelen = proof->at_len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};

	/* Any socket can send: which of them gets it does not depend on the source. */
	if (proof->sys->sendmsg(proof->fds[0], &msg, 0) == (ssize_t)probe->len)
		return 0;
	return failed(proof, "sendmsg to the loopback address");
}

/* Other datagrams that somebody sends to that port are no excuse: the first has to be the probe. */
static int receive_probe(struct proof *proof, const struct nm_reuseport_probe *probe)
{
	uint8_t got[64];
	struct iovec iov = {got, sizeof(got)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = proof->sys->recvmsg(proof->fds[probe->socket], &msg, 0);

	if (n == (ssize_t)probe->len && memcmp(got, probe->payload, probe->len) == 0)
		return 0;
	snprintf(proof->why, NM_REUSEPORT_PROOF_WHY,
		"a datagram for socket %u of the group went elsewhere (is lo up?)", probe->socket);
	return NATMUX_ESYSTEM;
}

static int prove(struct proof *proof, uint32_t sockets, const struct nm_filter_step *steps,
	size_t steps_n, const struct nm_reuseport_probe *probes, size_t probes_n)
{
	int err = 0;

	while (proof->fds_n < sockets && err == 0)
		err = open_one(proof);
	if (err == 0 && nm_reuseport_attach(proof->sys, proof->fds[0], steps, steps_n) < 0)
		err = failed(proof, "setsockopt(SO_ATTACH_REUSEPORT_CBPF)");
	for (size_t i = 0; i < probes_n && err == 0; i++) {
		err = send_probe(proof, &probes[i]);
		if (err == 0)
			err = receive_probe(proof, &probes[i]);
	}
	return err;
}

int nm_reuseport_prove(const struct nm_sys *sys, enum natmux_family family, uint32_t sockets,
	const struct nm_filter_step *steps, size_t steps_n, const struct nm_reuseport_probe *probes,
	size_t probes_n, char why[static NM_REUSEPORT_PROOF_WHY])
{
	struct proof proof = {.sys = sys, .why = why};
	int err;

	if (sockets == 0 || sockets > NM_REUSEPORT_PROOF_SOCKETS)
		return NATMUX_EINVAL;
	set_loopback(&proof, family);
	err = prove(&proof, sockets, steps, steps_n, probes, probes_n);
	while (proof.fds_n > 0)
		sys->close(proof.fds[--proof.fds_n]);
	return err;
}
