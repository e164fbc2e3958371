/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policies' half of nm_sa_plane_apply(): the steps from one configuration to another. Each is one
 * call of the plane, which happens at once or not at all, and packets are looked up between any two
 * of them, for a kernel does not wait. A packet that both configurations protect or discard is not
 * let through in between, and one that the same policy protects before and after is not given to
 * another one.
 */
#ifndef NM_SA_PLANE_POLICIES_H
#define NM_SA_PLANE_POLICIES_H

#include "daemon/planes/sa_plane.h"

struct nm_config_policy;

enum nm_policy_step_kind {
	NM_POLICY_ADD,
	NM_POLICY_REPLACE,
	NM_POLICY_DELETE,
	NM_POLICY_GONE, /* was to be deleted, and somebody else was first */
};

struct nm_policy_step {
	enum nm_policy_step_kind kind;
	/* Of the file that has it: the new one, but for a deletion. Borrowed. */
	const struct nm_config_policy *policy;
	struct nm_policy_order before,
		after; /* `before` of REPLACE and DELETE, `after` of the rest */
	uint64_t rank; /* when its turn is: the lowest first */
};

struct nm_policy_steps {
	const struct nm_sa_plane *plane;
	struct nm_policy_step *list;
	size_t len, done; /* the first `done` of them have been taken */
};

/*
 * Makes the list, which borrows all three; `before` NULL: nothing. To be freed also after a failure:
 * NATMUX_ENOMEM.
 */
int nm_policy_steps_init(struct nm_policy_steps *steps, const struct nm_sa_plane *plane,
	const struct nm_config *before, const struct nm_config *after);
void nm_policy_steps_free(struct nm_policy_steps *steps);

/* Takes them all. Failed, `why` says why list[done] could not be taken. */
int nm_policy_steps_take(struct nm_policy_steps *steps, char why[static NM_SA_PLANE_WHY]);

/* Takes back those that were taken, the last one first. Returns how many the plane did not let. */
unsigned int nm_policy_steps_undo(struct nm_policy_steps *steps);

#endif
