/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one worker of esp = user carries packets between: a mux, a plane, a queue of the TUN device, all
 * on one loop. With one worker there is one lane, on the main loop.
 */
#ifndef NM_USER_LANE_H
#define NM_USER_LANE_H

#include <uv.h>
#include <natmux/esp.h>
#include <natmux/mux.h>
#include "daemon/user/user_plane.h"
#include "io/inner_tun.h"

struct nm_user_lane;

struct nm_user_lane_setup {
	uv_loop_t *loop;
	struct natmux_mux *mux;
	struct nm_inner_tun_queue *queue;
	uint32_t index;            /* of the lane, and of its plane in the group */
	struct natmux_esp *leader; /* NULL: the first lane */
	struct natmux_log log;
	/* Sealed trains, already told to natmux_mux_sent(). */
	void (*send)(void *user, const struct natmux_train *trains, size_t n);
	void (*event)(void *user, const struct natmux_esp_event *event);
	/* A train of one SA that is at home in another lane. NULL: there is no other. */
	void (*forward)(void *user, uint32_t home, const struct natmux_train *train);
	void *user;
};

/* Makes the plane. Failed or not, `lane` is to be closed and freed. NATMUX_E…. */
int nm_user_lane_open(const struct nm_user_lane_setup *setup, const struct nm_config *config,
	struct nm_user_lane **lane);

/* Begins to read the device, and makes the lane the owner of ESP in the mux. NATMUX_E…. */
int nm_user_lane_start(struct nm_user_lane *lane);

/* Makes the lane the owner of ESP again, after somebody else was. */
void nm_user_lane_take_esp(struct nm_user_lane *lane);

/* Sends what waits in the device, before the loop comes to it: as much as one of its turns takes. */
void nm_user_lane_send_waiting(struct nm_user_lane *lane);

/* Begins to close; the loop must run until it is empty before nm_user_lane_free. NULL is fine. */
void nm_user_lane_close(struct nm_user_lane *lane);
void nm_user_lane_free(struct nm_user_lane *lane);

struct natmux_esp *nm_user_lane_esp(const struct nm_user_lane *lane);

/* SAs have come or gone, or time has passed elsewhere: looks at the plane's deadline anew. */
void nm_user_lane_arm(struct nm_user_lane *lane);

/* natmux_esp_set_path_mtu(), now, for what this lane sends. */
void nm_user_lane_set_path_mtu(
	struct nm_user_lane *lane, const struct natmux_addr *remote, uint32_t mtu);

/* Received ESP, of any SA; the bytes may be written to. */
void nm_user_lane_input(struct nm_user_lane *lane, const struct natmux_train *trains, size_t n);

/* Adds what went through the lane's queue, and what its queue says about the device. */
void nm_user_lane_add_status(const struct nm_user_lane *lane, struct nm_user_plane_status *status);

#endif
