/* SPDX-License-Identifier: Apache-2.0 */
/* A UDP socket on the port, somebody's, and who has it: what attach = join decides by. */
#ifndef NM_PORT_SOCKET_H
#define NM_PORT_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <natmux/addr.h>

struct nm_port_socket {
	struct natmux_addr local; /* as bound, with its port */
	uint32_t interface;       /* it is bound to (SO_BINDTODEVICE); 0: to none */
	uint32_t uid;             /* of who made it */
	uint32_t inode;           /* its number in sockfs; 0: the kernel's own */
	bool is_v6only;           /* IPv6: takes no IPv4 */
};

enum { NM_PORT_NAME_SIZE = 16 /* of a process: the kernel keeps 15 bytes */ };

/* An IPv6 socket that IPv4 may come to, too, as ::ffff:a.b.c.d. */
static inline bool nm_port_socket_takes_ipv4(const struct nm_port_socket *socket)
{
	return socket->local.family == NATMUX_FAMILY_IPV6 && !socket->is_v6only;
}

/* A process that has a socket open. */
struct nm_port_holder {
	size_t socket; /* which one of a list */
	int pid;
	int fd; /* its number there */
	char name[NM_PORT_NAME_SIZE];
};

#endif
