/* SPDX-License-Identifier: Apache-2.0 */
/* The running natmuxd: what ties configuration, mux, sockets and handoff together. */
#ifndef NM_SERVER_H
#define NM_SERVER_H

#include <stdbool.h>
#include <uv.h>
#include <natmux/mux.h>

struct nm_config;
struct nm_join;
struct nm_kernel_plane;
struct nm_sa_plane;
struct nm_server;
struct nm_user_plane;

/* One UDP socket, for status. */
struct nm_server_socket {
	uint32_t worker; /* whose; 0: the main loop's */
	struct natmux_addr local;
	bool has_gro, has_gso;
	const char *gro_why, *gso_why; /* why it is off, or NULL */
	uint64_t kernel_drops;         /* SO_RXQ_OVFL: the socket's queue was full */
	uint64_t recv_calls, send_calls;
	uint32_t receive_buffer, send_buffer; /* bytes, as granted */
};

struct natmux_mux *nm_server_mux(struct nm_server *server);
uv_loop_t *nm_server_loop(struct nm_server *server);
const struct nm_config *nm_server_config(const struct nm_server *server);
struct nm_user_plane *nm_server_user_plane(struct nm_server *server); /* NULL unless esp = user */
struct nm_kernel_plane *nm_server_kernel_plane(struct nm_server *server); /* NULL unless kernel */
const struct nm_sa_plane *nm_server_sa_plane(struct nm_server *server);   /* NULL: esp = daemon */
struct nm_join *nm_server_join(struct nm_server *server); /* NULL unless attach = join */
uint64_t nm_server_now_ms(const struct nm_server *server);
uint64_t nm_server_started_ms(const struct nm_server *server); /* same clock */

/*
 * With workers beside the main loop: between these two nobody works, and whoever looks at what they
 * have, or changes it, does it there: requests and reloads. They nest.
 */
void nm_server_pause(struct nm_server *server);
void nm_server_resume(struct nm_server *server);

/* The counters of all workers together. In a pause. */
void nm_server_stats(struct nm_server *server, struct natmux_stats *stats);

/* natmux_mux_set_tap() for all workers; `tap` is called in their threads. */
void nm_server_set_tap(struct nm_server *server, uint32_t mask,
	void (*tap)(
		void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train),
	void *user);

/* In a pause. */
void nm_server_sockets(struct nm_server *server,
	void (*each)(void *user, const struct nm_server_socket *socket), void *user);

/* esp = kernel: whether the kernel steers ESP past natmuxd. */
struct nm_server_steering {
	bool is_steered;
	char why[160];    /* not steered: why */
	const char *tun;  /* what comes all the same goes back through it; NULL: not esp = kernel */
	bool has_esp_gro; /* the kernel opens ESP in GRO */
	char esp_gro_why[80]; /* why not */
};
const struct nm_server_steering *nm_server_steering(const struct nm_server *server);

/* One alias address of the relay, for status. */
struct nm_server_alias {
	struct natmux_addr alias;
	uint32_t flow;
	const char *peer; /* or NULL */
};
void nm_server_aliases(struct nm_server *server,
	void (*each)(void *user, const struct nm_server_alias *alias), void *user);

/*
 * Reads the configuration file again and applies the difference or nothing. Returns 0, or a
 * negative error with one line for people in `message` (file, line, key, what is allowed).
 */
int nm_server_reload(struct nm_server *server, char *message, size_t size);

struct nm_sa_plane_moved;

/*
 * Takes all SAs and policies to the plane of that name ("user", "kernel"), in mid-flow; from then on
 * it is the one that everything is added to. NATMUX_EINVAL, with a reason in `why`, without
 * both-planes or when they are there already; other NATMUX_E…: nothing was changed.
 */
int nm_server_move_sas(struct nm_server *server, const char *plane, struct nm_sa_plane_moved *moved,
	char *why, size_t size);

/* Capabilities kept, as text ("cap_net_admin"), or "none". */
const char *nm_server_capabilities(const struct nm_server *server);

#endif
