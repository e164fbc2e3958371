/* SPDX-License-Identifier: Apache-2.0 */
/* Finds out what the kernel knows, by questions that change nothing. What to do without is others'. */
#include "xfrm/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include "base/bytes.h"
#include "xfrm/attribute.h"
#include "xfrm/suite.h"

/* What is asked, in this order. */
static const struct question {
	enum nm_xfrm_feature feature;
	uint16_t attribute;      /* 0: a state of `suite` in `family` */
	enum natmux_suite suite; /* the kernel looks for its algorithms before it looks for ESP */
	uint8_t family;
} questions[] = {
	{NM_XFRM_FEATURE_IF_ID, XFRMA_IF_ID, 0, 0},
	{NM_XFRM_FEATURE_OUTPUT_MARK, XFRMA_SET_MARK_MASK, 0, 0},
	{NM_XFRM_FEATURE_OFFLOAD, XFRMA_OFFLOAD_DEV, 0, 0},
	{NM_XFRM_FEATURE_MAPPING_THRESHOLD, XFRMA_MTIMER_THRESH, 0, 0},
	{NM_XFRM_FEATURE_DIRECTION, NM_XFRMA_SA_DIR, 0, 0},
	{NM_XFRM_FEATURE_KEEPALIVE, NM_XFRMA_NAT_KEEPALIVE, 0, 0},
	{NM_XFRM_FEATURE_CPU, NM_XFRMA_SA_PCPU, 0, 0},
	{NM_XFRM_FEATURE_ESP4, 0, NATMUX_SUITE_NULL_SHA256, NATMUX_FAMILY_IPV4},
	{NM_XFRM_FEATURE_ESP4, 0, NATMUX_SUITE_AES128_SHA1, NATMUX_FAMILY_IPV4},
	{NM_XFRM_FEATURE_ESP4, 0, NATMUX_SUITE_AES128GCM16, NATMUX_FAMILY_IPV4},
	{NM_XFRM_FEATURE_ESP6, 0, NATMUX_SUITE_NULL_SHA256, NATMUX_FAMILY_IPV6},
	{NM_XFRM_FEATURE_ESP6, 0, NATMUX_SUITE_AES128_SHA1, NATMUX_FAMILY_IPV6},
	{NM_XFRM_FEATURE_ESP6, 0, NATMUX_SUITE_AES128GCM16, NATMUX_FAMILY_IPV6},
};

enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

struct probe {
	struct nm_xfrm_session *session;
	void (*done)(void *user, const struct nm_xfrm_features *features);
	void *user;
	size_t next;
	uint64_t now_ms;
	uint32_t spi; /* of the states that are not meant to come into being */
	bool is_settled[NM_XFRM_FEATURE_COUNT];
	struct nm_xfrm_features features;
};

static void answered(void *user, const struct nm_xfrm_answer *answer);

static struct natmux_addr loopback(uint8_t family)
{
	struct natmux_addr addr = {.family = family};

	addr.ip[0] = family == NATMUX_FAMILY_IPV4 ? 127 : 0;
	addr.ip[family == NATMUX_FAMILY_IPV4 ? 3 : 15] = 1;
	return addr;
}

static void build_attribute(const struct question *question, struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder = nm_xfrm_build(message, XFRM_MSG_GETSA, NLM_F_ACK);
	struct xfrm_usersa_id *id = nm_xfrm_put_fixed(&builder, sizeof(*id));
	const struct natmux_addr nowhere = loopback(NATMUX_FAMILY_IPV4);

	nm_xfrm_addr_put(&nowhere, &id->daddr);
	id->family = NM_AF_INET;
	id->proto = NM_XFRM_PROTO_ESP;
	nm_xfrm_put(&builder, question->attribute, id, 0);
}

/* A ring of 32 bits for a window of 64. */
static void build_state(
	const struct probe *probe, const struct question *question, struct nm_xfrm_message *message)
{
	static const uint8_t key[NATMUX_SUITE_KEY_MAX] = {1, 2, 3};
	struct nm_xfrm_state state;

	nm_xfrm_state_init(&state);
	state.source = state.destination = loopback(question->family);
	state.spi = probe->spi;
	state.limits.hard_seconds = 1; /* should it come into being and could not be deleted */
	state.replay.is_ring = true;
	state.replay.words = 1;
	state.replay.window = 64;
	(void)nm_xfrm_suite_set(
		&state, question->suite, key, natmux_suite_key_len(question->suite));
	(void)nm_xfrm_state_add(&state, message);
}

static void request(struct probe *probe, struct nm_xfrm_message *message,
	void (*done)(void *user, const struct nm_xfrm_answer *answer))
{
	const struct nm_xfrm_request whose = {.done = done, .user = probe};
	int err = nm_xfrm_session_request(probe->session, message, &whose, probe->now_ms);
	struct nm_xfrm_answer none;

	if (err == 0)
		return;
	nm_xfrm_answer_set(&none, XFRM_MSG_GETSA, ENOBUFS);
	done(probe, &none);
}

static void ask_next(struct probe *probe)
{
	struct nm_xfrm_message message;

	while (probe->next < QUESTIONS && probe->is_settled[questions[probe->next].feature])
		probe->next++;
	if (probe->next == QUESTIONS) {
		probe->done(probe->user, &probe->features);
		free(probe);
		return;
	}
	if (questions[probe->next].attribute != 0)
		build_attribute(&questions[probe->next], &message);
	else
		build_state(probe, &questions[probe->next], &message);
	request(probe, &message, answered);
}

static void deleted(void *user, const struct nm_xfrm_answer *answer)
{
	struct probe *probe = user;

	(void)answer;
	probe->now_ms = nm_xfrm_session_now_ms(probe->session);
	ask_next(probe);
}

/* The kernel took it all the same. */
static void delete_state(struct probe *probe, const struct question *question)
{
	const struct nm_xfrm_state_id id = {
		.destination = loopback(question->family),
		.spi = probe->spi,
		.protocol = NM_XFRM_PROTO_ESP,
	};
	struct nm_xfrm_message message;

	(void)nm_xfrm_state_delete(&id, &message);
	request(probe, &message, deleted);
}

/* Whether the answer is one that only a kernel gives which lets us ask. */
static void judge_xfrm(struct probe *probe, const struct nm_xfrm_answer *answer)
{
	int os_error = answer->os_error;

	probe->is_settled[NM_XFRM_FEATURE_XFRM] = true;
	probe->features.has[NM_XFRM_FEATURE_XFRM] =
		os_error == 0 || os_error == ESRCH || os_error == EINVAL || os_error == ERANGE;
	if (probe->features.has[NM_XFRM_FEATURE_XFRM])
		return;
	/* All the other answers would be the same. */
	for (size_t i = 0; i <= NM_XFRM_FEATURE_ESP6; i++)
		probe->features.why[i] = *answer;
	probe->next = QUESTIONS;
}

static const char no_esp6[] = "this kernel has no ESP over IPv6 (CONFIG_INET6_ESP); use esp = user";

/* ENOSYS says nothing of ESP, only of an algorithm: another is tried. */
static void judge_esp(
	struct probe *probe, const struct question *question, const struct nm_xfrm_answer *answer)
{
	bool has = answer->os_error == 0 || answer->os_error == EINVAL;

	probe->is_settled[question->feature] = answer->os_error != ENOSYS;
	probe->features.has[question->feature] = has;
	if (!has)
		probe->features.why[question->feature] = *answer;
	else
		nm_xfrm_answer_set(&probe->features.why[question->feature], XFRM_MSG_NEWSA, 0);
	if (answer->os_error == EPROTONOSUPPORT && question->family == NATMUX_FAMILY_IPV6)
		memcpy(probe->features.why[question->feature].text, no_esp6, sizeof(no_esp6));
}

static void answered(void *user, const struct nm_xfrm_answer *answer)
{
	struct probe *probe = user;
	const struct question *question = &questions[probe->next++];

	probe->now_ms = nm_xfrm_session_now_ms(probe->session);
	if (!probe->is_settled[NM_XFRM_FEATURE_XFRM])
		judge_xfrm(probe, answer);
	if (question->attribute == 0)
		judge_esp(probe, question, answer);
	else
		probe->features.has[question->feature] =
			answer->os_error == EINVAL || answer->os_error == ERANGE;
	if (question->attribute == 0 && answer->os_error == 0)
		delete_state(probe, question);
	else
		ask_next(probe);
}

int nm_xfrm_probe_start(struct nm_xfrm_session *session, const struct natmux_random *random,
	void (*done)(void *user, const struct nm_xfrm_features *features), void *user,
	uint64_t now_ms)
{
	struct probe *probe = calloc(1, sizeof(*probe));
	uint8_t bytes[4];

	if (!probe)
		return NATMUX_ENOMEM;
	random->fill(random->user, bytes, sizeof(bytes));
	probe->session = session;
	probe->done = done;
	probe->user = user;
	probe->now_ms = now_ms;
	probe->spi = nm_get32(bytes) | 0x80000000;
	ask_next(probe);
	return 0;
}

#define X(name, word, text) {word, text},
static const struct {
	const char *word, *text;
} features[] = {NM_XFRM_FEATURE_MAP(X)};
#undef X

const char *nm_xfrm_feature_word(enum nm_xfrm_feature feature)
{
	return (unsigned int)feature < NM_XFRM_FEATURE_COUNT ? features[feature].word : NULL;
}

const char *nm_xfrm_feature_text(enum nm_xfrm_feature feature)
{
	return (unsigned int)feature < NM_XFRM_FEATURE_COUNT ? features[feature].text : NULL;
}
