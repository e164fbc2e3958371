/* SPDX-License-Identifier: Apache-2.0 */
/* The user plane as one of the planes that SAs can be in: daemon/planes/sa_plane.h. */
#ifndef NM_USER_SA_PLANE_H
#define NM_USER_SA_PLANE_H

#include "daemon/planes/sa_plane.h"

struct nm_user_plane;

/* Borrows `plane`; NULL: no plane. */
struct nm_sa_plane nm_user_sa_plane(struct nm_user_plane *plane);

#endif
