/* SPDX-License-Identifier: Apache-2.0 */
/* Another process by a descriptor: told when it ends, and its sockets copied (pidfd_open(2)). */
#ifndef NM_PIDFD_H
#define NM_PIDFD_H

#include "base/port_socket.h"
#include "io/sys.h"

/* A descriptor that is readable once the process has ended. -1 and errno. */
int nm_pidfd_open(const struct nm_sys *sys, int pid);

/*
 * A copy of the process's descriptor `fd`, if it is the socket that is described: UDP, of this
 * inode, bound as `socket` says. -1 and errno: ESTALE when it is another one by now, else as
 * pidfd_getfd(2). Closing the copy leaves the process's own alone.
 */
int nm_pidfd_copy_socket(
	const struct nm_sys *sys, int pidfd, int fd, const struct nm_port_socket *socket);

#endif
