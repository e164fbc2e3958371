/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the running natmuxd, shared by the files that are its parts. */
#ifndef NM_SERVER_PARTS_H
#define NM_SERVER_PARTS_H

#include <natmux/uv.h>
#include "daemon/planes/sa_plane.h"
#include "daemon/server.h"

struct nm_config;
struct nm_options;
struct nm_control;
struct nm_handoff_link;
struct nm_join;
struct nm_kernel_door;
struct nm_kernel_plane;
struct nm_user_plane;

struct nm_server {
	uv_loop_t loop;
	const struct nm_options *options;
	struct nm_config *config;
	enum natmux_log_level log_level; /* in force; a reload changes it */
	struct natmux_log log;
	struct natmux_mux *mux;
	struct natmux_uv *net;              /* NULL while there is no port to be joined */
	struct nm_join *join;               /* NULL unless attach = join */
	struct nm_kernel_door *kernel_door; /* NULL unless esp = kernel */
	struct nm_server_steering steering;
	struct nm_handoff_link *handoff;
	struct nm_user_plane *user_plane;     /* NULL unless esp = user */
	struct nm_kernel_plane *kernel_plane; /* NULL unless esp = kernel */
	int encap_fds[NATMUX_UV_FDS_MAX];     /* both-planes: whose ESP the kernel may keep */
	size_t encap_fds_n;
	struct nm_sa_plane sa_plane; /* what has the SAs; none with esp = daemon */
	struct nm_control *control;
	char capabilities[128];
	uint64_t started_ms;
	uv_signal_t signals[3]; /* INT, TERM, HUP */
	uv_timer_t watchdog;
	bool is_stopping, has_failed;
};

struct nm_kernel_port;

/* Why the port's own sockets must have no UDP_GRO, whatever the key gro says; NULL: they may. */
const char *nm_server_gro_why(const struct nm_config *config);

/* mover.c: notes the sockets, and gives their ESP to the plane that begins. */
int nm_server_mover_init(struct nm_server *server, const struct nm_kernel_port *port);

/* server_events.c: handlers of the mux and of the planes; `user` is the server. */
void nm_server_on_event(void *user, const struct natmux_event *event);
void nm_server_on_esp_event(void *user, const struct natmux_esp_event *event);

/*
 * server_port.c: the port itself, or the process that gets us into somebody else's. NATMUX_E…, logged.
 * nm_server_net_config() is how its sockets are configured, and those of workers.
 */
int nm_server_open_port(struct nm_server *server);
void nm_server_net_config(struct nm_server *server, struct natmux_uv_config *net);

/* server.c: the service manager's turn; natmuxd ends with an error. `user` is the server. */
void nm_server_failed(void *user);

/* reload.c: log-level of the configuration, unless the command line says debug. */
void nm_server_apply_log_level(struct nm_server *server);

/* What the mux is told, at start and reload. */
void nm_server_mux_config(const struct nm_server *server, const struct nm_config *config,
	struct natmux_mux_config *mux);

/* Makes the configured peers and STUN servers known; for start and reload. */
int nm_server_apply_peers(struct nm_server *server, const struct nm_config *before);
int nm_server_apply_stun_servers(struct nm_server *server, const struct nm_config *before);

#endif
