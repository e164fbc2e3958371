/* SPDX-License-Identifier: Apache-2.0 */
/* Sends requests one after the other and tells whose each message is. What they mean is others'. */
#include "xfrm/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <sodium.h>
#include <natmux/error.h>
#include "base/list.h"
#include "base/secret.h"
#include "xfrm/attribute.h"
#include "xfrm/resync.h"

enum {
	REQUESTS = 64,
	TIMEOUT_MS = 2000,
	RETRY_MS = 10, /* the socket was full */
};

struct entry {
	struct nm_list node;
	struct nm_xfrm_message message; /* may hold keys: locked memory, wiped when it is sent */
	struct nm_xfrm_request request;
	uint32_t sequence;
	uint16_t type, flags;
	bool is_changed; /* what is dumped has changed meanwhile */
	uint64_t deadline_ms;
};

struct nm_xfrm_session {
	struct nm_xfrm_session_config config;
	struct nm_secret_pool *pool;
	struct nm_list waiting;    /* of struct entry, the oldest first */
	uint32_t waiting_len;      /* with the outstanding one, unless that is `own` */
	struct entry *outstanding; /* sent, not answered; NULL: none */
	struct entry own;          /* the dumps of a resynchronisation */
	uint32_t sequence;         /* given out last */
	uint64_t now_ms;           /* of the call under way */
	bool is_pumping;
	uint64_t retry_ms; /* not before; the socket was full */
	struct nm_xfrm_resync_state resync;
	struct nm_xfrm_session_status status;
};

int nm_xfrm_session_new(
	const struct nm_xfrm_session_config *config, struct nm_xfrm_session **result)
{
	struct nm_xfrm_session *session;

	if (!config->send || (config->resync && (!config->resync_state || !config->resync_policy)))
		return NATMUX_EINVAL;
	session = calloc(1, sizeof(*session));
	if (!session)
		return NATMUX_ENOMEM;
	session->pool = nm_secret_pool_new(sizeof(struct entry));
	if (!session->pool) {
		free(session);
		return NATMUX_ENOMEM;
	}
	session->config = *config;
	if (session->config.requests_max == 0)
		session->config.requests_max = REQUESTS;
	if (session->config.timeout_ms == 0)
		session->config.timeout_ms = TIMEOUT_MS;
	nm_list_init(&session->waiting);
	session->resync.config = &session->config;
	session->resync.status = &session->status;
	*result = session;
	return 0;
}

void nm_xfrm_session_free(struct nm_xfrm_session *session)
{
	if (!session)
		return;
	nm_secret_pool_free(session->pool);
	free(session);
}

const struct nm_xfrm_session_status *nm_xfrm_session_status(const struct nm_xfrm_session *session)
{
	return &session->status;
}

bool nm_xfrm_session_is_idle(const struct nm_xfrm_session *session)
{
	return !session->outstanding && nm_list_is_empty(&session->waiting) &&
	       nm_xfrm_resync_due_ms(&session->resync) == UINT64_MAX;
}

/* The entry is gone before its owner hears of it, who may ask for the next thing then. */
static void finish(
	struct nm_xfrm_session *session, struct entry *entry, const struct nm_xfrm_answer *answer)
{
	struct nm_xfrm_request request = entry->request;

	if (session->outstanding == entry)
		session->outstanding = NULL;
	if (entry == &session->own) {
		nm_xfrm_resync_answered(&session->resync, answer, session->now_ms);
		return;
	}
	nm_list_remove(&entry->node);
	session->waiting_len--;
	nm_secret_give(session->pool, entry);
	session->status.refused += answer->error != 0;
	if (request.done)
		request.done(request.user, answer);
}

static void finish_with(struct nm_xfrm_session *session, struct entry *entry, int os_error)
{
	struct nm_xfrm_answer answer;

	nm_xfrm_answer_set(&answer, entry->type, os_error);
	finish(session, entry, &answer);
}

/* Sends an entry; false when the socket is full and it has to wait. */
static bool send_entry(struct nm_xfrm_session *session, struct entry *entry)
{
	struct nlmsghdr *header = (void *)entry->message.bytes;
	uint64_t now_ms = session->now_ms;
	int os_error = 0, err;

	if (entry->deadline_ms == 0)
		entry->deadline_ms = now_ms + session->config.timeout_ms;
	if (entry->sequence == 0) {
		session->sequence = session->sequence == UINT32_MAX ? 1 : session->sequence + 1;
		entry->sequence = session->sequence;
	}
	header->nlmsg_seq = entry->sequence;
	header->nlmsg_pid = session->config.portid;
	err = session->config.send(
		session->config.user, entry->message.bytes, header->nlmsg_len, &os_error);
	if (err == NATMUX_EFULL && now_ms < entry->deadline_ms) {
		session->retry_ms = now_ms + RETRY_MS;
		return false;
	}
	sodium_memzero(&entry->message, sizeof(entry->message));
	if (err < 0) {
		if (err == NATMUX_EFULL || os_error == 0)
			os_error = ETIMEDOUT;
		finish_with(session, entry, os_error);
		return true;
	}
	session->status.requests++;
	entry->deadline_ms = now_ms + session->config.timeout_ms;
	session->outstanding = entry;
	return true;
}

static struct entry *make_dump(struct nm_xfrm_session *session)
{
	struct entry *own = &session->own;
	const struct nlmsghdr *header = (const void *)own->message.bytes;

	nm_xfrm_resync_build(&session->resync, &own->message);
	own->type = header->nlmsg_type;
	own->flags = header->nlmsg_flags;
	own->sequence = 0;
	own->deadline_ms = 0;
	own->is_changed = false;
	return own;
}

static struct entry *find_next(struct nm_xfrm_session *session)
{
	struct nm_list *first = nm_list_first(&session->waiting);

	if (session->now_ms >= nm_xfrm_resync_due_ms(&session->resync))
		return make_dump(session);
	return first ? NM_LIST_ENTRY(first, struct entry, node) : NULL;
}

/* Sends what is next, until something waits for its answer. Callbacks may come back in here. */
static void pump(struct nm_xfrm_session *session)
{
	if (session->is_pumping)
		return;
	session->is_pumping = true;
	while (!session->outstanding && session->now_ms >= session->retry_ms) {
		struct entry *entry = find_next(session);

		if (!entry || !send_entry(session, entry))
			break;
	}
	session->is_pumping = false;
}

int nm_xfrm_session_request(struct nm_xfrm_session *session, struct nm_xfrm_message *message,
	const struct nm_xfrm_request *request, uint64_t now_ms)
{
	const struct nlmsghdr *header = (const void *)message->bytes;
	struct entry *entry;

	if (header->nlmsg_len < MNL_NLMSG_HDRLEN || header->nlmsg_len > sizeof(*message))
		return NATMUX_EINVAL;
	if (session->waiting_len >= session->config.requests_max)
		return NATMUX_EFULL;
	entry = nm_secret_take(session->pool);
	if (!entry)
		return NATMUX_EFULL;
	entry->message = *message;
	entry->request = *request;
	entry->type = header->nlmsg_type;
	entry->flags = header->nlmsg_flags;
	sodium_memzero(message, sizeof(*message));
	nm_list_init(&entry->node);
	nm_list_move_last(&session->waiting, &entry->node);
	session->waiting_len++;
	session->now_ms = now_ms;
	pump(session);
	return 0;
}

static bool is_dump(const struct entry *entry)
{
	return (entry->flags & NLM_F_DUMP) == NLM_F_DUMP;
}

/* Messages that answer a request rather than tell what it has caused. */
static bool is_reply(const struct entry *entry, uint16_t type)
{
	switch (entry->type) {
	case XFRM_MSG_GETSA:
	case XFRM_MSG_ALLOCSPI: return type == XFRM_MSG_NEWSA;
	case XFRM_MSG_GETPOLICY: return type == XFRM_MSG_NEWPOLICY;
	case XFRM_MSG_GETAE: return type == XFRM_MSG_NEWAE;
	}
	return false;
}

static void tell_state(
	struct nm_xfrm_session *session, struct entry *entry, const struct nm_xfrm_state *state)
{
	if (entry == &session->own)
		session->config.resync_state(session->config.user, state);
	else if (entry->request.state)
		entry->request.state(entry->request.user, state);
}

static void tell_policy(
	struct nm_xfrm_session *session, struct entry *entry, const struct nm_xfrm_policy *policy)
{
	if (entry == &session->own)
		session->config.resync_policy(session->config.user, policy);
	else if (entry->request.policy)
		entry->request.policy(entry->request.user, policy);
}

static void take_reply(
	struct nm_xfrm_session *session, struct entry *entry, const struct nm_xfrm_event *event)
{
	if (event->type == NM_XFRM_EVENT_STATE_ADDED)
		tell_state(session, entry, &event->state);
	else if (event->type == NM_XFRM_EVENT_POLICY_ADDED)
		tell_policy(session, entry, &event->policy);
	else if (entry->request.event)
		entry->request.event(entry->request.user, event);
}

static void take_ack(
	struct nm_xfrm_session *session, const struct nlmsghdr *message, struct entry *entry)
{
	struct nm_xfrm_answer answer;

	if (nm_xfrm_ack_decode(message, entry->type, &answer) < 0) {
		session->status.malformed++;
		return;
	}
	/* A dump ends with NLMSG_DONE; an ACK that is no error is not its end. */
	if (message->nlmsg_type == NLMSG_ERROR && is_dump(entry) && answer.os_error == 0)
		return;
	if (answer.os_error == 0 && entry->is_changed)
		nm_xfrm_answer_set(&answer, entry->type, EAGAIN);
	session->status.answers++;
	finish(session, entry, &answer);
}

/* The entry that a message belongs to by its numbers, or NULL. */
static struct entry *find_entry(
	const struct nm_xfrm_session *session, const struct nlmsghdr *message)
{
	struct entry *entry = session->outstanding;
	uint32_t portid = session->config.portid;

	if (!entry || message->nlmsg_seq != entry->sequence ||
		(portid != 0 && message->nlmsg_pid != portid))
		return NULL;
	return entry;
}

static void take_message(struct nm_xfrm_session *session, const struct nlmsghdr *message)
{
	struct entry *entry = find_entry(session, message);
	struct nm_xfrm_event event;
	int err;

	if (message->nlmsg_type == NLMSG_OVERRUN) {
		nm_xfrm_session_lost(session, session->now_ms);
		return;
	}
	if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
		session->status.stale += !entry;
		if (entry)
			take_ack(session, message, entry);
		return;
	}
	/* Part of a dump that was given up. */
	if (!entry && message->nlmsg_flags & NLM_F_MULTI) {
		session->status.stale++;
		return;
	}
	if (entry) {
		entry->deadline_ms = session->now_ms + session->config.timeout_ms;
		entry->is_changed |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	}
	err = nm_xfrm_event_decode(message, &event);
	if (err < 0) {
		session->status.unknown += err == NATMUX_ENOTFOUND;
		session->status.malformed += err != NATMUX_ENOTFOUND;
		return;
	}
	if (entry && is_reply(entry, message->nlmsg_type)) {
		take_reply(session, entry, &event);
		return;
	}
	session->status.events++;
	if (entry && entry->request.event)
		entry->request.event(entry->request.user, &event);
	if (session->config.event)
		session->config.event(session->config.user, &event);
}

void nm_xfrm_session_input(
	struct nm_xfrm_session *session, const void *bytes, size_t len, uint64_t now_ms)
{
	const struct nlmsghdr *message;

	session->now_ms = now_ms;
	while ((message = nm_xfrm_message_take(&bytes, &len)) != NULL)
		take_message(session, message);
	session->status.malformed += len > 0;
	pump(session);
}

void nm_xfrm_session_lost(struct nm_xfrm_session *session, uint64_t now_ms)
{
	session->now_ms = now_ms;
	nm_xfrm_resync_lost(&session->resync, now_ms);
	pump(session);
}

uint64_t nm_xfrm_session_next_deadline(const struct nm_xfrm_session *session)
{
	uint64_t deadline = nm_xfrm_resync_due_ms(&session->resync);

	if (session->outstanding)
		return session->outstanding->deadline_ms;
	if (!nm_list_is_empty(&session->waiting) && session->retry_ms < deadline)
		deadline = session->retry_ms;
	return deadline;
}

void nm_xfrm_session_tick(struct nm_xfrm_session *session, uint64_t now_ms)
{
	struct entry *entry = session->outstanding;

	session->now_ms = now_ms;
	if (entry && now_ms >= entry->deadline_ms) {
		session->status.timeouts++;
		finish_with(session, entry, ETIMEDOUT);
	}
	pump(session);
}

uint64_t nm_xfrm_session_now_ms(const struct nm_xfrm_session *session)
{
	return session->now_ms;
}
