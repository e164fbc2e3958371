/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel tells, as the events that the user plane has, and as the same rules for peers that
 * move: the SA's `roam`, once a second, the outbound SA of its reqid with it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config_addr.h"
#include "daemon/kernel/kernel.h"
#include "xfrm/kernel.h"

enum { ACQUIRE_MS = 1000 /* RFC 4301 has no number; once a second is enough to be heard */ };

static const char *word_of(const struct nm_kernel_sa *sa)
{
	return sa->order.config.direction == NATMUX_SA_IN ? "in" : "out";
}

static uint64_t now_ms(const struct nm_kernel *kernel)
{
	return kernel->config.now_ms(kernel->config.user);
}

static void tell(struct nm_kernel *kernel, enum natmux_esp_event_type type,
	const struct nm_kernel_sa *sa, const struct natmux_path *before)
{
	const struct natmux_sa_config *config = &sa->order.config;
	struct natmux_esp_event event = {.type = type,
		.spi = config->spi,
		.reqid = config->reqid,
		.path = sa->path,
		.direction = config->direction};

	if (before)
		event.path_before = *before;
	kernel->config.event(kernel->config.user, &event);
}

/* Somebody else's hand, or a loss of events: as dead as after a hard limit. */
static void lose(struct nm_kernel *kernel, struct nm_kernel_sa *sa, const char *how)
{
	nm_log(&kernel->config.log, NATMUX_LOG_WARNING,
		"SA %s 0x%08" PRIx32 " (reqid %" PRIu32 "): %s", word_of(sa), sa->order.config.spi,
		sa->order.config.reqid, how);
	nm_kernel_bury(kernel, sa);
	tell(kernel, NATMUX_ESP_EVENT_HARD, sa, NULL);
}

static void expired(struct nm_kernel *kernel, const struct nm_xfrm_event *event)
{
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(&event->state);
	struct nm_kernel_sa *sa = nm_kernel_sad_find_id(&kernel->sad, &id);

	if (!sa || sa->is_dead)
		return;
	nm_kernel_look(kernel, sa, &event->state);
	if (event->is_hard)
		nm_kernel_bury(kernel, sa);
	tell(kernel, event->is_hard ? NATMUX_ESP_EVENT_HARD : NATMUX_ESP_EVENT_SOFT, sa, NULL);
}

static void deleted(struct nm_kernel *kernel, const struct nm_xfrm_event *event)
{
	struct nm_kernel_sa *sa = nm_kernel_sad_find_id(&kernel->sad, &event->id);

	if (!sa || sa->is_dead)
		return;
	if (event->has_state)
		nm_kernel_look(kernel, sa, &event->state);
	lose(kernel, sa, "somebody else has deleted it");
}

static void flushed(struct nm_kernel *kernel, const struct nm_xfrm_event *event)
{
	if (event->protocol != 0 && event->protocol != 255 && event->protocol != NM_XFRM_PROTO_ESP)
		return;
	for (uint32_t i = 0; i < kernel->sad.len; i++)
		if (!kernel->sad.sas[i]->is_dead)
			lose(kernel, kernel->sad.sas[i], "somebody else has flushed all SAs");
}

/* Only what our own policies want: an IKE daemon on the machine hears its own wishes. */
static void acquire(struct nm_kernel *kernel, const struct nm_xfrm_event *event)
{
	struct nm_xfrm_policy_id id = nm_xfrm_policy_id_of(&event->policy);
	struct nm_kernel_policy *policy = nm_kernel_spd_find(&kernel->spd, &id);
	uint64_t now = now_ms(kernel);
	struct natmux_esp_event told = {
		.type = NATMUX_ESP_EVENT_ACQUIRE, .direction = NATMUX_SA_OUT};

	if (!policy || policy->direction != NM_XFRM_OUT ||
		(policy->acquired_ms > 0 && now < policy->acquired_ms + ACQUIRE_MS))
		return;
	policy->acquired_ms = now;
	told.reqid = policy->order.policy.reqid;
	kernel->config.event(kernel->config.user, &told);
}

static void policy_deleted(struct nm_kernel *kernel, const struct nm_xfrm_event *event)
{
	struct nm_xfrm_policy_id id = nm_xfrm_policy_id_of(&event->policy);

	if (nm_kernel_spd_find(&kernel->spd, &id))
		nm_log(&kernel->config.log, NATMUX_LOG_WARNING,
			"somebody else has deleted a policy of natmuxd's in the kernel; a restart "
			"puts it back");
}

/* Without policies what ought to be sealed leaves as it is: nothing to be silent about. */
static void policies_flushed(struct nm_kernel *kernel, const struct nm_xfrm_event *event)
{
	if (event->policy.type == XFRM_POLICY_TYPE_MAIN && kernel->spd.len > 0)
		nm_log(&kernel->config.log, NATMUX_LOG_WARNING,
			"somebody else has flushed all policies of the kernel, natmuxd's too; a "
			"restart puts them back");
}

/* Whether the SA's policy lets its peer go there. */
static bool may_move(const struct nm_kernel_sa *sa, const struct natmux_addr *to)
{
	const struct natmux_addr *from = &sa->path.remote;

	/* The first packet of an SA that waits for anybody says where its peer is. */
	if (from->family == NATMUX_FAMILY_NONE)
		return true;
	switch (sa->order.config.roam) {
	case NATMUX_ROAM_NO: return false;
	case NATMUX_ROAM_PORT: return nm_config_addr_same_ip(from, to);
	case NATMUX_ROAM_YES: return true;
	}
	return false;
}

/* Takes one state to another remote end; its policies' templates go along. */
static int move_state(
	struct nm_kernel *kernel, struct nm_kernel_sa *sa, const struct natmux_addr *remote)
{
	struct nm_kernel_sa there = *sa;
	struct nm_xfrm_move_config config = {
		.id = sa->id, .direction = sa->order.config.direction, .path = sa->path};
	struct nm_xfrm_move_result result;
	struct nm_xfrm_policy *policies = NULL;
	int err;

	config.path.remote = there.path.remote = *remote;
	if (config.direction == NATMUX_SA_OUT)
		policies = nm_kernel_spd_refreshed(
			&kernel->spd, sa->order.config.reqid, &there, &config.policies_len);
	config.policies = policies;
	err = nm_kernel_ask_move(kernel->config.ask, &config, &result);
	free(policies);
	if (err < 0) {
		nm_log(&kernel->config.log, NATMUX_LOG_ERROR,
			"SA %s 0x%08" PRIx32 ": cannot follow its peer: %s", word_of(sa),
			sa->order.config.spi, result.answer.text);
		if (result.is_lost)
			lose(kernel, sa, "it is lost");
		return err;
	}
	sa->path.remote = *remote;
	sa->moved_ms = now_ms(kernel);
	nm_kernel_sad_rename(&kernel->sad, sa, &result.id);
	return 0;
}

/* What goes out to the peer follows what came in from it. */
static void move_pair(struct nm_kernel *kernel, const struct nm_kernel_sa *sa)
{
	uint32_t reqid = sa->order.config.reqid;
	struct nm_kernel_sa *pair = reqid > 0 ? nm_kernel_sad_newest(&kernel->sad, reqid) : NULL;

	if (pair && !natmux_addr_equal(&pair->path.remote, &sa->path.remote))
		move_state(kernel, pair, &sa->path.remote);
}

/* This event has no mark: the SA is found by its own name, and made sure of by the rest. */
static struct nm_kernel_sa *find_mapped(
	const struct nm_kernel *kernel, const struct nm_xfrm_event *event)
{
	struct nm_kernel_sa *sa =
		nm_kernel_sad_find(&kernel->sad, NATMUX_SA_IN, event->id.spi, NULL);

	if (!sa || sa->is_dead || sa->order.config.reqid != event->reqid ||
		sa->id.protocol != event->id.protocol ||
		!nm_config_addr_same_ip(&sa->id.destination, &event->id.destination))
		return NULL;
	return sa;
}

static void mapping(struct nm_kernel *kernel, const struct nm_xfrm_event *event)
{
	struct nm_kernel_sa *sa = find_mapped(kernel, event);
	struct natmux_path before;

	if (!sa || natmux_addr_equal(&sa->path.remote, &event->now) || !may_move(sa, &event->now))
		return;
	if (sa->moved_ms > 0 && now_ms(kernel) < sa->moved_ms + NM_KERNEL_MOVE_MS)
		return;
	before = sa->path;
	/* Also of what fails: the kernel may tell with each packet. */
	sa->moved_ms = now_ms(kernel);
	if (move_state(kernel, sa, &event->now) < 0)
		return;
	move_pair(kernel, sa);
	tell(kernel, NATMUX_ESP_EVENT_MOVED, sa, &before);
}

void nm_kernel_event(struct nm_kernel *kernel, const struct nm_xfrm_event *event)
{
	bool is_own =
		event->portid > 0 && event->portid == nm_kernel_ask_portid(kernel->config.ask);

	if (is_own)
		return;
	switch (event->type) {
	case NM_XFRM_EVENT_STATE_EXPIRED: expired(kernel, event); break;
	case NM_XFRM_EVENT_STATE_DELETED: deleted(kernel, event); break;
	case NM_XFRM_EVENT_STATES_FLUSHED: flushed(kernel, event); break;
	case NM_XFRM_EVENT_ACQUIRE: acquire(kernel, event); break;
	case NM_XFRM_EVENT_MAPPING: mapping(kernel, event); break;
	case NM_XFRM_EVENT_POLICY_DELETED: policy_deleted(kernel, event); break;
	case NM_XFRM_EVENT_POLICIES_FLUSHED: policies_flushed(kernel, event); break;
	case NM_XFRM_EVENT_STATE_ADDED:
	case NM_XFRM_EVENT_STATE_UPDATED:
	case NM_XFRM_EVENT_STATE_REPLAY:
	case NM_XFRM_EVENT_POLICY_ADDED:
	case NM_XFRM_EVENT_POLICY_UPDATED:
	case NM_XFRM_EVENT_POLICY_EXPIRED:
	case NM_XFRM_EVENT_COUNT: break;
	}
}

void nm_kernel_resync_state(struct nm_kernel *kernel, const struct nm_xfrm_state *state)
{
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(state);
	struct nm_kernel_sa *sa = nm_kernel_sad_find_id(&kernel->sad, &id);

	if (!sa || sa->is_dead)
		return;
	sa->is_seen = true;
	nm_kernel_look(kernel, sa, state);
}

void nm_kernel_resync_policy(struct nm_kernel *kernel, const struct nm_xfrm_policy *policy)
{
	const struct nm_xfrm_policy_id id = nm_xfrm_policy_id_of(policy);

	nm_kernel_spd_see(&kernel->spd, &id);
}

static void begin(struct nm_kernel *kernel)
{
	for (uint32_t i = 0; i < kernel->sad.len; i++)
		kernel->sad.sas[i]->is_seen = false;
	nm_kernel_spd_look(&kernel->spd);
}

static void end(struct nm_kernel *kernel)
{
	uint32_t missing = nm_kernel_spd_missing(&kernel->spd);

	/* Before SAs are buried, whose gates go with them. */
	if (missing > 0)
		nm_log(&kernel->config.log, NATMUX_LOG_WARNING,
			"somebody else has deleted %" PRIu32
			" policies of natmuxd's in the kernel; a restart puts them back",
			missing);
	for (uint32_t i = 0; i < kernel->sad.len; i++)
		if (!kernel->sad.sas[i]->is_seen && !kernel->sad.sas[i]->is_dead)
			lose(kernel, kernel->sad.sas[i], "it is not in the kernel any more");
}

void nm_kernel_resync(
	struct nm_kernel *kernel, enum nm_xfrm_resync what, const struct nm_xfrm_answer *answer)
{
	switch (what) {
	case NM_XFRM_RESYNC_LOST:
		nm_log(&kernel->config.log, NATMUX_LOG_WARNING,
			"XFRM: events were lost; looking at all that there is");
		begin(kernel);
		break;
	case NM_XFRM_RESYNC_AGAIN: begin(kernel); break;
	case NM_XFRM_RESYNC_DONE: end(kernel); break;
	case NM_XFRM_RESYNC_FAILED:
		nm_log(&kernel->config.log, NATMUX_LOG_ERROR, "XFRM: cannot look: %s",
			answer ? answer->text : "no answer");
		break;
	}
}
