/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What follows a loss of events: all states are asked for, then all policies, from the beginning when
 * that fails or something else is lost meanwhile. Part of a session, which sends and receives.
 */
#ifndef NM_XFRM_RESYNC_H
#define NM_XFRM_RESYNC_H

#include "xfrm/session.h"

enum nm_xfrm_resync_stage {
	NM_XFRM_RESYNC_STAGE_NONE,
	NM_XFRM_RESYNC_STAGE_STATES,
	NM_XFRM_RESYNC_STAGE_POLICIES,
};

struct nm_xfrm_resync_state {
	const struct nm_xfrm_session_config *config; /* both are the session's */
	struct nm_xfrm_session_status *status;
	enum nm_xfrm_resync_stage stage; /* of the dump that is under way, or due at due_ms */
	bool is_lost_again;
	unsigned int tries;
	uint64_t due_ms;
};

/* Events were lost. Nothing follows where the configuration has no functions to tell. */
void nm_xfrm_resync_lost(struct nm_xfrm_resync_state *resync, uint64_t now_ms);

/* When the next dump is to be sent; UINT64_MAX: none is. */
uint64_t nm_xfrm_resync_due_ms(const struct nm_xfrm_resync_state *resync);
void nm_xfrm_resync_build(
	const struct nm_xfrm_resync_state *resync, struct nm_xfrm_message *message);

/* The dump has ended. */
void nm_xfrm_resync_answered(
	struct nm_xfrm_resync_state *resync, const struct nm_xfrm_answer *answer, uint64_t now_ms);

#endif
