/* SPDX-License-Identifier: Apache-2.0 */
/* A plane that only keeps what it is told, and can be told to fail. */
#ifndef FAKE_SA_PLANE_H
#define FAKE_SA_PLANE_H

#include "daemon/planes/sa_plane.h"

enum { FAKE_SA_PLANE_MAX = 16 };

struct fake_sa_plane {
	struct nm_sa_order sas[FAKE_SA_PLANE_MAX];
	size_t sas_len;
	uint8_t keys[FAKE_SA_PLANE_MAX][NATMUX_SUITE_KEY_MAX];
	struct natmux_selector selectors[FAKE_SA_PLANE_MAX][16];
	bool hides_keys;
	struct natmux_sa_counters counters; /* of each */
	struct nm_policy_order policies[FAKE_SA_PLANE_MAX];
	size_t policies_len;
	unsigned int policies_deleted;          /* calls that did */
	bool can_replace;                       /* policies in their place */
	const struct natmux_replay_state *last; /* what an SA ends with; NULL: no sa_take */
	bool keeps_sas;                         /* sa_take fails, and they are still there */
	uint32_t keepalive_ms;
	unsigned int calls;   /* so far, those that fail too */
	unsigned int fail_at; /* this call of sa_check, sa_add or policy_add fails; 0: none */
	int fail_with;
	const char *fail_why; /* or NULL */
};

struct nm_sa_plane fake_sa_plane(struct fake_sa_plane *fake);

#endif
