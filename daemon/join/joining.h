/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work of attach = join, done by the process that has the rights for it (joiner.h): finds the
 * daemon that has the port, puts sockets of ours beside its own and steers STUN to them.
 */
#ifndef NM_JOINING_H
#define NM_JOINING_H

#include <stdbool.h>
#include <natmux/log.h>
#include "dispatcher/holder.h"
#include "io/sys.h"

struct nm_config;

enum { NM_JOINING_SEEN = 64 /* sockets on the port, of the daemon's user */ };

enum nm_joining_result {
	NM_JOINING_JOINED,
	NM_JOINING_SAME,    /* as it was when we joined */
	NM_JOINING_CHANGED, /* the daemon has other sockets by now */
	NM_JOINING_WAITS,   /* nobody has the port */
	NM_JOINING_REFUSED, /* somebody has, and `why` says why not he */
	NM_JOINING_LEFT,
};

/* What came of it; goes from process to process as it is. */
struct nm_joining_answer {
	enum nm_joining_result result;
	int pid; /* of the daemon, and its name: with JOINED */
	uint32_t uid;
	uint32_t sockets_n;
	uint32_t with_gro; /* of the daemon's sockets, how many ask for UDP_GRO */
	char name[NM_PORT_NAME_SIZE];
	char why[NM_HOLDER_TEXT];
};

/* Descriptors of an answer: the caller's. */
struct nm_joining_fds {
	int pidfd; /* of the daemon; readable once it has ended */
	int sockets[NM_HOLDER_SOCKETS];
};

struct nm_joining {
	const struct nm_sys *sys;
	const char *proc; /* "/proc" */
	const struct nm_config *config;
	uint32_t uid;   /* whose sockets are joined */
	bool is_proved; /* the kernel steers as it is told */
	/* What was joined last: the daemon's sockets and ours. */
	struct nm_port_socket theirs[NM_HOLDER_SOCKETS];
	int their_fds[NM_HOLDER_SOCKETS];  /* their numbers in the daemon */
	bool is_marked[NM_HOLDER_SOCKETS]; /* SO_REUSEPORT is our doing, not the daemon's */
	uint32_t ours[NM_HOLDER_SOCKETS];  /* inodes */
	size_t n;
	int pid;
	/* All of that user that were on the port then, but ours. */
	uint32_t seen[NM_JOINING_SEEN];
	size_t seen_n;
};

/* `config` is borrowed for life. */
void nm_joining_init(struct nm_joining *joining, const struct nm_sys *sys, const char *proc,
	const struct nm_config *config);

/*
 * Joins, if there is one to be joined. natmux must have no socket on the port. `tun`: the interface
 * that natmux injects through; 0: none. `fds` is filled in with JOINED only.
 */
void nm_joining_join(struct nm_joining *joining, uint32_t tun, struct nm_joining_answer *answer,
	struct nm_joining_fds *fds);

/* Whether the daemon's sockets are still those that were joined: SAME or CHANGED. */
void nm_joining_check(struct nm_joining *joining, struct nm_joining_answer *answer);

/* Leaves the daemon's sockets as they were found. natmux must have closed its own. */
void nm_joining_leave(struct nm_joining *joining, struct nm_joining_answer *answer);

#endif
