/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel might say: any bytes as netlink messages, to every decoder and to a session with
 * a request under way. What is decoded as a state or policy must be fit to be built again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "xfrm/ack.h"
#include "xfrm/attribute.h"
#include "xfrm/policy_message.h"
#include "xfrm/session.h"
#include "xfrm/stat.h"
#include "xfrm/suite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int send_nothing(void *user, const void *message, size_t len, int *os_error)
{
	(void)user;
	(void)message;
	(void)len;
	(void)os_error;
	return 0;
}

static void on_event(void *user, const struct nm_xfrm_event *event)
{
	(void)user;
	if (!nm_xfrm_event_name(event->type))
		abort();
}

static void on_resync(void *user, enum nm_xfrm_resync what, const struct nm_xfrm_answer *answer)
{
	(void)user;
	(void)what;
	if (!memchr(answer->text, '\0', sizeof(answer->text)))
		abort();
}

/* Reads every octet that is pointed to. */
static unsigned int touch(const struct nm_xfrm_algorithm *algorithm)
{
	unsigned int sum = 0;

	for (size_t i = 0; algorithm->name && i < algorithm->key_len; i++)
		sum += algorithm->key[i];
	return sum + (algorithm->name ? (unsigned int)strlen(algorithm->name) : 0);
}

static void on_state(void *user, const struct nm_xfrm_state *state)
{
	uint8_t key[NATMUX_SUITE_KEY_MAX];
	struct nm_xfrm_message message;
	enum natmux_suite suite;

	(void)user;
	(void)(touch(&state->aead) + touch(&state->cipher) + touch(&state->auth));
	(void)nm_xfrm_suite_find(state, &suite);
	(void)nm_xfrm_key_join(state, key);
	(void)nm_xfrm_key_is_hidden(state);
	(void)nm_xfrm_replay_is_seen(&state->replay, state->replay.in);
	(void)nm_xfrm_state_add(state, &message);
}

static void on_policy(void *user, const struct nm_xfrm_policy *policy)
{
	struct nm_xfrm_message message;

	(void)user;
	if (nm_xfrm_policy_update(policy, &message) < 0)
		abort();
}

static void one_message(const struct nlmsghdr *message)
{
	struct nm_xfrm_policy policy;
	struct nm_xfrm_state state;
	struct nm_xfrm_event event;
	struct nm_xfrm_answer answer;

	if (nm_xfrm_state_decode(message, &state) == 0)
		on_state(NULL, &state);
	if (nm_xfrm_policy_decode(message, &policy) == 0)
		on_policy(NULL, &policy);
	if (nm_xfrm_event_decode(message, &event) == 0)
		on_event(NULL, &event);
	if (nm_xfrm_ack_decode(message, XFRM_MSG_NEWSA, &answer) == 0)
		on_resync(NULL, NM_XFRM_RESYNC_FAILED, &answer);
}

static void one_session(const void *bytes, size_t len)
{
	const struct nm_xfrm_session_config config = {
		.send = send_nothing,
		.event = on_event,
		.resync = on_resync,
		.resync_state = on_state,
		.resync_policy = on_policy,
	};
	const struct nm_xfrm_request request = {
		.state = on_state, .policy = on_policy, .event = on_event};
	struct nm_xfrm_session *session;
	struct nm_xfrm_message message;

	if (nm_xfrm_session_new(&config, &session) < 0)
		return;
	(void)nm_xfrm_state_dump(0, &message);
	(void)nm_xfrm_session_request(session, &message, &request, 0);
	nm_xfrm_session_input(session, bytes, len, 1);
	nm_xfrm_session_lost(session, 2);
	nm_xfrm_session_input(session, bytes, len, 3);
	nm_xfrm_session_tick(session, 1000000);
	nm_xfrm_session_free(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct nlmsghdr *message;
	struct nm_xfrm_stat stat;
	const void *at;
	uint8_t *copy;
	size_t left = len;

	if (len > 65536)
		return 0;
	(void)nm_xfrm_stat_parse((const char *)data, len, &stat);
	at = copy = malloc(len > 0 ? len : 1); /* aligned, and exactly as long as it says */
	if (!copy)
		return 0;
	if (len > 0)
		memcpy(copy, data, len);
	while ((message = nm_xfrm_message_take(&at, &left)) != NULL)
		one_message(message);
	one_session(copy, len);
	free(copy);
	return 0;
}
