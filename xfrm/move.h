/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state goes to another address, and its numbers with it: a machine of requests. A new port alone
 * is an update in place; a new address is a new state, for the kernel finds states by it.
 *
 *   outbound  ask the old one, add the new one with the counter ahead by a margin (so that what the
 *             old one still sends has other numbers), update policies, delete the old one
 *   inbound   to another address of ours: the same, with the window instead of the counter
 *   inbound   from another address of the peer: the kernel's name for it stays, so the old one goes
 *             first and the new one takes over the window the old one ended with
 */
#ifndef NM_XFRM_MOVE_H
#define NM_XFRM_MOVE_H

#include "xfrm/session.h"

enum { NM_XFRM_MOVE_MARGIN = 1024 };

struct nm_xfrm_move_config {
	struct nm_xfrm_session *session; /* borrowed until `done` */
	struct nm_xfrm_state_id id;      /* the state as it is */
	enum natmux_sa_direction direction;
	struct natmux_path path; /* where it shall be; ports 0 keep it without encapsulation */
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
	 * 0, or what failed; then the old state is as it was, or `is_lost`. NATMUX_EFULL: fewer numbers
	 * are left than the margin: the SA wants a new key.
	 */
	struct nm_xfrm_answer answer;
	bool is_in_place;           /* only ports changed */
	bool is_lost;               /* the old one is gone and the new one could not be made */
	struct nm_xfrm_state_id id; /* of the state as it is now */
	uint64_t sequence;          /* OUT: the last number that is taken as used */
};

/*
 * Starts; `config` is copied. `done` is called once, not before this returns unless nothing could
 * be sent. NATMUX_EINVAL, NATMUX_ENOMEM, NATMUX_EFULL.
 */
int nm_xfrm_move_start(const struct nm_xfrm_move_config *config,
	void (*done)(void *user, const struct nm_xfrm_move_result *result), void *user,
	uint64_t now_ms);

#endif
