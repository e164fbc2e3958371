/* SPDX-License-Identifier: Apache-2.0 */
/* The file system's and the kernel's side of the control socket. */
#ifndef NM_CONTROL_SOCKET_H
#define NM_CONTROL_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* A bound socket and which file it is, so that only our own is removed. */
struct nm_control_socket {
	int fd;
	dev_t device;
	ino_t inode;
};

/*
 * Binds a listening Unix stream socket at `path`, mode 0600 from its first moment. A socket that
 * is there already is removed when nothing answers on it, and any other file never. Returns 0 or
 * NATMUX_EINVAL (path too long or empty), NATMUX_EEXISTS (somebody answers, or it is no socket),
 * NATMUX_ESYSTEM, with one line in `message`.
 */
int nm_control_socket_open(
	const char *path, struct nm_control_socket *result, char *message, size_t size);

/* Removes the file if it is still ours. Leaves the file descriptor to its owner. */
void nm_control_socket_unlink(const struct nm_control_socket *socket, const char *path);

/* Whether the other end belongs to root or to our own user. `uid` is set when it is known. */
bool nm_control_socket_may_ask(int fd, uid_t *uid);

#endif
