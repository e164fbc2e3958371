/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state goes to another address, and its numbers with it: a machine of requests. A new port alone
 * is an update in place, which keeps everything. Else it becomes a new state, for the kernel finds
 * states by their address:
 *
 *   outbound  ask the old one, add the new one with the counter ahead by a margin (so that what the
 *             old one still sends has other numbers), update policies, delete the old one. No packet
 *             finds no state.
 *   inbound   delete the old one, add the new one with the window that the old one ended with (no
 *             number is accepted twice), update policies. The same for an outbound one when only our
 *             own address changed, for that is not part of its name.
 *
 * The kernel tells with which numbers a state ended only to sockets that have joined XFRMNLGRP_SA:
 * the session's should have. Else those of just before have to do, and the result says so.
 */
#ifndef NM_XFRM_MOVE_H
#define NM_XFRM_MOVE_H

#include "xfrm/session.h"

enum { NM_XFRM_MOVE_MARGIN = 65536 };

struct nm_xfrm_move_config {
	struct nm_xfrm_session *session; /* borrowed until `done` */
	struct nm_xfrm_state_id id;      /* the state as it is */
	enum natmux_sa_direction direction;
	struct natmux_path path; /* where it shall be; ports 0: without encapsulation */
	uint64_t margin;         /* OUT: numbers left out; NM_XFRM_MOVE_MARGIN when 0 */
	/*
	 * The key material, for kernels that keep keys to themselves (lockdown); NULL: the kernel is
	 * asked. Borrowed until `done`.
	 */
	const uint8_t *key;
	size_t key_len;
	/* Policies whose templates change with it, as they shall be; borrowed until `done`. */
	const struct nm_xfrm_policy *policies;
	size_t policies_len;
};

/* What came of it. */
struct nm_xfrm_move_result {
	/*
	 * 0, or what failed; then the old state is as it was, or `is_lost`; policies before the one that
	 * failed are changed. NATMUX_EFULL: fewer numbers are left than the margin: the SA wants a new
	 * key. NATMUX_ENOTFOUND: there is no such state.
	 */
	struct nm_xfrm_answer answer;
	bool is_in_place; /* only ports changed, or nothing */
	bool is_lost;     /* the old one is gone, and neither could be made again */
	/*
	 * The kernel told the numbers that the old one ended with, and (OUT) they are below those the
	 * new one began with. False: some may be used twice, or accepted twice.
	 */
	bool is_exact;
	struct nm_xfrm_state_id id; /* of the state as it is now */
	uint64_t sequence;          /* OUT: what the new one went on from; IN: highest received */
};

/*
 * Starts; `config` is copied. `done` is called once, and may be before this returns when nothing
 * could be sent. NATMUX_EINVAL: an address is missing, of another family than the other, or one port
 * of two is 0; NATMUX_ENOMEM.
 */
int nm_xfrm_move_start(const struct nm_xfrm_move_config *config,
	void (*done)(void *user, const struct nm_xfrm_move_result *result), void *user,
	uint64_t now_ms);

#endif
