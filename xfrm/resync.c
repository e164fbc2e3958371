/* SPDX-License-Identifier: Apache-2.0 */
/* Which dump is next after a loss, and when. What they bring goes to the session's owner. */
#include "xfrm/resync.h"

#include "base/log.h"
#include "xfrm/policy_message.h"

enum {
	TRIES = 8,    /* in a row */
	WAIT_MS = 50, /* before the second; doubled each time */
};

static void tell(const struct nm_xfrm_resync_state *resync, enum nm_xfrm_resync what,
	const struct nm_xfrm_answer *answer)
{
	resync->config->resync(resync->config->user, what, answer);
}

void nm_xfrm_resync_lost(struct nm_xfrm_resync_state *resync, uint64_t now_ms)
{
	static const struct nm_xfrm_answer none;

	resync->status->losses++;
	if (!resync->config->resync)
		return;
	if (resync->stage != NM_XFRM_RESYNC_STAGE_NONE) {
		resync->is_lost_again = true;
		return;
	}
	nm_log(&resync->config->log, NATMUX_LOG_WARNING,
		"xfrm: the kernel told more than the socket could hold; asking for all there is");
	resync->stage = NM_XFRM_RESYNC_STAGE_STATES;
	resync->is_lost_again = false;
	resync->tries = 0;
	resync->due_ms = now_ms;
	tell(resync, NM_XFRM_RESYNC_LOST, &none);
}

uint64_t nm_xfrm_resync_due_ms(const struct nm_xfrm_resync_state *resync)
{
	return resync->stage == NM_XFRM_RESYNC_STAGE_NONE ? UINT64_MAX : resync->due_ms;
}

void nm_xfrm_resync_build(
	const struct nm_xfrm_resync_state *resync, struct nm_xfrm_message *message)
{
	if (resync->stage == NM_XFRM_RESYNC_STAGE_STATES)
		(void)nm_xfrm_state_dump(0, message);
	else
		(void)nm_xfrm_policy_dump(message);
}

/* From the beginning, a little later each time: what made it fail is likely still going on. */
static void try_again(
	struct nm_xfrm_resync_state *resync, const struct nm_xfrm_answer *answer, uint64_t now_ms)
{
	if (++resync->tries >= TRIES) {
		resync->stage = NM_XFRM_RESYNC_STAGE_NONE;
		nm_log(&resync->config->log, NATMUX_LOG_ERROR,
			"xfrm: cannot find out what states and policies there are: %s",
			answer->error ? answer->text : "they change too fast");
		tell(resync, NM_XFRM_RESYNC_FAILED, answer);
		return;
	}
	resync->stage = NM_XFRM_RESYNC_STAGE_STATES;
	resync->is_lost_again = false;
	resync->due_ms = now_ms + (WAIT_MS << resync->tries);
	tell(resync, NM_XFRM_RESYNC_AGAIN, answer);
}

void nm_xfrm_resync_answered(
	struct nm_xfrm_resync_state *resync, const struct nm_xfrm_answer *answer, uint64_t now_ms)
{
	if (answer->error != 0 || resync->is_lost_again) {
		try_again(resync, answer, now_ms);
		return;
	}
	if (resync->stage == NM_XFRM_RESYNC_STAGE_STATES) {
		resync->stage = NM_XFRM_RESYNC_STAGE_POLICIES;
		return;
	}
	resync->stage = NM_XFRM_RESYNC_STAGE_NONE;
	resync->status->resyncs++;
	tell(resync, NM_XFRM_RESYNC_DONE, answer);
}
