/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the control socket and says who may use it; what is spoken on it is others' work. */
#include "daemon/control/control_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <natmux/error.h>

enum { BACKLOG = 16 };

static int fail(int error, char *message, size_t size, const char *what, const char *path)
{
	snprintf(message, size, "control socket %s: %s: %s%s", path, what, strerror(errno),
		errno == ENOENT ? " (make the directory first)" : "");
	return error;
}

static int make_address(const char *path, struct sockaddr_un *address, char *message, size_t size)
{
	size_t len = strlen(path);

	if (len == 0 || len >= sizeof(address->sun_path)) {
		snprintf(message, size, "control socket \"%s\": a path has 1 to %zu bytes", path,
			sizeof(address->sun_path) - 1);
		return NATMUX_EINVAL;
	}
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, path, len);
	return 0;
}

/* Non-blocking, so that a daemon with a full backlog counts as one that answers. */
static bool answers(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool refused;

	if (fd < 0)
		return true;
	refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		  errno == ECONNREFUSED;
	close(fd);
	return !refused;
}

/* Makes way at `path`, but only by removing what a dead daemon left. */
static int remove_stale(
	const struct sockaddr_un *address, const char *path, char *message, size_t size)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : fail(NATMUX_ESYSTEM, message, size, "lstat", path);
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(message, size,
			"control socket %s: the file exists and is no socket; remove it or choose "
			"another path",
			path);
		return NATMUX_EEXISTS;
	}
	if (answers(address)) {
		snprintf(message, size,
			"control socket %s: another process answers there; stop it or choose "
			"another path",
			path);
		return NATMUX_EEXISTS;
	}
	if (unlink(path) < 0 && errno != ENOENT)
		return fail(NATMUX_ESYSTEM, message, size, "unlink", path);
	return 0;
}

/*
 * Linux gives the file the mode of the socket's own inode less the umask: both are set before
 * bind, for there must be no moment in which the file is open to others.
 */
static int bind_private(int fd, const struct sockaddr_un *address)
{
	mode_t before;
	int result, error;

	if (fchmod(fd, S_IRUSR | S_IWUSR) < 0)
		return -1;
	before = umask(S_IXUSR | S_IRWXG | S_IRWXO);
	result = bind(fd, (const struct sockaddr *)address, sizeof(*address));
	error = errno;
	umask(before);
	errno = error;
	return result;
}

int nm_control_socket_open(
	const char *path, struct nm_control_socket *result, char *message, size_t size)
{
	struct sockaddr_un address;
	struct stat st;
	int error, fd;

	error = make_address(path, &address, message, size);
	if (error < 0)
		return error;
	error = remove_stale(&address, path, message, size);
	if (error < 0)
		return error;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(NATMUX_ESYSTEM, message, size, "socket", path);
	if (bind_private(fd, &address) < 0) {
		error = fail(NATMUX_ESYSTEM, message, size, "bind", path);
		goto close_fd;
	}
	if (lstat(path, &st) < 0 || listen(fd, BACKLOG) < 0) {
		error = fail(NATMUX_ESYSTEM, message, size, "listen", path);
		goto remove_file;
	}
	*result = (struct nm_control_socket){.fd = fd, .device = st.st_dev, .inode = st.st_ino};
	return 0;

remove_file:
	unlink(path);
close_fd:
	close(fd);
	return error;
}

void nm_control_socket_unlink(const struct nm_control_socket *socket, const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && st.st_dev == socket->device && st.st_ino == socket->inode)
		unlink(path);
}

bool nm_control_socket_may_ask(int fd, uid_t *uid)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || len != sizeof(peer))
		return false;
	*uid = peer.uid;
	return peer.uid == 0 || peer.uid == geteuid();
}
