/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attach = join on the loop: sockets come when there is a daemon to be joined, and go the moment it
 * ends, so that its successor finds the port free.
 */
#ifndef NM_JOIN_H
#define NM_JOIN_H

#include <natmux/uv.h>
#include "base/port_socket.h"
#include "dispatcher/holder.h"

struct nm_config;
struct nm_join;

struct nm_join_setup {
	uv_loop_t *loop;
	const struct nm_config *config; /* borrowed for nm_join_open only */
	struct natmux_mux *mux;
	struct natmux_log log;
	struct natmux_uv **net; /* set when there are sockets; NULL else */
	/* The process that joins is gone, and the log says so: natmuxd has to stop. */
	void (*failed)(void *user);
	void *user;
};

/* Starts the process that joins (joiner.h): rights are needed, and there must be no threads yet. */
int nm_join_open(const struct nm_join_setup *setup, struct nm_join **join);

/* Begins to look for the daemon. `tun`: the interface that is injected through; 0: none. */
void nm_join_start(struct nm_join *join, uint32_t tun);

/*
 * Closes the sockets at once, and begins to close the rest; the loop must run until it is empty
 * before nm_join_free. NULL is fine.
 */
void nm_join_close(struct nm_join *join);
void nm_join_free(struct nm_join *join);

struct nm_join_status {
	bool is_joined;
	int pid; /* of the daemon, its name and user: while joined */
	uint32_t uid;
	const char *name;
	const char *why;   /* what is waited for; "": nothing */
	uint64_t joins;    /* so many times */
	uint64_t since_ms; /* of the loop's clock: joined, or waiting */
};

void nm_join_get_status(const struct nm_join *join, struct nm_join_status *status);

#endif
