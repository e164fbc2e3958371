/* SPDX-License-Identifier: Apache-2.0 */
/* Drives a session (xfrm/session.h) until it has nothing to wait for; what is asked is others' work. */
#include "daemon/kernel/kernel_ask.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>

enum { STEP_MS = 100 /* of waiting, between looks at the session's own deadlines */ };

struct nm_kernel_ask {
	struct nm_kernel_ask_config config;
	struct nm_xfrm_session *session;
};

static int link_send(void *self, const void *message, size_t len, int *os_error)
{
	return nm_netlink_send(self, message, len, os_error);
}

static enum nm_netlink_result link_recv(void *self, void **bytes, size_t *len)
{
	return nm_netlink_recv(self, bytes, len);
}

static bool link_wait(void *self, uint32_t timeout_ms)
{
	return nm_netlink_wait(self, timeout_ms);
}

static void link_wipe(void *self)
{
	nm_netlink_wipe(self);
}

struct nm_kernel_link nm_kernel_link_of(struct nm_netlink *netlink)
{
	return (struct nm_kernel_link){
		link_send, link_recv, link_wait, link_wipe, nm_netlink_portid(netlink), netlink};
}

static uint64_t now_ms(const struct nm_kernel_ask *ask)
{
	return ask->config.now_ms(ask->config.user);
}

static int send_message(void *user, const void *message, size_t len, int *os_error)
{
	const struct nm_kernel_ask *ask = user;

	return ask->config.link.send(ask->config.link.self, message, len, os_error);
}

int nm_kernel_ask_new(const struct nm_kernel_ask_config *config, struct nm_kernel_ask **result)
{
	struct nm_kernel_ask *ask = calloc(1, sizeof(*ask));
	struct nm_xfrm_session_config session = {
		.portid = config->link.portid, .log = config->log, .send = send_message};
	int err;

	if (!ask)
		return NATMUX_ENOMEM;
	ask->config = *config;
	session.user = ask;
	err = nm_xfrm_session_new(&session, &ask->session);
	if (err < 0) {
		free(ask);
		return err;
	}
	*result = ask;
	return 0;
}

void nm_kernel_ask_free(struct nm_kernel_ask *ask)
{
	if (!ask)
		return;
	nm_xfrm_session_free(ask->session);
	free(ask);
}

/* Takes in what is there. */
static void drain(struct nm_kernel_ask *ask)
{
	const struct nm_kernel_link *link = &ask->config.link;
	enum nm_netlink_result result;
	size_t len;
	void *bytes;

	do {
		result = link->recv(link->self, &bytes, &len);
		if (result == NM_NETLINK_DATA)
			nm_xfrm_session_input(ask->session, bytes, len, now_ms(ask));
		else if (result == NM_NETLINK_LOST)
			nm_xfrm_session_lost(ask->session, now_ms(ask));
	} while (result == NM_NETLINK_DATA || result == NM_NETLINK_LOST);
	link->wipe(link->self);
}

/* The session gives up by itself what is not answered: this ends. */
static void wait_for(struct nm_kernel_ask *ask, const bool *is_done)
{
	const struct nm_kernel_link *link = &ask->config.link;

	drain(ask);
	while (!*is_done) {
		link->wait(link->self, STEP_MS);
		drain(ask);
		if (!*is_done)
			nm_xfrm_session_tick(ask->session, now_ms(ask));
	}
}

struct question {
	const struct nm_kernel_listener *listener;
	struct nm_xfrm_answer *answer;
	bool is_done;
};

static void hear_state(void *user, const struct nm_xfrm_state *state)
{
	const struct question *question = user;

	question->listener->state(question->listener->user, state);
}

static void hear_policy(void *user, const struct nm_xfrm_policy *policy)
{
	const struct question *question = user;

	question->listener->policy(question->listener->user, policy);
}

static void hear_event(void *user, const struct nm_xfrm_event *event)
{
	const struct question *question = user;

	question->listener->event(question->listener->user, event);
}

static void hear_done(void *user, const struct nm_xfrm_answer *answer)
{
	struct question *question = user;

	*question->answer = *answer;
	question->is_done = true;
}

static int fail(struct nm_xfrm_answer *answer, int err)
{
	*answer = (struct nm_xfrm_answer){.error = err};
	snprintf(answer->text, sizeof(answer->text), "%s", natmux_strerror(err));
	return err;
}

int nm_kernel_ask(struct nm_kernel_ask *ask, int built, struct nm_xfrm_message *message,
	const struct nm_kernel_listener *listener, struct nm_xfrm_answer *answer)
{
	struct question question = {.listener = listener, .answer = answer};
	struct nm_xfrm_request request = {
		.state = listener && listener->state ? hear_state : NULL,
		.policy = listener && listener->policy ? hear_policy : NULL,
		.event = listener && listener->event ? hear_event : NULL,
		.done = hear_done,
		.user = &question,
	};
	int err = built;

	/* What others did since the last question would only stand in the way of the answer. */
	drain(ask);
	if (err > 0)
		err = nm_xfrm_session_request(ask->session, message, &request, now_ms(ask));
	sodium_memzero(message, sizeof(*message));
	if (err < 0)
		return fail(answer, err);
	wait_for(ask, &question.is_done);
	return answer->error;
}

struct move {
	struct nm_xfrm_move_result *result;
	bool is_done;
};

static void moved(void *user, const struct nm_xfrm_move_result *result)
{
	struct move *move = user;

	*move->result = *result;
	move->is_done = true;
}

int nm_kernel_ask_move(struct nm_kernel_ask *ask, struct nm_xfrm_move_config *config,
	struct nm_xfrm_move_result *result)
{
	struct move move = {.result = result};
	int err;

	drain(ask);
	config->session = ask->session;
	*result = (struct nm_xfrm_move_result){.id = config->id};
	err = nm_xfrm_move_start(config, moved, &move, now_ms(ask));
	if (err < 0)
		return fail(&result->answer, err);
	wait_for(ask, &move.is_done);
	return result->answer.error;
}

struct probe {
	struct nm_xfrm_features *features;
	bool is_done;
};

static void probed(void *user, const struct nm_xfrm_features *features)
{
	struct probe *probe = user;

	*probe->features = *features;
	probe->is_done = true;
}

int nm_kernel_ask_features(struct nm_kernel_ask *ask, const struct natmux_random *random,
	struct nm_xfrm_features *features)
{
	struct probe probe = {.features = features};
	int err;

	drain(ask);
	err = nm_xfrm_probe_start(ask->session, random, probed, &probe, now_ms(ask));
	if (err < 0)
		return err;
	wait_for(ask, &probe.is_done);
	return 0;
}

uint32_t nm_kernel_ask_portid(const struct nm_kernel_ask *ask)
{
	return ask->config.link.portid;
}
