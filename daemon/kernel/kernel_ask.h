/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the kernel's XFRM, each answered when the call returns. The kernel works off a request
 * within the send that brings it: what is waited for is there already, but for the parts of a dump.
 */
#ifndef NM_KERNEL_ASK_H
#define NM_KERNEL_ASK_H

#include "io/netlink.h"
#include "xfrm/probe.h"
#include "xfrm/move.h"
#include "xfrm/policy_message.h"
#include "xfrm/session.h"

/* A netlink socket, or what a test has in its place: nm_netlink_send(), _recv(), _wait(). */
struct nm_kernel_link {
	int (*send)(void *self, const void *message, size_t len, int *os_error);
	enum nm_netlink_result (*recv)(void *self, void **bytes, size_t *len);
	bool (*wait)(void *self, uint32_t timeout_ms);
	void (*wipe)(void *self);
	uint32_t portid;
	void *self;
};

/* A link of a socket, which is borrowed. */
struct nm_kernel_link nm_kernel_link_of(struct nm_netlink *netlink);

struct nm_kernel_ask_config {
	struct nm_kernel_link link; /* of its own; with XFRMNLGRP_SA, for the last numbers of SAs */
	uint64_t (*now_ms)(void *user); /* a clock that goes on while the kernel is waited for */
	void *user;
	struct natmux_log log;
};

struct nm_kernel_ask;

/* NATMUX_ENOMEM. */
int nm_kernel_ask_new(const struct nm_kernel_ask_config *config, struct nm_kernel_ask **ask);
void nm_kernel_ask_free(struct nm_kernel_ask *ask); /* NULL is fine */

/* What comes before the answer; functions that are NULL are not called. */
struct nm_kernel_listener {
	void (*state)(void *user, const struct nm_xfrm_state *state);
	void (*policy)(void *user, const struct nm_xfrm_policy *policy);
	void (*event)(void *user, const struct nm_xfrm_event *event);
	void *user;
};

/*
 * Asks, and waits for the answer, two seconds at most. `built` is what the builder of `message`
 * returned, which is wiped. `listener` may be NULL. Returns answer->error.
 */
int nm_kernel_ask(struct nm_kernel_ask *ask, int built, struct nm_xfrm_message *message,
	const struct nm_kernel_listener *listener, struct nm_xfrm_answer *answer);

/* nm_xfrm_move_start() from end to end; its session is set here. Returns result->answer.error. */
int nm_kernel_ask_move(struct nm_kernel_ask *ask, struct nm_xfrm_move_config *config,
	struct nm_xfrm_move_result *result);

/* nm_xfrm_probe_start() from end to end. */
int nm_kernel_ask_features(struct nm_kernel_ask *ask, const struct natmux_random *random,
	struct nm_xfrm_features *features);

/* The port id of the socket: events that it caused are its owner's own work. */
uint32_t nm_kernel_ask_portid(const struct nm_kernel_ask *ask);

#endif
