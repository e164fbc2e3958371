/* SPDX-License-Identifier: Apache-2.0 */
/* The plane of esp = user on the loop: its TUN device, its clock, its place behind the mux. */
#ifndef NM_USER_PLANE_H
#define NM_USER_PLANE_H

#include <uv.h>
#include <natmux/esp.h>
#include <natmux/mux.h>

struct nm_config;
struct nm_user_plane;

struct nm_user_plane_setup {
	uv_loop_t *loop;
	struct nm_config *config; /* borrowed for nm_user_plane_open only, which wipes its keys */
	struct natmux_mux *mux;
	struct natmux_log log;
	/* Sealed trains, already told to natmux_mux_sent(). */
	void (*send)(void *user, const struct natmux_train *trains, size_t n);
	void (*event)(void *user, const struct natmux_esp_event *event);
	void *user;
};

/*
 * Opens the device, makes the plane with the configured SAs and policies, and makes it the owner of
 * ESP in the mux. Failures are logged. NATMUX_E….
 */
int nm_user_plane_open(const struct nm_user_plane_setup *setup, struct nm_user_plane **plane);

/* Begins to close; the loop must run until it is empty before nm_user_plane_free. NULL is fine. */
void nm_user_plane_close(struct nm_user_plane *plane);
void nm_user_plane_free(struct nm_user_plane *plane);

/* natmux_esp_set_path_mtu(), now. Nothing without a plane. */
void nm_user_plane_set_path_mtu(
	struct nm_user_plane *plane, const struct natmux_addr *remote, uint32_t mtu);

/* The plane itself; NULL for NULL. Who adds or removes SAs says so with nm_user_plane_changed(). */
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
};

void nm_user_plane_get_status(
	const struct nm_user_plane *plane, struct nm_user_plane_status *status);

#endif
