/* SPDX-License-Identifier: Apache-2.0 */
/* Copies another process's socket and makes sure that it is the one that was meant. */
#include "io/pidfd.h"

#include <errno.h>
#include <netinet/in.h>

int nm_pidfd_open(const struct nm_sys *sys, int pid)
{
	return sys->pidfd_open(pid, 0);
}

static bool is_option(const struct nm_sys *sys, int fd, int level, int name, int wanted)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return sys->getsockopt(fd, level, name, &value, &len) == 0 && value == wanted;
}

static bool is_bound_to(const struct nm_sys *sys, int fd, const struct natmux_addr *wanted)
{
	struct sockaddr_storage sa;
	struct natmux_addr local;
	socklen_t len = sizeof(sa);

	if (sys->getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ||
		natmux_addr_from_sockaddr((struct sockaddr *)&sa, len, &local) < 0)
		return false;
	return natmux_addr_equal(&local, wanted);
}

/* Processes close descriptors and open others under their numbers, between any two of our calls. */
static bool is_same(const struct nm_sys *sys, int fd, const struct nm_port_socket *wanted)
{
	bool is_v6 = wanted->local.family == NATMUX_FAMILY_IPV6;
	struct stat st;

	if (sys->fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode) || st.st_ino != wanted->inode)
		return false;
	return is_option(sys, fd, SOL_SOCKET, SO_TYPE, SOCK_DGRAM) &&
	       is_option(sys, fd, SOL_SOCKET, SO_PROTOCOL, IPPROTO_UDP) &&
	       is_option(sys, fd, SOL_SOCKET, SO_DOMAIN, is_v6 ? AF_INET6 : AF_INET) &&
	       (!is_v6 || is_option(sys, fd, IPPROTO_IPV6, IPV6_V6ONLY, wanted->is_v6only)) &&
	       is_bound_to(sys, fd, &wanted->local);
}

int nm_pidfd_copy_socket(
	const struct nm_sys *sys, int pidfd, int fd, const struct nm_port_socket *socket)
{
	int copy = sys->pidfd_getfd(pidfd, fd, 0);

	if (copy < 0)
		return -1;
	if (is_same(sys, copy, socket))
		return copy;
	sys->close(copy);
	errno = ESTALE;
	return -1;
}
