/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose port it is: the judgement of attach = join over the sockets that are on the port and the
 * processes that have them. One IKE daemon, of the user that was named, or nobody is joined.
 */
#ifndef NM_HOLDER_H
#define NM_HOLDER_H

#include "base/port_socket.h"

enum {
	NM_HOLDER_SOCKETS = 16, /* of one daemon: natmux_mux_set_locals() takes no more */
	NM_HOLDER_TEXT = 320
};

enum nm_holder_verdict {
	NM_HOLDER_JOIN,     /* one daemon has what we want */
	NM_HOLDER_NOBODY,   /* no socket on the port: wait */
	NM_HOLDER_OUTSIDE,  /* there are sockets, but none at an address that we listen on */
	NM_HOLDER_HIDDEN,   /* no process is seen that has a socket */
	NM_HOLDER_SEVERAL,  /* two processes, or one that has an address twice */
	NM_HOLDER_NATMUX,   /* another natmuxd */
	NM_HOLDER_USER,     /* of another user than the one that was named */
	NM_HOLDER_DEVICE,   /* bound to another interface than ours */
	NM_HOLDER_BOTH,     /* an IPv6 socket that IPv4 comes to, too */
	NM_HOLDER_TOO_MANY, /* more than NM_HOLDER_SOCKETS */
};

struct nm_holder_wish {
	const struct natmux_addr *listen; /* a wildcard stands for all addresses of its family */
	size_t listen_n;
	uint16_t port;
	uint32_t interface; /* that the sockets must be bound to; 0: whichever */
	uint32_t uid;
	const char *user;    /* its name */
	unsigned int closed; /* processes that nobody let us look into */
};

/* One socket that is to be joined. */
struct nm_holder_part {
	size_t socket; /* which one of the list */
	int fd;        /* of the process */
};

struct nm_holder_choice {
	enum nm_holder_verdict verdict;
	int pid; /* with JOIN: the daemon */
	char name[NM_PORT_NAME_SIZE];
	struct nm_holder_part parts[NM_HOLDER_SOCKETS];
	size_t parts_n;
	char why[NM_HOLDER_TEXT]; /* without JOIN: one line for people */
};

/* Judges, changes nothing. `holders` says who has which of the `sockets`. */
void nm_holder_judge(const struct nm_holder_wish *wish, const struct nm_port_socket *sockets,
	size_t sockets_n, const struct nm_port_holder *holders, size_t holders_n,
	struct nm_holder_choice *choice);

#endif
