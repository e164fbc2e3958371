/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workers of esp = user, two or more: each has sockets on the port, a mux, a lane and a mailbox. The
 * first is the main loop, which has the port's IKE and STUN; the others have threads.
 */
#ifndef NM_USER_WORKERS_H
#define NM_USER_WORKERS_H

#include <natmux/uv.h>
#include "daemon/user/user_lane.h"

struct nm_user_workers;

enum { NM_USER_WORKERS_MAX = 16 };

/*
 * Makes muxes, lanes and sockets for `count` workers, but the mux and the sockets of the first, which
 * are those of `setup` (copied), and has the kernel spread what comes to the port. `tun` has a queue for
 * each. Failures are logged; also then `workers` is to be closed and freed. NATMUX_E….
 */
int nm_user_workers_open(const struct nm_user_plane_setup *setup, const struct nm_config *config,
	struct nm_inner_tun *tun, uint32_t count, struct nm_user_workers **workers);

/* Begins to read the queues. NATMUX_E…. */
int nm_user_workers_start_lanes(struct nm_user_workers *workers);

/* Makes the threads. What has to be true of all of them (rights) is true of the caller by now. */
int nm_user_workers_start_threads(struct nm_user_workers *workers);

/*
 * Ends the threads and closes what they have; then begins to close what is on the main loop, which must
 * run until it is empty before nm_user_workers_free. NULL is fine.
 */
void nm_user_workers_close(struct nm_user_workers *workers);
void nm_user_workers_free(struct nm_user_workers *workers);

/* daemon/user/workers.h. NULL is fine. */
void nm_user_workers_pause(struct nm_user_workers *workers);
void nm_user_workers_resume(struct nm_user_workers *workers);

/* What worker `i` has, below nm_user_workers_count(). For others than its thread in a pause. */
uint32_t nm_user_workers_count(const struct nm_user_workers *workers);
struct natmux_mux *nm_user_workers_mux(const struct nm_user_workers *workers, uint32_t i);
struct natmux_uv *nm_user_workers_net(const struct nm_user_workers *workers, uint32_t i);
struct nm_user_lane *nm_user_workers_lane(const struct nm_user_workers *workers, uint32_t i);

/*
 * natmux_mux_set_tap() for all but the first; `tap` is called in their threads, and the main loop is
 * woken after it. In a pause.
 */
void nm_user_workers_set_tap(
	struct nm_user_workers *workers, uint32_t mask, nm_user_plane_tap *tap, void *user);

#endif
