/* SPDX-License-Identifier: Apache-2.0 */
/* Receives packet trains. What they contain is nobody's business here. */
#include "io/udp_batch.h"

#include <errno.h>
#include <string.h>
#include "base/log.h"

enum {
	/*
	 * Bytes to be received in one call: half a level-2 cache, so that datagrams are still
	 * there when they are looked at.
	 */
	BYTES_PER_CALL = 512 * 1024,
	OFFER_MIN = 8,

	/* A train whose datagrams have none that makes sense: UDP_GRO is not to be trusted. */
	NO_SIZE = UINT16_MAX + 1,

	RETRIES = 4, /* of a call that a signal or a stale ICMP error interrupted */
};

/*
 * Buffers for the next call. Small datagrams: all of them, for perhaps the kernel can join none.
 * Long trains: only as many as the cache holds. The first ones are always used again, so what a
 * flood of long trains does not touch never becomes resident.
 */
static unsigned int next_offer(size_t messages, size_t bytes)
{
	size_t fit = bytes > 0 ? BYTES_PER_CALL * messages / bytes : NM_UDP_MESSAGES;

	if (fit > NM_UDP_MESSAGES)
		return NM_UDP_MESSAGES;
	return fit < OFFER_MIN ? OFFER_MIN : (unsigned int)fit;
}

static void local_from_pktinfo(const struct cmsghdr *c, struct natmux_addr *local)
{
	struct in_pktinfo info;

	/* ipi_spec_dst: ours even when the datagram was sent to a multicast or broadcast address */
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	memcpy(local->ip, &info.ipi_spec_dst, 4);
}

static void local_from_pktinfo6(const struct cmsghdr *c, struct natmux_addr *local)
{
	struct in6_pktinfo info;

	memcpy(&info, CMSG_DATA(c), sizeof(info));
	if (IN6_IS_ADDR_MULTICAST(&info.ipi6_addr))
		return;
	memcpy(local->ip, &info.ipi6_addr, 16);
	if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
		local->scope_id = info.ipi6_ifindex;
}

static int control_int(const struct cmsghdr *c)
{
	int value;

	memcpy(&value, CMSG_DATA(c), sizeof(value));
	return value;
}

/* Level and type of a control message in one number. */
#define KEY(level, type) ((level) << 8 | (type))

/* Bytes that a control message of this kind has at least; the kernel promises them. */
static size_t control_size(int key)
{
	switch (key) {
	case KEY(IPPROTO_IP, IP_PKTINFO): return sizeof(struct in_pktinfo);
	case KEY(IPPROTO_IPV6, IPV6_PKTINFO): return sizeof(struct in6_pktinfo);
	case KEY(IPPROTO_IP, IP_TOS): return 1;
	default: return sizeof(int);
	}
}

static void read_control(struct nm_udp *udp, const struct cmsghdr *c, struct natmux_train *train)
{
	int key = KEY(c->cmsg_level, c->cmsg_type);

	if (c->cmsg_len < CMSG_LEN(control_size(key)))
		return;
	switch (key) {
	case KEY(IPPROTO_IP, IP_PKTINFO): local_from_pktinfo(c, &train->path.local); break;
	case KEY(IPPROTO_IPV6, IPV6_PKTINFO): local_from_pktinfo6(c, &train->path.local); break;
	case KEY(IPPROTO_IP, IP_TOS): train->tos = *CMSG_DATA(c); break;
	case KEY(IPPROTO_IPV6, IPV6_TCLASS): train->tos = (uint8_t)control_int(c); break;
	case KEY(IPPROTO_UDP, UDP_GRO):
		/* Nothing is shorter than a datagram of one octet: what is not one is no size. */
		train->segment = control_int(c) > 0 ? (uint32_t)control_int(c) : NO_SIZE;
		break;
	case KEY(SOL_SOCKET, SO_RXQ_OVFL):
		nm_udp_count_overflow(udp, (uint32_t)control_int(c));
		break;
	default: break;
	}
}

/* A message as a train, in place; false when there is nothing to hand on. */
static bool take(struct nm_udp *udp, struct mmsghdr *m, struct natmux_train *train)
{
	struct msghdr *msg = &m->msg_hdr;

	*train = udp->blank;
	train->data = msg->msg_iov->iov_base;
	train->len = m->msg_len;
	if (natmux_addr_from_sockaddr(msg->msg_name, msg->msg_namelen, &train->path.remote) < 0) {
		udp->status.recv_errors++;
		return false;
	}
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		read_control(udp, c, train);
	if (train->segment >= NO_SIZE) {
		udp->status.recv_errors++;
		nm_udp_stop_gro(udp);
		return false;
	}
	if (train->segment == 0 || train->segment > train->len)
		train->segment = train->len;
	if (msg->msg_flags & MSG_TRUNC) {
		udp->status.truncated += natmux_train_count(train);
		return false;
	}
	return true;
}

/* Calls recvmmsg; returns the number of messages, 0 when there are none or it failed. */
static unsigned int receive(struct nm_udp *udp, unsigned int offer)
{
	int n = -1, error = 0;

	for (unsigned int tries = 0; n < 0 && tries < RETRIES; tries++) {
		udp->status.recv_calls++;
		n = udp->sys->recvmmsg(udp->fd, udp->batch->rx.msgs, offer, 0);
		if (n >= 0)
			break;
		error = errno;
		if (error == EAGAIN)
			return 0;
		udp->status.recv_errors++;
		/* An ICMP error of something sent earlier: the call reports and clears it. */
		if (error != EINTR && error != ECONNREFUSED && error != EHOSTUNREACH &&
			error != ENETUNREACH)
			break;
	}
	if (n >= 0)
		return (unsigned int)n;
	nm_udp_tell(udp, "recvmmsg", error);
	return 0;
}

size_t nm_udp_recv(struct nm_udp *udp, struct natmux_train *trains, size_t max)
{
	struct nm_udp_rx *rx = &udp->batch->rx;
	unsigned int offer = max < udp->offer ? (unsigned int)max : udp->offer;
	unsigned int n;
	size_t used = 0, bytes = 0;

	if (max == 0)
		return 0;
	n = receive(udp, offer);
	for (unsigned int i = 0; i < n; i++) {
		bytes += rx->msgs[i].msg_len;
		used += take(udp, &rx->msgs[i], &trains[used]);
		nm_udp_slot_again(rx, i);
	}
	udp->has_more = n > 0 && n == offer;
	if (n > 0)
		udp->offer = next_offer(n, bytes);
	return used;
}
