/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of a plane, whichever it is: what is the same for all of them. */
#include "daemon/planes/sa_plane.h"

#include <stdio.h>
#include <natmux/error.h>

/* A plane that says no more than an error leaves the words to us. */
static int explain(int err, char why[static NM_SA_PLANE_WHY])
{
	if (err < 0 && !*why)
		snprintf(why, NM_SA_PLANE_WHY, "%s", natmux_strerror(err));
	return err;
}

int nm_sa_plane_check(const struct nm_sa_plane *plane, const struct nm_sa_order *order,
	char why[static NM_SA_PLANE_WHY])
{
	*why = '\0';
	return explain(plane->ops->sa_check(plane->self, order, why), why);
}

int nm_sa_plane_add(const struct nm_sa_plane *plane, const struct nm_sa_order *order,
	char why[static NM_SA_PLANE_WHY])
{
	*why = '\0';
	return explain(plane->ops->sa_add(plane->self, order, why), why);
}

int nm_sa_plane_delete(const struct nm_sa_plane *plane, enum natmux_sa_direction direction,
	uint32_t spi, const struct natmux_addr *remote)
{
	return plane->ops->sa_delete(plane->self, direction, spi, remote);
}

int nm_sa_plane_take(const struct nm_sa_plane *plane, enum natmux_sa_direction direction,
	uint32_t spi, const struct natmux_addr *remote, struct natmux_replay_state *last)
{
	if (!plane->ops->sa_take)
		return nm_sa_plane_delete(plane, direction, spi, remote);
	return plane->ops->sa_take(plane->self, direction, spi, remote, last);
}

void nm_sa_plane_each(const struct nm_sa_plane *plane, nm_sa_each *each, void *user)
{
	plane->ops->sas(plane->self, each, user);
}

int nm_sa_plane_policy_add(const struct nm_sa_plane *plane, const struct nm_policy_order *order,
	char why[static NM_SA_PLANE_WHY])
{
	*why = '\0';
	return explain(plane->ops->policy_add(plane->self, order, why), why);
}

int nm_sa_plane_policy_delete(const struct nm_sa_plane *plane, const struct nm_policy_order *order,
	char why[static NM_SA_PLANE_WHY])
{
	*why = '\0';
	return explain(plane->ops->policy_delete(plane->self, order, why), why);
}

void nm_sa_plane_policies(const struct nm_sa_plane *plane, nm_policy_each *each, void *user)
{
	plane->ops->policies(plane->self, each, user);
}

void nm_sa_plane_set_keepalive(const struct nm_sa_plane *plane, uint32_t keepalive_ms)
{
	plane->ops->set_keepalive(plane->self, keepalive_ms);
}

int nm_sa_plane_policy_replace(const struct nm_sa_plane *plane,
	const struct nm_policy_order *before, const struct nm_policy_order *order,
	char why[static NM_SA_PLANE_WHY])
{
	char ignored[NM_SA_PLANE_WHY];
	int err;

	*why = '\0';
	if (plane->ops->policy_replace)
		return explain(plane->ops->policy_replace(plane->self, before, order, why), why);
	err = nm_sa_plane_policy_delete(plane, before, why);
	if (err < 0)
		return err;
	err = nm_sa_plane_policy_add(plane, order, why);
	/* Its place in the table is free still. */
	if (err < 0)
		nm_sa_plane_policy_add(plane, before, ignored);
	return err;
}

int nm_sa_plane_policy_put(const struct nm_sa_plane *plane, const struct nm_policy_order *order,
	bool *is_replaced, char why[static NM_SA_PLANE_WHY])
{
	int err = nm_sa_plane_policy_add(plane, order, why);

	*is_replaced = err == NATMUX_EEXISTS;
	return *is_replaced ? nm_sa_plane_policy_replace(plane, order, order, why) : err;
}

static void count_sa(void *user, const struct nm_sa_seen *sa)
{
	(void)sa;
	++*(uint32_t *)user;
}

uint32_t nm_sa_plane_count(const struct nm_sa_plane *plane)
{
	uint32_t count = 0;

	nm_sa_plane_each(plane, count_sa, &count);
	return count;
}

static void count_policy(void *user, const struct nm_policy_order *policy)
{
	(void)policy;
	++*(uint32_t *)user;
}

uint32_t nm_sa_plane_policy_count(const struct nm_sa_plane *plane)
{
	uint32_t count = 0;

	nm_sa_plane_policies(plane, count_policy, &count);
	return count;
}
