/* SPDX-License-Identifier: Apache-2.0 */
/* The plane of esp = kernel on the loop: its netlink sockets and clocks. */
#ifndef NM_KERNEL_PLANE_H
#define NM_KERNEL_PLANE_H

#include <uv.h>
#include <natmux/esp.h>

#include "daemon/planes/sa_plane.h"
#include "xfrm/probe.h"
#include "xfrm/stat.h"

struct nm_config;
struct nm_kernel_plane;

struct nm_kernel_plane_setup {
	uv_loop_t *loop;
	struct nm_config *config; /* borrowed for nm_kernel_plane_open only, which wipes its keys */
	struct natmux_log log;
	/* Keepalives, to be sent. */
	void (*send)(void *user, const struct natmux_train *trains, size_t n);
	void (*event)(void *user, const struct natmux_esp_event *event);
	void *user;
};

/*
 * Opens the sockets, finds out what the kernel can, and gives it the configured SAs and policies.
 * Failures are logged: NATMUX_EUNSUPPORTED where the kernel has no ESP; other NATMUX_E…. Also then
 * the plane is to be closed and freed.
 */
int nm_kernel_plane_open(const struct nm_kernel_plane_setup *setup, struct nm_kernel_plane **plane);

/*
 * Takes out of the kernel what was put there, unless the configuration says keep; begins to close:
 * the loop must run until it is empty before nm_kernel_plane_free. NULL is fine.
 */
void nm_kernel_plane_close(struct nm_kernel_plane *plane);
void nm_kernel_plane_free(struct nm_kernel_plane *plane);

/* As one of the planes; borrows it. NULL: no plane. */
struct nm_sa_plane nm_kernel_plane_sas(struct nm_kernel_plane *plane);

/* As nm_user_plane_reload(). */
int nm_kernel_plane_reload(struct nm_kernel_plane *plane, const struct nm_config *before,
	struct nm_config *after, char *message, size_t size);

/* For status. */
struct nm_kernel_plane_status {
	const struct nm_xfrm_features *features;
	uint32_t sas, sas_max, policies, policies_max;
	uint64_t events, losses; /* told by the kernel; times that some were lost */
	bool keeps;
	/* What XFRM has dropped on this machine since natmuxd started. */
	bool has_stat;
	struct nm_xfrm_stat stat;
};

void nm_kernel_plane_get_status(
	struct nm_kernel_plane *plane, struct nm_kernel_plane_status *status);

/*
 * Whether this kernel can do what esp = kernel asks, tried on it without leaving anything behind.
 * NATMUX_EUNSUPPORTED: it cannot, NATMUX_EPERM or others: that could not be found out; `why` says
 * more in each case.
 */
int nm_kernel_plane_try(char why[static NM_SA_PLANE_WHY]);

#endif
