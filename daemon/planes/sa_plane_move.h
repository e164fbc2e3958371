/* SPDX-License-Identifier: Apache-2.0 */
/* Taking all SAs and policies from one plane to another, in mid-flow. */
#ifndef NM_SA_PLANE_MOVE_H
#define NM_SA_PLANE_MOVE_H

#include "daemon/planes/sa_plane.h"

/*
 * Numbers that an outbound SA leaves out: more than the old plane can send while it is asked, for
 * none may be used twice (RFC 4303 3.3.3).
 */
enum { NM_SA_PLANE_MOVE_MARGIN = 1 << 16 };

/* How many went. */
struct nm_sa_plane_moved {
	uint32_t sas, policies;
	/*
	 * SAs that do not go on: one plane could not be told what the other had done, for want of
	 * memory, or the other one did not let go of it. Set in failure, too.
	 */
	uint32_t lost;
};

/*
 * Gives received ESP to the new plane, or back. Afterwards the other one gets no more of it. The new plane
 * has all SAs by then if `is_last`, so that nothing is lost: for an old plane that opens nothing while
 * it is asked, whatever comes. Else the new one has none yet, and the numbers of the old one stand still.
 */
struct nm_sa_plane_turn {
	int (*turn)(void *user, bool is_new, char why[static NM_SA_PLANE_WHY]);
	void *user;
	bool is_last;
};

/*
 * Moves all SAs that live, with where their peers are, their numbers, their windows and what is left
 * of their limits, and all policies; all or nothing. No packet is accepted by both planes: what one
 * of them has seen is refused by the other, whatever came while they changed. `turn` may be NULL.
 * NATMUX_EINVAL: `from` does not show keys, or an SA has fewer numbers left than the margin; what
 * `turn` and `to` say. `why` says which SA and why.
 */
int nm_sa_plane_move(const struct nm_sa_plane *from, const struct nm_sa_plane *to,
	const struct nm_sa_plane_turn *turn, uint64_t now_ms, struct nm_sa_plane_moved *moved,
	char why[static NM_SA_PLANE_WHY]);

#endif
