/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink, as any protocol has it. libmnl's sockets are not used here: what is behind the table of
 * system calls a test can let fail.
 */
#include "io/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include "base/log.h"
#include "base/secret.h"

enum {
	BUFFER = 64 * 1024, /* the kernel fills 32 KiB at most */
	RECEIVE_BUFFER = 1024 * 1024,
	STRANGERS_MAX = 64, /* passed over in one call */
};

struct nm_netlink {
	const struct nm_sys *sys;
	struct natmux_log log;
	int fd;
	uint32_t portid;
	bool is_told;
	size_t used; /* octets of the buffer that may hold keys */
	struct nm_secret_pool *pool;
	uint8_t *buffer; /* BUFFER; never swapped */
	struct nm_netlink_status status;
};

static int open_failed(const struct nm_netlink *netlink, int protocol, const char *call)
{
	int error = errno;
	const char *hint = "";

	if (error == EPROTONOSUPPORT)
		hint = " (this kernel has none: CONFIG_XFRM_USER)";
	else if (error == EPERM)
		hint = " (needs CAP_NET_ADMIN)";
	nm_log(&netlink->log, NATMUX_LOG_ERROR, "netlink protocol %d: %s: %s%s", protocol, call,
		strerror(error), hint);
	return error == EPROTONOSUPPORT ? NATMUX_EUNSUPPORTED : NATMUX_ESYSTEM;
}

/* What makes errors readable; older kernels go without. */
static void set_options(struct nm_netlink *netlink, const struct nm_netlink_config *config)
{
	int on = 1;
	int buffer = config->receive_buffer > 0 ? (int)config->receive_buffer : RECEIVE_BUFFER;

	(void)netlink->sys->setsockopt(netlink->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	/* An error quotes the request's header, not all of it: keys need not come back. */
	(void)netlink->sys->setsockopt(netlink->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	if (netlink->sys->setsockopt(
		    netlink->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
		(void)netlink->sys->setsockopt(
			netlink->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
}

static int join_groups(struct nm_netlink *netlink, const struct nm_netlink_config *config)
{
	for (size_t i = 0; i < config->groups_len; i++) {
		int group = (int)config->groups[i];

		if (netlink->sys->setsockopt(netlink->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
			    &group, sizeof(group)) == 0)
			continue;
		if (errno != EINVAL)
			return open_failed(netlink, config->protocol, "joining a group");
		nm_log(&netlink->log, NATMUX_LOG_WARNING,
			"netlink protocol %d: this kernel has no group %d; its events are missed",
			config->protocol, group);
	}
	return 0;
}

static int set_up(struct nm_netlink *netlink, const struct nm_netlink_config *config)
{
	struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	socklen_t len = sizeof(self);

	set_options(netlink, config);
	if (netlink->sys->bind(netlink->fd, (struct sockaddr *)&self, len) < 0)
		return open_failed(netlink, config->protocol, "bind");
	if (netlink->sys->getsockname(netlink->fd, (struct sockaddr *)&self, &len) < 0)
		return open_failed(netlink, config->protocol, "getsockname");
	netlink->portid = self.nl_pid;
	return join_groups(netlink, config);
}

int nm_netlink_open(const struct nm_netlink_config *config, struct nm_netlink **result)
{
	struct nm_netlink *netlink = calloc(1, sizeof(*netlink));
	int err = NATMUX_ENOMEM;

	if (!netlink)
		return err;
	netlink->sys = config->sys;
	netlink->log = config->log;
	netlink->pool = nm_secret_pool_new(BUFFER);
	if (!netlink->pool)
		goto free_netlink;
	netlink->buffer = nm_secret_take(netlink->pool);
	if (!netlink->buffer)
		goto free_pool;
	netlink->fd = netlink->sys->socket(
		AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, config->protocol);
	if (netlink->fd < 0) {
		err = open_failed(netlink, config->protocol, "socket");
		goto free_pool;
	}
	err = set_up(netlink, config);
	if (err < 0)
		goto close_fd;
	*result = netlink;
	return 0;

close_fd:
	netlink->sys->close(netlink->fd);
free_pool:
	nm_secret_pool_free(netlink->pool);
free_netlink:
	free(netlink);
	return err;
}

void nm_netlink_close(struct nm_netlink *netlink)
{
	if (!netlink)
		return;
	netlink->sys->close(netlink->fd);
	nm_secret_pool_free(netlink->pool);
	free(netlink);
}

int nm_netlink_fd(const struct nm_netlink *netlink)
{
	return netlink->fd;
}

uint32_t nm_netlink_portid(const struct nm_netlink *netlink)
{
	return netlink->portid;
}

const struct nm_netlink_status *nm_netlink_status(const struct nm_netlink *netlink)
{
	return &netlink->status;
}

int nm_netlink_send(struct nm_netlink *netlink, const void *message, size_t len, int *os_error)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct iovec part = {(void *)(uintptr_t)message, len};
	const struct msghdr msg = {
		.msg_name = &kernel,
		.msg_namelen = sizeof(kernel),
		.msg_iov = &part,
		.msg_iovlen = 1,
	};
	ssize_t sent;

	do
		sent = netlink->sys->sendmsg(netlink->fd, &msg, 0);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return 0;
	if (errno == EAGAIN || errno == ENOBUFS)
		return NATMUX_EFULL;
	*os_error = errno;
	netlink->status.send_errors++;
	return NATMUX_ESYSTEM;
}

void nm_netlink_wipe(struct nm_netlink *netlink)
{
	sodium_memzero(netlink->buffer, netlink->used);
	netlink->used = 0;
}

static enum nm_netlink_result recv_failed(struct nm_netlink *netlink)
{
	if (errno == EAGAIN)
		return NM_NETLINK_EMPTY;
	if (errno == ENOBUFS) {
		netlink->status.lost++;
		return NM_NETLINK_LOST;
	}
	netlink->status.recv_errors++;
	if (!netlink->is_told)
		nm_log(&netlink->log, NATMUX_LOG_WARNING,
			"netlink: recvmsg: %s; from now on only counted", strerror(errno));
	netlink->is_told = true;
	return NM_NETLINK_ERROR;
}

/* One datagram, whoever it is from; `*from` is the port id of its sender, 0 for the kernel. */
static ssize_t receive(struct nm_netlink *netlink, uint32_t *from, int *flags)
{
	struct sockaddr_nl name = {0};
	struct iovec part = {netlink->buffer, BUFFER};
	struct msghdr msg = {
		.msg_name = &name,
		.msg_namelen = sizeof(name),
		.msg_iov = &part,
		.msg_iovlen = 1,
	};
	ssize_t len;

	netlink->status.recv_calls++;
	do
		len = netlink->sys->recvmsg(netlink->fd, &msg, 0);
	while (len < 0 && errno == EINTR);
	netlink->used = len > 0 ? (size_t)len : 0;
	*from = name.nl_pid;
	*flags = msg.msg_flags;
	return len;
}

enum nm_netlink_result nm_netlink_recv(struct nm_netlink *netlink, void **bytes, size_t *len)
{
	nm_netlink_wipe(netlink);
	for (unsigned int i = 0; i < STRANGERS_MAX; i++) {
		uint32_t from;
		int flags;
		ssize_t n = receive(netlink, &from, &flags);

		if (n < 0)
			return recv_failed(netlink);
		if (from != 0) {
			netlink->status.strangers++;
			continue;
		}
		if (flags & MSG_TRUNC) {
			netlink->status.truncated++;
			return NM_NETLINK_LOST;
		}
		*bytes = netlink->buffer;
		*len = (size_t)n;
		return NM_NETLINK_DATA;
	}
	return NM_NETLINK_EMPTY;
}

bool nm_netlink_wait(struct nm_netlink *netlink, uint32_t timeout_ms)
{
	struct pollfd fd = {.fd = netlink->fd, .events = POLLIN};

	return netlink->sys->poll(&fd, 1, timeout_ms > INT32_MAX ? -1 : (int)timeout_ms) > 0;
}
