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
};

/*
 * Moves all SAs that live, with where their peers are, their numbers and what is left of their
 * limits, and all policies; all or nothing. Inbound, what the old plane has seen counts as seen by
 * the new one, and so does what was still on its way with a lower number. NATMUX_EINVAL: `from` does
 * not show keys; NATMUX_EFULL: an SA has fewer numbers left than the margin, or `to` no room; what
 * `to` says. `why` says which SA and why.
 */
int nm_sa_plane_move(const struct nm_sa_plane *from, const struct nm_sa_plane *to, uint64_t now_ms,
	struct nm_sa_plane_moved *moved, char why[static NM_SA_PLANE_WHY]);

#endif
