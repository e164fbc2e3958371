/* SPDX-License-Identifier: Apache-2.0 */
/* The socket of those receivers that do not open one themselves. */
#include "bench/receiver.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/console.h"

int nm_receiver_bind(const struct natmux_addr *local, struct natmux_addr *bound)
{
	int family = local->family == NATMUX_FAMILY_IPV4 ? AF_INET : AF_INET6;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), buffer = NM_RECEIVER_BUFFER;
	struct sockaddr_storage ss;
	socklen_t len = (socklen_t)natmux_addr_to_sockaddr(local, (struct sockaddr *)&ss);

	if (fd < 0) {
		nm_console_error("socket: %s", strerror(errno));
		return -1;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (bind(fd, (struct sockaddr *)&ss, len) < 0)
		goto fail;
	len = sizeof(ss);
	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0 ||
		natmux_addr_from_sockaddr((struct sockaddr *)&ss, len, bound) < 0)
		goto fail;
	return fd;

fail:
	nm_console_error("cannot bind a UDP socket: %s", strerror(errno));
	close(fd);
	return -1;
}
