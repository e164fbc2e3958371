/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A natmuxd without network: daemon/server.h and the questions that the control server asks the
 * mux, answered from a struct that the test fills.
 */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <natmux/mux.h>
#include "daemon/config/config.h"
#include "daemon/join/join.h"
#include "daemon/kernel/kernel_plane.h"
#include "daemon/planes/sa_plane.h"
#include "daemon/server.h"
#include "daemon/user/user_plane.h"

struct fake_server {
	uv_loop_t *loop;
	struct nm_config config;
	uint64_t now_ms, started_ms;
	const char *capabilities;
	struct natmux_stats stats;
	struct nm_server_socket sockets[4];
	size_t sockets_n;
	struct natmux_flow_info flows[4];
	size_t flows_n; /* those beyond the fourth repeat it with other numbers */
	struct natmux_server_info servers[4];
	size_t servers_n;
	struct nm_server_alias aliases[4];
	size_t aliases_n;
	int reload_result;
	const char *reload_message;
	unsigned int reloads;
	/* A real plane without device; NULL: esp is not user. */
	struct natmux_esp *esp;
	struct nm_sa_plane sa_plane;     /* this one, or what the test sets */
	struct nm_sa_plane *other_plane; /* NULL: there is one */
	unsigned int plane_changes;
	const struct nm_kernel_plane_status *kernel_status; /* NULL: esp is not kernel */
	bool joins;                                         /* attach = join, and how that goes */
	struct nm_join_status join;
	struct nm_server_steering steering;
	/* What the control server set. */
	unsigned int pauses; /* that have not ended */
	uint32_t tap_mask;
	void (*tap)(
		void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train);
	void *tap_user;
};

/* A server with a bit of everything in it, always the same. */
void fake_server_init(struct fake_server *fake, uv_loop_t *loop);

/*
 * Gives it a plane of esp = user: three SAs, through two of which some packets went and some got
 * lost, and two policies. The one before is freed.
 */
void fake_server_add_plane(struct fake_server *fake);

struct nm_server *fake_server_of(struct fake_server *fake);

/* An address from its text; aborts on a mistake. */
struct natmux_addr fake_addr(const char *text);

/* Shows a datagram to the tap, if there is one that wants the class. */
void fake_server_tap(struct fake_server *fake, enum natmux_class cls, bool is_sent,
	const struct natmux_train *train);

#endif
