/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends packet trains: long ones as one message with UDP_SEGMENT, adjacent datagrams of one path
 * and size joined into such a message. What the kernel refuses is dropped and counted.
 */
#include "io/udp_batch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"

enum {
	RETRIES = 4,
	/*
	 * EINVAL for a train may mean its path alone (segments above the path's MTU), so it is not
	 * the end of UDP_SEGMENT on this socket before it has happened this often in a row.
	 */
	GSO_REFUSALS_MAX = 16,
};

/* Part of a train that fits one message. */
struct piece {
	const uint8_t *data;
	uint32_t len, unit;
};

static bool has_ip(const struct natmux_addr *addr)
{
	static const uint8_t zeros[16];

	return memcmp(addr->ip, zeros, sizeof(zeros)) != 0;
}

/* Appends a control message to `msg`, whose buffer has room for it by its size. */
static void add_control(struct msghdr *msg, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *c =
		(struct cmsghdr *)(void *)((uint8_t *)msg->msg_control + msg->msg_controllen);

	memset(c, 0, CMSG_SPACE(len));
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	memcpy(CMSG_DATA(c), data, len);
	msg->msg_controllen += CMSG_SPACE(len);
}

/* The address to leave from; not needed when the socket is bound to it. */
static void add_source(
	const struct nm_udp *udp, const struct natmux_addr *local, struct msghdr *msg)
{
	struct in_pktinfo info = {0};
	struct in6_pktinfo info6 = {.ipi6_ifindex = local->scope_id};

	if (!udp->is_wildcard || local->family != udp->local.family || !has_ip(local))
		return;
	if (local->family == NATMUX_FAMILY_IPV6) {
		memcpy(&info6.ipi6_addr, local->ip, 16);
		add_control(msg, IPPROTO_IPV6, IPV6_PKTINFO, &info6, sizeof(info6));
	} else {
		memcpy(&info.ipi_spec_dst, local->ip, 4);
		add_control(msg, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	}
}

static void add_tos(const struct nm_udp *udp, uint8_t tos, struct msghdr *msg)
{
	bool is_v6 = udp->local.family == NATMUX_FAMILY_IPV6;
	int value = tos;

	if (tos == 0)
		return;
	add_control(msg, is_v6 ? IPPROTO_IPV6 : IPPROTO_IP, is_v6 ? IPV6_TCLASS : IP_TOS, &value,
		sizeof(value));
}

static void begin_message(struct nm_udp *udp, const struct natmux_train *train, uint32_t unit)
{
	struct nm_udp_tx *tx = &udp->batch->tx;
	struct nm_udp_parcel *parcel = &tx->parcels[tx->n];
	struct msghdr *msg = &tx->msgs[tx->n].msg_hdr;
	struct sockaddr *name = (struct sockaddr *)(void *)&tx->names[tx->n];

	*msg = (struct msghdr){
		.msg_name = name,
		.msg_namelen = (socklen_t)natmux_addr_to_sockaddr(&train->path.remote, name),
		.msg_iov = &tx->iovs[tx->iovs_n],
		.msg_control = &tx->controls[tx->n],
	};
	add_source(udp, &train->path.local, msg);
	add_tos(udp, train->tos, msg);
	*parcel = (struct nm_udp_parcel){
		.train = train, .unit = unit, .plain_control = msg->msg_controllen};
	tx->n++;
}

/* Puts a piece behind what the last message has; memory that goes on is one iovec. */
static void append(struct nm_udp_tx *tx, const struct piece *piece)
{
	struct nm_udp_parcel *parcel = &tx->parcels[tx->n - 1];
	struct msghdr *msg = &tx->msgs[tx->n - 1].msg_hdr;
	struct iovec *last = msg->msg_iovlen > 0 ? &msg->msg_iov[msg->msg_iovlen - 1] : NULL;

	if (last && (const uint8_t *)last->iov_base + last->iov_len == piece->data) {
		last->iov_len += piece->len;
	} else {
		tx->iovs[tx->iovs_n++] =
			(struct iovec){.iov_base = (void *)piece->data, .iov_len = piece->len};
		msg->msg_iovlen++;
	}
	parcel->bytes += piece->len;
	parcel->datagrams +=
		piece->len > piece->unit ? (piece->len + piece->unit - 1) / piece->unit : 1;
}

/* Whether the piece can follow in the same message: one path, one size, only the last shorter. */
static bool can_append(const struct nm_udp *udp, const struct nm_udp_tx *tx,
	const struct natmux_train *train, const struct piece *piece)
{
	const struct nm_udp_parcel *parcel;

	if (tx->n == 0 || !udp->status.has_gso)
		return false;
	parcel = &tx->parcels[tx->n - 1];
	if (piece->len == 0 || parcel->bytes == 0)
		return false;
	if (parcel->bytes % parcel->unit != 0 || piece->unit > parcel->unit ||
		(piece->unit < parcel->unit && piece->len > piece->unit))
		return false;
	if (parcel->bytes + piece->len > NM_UDP_PAYLOAD_MAX ||
		parcel->datagrams + (piece->len - 1) / piece->unit + 1 > NM_UDP_SEGMENTS ||
		tx->msgs[tx->n - 1].msg_hdr.msg_iovlen == NM_UDP_MESSAGE_IOVS)
		return false;
	return parcel->train->tos == train->tos &&
	       memcmp(&parcel->train->path, &train->path, sizeof(train->path)) == 0;
}

/* Announces the size of the datagrams in every message that has more than one. */
static void add_segment_sizes(struct nm_udp_tx *tx)
{
	for (unsigned int i = 0; i < tx->n; i++) {
		uint16_t unit = (uint16_t)tx->parcels[i].unit;

		if (tx->parcels[i].datagrams > 1)
			add_control(&tx->msgs[i].msg_hdr, IPPROTO_UDP, UDP_SEGMENT, &unit,
				sizeof(unit));
	}
}

/* An ICMP error of an earlier datagram may be reported here: worth another try. */
static bool is_passing(int error)
{
	return error == EINTR || error == ECONNREFUSED;
}

static bool is_queue_full(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK;
}

static void count_drops(struct nm_udp *udp, int error, uint64_t datagrams)
{
	udp->status.send_drops += datagrams;
	nm_udp_tell(udp, "sendmmsg", error);
}

/* Datagrams of one parcel that the kernel did not take. */
static void count_refused(
	struct nm_udp *udp, const struct nm_udp_parcel *parcel, int error, uint64_t datagrams)
{
	count_drops(udp, error, datagrams);
	if (error == EMSGSIZE)
		nm_udp_tell_too_big(udp, &parcel->train->path);
}

static int call_sendmmsg(struct nm_udp *udp, struct mmsghdr *msgs, unsigned int n)
{
	int sent = -1;

	for (unsigned int tries = 0; sent < 0 && tries < RETRIES; tries++) {
		udp->status.send_calls++;
		sent = udp->sys->sendmmsg(udp->fd, msgs, n, 0);
		if (sent < 0 && !is_passing(errno))
			break;
	}
	return sent;
}

/* Cuts message `i` into one message per datagram; returns their number. */
static unsigned int split_message(struct nm_udp_tx *tx, unsigned int i)
{
	const struct nm_udp_parcel *parcel = &tx->parcels[i];
	const struct msghdr *whole = &tx->msgs[i].msg_hdr;
	unsigned int n = 0;

	for (size_t v = 0; v < whole->msg_iovlen; v++) {
		uint8_t *data = whole->msg_iov[v].iov_base;
		size_t left = whole->msg_iov[v].iov_len;

		/* Every iovec begins with a new datagram: only the last of all may be short. */
		while (left > 0 && n < NM_UDP_SEGMENTS) {
			size_t len = left < parcel->unit ? left : parcel->unit;

			tx->single_iovs[n] = (struct iovec){.iov_base = data, .iov_len = len};
			tx->singles[n].msg_hdr = *whole;
			tx->singles[n].msg_hdr.msg_iov = &tx->single_iovs[n];
			tx->singles[n].msg_hdr.msg_iovlen = 1;
			tx->singles[n].msg_hdr.msg_controllen = parcel->plain_control;
			data += len;
			left -= len;
			n++;
		}
	}
	return n;
}

/*
 * Sends the datagrams of message `i` one by one. They share path and size, and so their fate: the
 * first that is refused takes the rest along. Returns whether any was taken.
 */
static bool send_singles(struct nm_udp *udp, unsigned int i)
{
	struct nm_udp_tx *tx = &udp->batch->tx;
	unsigned int n = split_message(tx, i), at = 0;

	while (at < n) {
		int sent = call_sendmmsg(udp, tx->singles + at, n - at);

		if (sent <= 0) {
			count_refused(udp, &tx->parcels[i], errno, n - at);
			break;
		}
		at += (unsigned int)sent;
	}
	return at > 0;
}

static void gso_off(struct nm_udp *udp, int error)
{
	char text[NATMUX_ADDR_TEXT];

	udp->status.has_gso = false;
	snprintf(udp->status.gso_why, sizeof(udp->status.gso_why), "refused when sending: %.48s",
		strerror(error));
	nm_log(&udp->log, NATMUX_LOG_WARNING, "UDP %s: UDP_SEGMENT off, %s",
		natmux_addr_format(&udp->local, text), udp->status.gso_why);
}

/* The kernel refused a train: what that says about UDP_SEGMENT, and another way to send it. */
static void send_refused(struct nm_udp *udp, unsigned int i, int error)
{
	udp->status.gso_refused++;
	/* EIO: the device cannot checksum segments, or the route is IPsec's. */
	if (udp->status.has_gso && (error == EIO || error == ENOPROTOOPT || error == EOPNOTSUPP))
		gso_off(udp, error);
	/* When single datagrams do not pass either, UDP_SEGMENT is not to blame. */
	if (send_singles(udp, i) && ++udp->gso_refusals == GSO_REFUSALS_MAX && udp->status.has_gso)
		gso_off(udp, error);
}

static bool is_gso_refusal(int error)
{
	return error == EIO || error == EINVAL || error == ENOPROTOOPT || error == EOPNOTSUPP ||
	       error == EMSGSIZE;
}

static void note_sent(struct nm_udp *udp, unsigned int from, unsigned int n)
{
	for (unsigned int i = from; i < from + n && udp->gso_refusals > 0; i++)
		if (udp->batch->tx.parcels[i].datagrams > 1)
			udp->gso_refusals = 0;
}

/* Message `i` failed alone; the others must not suffer. */
static void handle_failure(struct nm_udp *udp, unsigned int i, int error)
{
	struct nm_udp_parcel *parcel = &udp->batch->tx.parcels[i];

	if (parcel->datagrams > 1 && is_gso_refusal(error))
		send_refused(udp, i, error);
	else
		count_refused(udp, parcel, error, parcel->datagrams);
}

/* Sends all messages made so far. */
static void flush(struct nm_udp *udp)
{
	struct nm_udp_tx *tx = &udp->batch->tx;
	unsigned int at = 0;

	add_segment_sizes(tx);
	while (at < tx->n) {
		int sent = call_sendmmsg(udp, tx->msgs + at, tx->n - at);

		if (sent > 0) {
			note_sent(udp, at, (unsigned int)sent);
			at += (unsigned int)sent;
			continue;
		}
		/* A full queue is full for all: UDP may lose them, the loop may not wait. */
		if (is_queue_full(errno))
			break;
		handle_failure(udp, at, errno);
		at++;
	}
	for (; at < tx->n; at++)
		count_drops(udp, EAGAIN, tx->parcels[at].datagrams);
	tx->n = 0;
	tx->iovs_n = 0;
}

static void put_piece(
	struct nm_udp *udp, const struct natmux_train *train, const struct piece *piece)
{
	struct nm_udp_tx *tx = &udp->batch->tx;

	if (!can_append(udp, tx, train, piece)) {
		if (tx->n == NM_UDP_MESSAGES || tx->iovs_n > NM_UDP_IOVS - NM_UDP_MESSAGE_IOVS)
			flush(udp);
		begin_message(udp, train, piece->unit);
	}
	append(tx, piece);
}

/* The most bytes of a train that one message takes: whole datagrams, at least one. */
static uint32_t piece_max(const struct nm_udp *udp, uint32_t unit)
{
	uint32_t datagrams = NM_UDP_PAYLOAD_MAX / unit;

	if (!udp->status.has_gso || datagrams == 0)
		return unit;
	return unit * (datagrams < NM_UDP_SEGMENTS ? datagrams : NM_UDP_SEGMENTS);
}

static void put_train(struct nm_udp *udp, const struct natmux_train *train)
{
	bool is_single = train->segment == 0 || train->segment >= train->len;
	struct piece piece = {.data = train->data, .unit = is_single ? train->len : train->segment};
	uint32_t left = train->len, max;

	if (udp->local.family == NATMUX_FAMILY_IPV4 && udp->has_df != (train->dont_fragment != 0)) {
		flush(udp);
		nm_udp_set_df(udp, train->dont_fragment != 0);
	}
	if (is_single) {
		piece.len = train->len;
		put_piece(udp, train, &piece);
		return;
	}
	max = piece_max(udp, piece.unit);
	for (; left > 0; left -= piece.len) {
		piece.len = left < max ? left : max;
		/* A last datagram on its own is as long as it is. */
		if (piece.len < piece.unit)
			piece.unit = piece.len;
		put_piece(udp, train, &piece);
		piece.data += piece.len;
	}
}

uint64_t nm_udp_send(struct nm_udp *udp, const struct natmux_train *trains, size_t n)
{
	uint64_t drops_before = udp->status.send_drops;

	udp->has_asked = false;
	for (size_t i = 0; i < n; i++) {
		/* A socket of one family has no way to the other. */
		if (trains[i].path.remote.family != udp->local.family)
			count_drops(udp, EAFNOSUPPORT, natmux_train_count(&trains[i]));
		else
			put_train(udp, &trains[i]);
	}
	flush(udp);
	return udp->status.send_drops - drops_before;
}
