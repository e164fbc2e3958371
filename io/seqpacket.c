/* SPDX-License-Identifier: Apache-2.0 */
/* The Unix socket's life and its frames. Leaves permission and meaning to the caller. */
#include "io/seqpacket.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <natmux/error.h>
#include "base/log.h"

struct nm_seqpacket {
	const struct nm_sys *sys;
	struct natmux_log log;
	struct sockaddr_un addr;
	int fd;
	unsigned int clients, clients_max;
	uint32_t send_buffer;
	bool has_told_full, has_told_accept;
	/* Which file is ours: somebody may have put another in its place. */
	dev_t file_dev;
	ino_t file_ino; /* 0: none */
};

static const char *advice(int error)
{
	switch (error) {
	case ENOENT: return " (make the directory first)";
	case EACCES:
	case EPERM: return " (no permission in this directory)";
	case EROFS: return " (choose a place that can be written, such as /run)";
	default: return "";
	}
}

static int system_error(struct nm_seqpacket *listener, const char *call)
{
	int error = errno;

	nm_log(&listener->log, NATMUX_LOG_ERROR, "Unix socket %s: %s: %s%s",
		listener->addr.sun_path, call, strerror(error), advice(error));
	return error == ENOMEM || error == ENOBUFS ? NATMUX_ENOMEM : NATMUX_ESYSTEM;
}

static int open_socket(struct nm_seqpacket *listener)
{
	return listener->sys->socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int bind_path(struct nm_seqpacket *listener)
{
	return listener->sys->bind(
		listener->fd, (const struct sockaddr *)&listener->addr, sizeof(listener->addr));
}

/* Whether the file is a socket that nobody answers at: connect() says ECONNREFUSED then only. */
static bool is_stale(struct nm_seqpacket *listener)
{
	struct stat st;
	int fd, error;

	if (listener->sys->lstat(listener->addr.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
		nm_log(&listener->log, NATMUX_LOG_ERROR,
			"Unix socket %s: something that is no socket has this name; it stays",
			listener->addr.sun_path);
		return false;
	}
	fd = open_socket(listener);
	if (fd < 0) {
		system_error(listener, "socket");
		return false;
	}
	error = listener->sys->connect(
			fd, (const struct sockaddr *)&listener->addr, sizeof(listener->addr)) < 0
			? errno
			: 0;
	listener->sys->close(fd);
	if (error == ECONNREFUSED)
		return true;
	nm_log(&listener->log, NATMUX_LOG_ERROR,
		"Unix socket %s: another program listens there (is natmuxd running already?)",
		listener->addr.sun_path);
	return false;
}

static int bind_fresh(struct nm_seqpacket *listener)
{
	if (bind_path(listener) == 0)
		return 0;
	if (errno != EADDRINUSE)
		return system_error(listener, "bind");
	if (!is_stale(listener))
		return NATMUX_EEXISTS;
	if (listener->sys->unlink(listener->addr.sun_path) < 0)
		return system_error(listener, "unlink");
	if (bind_path(listener) < 0)
		return system_error(listener, "bind");
	return 0;
}

static int set_up(struct nm_seqpacket *listener, mode_t mode)
{
	const char *path = listener->addr.sun_path;
	struct stat st;
	int error;

	/* bind() makes the file with the mode of the socket's inode: never open to all for a while. */
	if (listener->sys->fchmod(listener->fd, mode) < 0)
		return system_error(listener, "fchmod");
	error = bind_fresh(listener);
	if (error < 0)
		return error;
	if (listener->sys->lstat(path, &st) < 0)
		return system_error(listener, "lstat");
	listener->file_dev = st.st_dev;
	listener->file_ino = st.st_ino;
	/* What the umask took away. */
	if (listener->sys->chmod(path, mode) < 0)
		return system_error(listener, "chmod");
	if (listener->sys->listen(listener->fd, (int)listener->clients_max) < 0)
		return system_error(listener, "listen");
	return 0;
}

int nm_seqpacket_listen(const struct nm_seqpacket_config *config, struct nm_seqpacket **listener)
{
	size_t len = strlen(config->path);
	struct nm_seqpacket *l;
	int error;

	if (len == 0 || len >= sizeof(l->addr.sun_path) || config->clients_max > INT32_MAX) {
		nm_log(&config->log, NATMUX_LOG_ERROR,
			"Unix socket %s: a path has 1 to 107 bytes, this one has %zu", config->path,
			len);
		return NATMUX_EINVAL;
	}
	l = calloc(1, sizeof(*l));
	if (!l)
		return NATMUX_ENOMEM;
	l->sys = config->sys;
	l->log = config->log;
	l->clients_max = config->clients_max;
	l->send_buffer = config->send_buffer;
	l->addr.sun_family = AF_UNIX;
	memcpy(l->addr.sun_path, config->path, len);
	l->fd = open_socket(l);
	error = l->fd < 0 ? system_error(l, "socket") : set_up(l, config->mode);
	if (error < 0) {
		nm_seqpacket_close(l);
		return error;
	}
	*listener = l;
	return 0;
}

void nm_seqpacket_close(struct nm_seqpacket *listener)
{
	struct stat st;

	if (!listener)
		return;
	if (listener->fd >= 0)
		listener->sys->close(listener->fd);
	if (listener->file_ino != 0 && listener->sys->lstat(listener->addr.sun_path, &st) == 0 &&
		st.st_dev == listener->file_dev && st.st_ino == listener->file_ino)
		listener->sys->unlink(listener->addr.sun_path);
	free(listener);
}

int nm_seqpacket_fd(const struct nm_seqpacket *listener)
{
	return listener->fd;
}

static int set_up_client(struct nm_seqpacket *listener, struct nm_seqpacket_client *client)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int bytes =
		listener->send_buffer > INT32_MAX / 2 ? INT32_MAX / 2 : (int)listener->send_buffer;

	if (listener->sys->getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return system_error(listener, "getsockopt(SO_PEERCRED)");
	client->pid = cred.pid;
	client->uid = cred.uid;
	client->gid = cred.gid;
	/* A smaller buffer than wished only means that a slow client loses frames earlier. */
	if (bytes > 0 && listener->sys->setsockopt(
				 client->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)listener->sys->setsockopt(
			client->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	return 0;
}

/* One line until a place was free again, not one per attempt. */
static void tell_full(struct nm_seqpacket *listener)
{
	if (listener->has_told_full)
		return;
	listener->has_told_full = true;
	nm_log(&listener->log, NATMUX_LOG_WARNING,
		"Unix socket %s: %u clients are connected, more are hung up",
		listener->addr.sun_path, listener->clients);
}

int nm_seqpacket_accept(struct nm_seqpacket *listener, struct nm_seqpacket_client *client)
{
	struct nm_seqpacket_client c = {0};
	int error;

	c.fd = listener->sys->accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c.fd < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return NATMUX_ENOTFOUND;
		/* Told once: the connection still waits, so the next call fails the same way. */
		if (!listener->has_told_accept)
			system_error(listener, "accept");
		listener->has_told_accept = true;
		return NATMUX_ESYSTEM;
	}
	listener->has_told_accept = false;
	if (listener->clients >= listener->clients_max) {
		listener->sys->close(c.fd);
		tell_full(listener);
		return NATMUX_EFULL;
	}
	error = set_up_client(listener, &c);
	if (error < 0) {
		listener->sys->close(c.fd);
		return error;
	}
	listener->clients++;
	*client = c;
	return 0;
}

void nm_seqpacket_hang_up(struct nm_seqpacket *listener, struct nm_seqpacket_client *client)
{
	if (client->fd < 0)
		return;
	listener->sys->close(client->fd);
	listener->clients--;
	listener->has_told_full = false;
	client->fd = -1;
}

enum nm_seqpacket_result nm_seqpacket_send(struct nm_seqpacket *listener,
	const struct nm_seqpacket_client *client, const struct iovec *parts, size_t n)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)parts, .msg_iovlen = n};

	if (listener->sys->sendmsg(client->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return NM_SEQPACKET_DONE;
	switch (errno) {
	case EAGAIN:
	case EINTR:
	case ENOMEM:
	case ENOBUFS: return NM_SEQPACKET_AGAIN;
	case EMSGSIZE: return NM_SEQPACKET_TOO_LONG;
	default: return NM_SEQPACKET_GONE;
	}
}

enum nm_seqpacket_result nm_seqpacket_recv(struct nm_seqpacket *listener,
	const struct nm_seqpacket_client *client, void *frame, size_t size, size_t *len)
{
	struct iovec part = {.iov_base = frame, .iov_len = size};
	/* No room for control messages: descriptors that a client passes are closed by the kernel. */
	struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
	ssize_t n = listener->sys->recvmsg(client->fd, &msg, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? NM_SEQPACKET_AGAIN : NM_SEQPACKET_GONE;
	if (msg.msg_flags & MSG_TRUNC)
		return NM_SEQPACKET_TOO_LONG;
	/* The end; an empty frame, which looks the same, is not worth a connection either. */
	if (n == 0)
		return NM_SEQPACKET_GONE;
	*len = (size_t)n;
	return NM_SEQPACKET_DONE;
}
