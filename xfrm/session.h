/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A conversation with the kernel over one netlink socket: requests one after the other, their
 * answers, and what it tells of its own accord. A machine: bytes and time come in as arguments,
 * bytes go out through a function. It works for a blocking owner (request, then input until done)
 * as for a loop.
 */
#ifndef NM_XFRM_SESSION_H
#define NM_XFRM_SESSION_H

#include <natmux/log.h>
#include "xfrm/ack.h"
#include "xfrm/event.h"
#include "xfrm/state_message.h"

struct nm_xfrm_session;

/* What a resynchronisation is about to do. */
enum nm_xfrm_resync {
	NM_XFRM_RESYNC_LOST,  /* events were lost; all that is there follows, as state and policy */
	NM_XFRM_RESYNC_AGAIN, /* something changed or was lost meanwhile: it starts anew */
	NM_XFRM_RESYNC_DONE,  /* that was all: what was not told is not there */
	NM_XFRM_RESYNC_FAILED, /* given up; `answer` says why. Tried again after the next loss */
};

struct nm_xfrm_session_config {
	uint32_t requests_max; /* that may wait; 64 when 0. Room for each in locked memory */
	uint32_t timeout_ms;   /* for an answer, or the next part of a dump; 2000 when 0 */
	uint32_t portid;       /* of the socket; 0: not known, then any is ours */
	struct natmux_log log;
	/*
	 * Sends one whole message; the session wipes it afterwards. 0, NATMUX_EFULL (the socket is
	 * full: tried again on the next input or tick), NATMUX_ESYSTEM with `*os_error`.
	 */
	int (*send)(void *user, const void *message, size_t len, int *os_error);
	void (*event)(void *user, const struct nm_xfrm_event *event); /* NULL: not interested */
	/* All four of a resynchronisation; NULL: the session asks for nothing after a loss. */
	void (*resync)(void *user, enum nm_xfrm_resync what, const struct nm_xfrm_answer *answer);
	void (*resync_state)(void *user, const struct nm_xfrm_state *state);
	void (*resync_policy)(void *user, const struct nm_xfrm_policy *policy);
	void *user;
};

/* Whom the answers to a request go to. Functions that are NULL are not called. */
struct nm_xfrm_request {
	void (*state)(void *user, const struct nm_xfrm_state *state);    /* answer or dumped */
	void (*policy)(void *user, const struct nm_xfrm_policy *policy); /* the same */
	/*
	 * Events that this very request caused (the socket has joined their group), before `done`:
	 * STATE_DELETED has the numbers the state ended with. Answers to GETAE, too.
	 */
	void (*event)(void *user, const struct nm_xfrm_event *event);
	/* Once, always, and last; may make another request. `answer` is borrowed. */
	void (*done)(void *user, const struct nm_xfrm_answer *answer);
	void *user;
};

/* `config` is copied. NATMUX_EINVAL, NATMUX_ENOMEM. */
int nm_xfrm_session_new(
	const struct nm_xfrm_session_config *config, struct nm_xfrm_session **session);

/*
 * Waiting requests are wiped and forgotten; their `done` is not called. Not from within one of its
 * callbacks. NULL is fine.
 */
void nm_xfrm_session_free(struct nm_xfrm_session *session);

/*
 * Takes a message of the builders (which is copied, and wiped at once) and sends it when those
 * before it are answered. `done` may be called before this returns, but only for what could not be
 * sent. NATMUX_EFULL: too many wait, nothing was taken; NATMUX_EINVAL: no message.
 */
int nm_xfrm_session_request(struct nm_xfrm_session *session, struct nm_xfrm_message *message,
	const struct nm_xfrm_request *request, uint64_t now_ms);

/* What one receive call brought: any number of messages, aligned to 4; borrowed. */
void nm_xfrm_session_input(
	struct nm_xfrm_session *session, const void *bytes, size_t len, uint64_t now_ms);

/* The socket lost messages (ENOBUFS). */
void nm_xfrm_session_lost(struct nm_xfrm_session *session, uint64_t now_ms);

/* When nm_xfrm_session_tick() is due; UINT64_MAX: never. */
uint64_t nm_xfrm_session_next_deadline(const struct nm_xfrm_session *session);

/*
 * Gives up what was not answered in time. First take in all that the socket holds: the kernel answers
 * within the call that sends, which can take longer than the timeout (it loads modules), and the
 * answer lies there when that call returns.
 */
void nm_xfrm_session_tick(struct nm_xfrm_session *session, uint64_t now_ms);

/* `now_ms` of the last call: for callbacks that make another request. */
uint64_t nm_xfrm_session_now_ms(const struct nm_xfrm_session *session);

/* Whether nothing waits for an answer: a blocking owner is through. */
bool nm_xfrm_session_is_idle(const struct nm_xfrm_session *session);

struct nm_xfrm_session_status {
	uint64_t requests, answers, refused, timeouts;
	uint64_t events, unknown; /* of types that tell nothing */
	uint64_t malformed;       /* messages that broke their format */
	uint64_t stale;           /* answers to requests that were given up */
	uint64_t losses, resyncs;
};

const struct nm_xfrm_session_status *nm_xfrm_session_status(const struct nm_xfrm_session *session);

#endif
