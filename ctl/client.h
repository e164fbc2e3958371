/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to natmuxd's control socket. Each function that fails has said why on stderr. */
#ifndef NM_CTL_CLIENT_H
#define NM_CTL_CLIENT_H

#include <signal.h>
#include "ctl/ctl.h"

enum {
	NM_CLIENT_LINE_MAX = 16 << 20, /* the longest answer, 4096 flows, has a fifth of it */
	NM_CLIENT_ANSWER_MS = 10000,
};

struct nm_client {
	const char *path;
	int fd;
	char *buf;               /* what came and has not been read */
	size_t len, room;        /* bytes in it, bytes of it */
	size_t searched;         /* no newline before it */
	const sigset_t *unblock; /* signals that may end nm_client_next; NULL: none */
};

/* Connects. NM_CTL_UNREACHABLE when that fails. */
enum nm_ctl_exit nm_client_open(struct nm_client *client, const char *path);
void nm_client_close(struct nm_client *client);

/*
 * Sends the request (taken over) and waits for its answer: `result` is a new reference. A refusal
 * of the daemon is NM_CTL_REFUSED.
 */
enum nm_ctl_exit nm_client_ask(struct nm_client *client, json_t *request, json_t **result);

enum nm_client_next {
	NM_CLIENT_LINE,
	NM_CLIENT_END,         /* the daemon closed the connection */
	NM_CLIENT_INTERRUPTED, /* by a signal */
	NM_CLIENT_FAILED,
};

/* The next line of a stream, a new reference; waits up to `timeout_ms`, -1 for ever. */
enum nm_client_next nm_client_next(struct nm_client *client, int timeout_ms, json_t **line);

#endif
