/* SPDX-License-Identifier: Apache-2.0 */
/* The plane of esp = user: its TUN device, its workers, its place behind the mux. */
#ifndef NM_USER_PLANE_H
#define NM_USER_PLANE_H

#include <uv.h>
#include <natmux/esp.h>
#include <natmux/mux.h>
#include <natmux/uv.h>

struct nm_config;
struct nm_user_plane;

struct nm_user_plane_setup {
	uv_loop_t *loop;
	struct nm_config *config; /* borrowed for nm_user_plane_open only, which wipes its keys */
	struct natmux_mux *mux;
	struct natmux_uv
		*net; /* the port's sockets; with their configuration for those of workers */
	const struct natmux_uv_config *net_config; /* borrowed as `config` */
	struct natmux_log log;
	/* Sealed trains, already told to natmux_mux_sent(). */
	void (*send)(void *user, const struct natmux_train *trains, size_t n);
	void (*event)(void *user, const struct natmux_esp_event *event);
	void *user;
};

/*
 * Opens the device, makes the plane with the configured SAs and policies, and makes it the owner of
 * ESP in the mux; with workers > 1 as many planes and queues, and sockets on the port. Failures are
 * logged; where the kernel does not spread datagrams over workers there is one. NATMUX_E….
 */
int nm_user_plane_open(const struct nm_user_plane_setup *setup, struct nm_user_plane **plane);

/* Makes the workers' threads: after rights were given up, which each thread has for itself. */
int nm_user_plane_start(struct nm_user_plane *plane);

/*
 * With workers: between these two calls nobody else works, and only there the functions below may be
 * called, but for closing. They nest. NULL is fine.
 */
void nm_user_plane_pause(struct nm_user_plane *plane);
void nm_user_plane_resume(struct nm_user_plane *plane);

/* Becomes the owner of ESP in the mux again; without workers. */
void nm_user_plane_take_esp(struct nm_user_plane *plane);

/* Sends what waits in the device, now, for what sends it may go; without workers. */
void nm_user_plane_send_waiting(struct nm_user_plane *plane);

/* Begins to close; the loop must run until it is empty before nm_user_plane_free. NULL is fine. */
void nm_user_plane_close(struct nm_user_plane *plane);
void nm_user_plane_free(struct nm_user_plane *plane);

/* What the muxes of workers have counted, added to `stats`. */
void nm_user_plane_add_stats(const struct nm_user_plane *plane, struct natmux_stats *stats);

/* natmux_uv_sockets() and natmux_uv_set_offloads() for the workers beside the main loop. */
void nm_user_plane_sockets(const struct nm_user_plane *plane,
	void (*each)(void *user, uint32_t worker, const struct natmux_uv_socket *socket),
	void *user);
void nm_user_plane_set_udp_offloads(struct nm_user_plane *plane, bool use_gro, bool use_gso);

/* natmux_mux_set_tap() for these. `tap` is called in their threads. */
typedef void nm_user_plane_tap(
	void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train);
void nm_user_plane_set_tap(
	struct nm_user_plane *plane, uint32_t mask, nm_user_plane_tap *tap, void *user);

/*
 * natmux_esp_set_path_mtu(), now, for what the main loop sends: workers hear by their own sockets.
 * Nothing without a plane. In no need of a pause.
 */
void nm_user_plane_set_path_mtu(
	struct nm_user_plane *plane, const struct natmux_addr *remote, uint32_t mtu);

/*
 * The plane itself, or the leader of the workers' group; NULL for NULL. Who adds or removes SAs says so
 * with nm_user_plane_changed().
 */
struct natmux_esp *nm_user_plane_esp(struct nm_user_plane *plane);
void nm_user_plane_changed(struct nm_user_plane *plane);
uint64_t nm_user_plane_now_ms(const struct nm_user_plane *plane); /* the time that it has */

/*
 * Makes the difference of two configurations in SAs and policies, all or nothing: nm_sa_plane_apply(). The
 * keys of `after` are wiped.
 */
int nm_user_plane_reload(struct nm_user_plane *plane, const struct nm_config *before,
	struct nm_config *after, char *message, size_t size);

/* One direction of the device. */
struct nm_user_plane_count {
	uint64_t packets, super_packets, bytes, drops;
};

/* For status. Texts are borrowed until the plane is closed. */
struct nm_user_plane_status {
	const char *tun; /* as the kernel knows it */
	uint32_t mtu;
	bool is_gone; /* somebody deleted the device */
	bool has_tso, has_uso;
	const char *tso_why, *uso_why;            /* why it is off, or NULL */
	struct nm_user_plane_count read, written; /* from the device, to the device */
	bool has_bare;                            /* bare ESP is accepted */
	uint64_t bare_packets;
	uint32_t sas, sas_max, policies, policies_max;
	uint32_t workers;
	const char *workers_why; /* why fewer than configured, or NULL */
};

/* One worker, for status. */
struct nm_user_plane_worker {
	struct natmux_count rx, tx; /* ESP; UDP payload */
	struct nm_user_plane_count read, written;
};

/* Calls `each` for every worker. */
void nm_user_plane_workers(const struct nm_user_plane *plane,
	void (*each)(void *user, uint32_t worker, const struct nm_user_plane_worker *info),
	void *user);

void nm_user_plane_get_status(
	const struct nm_user_plane *plane, struct nm_user_plane_status *status);

#endif
