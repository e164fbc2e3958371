/* SPDX-License-Identifier: Apache-2.0 */
/* Bare ESP from the kernel. Which SA a packet is for is nobody's business here. */
#include "io/raw_esp.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include "base/bytes.h"
#include "base/log.h"

enum {
	MESSAGES = 32,
	PACKET_MAX = 65536, /* of which only the pages in use count */
	CONTROL = 96,       /* a traffic class, our address, and something to spare */
	IP4_HEADER = 20,
	IP4_FRAGMENT = 0x3fff, /* more to come, or an offset: RFC 791 3.1 */
};

struct nm_raw_esp {
	const struct nm_sys *sys;
	struct natmux_log log;
	struct natmux_addr local; /* port 0 */
	int fd;
	bool has_more, is_told;
	struct nm_raw_esp_status status;
	uint8_t *buffers; /* MESSAGES * PACKET_MAX */
	struct mmsghdr msgs[MESSAGES];
	struct iovec iovs[MESSAGES];
	struct sockaddr_storage names[MESSAGES];
	_Alignas(struct cmsghdr) uint8_t controls[MESSAGES][CONTROL];
};

static int open_failed(const struct nm_raw_esp *raw, const char *call)
{
	char text[NATMUX_ADDR_TEXT];
	int error = errno;

	nm_log(&raw->log, NATMUX_LOG_ERROR, "bare ESP to %s: %s: %s%s",
		natmux_addr_format(&raw->local, text), call, strerror(error),
		error == EPERM ? " (needs CAP_NET_RAW; bare-esp = no goes without)" : "");
	return error == EAFNOSUPPORT ? NATMUX_EUNSUPPORTED : NATMUX_ESYSTEM;
}

static bool is_v6(const struct nm_raw_esp *raw)
{
	return raw->local.family == NATMUX_FAMILY_IPV6;
}

static int set_options(struct nm_raw_esp *raw, const struct nm_raw_esp_config *config)
{
	int on = 1, buffer = (int)config->receive_buffer;

	if (config->device && *config->device &&
		raw->sys->setsockopt(raw->fd, SOL_SOCKET, SO_BINDTODEVICE, config->device,
			(socklen_t)strlen(config->device) + 1) < 0)
		return open_failed(raw, "setsockopt(SO_BINDTODEVICE)");
	/*
	 * IPv4 has the header in the packet. Without the class ECN is not seen, and no more; without
	 * the address transport mode has no header to give back (RFC 4303 3.1.1).
	 */
	if (is_v6(raw)) {
		(void)raw->sys->setsockopt(raw->fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on));
		(void)raw->sys->setsockopt(
			raw->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on));
	}
	if (buffer > 0 && raw->sys->setsockopt(
				  raw->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
		(void)raw->sys->setsockopt(raw->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	return 0;
}

static int set_up(struct nm_raw_esp *raw, const struct nm_raw_esp_config *config)
{
	struct sockaddr_storage sa;
	socklen_t len = (socklen_t)natmux_addr_to_sockaddr(&raw->local, (struct sockaddr *)&sa);
	int err = set_options(raw, config);

	if (err == 0 && raw->sys->bind(raw->fd, (struct sockaddr *)&sa, len) < 0)
		err = open_failed(raw, "bind");
	return err;
}

/* To be done again after each call, which writes into these. */
static void prepare(struct nm_raw_esp *raw, unsigned int i)
{
	raw->iovs[i] = (struct iovec){raw->buffers + (size_t)i * PACKET_MAX, PACKET_MAX};
	raw->msgs[i].msg_hdr = (struct msghdr){
		.msg_name = &raw->names[i],
		.msg_namelen = sizeof(raw->names[i]),
		.msg_iov = &raw->iovs[i],
		.msg_iovlen = 1,
		.msg_control = raw->controls[i],
		.msg_controllen = CONTROL,
	};
}

int nm_raw_esp_open(const struct nm_raw_esp_config *config, const struct natmux_addr *local,
	struct nm_raw_esp **result)
{
	struct nm_raw_esp *raw;
	int err = NATMUX_ENOMEM;

	if (local->family != NATMUX_FAMILY_IPV4 && local->family != NATMUX_FAMILY_IPV6)
		return NATMUX_EINVAL;
	if (config->device && strlen(config->device) >= IFNAMSIZ)
		return NATMUX_EINVAL;
	raw = calloc(1, sizeof(*raw));
	if (!raw)
		return err;
	raw->sys = config->sys;
	raw->log = config->log;
	raw->local = *local;
	raw->local.port = 0;
	raw->buffers = raw->sys->map((size_t)MESSAGES * PACKET_MAX);
	if (!raw->buffers)
		goto free_raw;
	raw->fd = raw->sys->socket(is_v6(raw) ? AF_INET6 : AF_INET,
		SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ESP);
	if (raw->fd < 0) {
		err = open_failed(raw, "socket");
		goto unmap;
	}
	err = set_up(raw, config);
	if (err < 0)
		goto close_fd;
	for (unsigned int i = 0; i < MESSAGES; i++)
		prepare(raw, i);
	*result = raw;
	return 0;

close_fd:
	raw->sys->close(raw->fd);
unmap:
	raw->sys->unmap(raw->buffers, (size_t)MESSAGES * PACKET_MAX);
free_raw:
	free(raw);
	return err;
}

void nm_raw_esp_close(struct nm_raw_esp *raw)
{
	if (!raw)
		return;
	raw->sys->close(raw->fd);
	raw->sys->unmap(raw->buffers, (size_t)MESSAGES * PACKET_MAX);
	free(raw);
}

int nm_raw_esp_fd(const struct nm_raw_esp *raw)
{
	return raw->fd;
}

bool nm_raw_esp_has_more(const struct nm_raw_esp *raw)
{
	return raw->has_more;
}

const struct nm_raw_esp_status *nm_raw_esp_status(const struct nm_raw_esp *raw)
{
	return &raw->status;
}

/*
 * raw(7): an IPv4 socket gets the header, too; it is whole, for the kernel has looked at it and has
 * put fragments together. What is one all the same is not for ESP (RFC 4303 3.4.1).
 */
static bool strip_header(struct natmux_train *train)
{
	uint32_t header = (uint32_t)(train->data[0] & 0x0f) * 4;

	if (train->len < IP4_HEADER || header < IP4_HEADER || header > train->len ||
		(nm_get16(train->data + 6) & IP4_FRAGMENT))
		return false;
	train->tos = train->data[1];
	memcpy(train->path.local.ip, train->data + 16, 4);
	train->data += header;
	train->len -= header;
	return true;
}

static void read_class(const struct cmsghdr *c, struct natmux_train *train)
{
	int value;

	if (c->cmsg_len < CMSG_LEN(sizeof(value)))
		return;
	memcpy(&value, CMSG_DATA(c), sizeof(value));
	train->tos = (uint8_t)value;
}

static void read_local(const struct cmsghdr *c, struct natmux_train *train)
{
	struct in6_pktinfo info;

	if (c->cmsg_len < CMSG_LEN(sizeof(info)))
		return;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	memcpy(train->path.local.ip, &info.ipi6_addr, sizeof(train->path.local.ip));
	if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
		train->path.local.scope_id = info.ipi6_ifindex;
}

static void read_controls(struct msghdr *msg, struct natmux_train *train)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			read_class(c, train);
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO)
			read_local(c, train);
	}
}

/* Message `i` as a train; false when there is nothing to hand on. */
static bool take(struct nm_raw_esp *raw, struct mmsghdr *m, struct natmux_train *result)
{
	struct natmux_train train = {
		.data = m->msg_hdr.msg_iov->iov_base,
		.len = m->msg_len,
		.flow = NATMUX_FLOW_NONE,
		.path.local = raw->local,
	};

	if (natmux_addr_from_sockaddr(
		    m->msg_hdr.msg_name, m->msg_hdr.msg_namelen, &train.path.remote) < 0) {
		raw->status.recv_errors++;
		return false;
	}
	/* A raw socket's sender has no port; IPv6 puts the protocol there. */
	train.path.remote.port = 0;
	if (is_v6(raw))
		read_controls(&m->msg_hdr, &train);
	if (m->msg_hdr.msg_flags & MSG_TRUNC || (!is_v6(raw) && !strip_header(&train))) {
		raw->status.truncated++;
		return false;
	}
	train.segment = train.len;
	*result = train;
	return true;
}

size_t nm_raw_esp_recv(struct nm_raw_esp *raw, struct natmux_train *trains, size_t max)
{
	unsigned int offer = max < MESSAGES ? (unsigned int)max : MESSAGES;
	size_t used = 0;
	int n;

	raw->status.recv_calls++;
	n = raw->sys->recvmmsg(raw->fd, raw->msgs, offer, 0);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		raw->status.recv_errors++;
		if (!raw->is_told)
			nm_log(&raw->log, NATMUX_LOG_WARNING,
				"bare ESP: recvmmsg: %s; from now on only counted",
				strerror(errno));
		raw->is_told = true;
	}
	for (int i = 0; i < n; i++) {
		used += take(raw, &raw->msgs[i], &trains[used]);
		prepare(raw, (unsigned int)i);
	}
	raw->has_more = n > 0 && (unsigned int)n == offer;
	raw->status.packets += used;
	return used;
}
