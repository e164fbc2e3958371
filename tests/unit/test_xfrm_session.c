/* SPDX-License-Identifier: Apache-2.0 */
/* Requests in order, whose answer is whose, what is lost, and what nobody asked for. */
#include "xfrm_test.h"

#include <errno.h>
#include "tests/fakes/fake_xfrm.h"
#include "xfrm/policy_message.h"
#include "xfrm/suite.h"

static struct fake_xfrm kernel;
static struct nm_xfrm_session *session;

/* What callbacks were called, a letter each. */
static struct {
	char text[64];
	size_t n;
	struct nm_xfrm_answer answer;
	unsigned int states, policies;
	struct nm_xfrm_event event;
} heard;

static void hear(char c)
{
	if (heard.n < sizeof(heard.text) - 1)
		heard.text[heard.n++] = c;
}

static void on_state(void *user, const struct nm_xfrm_state *state)
{
	(void)user;
	(void)state;
	heard.states++;
	hear('s');
}

static void on_policy(void *user, const struct nm_xfrm_policy *policy)
{
	(void)user;
	(void)policy;
	heard.policies++;
	hear('p');
}

static void on_own_event(void *user, const struct nm_xfrm_event *event)
{
	(void)user;
	heard.event = *event;
	hear('o');
}

static void on_done(void *user, const struct nm_xfrm_answer *answer)
{
	heard.answer = *answer;
	hear(user ? *(const char *)user : 'd');
}

static void on_event(void *user, const struct nm_xfrm_event *event)
{
	(void)user;
	heard.event = *event;
	hear('e');
}

static void on_resync(void *user, enum nm_xfrm_resync what, const struct nm_xfrm_answer *answer)
{
	static const char letters[] = {'L', 'A', 'D', 'F'};

	(void)user;
	heard.answer = *answer;
	hear(letters[what]);
}

static const struct nm_xfrm_request whose = {
	.state = on_state, .policy = on_policy, .event = on_own_event, .done = on_done};

static const void *last_sent;

static int send_noted(void *user, const void *message, size_t len, int *os_error)
{
	last_sent = message;
	return fake_xfrm_send(user, message, len, os_error);
}

static void begin(bool resyncs)
{
	struct nm_xfrm_session_config config = {
		.requests_max = 4,
		.timeout_ms = 1000,
		.portid = FAKE_XFRM_PORTID,
		.send = send_noted,
		.event = on_event,
		.user = &kernel,
	};

	if (resyncs) {
		config.resync = on_resync;
		config.resync_state = on_state;
		config.resync_policy = on_policy;
	}
	fake_xfrm_init(&kernel);
	memset(&heard, 0, sizeof(heard));
	assert_int_equal(nm_xfrm_session_new(&config, &session), 0);
}

static int teardown(void **state)
{
	(void)state;
	nm_xfrm_session_free(session);
	session = NULL;
	return 0;
}

static struct nm_xfrm_state some_state(uint32_t spi)
{
	static const uint8_t key[20] = {1};
	struct nm_xfrm_state s;

	nm_xfrm_state_init(&s);
	s.source = xfrm_test_addr("192.0.2.1");
	s.destination = xfrm_test_addr("192.0.2.2");
	s.spi = spi;
	assert_int_equal(nm_xfrm_suite_set(&s, NATMUX_SUITE_AES128GCM16, key, 20), 0);
	return s;
}

static int ask(struct nm_xfrm_message *message, const char *letter, uint64_t now_ms)
{
	struct nm_xfrm_request request = whose;

	request.user = (void *)(uintptr_t)letter;
	return nm_xfrm_session_request(session, message, &request, now_ms);
}

static int ask_add(uint32_t spi, const char *letter, uint64_t now_ms)
{
	const struct nm_xfrm_state s = some_state(spi);
	struct nm_xfrm_message message;

	assert_true(nm_xfrm_state_add(&s, &message) > 0);
	return ask(&message, letter, now_ms);
}

static int ask_delete(uint32_t spi, const char *letter, uint64_t now_ms)
{
	const struct nm_xfrm_state s = some_state(spi);
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(&s);
	struct nm_xfrm_message message;

	assert_true(nm_xfrm_state_delete(&id, &message) > 0);
	return ask(&message, letter, now_ms);
}

static void deliver_all(uint64_t now_ms)
{
	for (int i = 0; i < 50 && fake_xfrm_deliver(&kernel, session, now_ms); i++)
		;
}

static void test_requests(void **state)
{
	struct nm_xfrm_state s = some_state(0x100);
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(&s);
	struct nm_xfrm_message message;

	(void)state;
	begin(false);
	assert_true(nm_xfrm_session_is_idle(session));
	assert_int_equal(ask_add(0x100, "1", 0), 0);
	assert_int_equal(ask_add(0x101, "2", 0), 0);
	assert_int_equal(nm_xfrm_state_get(&id, &message), 40);
	assert_int_equal(ask(&message, "3", 0), 0);
	assert_int_equal(nm_xfrm_state_dump(NM_XFRM_PROTO_ESP, &message), 24);
	assert_int_equal(ask(&message, "4", 0), 0);
	/* One at a time, four at most. */
	assert_int_equal(fake_xfrm_requests(&kernel, XFRM_MSG_NEWSA), 1);
	assert_int_equal(ask_add(0x102, "5", 0), NATMUX_EFULL);
	assert_false(nm_xfrm_session_is_idle(session));
	deliver_all(1);
	assert_string_equal(heard.text, "12s3ss4");
	assert_int_equal(heard.answer.error, 0);
	assert_true(nm_xfrm_session_is_idle(session));
	assert_true(nm_xfrm_session_next_deadline(session) == UINT64_MAX);
	assert_int_equal(nm_xfrm_session_status(session)->requests, 4);
	assert_int_equal(nm_xfrm_session_status(session)->answers, 4);
	assert_int_equal(nm_xfrm_session_status(session)->refused, 0);
}

/* What is sent is wiped, and so is what the caller has. */
static void test_wiped(void **state)
{
	static const struct nm_xfrm_message zero;
	const struct nm_xfrm_state s = some_state(0x100);
	struct nm_xfrm_message message;

	(void)state;
	begin(false);
	assert_true(nm_xfrm_state_add(&s, &message) > 0);
	assert_int_equal(ask(&message, "1", 0), 0);
	assert_memory_equal(&message, &zero, sizeof(zero));
	/* The session's copy is gone before the answer is there. */
	kernel.is_silent = true;
	deliver_all(0);
	assert_int_equal(ask_add(0x101, "2", 0), 0);
	assert_false(nm_xfrm_session_is_idle(session));
	assert_memory_equal(last_sent, &zero, sizeof(zero));
}

static void test_refused(void **state)
{
	static const struct {
		int os_error, error;
	} cases[] = {
		{EBUSY, NATMUX_ESYSTEM},
		{EEXIST, NATMUX_EEXISTS},
		{ESRCH, NATMUX_ENOTFOUND},
		{EPERM, NATMUX_ESYSTEM},
		{ENOBUFS, NATMUX_ESYSTEM},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(false);
		kernel.fail_error = cases[i].os_error;
		assert_int_equal(ask_add(0x100, "1", 0), 0);
		deliver_all(1);
		assert_string_equal(heard.text, "1");
		assert_int_equal(heard.answer.os_error, cases[i].os_error);
		assert_int_equal(heard.answer.error, cases[i].error);
		assert_true(strlen(heard.answer.text) > 5);
		assert_int_equal(nm_xfrm_session_status(session)->refused, 1);
		nm_xfrm_session_free(session);
	}
	begin(false);
	assert_int_equal(ask_add(0x100, "1", 0), 0);
	assert_int_equal(ask_add(0x100, "2", 0), 0);
	deliver_all(1);
	assert_string_equal(heard.text, "12");
	assert_int_equal(heard.answer.error, NATMUX_EEXISTS);
}

static void test_timeout(void **state)
{
	(void)state;
	begin(false);
	kernel.is_silent = true;
	assert_int_equal(ask_add(0x100, "1", 0), 0);
	assert_int_equal(ask_add(0x101, "2", 0), 0);
	assert_int_equal(nm_xfrm_session_next_deadline(session), 1000);
	nm_xfrm_session_tick(session, 999);
	assert_string_equal(heard.text, "");
	nm_xfrm_session_tick(session, 1000);
	assert_string_equal(heard.text, "1");
	assert_int_equal(heard.answer.os_error, ETIMEDOUT);
	assert_string_equal(heard.answer.text, "the kernel did not answer");
	/* The second has a whole second of its own. */
	assert_int_equal(nm_xfrm_session_next_deadline(session), 2000);
	assert_int_equal(nm_xfrm_session_status(session)->timeouts, 1);
}

static void test_late_answer(void **state)
{
	(void)state;
	begin(false);
	assert_int_equal(ask_add(0x100, "1", 0), 0);
	nm_xfrm_session_tick(session, 1000);
	assert_string_equal(heard.text, "1");
	assert_int_equal(ask_delete(0x100, "2", 1000), 0);
	/* Both answers come now; the first is of nobody any more. */
	deliver_all(1001);
	assert_string_equal(heard.text, "1oe2");
	assert_int_equal(nm_xfrm_session_status(session)->stale, 1);
}

static void test_send_fails(void **state)
{
	(void)state;
	begin(false);
	kernel.send_error = NATMUX_ESYSTEM;
	assert_int_equal(ask_add(0x100, "1", 0), 0);
	assert_string_equal(heard.text, "1");
	assert_int_equal(heard.answer.os_error, ENOBUFS);
	/* Full: once more a little later. */
	kernel.send_error = NATMUX_EFULL;
	assert_int_equal(ask_add(0x100, "2", 0), 0);
	assert_string_equal(heard.text, "1");
	assert_int_equal(nm_xfrm_session_next_deadline(session), 10);
	nm_xfrm_session_tick(session, 9);
	assert_int_equal(fake_xfrm_requests(&kernel, XFRM_MSG_NEWSA), 0);
	nm_xfrm_session_tick(session, 10);
	assert_int_equal(fake_xfrm_requests(&kernel, XFRM_MSG_NEWSA), 1);
	deliver_all(11);
	assert_string_equal(heard.text, "12");
	assert_int_equal(heard.answer.error, 0);
	/* And not for ever. */
	kernel.send_error = NATMUX_EFULL;
	assert_int_equal(ask_add(0x101, "3", 20), 0);
	kernel.send_error = NATMUX_EFULL;
	nm_xfrm_session_tick(session, 2000);
	assert_string_equal(heard.text, "123");
	assert_int_equal(heard.answer.os_error, ETIMEDOUT);
}

/* Asks again from within `done`, while sending fails: no recursion without end. */
static unsigned int rounds;

static void ask_again(void *user, const struct nm_xfrm_answer *answer)
{
	struct nm_xfrm_request request = {.done = ask_again};
	const struct nm_xfrm_state s = some_state(0x100);
	struct nm_xfrm_message message;

	(void)user;
	(void)answer;
	if (++rounds >= 100000)
		return;
	kernel.send_error = NATMUX_ESYSTEM;
	assert_true(nm_xfrm_state_add(&s, &message) > 0);
	assert_int_equal(nm_xfrm_session_request(session, &message, &request, 0), 0);
}

static void test_asks_in_done(void **state)
{
	(void)state;
	begin(false);
	rounds = 0;
	ask_again(NULL, NULL);
	assert_int_equal(rounds, 100000);
	assert_true(nm_xfrm_session_is_idle(session));
}

static void test_bad_requests(void **state)
{
	struct nm_xfrm_session_config config = {0};
	struct nm_xfrm_session *none = NULL;
	struct nm_xfrm_message message = {0};
	struct nlmsghdr *header = (void *)message.bytes;

	(void)state;
	begin(false);
	assert_int_equal(ask(&message, "1", 0), NATMUX_EINVAL);
	header->nlmsg_len = NM_XFRM_MESSAGE_MAX + 1;
	assert_int_equal(ask(&message, "1", 0), NATMUX_EINVAL);
	assert_int_equal(nm_xfrm_session_new(&config, &none), NATMUX_EINVAL);
	config.send = fake_xfrm_send;
	config.resync = on_resync;
	assert_int_equal(nm_xfrm_session_new(&config, &none), NATMUX_EINVAL);
	assert_null(none);
	nm_xfrm_session_free(NULL);
}

/* What a request causes is its own and everybody's; what others cause is everybody's. */
static void test_events(void **state)
{
	struct xfrm_test_case recorded;

	(void)state;
	begin(false);
	xfrm_test_load("event mapping-port", &recorded);
	fake_xfrm_tell(&kernel, xfrm_test_find(&recorded, false, XFRM_MSG_MAPPING, 0));
	deliver_all(0);
	assert_string_equal(heard.text, "e");
	assert_int_equal(heard.event.type, NM_XFRM_EVENT_MAPPING);
	assert_int_equal(ask_add(0x100, "1", 0), 0);
	deliver_all(0);
	assert_int_equal(ask_delete(0x100, "2", 0), 0);
	/* In the middle of it another program adds a state. */
	xfrm_test_load("event state-added", &recorded);
	fake_xfrm_tell(&kernel, xfrm_test_find(&recorded, false, XFRM_MSG_NEWSA, 0));
	deliver_all(0);
	assert_string_equal(heard.text, "e1oe2e");
	assert_int_equal(nm_xfrm_session_status(session)->events, 3);
}

/* The same sequence number, of another program: no answer of ours. */
static void test_same_number(void **state)
{
	struct xfrm_test_case recorded;
	struct nlmsghdr *message;

	(void)state;
	begin(false);
	kernel.is_silent = true;
	xfrm_test_load("state plain", &recorded);
	assert_int_equal(ask_add(0x100, "1", 0), 0);
	message = xfrm_test_find(&recorded, false, NLMSG_ERROR, 0);
	message->nlmsg_seq = 1;
	message->nlmsg_pid = FAKE_XFRM_PORTID + 1;
	nm_xfrm_session_input(session, message, message->nlmsg_len, 0);
	assert_string_equal(heard.text, "");
	assert_int_equal(nm_xfrm_session_status(session)->stale, 1);
	message->nlmsg_pid = FAKE_XFRM_PORTID;
	message->nlmsg_seq = 2;
	nm_xfrm_session_input(session, message, message->nlmsg_len, 0);
	assert_string_equal(heard.text, "");
	message->nlmsg_seq = 1;
	nm_xfrm_session_input(session, message, message->nlmsg_len, 0);
	assert_string_equal(heard.text, "1");
}

static void test_broken_input(void **state)
{
	_Alignas(8) uint8_t bytes[64] = {0};
	struct nlmsghdr *header = (void *)bytes;

	(void)state;
	begin(false);
	for (size_t len = 1; len < 16; len++)
		nm_xfrm_session_input(session, bytes, len, 0);
	assert_int_equal(nm_xfrm_session_status(session)->malformed, 15);
	nm_xfrm_session_input(session, bytes, 64, 0); /* length 0 */
	header->nlmsg_len = 65;
	nm_xfrm_session_input(session, bytes, 64, 0);
	header->nlmsg_len = 0x80000010; /* negative, for who takes it for an int */
	nm_xfrm_session_input(session, bytes, 64, 0);
	header->nlmsg_len = UINT32_MAX;
	nm_xfrm_session_input(session, bytes, 64, 0);
	header->nlmsg_len = 16;
	header->nlmsg_type = XFRM_MSG_NEWSA;
	nm_xfrm_session_input(session, bytes, 16, 0);
	assert_int_equal(nm_xfrm_session_status(session)->malformed, 20);
	header->nlmsg_type = XFRM_MSG_REPORT;
	nm_xfrm_session_input(session, bytes, 16, 0);
	assert_int_equal(nm_xfrm_session_status(session)->unknown, 1);
	assert_string_equal(heard.text, "");
}

static void add_some(void)
{
	const struct nm_xfrm_policy policy = {
		.direction = NM_XFRM_OUT,
		.selector = {.source = {xfrm_test_addr("10.1.0.0"), 16},
			.destination = {xfrm_test_addr("10.2.0.0"), 16}},
	};
	struct nm_xfrm_message message;

	assert_int_equal(ask_add(0x100, "1", 0), 0);
	assert_int_equal(ask_add(0x101, "1", 0), 0);
	assert_true(nm_xfrm_policy_add(&policy, &message) > 0);
	assert_int_equal(ask(&message, "1", 0), 0);
	deliver_all(0);
	memset(&heard, 0, sizeof(heard));
}

static void test_resync(void **state)
{
	(void)state;
	begin(true);
	add_some();
	nm_xfrm_session_lost(session, 5);
	assert_string_equal(heard.text, "L");
	assert_false(nm_xfrm_session_is_idle(session));
	deliver_all(6);
	assert_string_equal(heard.text, "LsspD");
	assert_true(nm_xfrm_session_is_idle(session));
	assert_int_equal(nm_xfrm_session_status(session)->resyncs, 1);
	/* Requests wait for it, and go on after. */
	nm_xfrm_session_lost(session, 7);
	assert_int_equal(ask_delete(0x100, "2", 7), 0);
	deliver_all(8);
	assert_string_equal(heard.text, "LsspDLsspDoe2");
}

/* Lost again in the middle: from the beginning, after a while. */
static void test_resync_again(void **state)
{
	(void)state;
	begin(true);
	add_some();
	nm_xfrm_session_lost(session, 0);
	nm_xfrm_session_lost(session, 1);
	deliver_all(2);
	assert_string_equal(heard.text, "LssA");
	assert_int_equal(nm_xfrm_session_next_deadline(session), 102);
	nm_xfrm_session_tick(session, 101);
	deliver_all(101);
	assert_string_equal(heard.text, "LssA");
	nm_xfrm_session_tick(session, 102);
	deliver_all(103);
	assert_string_equal(heard.text, "LssAsspD");
	/* NLMSG_OVERRUN is a loss, too. */
	memset(&heard, 0, sizeof(heard));
	{
		const struct nlmsghdr overrun = {
			.nlmsg_len = sizeof(overrun), .nlmsg_type = NLMSG_OVERRUN};

		nm_xfrm_session_input(session, &overrun, sizeof(overrun), 200);
	}
	deliver_all(201);
	assert_string_equal(heard.text, "LsspD");
}

/* What changed while it was told (NLM_F_DUMP_INTR) may lack something: it is no answer. */
static void test_interrupted_dump(void **state)
{
	struct nlmsghdr *first = (void *)kernel.out;
	struct nm_xfrm_message message;

	(void)state;
	begin(true);
	add_some();
	assert_true(nm_xfrm_state_dump(0, &message) > 0);
	assert_int_equal(ask(&message, "1", 0), 0);
	first->nlmsg_flags |= NLM_F_DUMP_INTR;
	deliver_all(1);
	assert_string_equal(heard.text, "ss1");
	assert_int_equal(heard.answer.os_error, EAGAIN);
	/* And no resynchronisation, but its next round. */
	memset(&heard, 0, sizeof(heard));
	nm_xfrm_session_lost(session, 5);
	first->nlmsg_flags |= NLM_F_DUMP_INTR;
	deliver_all(6);
	assert_string_equal(heard.text, "LssA");
	nm_xfrm_session_tick(session, 1000);
	deliver_all(1000);
	assert_string_equal(heard.text, "LssAsspD");
}

/* Never an answer: given up after a while, said so, and tried anew after the next loss. */
static void test_resync_fails(void **state)
{
	uint64_t now = 0;

	(void)state;
	begin(true);
	add_some();
	kernel.is_silent = true;
	nm_xfrm_session_lost(session, now);
	for (int i = 0; i < 100 && nm_xfrm_session_next_deadline(session) != UINT64_MAX; i++) {
		now = nm_xfrm_session_next_deadline(session);
		nm_xfrm_session_tick(session, now);
	}
	assert_string_equal(heard.text, "LAAAAAAAF");
	assert_int_equal(heard.answer.os_error, ETIMEDOUT);
	assert_true(nm_xfrm_session_is_idle(session));
	kernel.is_silent = false;
	nm_xfrm_session_lost(session, now);
	deliver_all(now);
	assert_string_equal(heard.text, "LAAAAAAAFLsspD");
}

static void test_loss_without_interest(void **state)
{
	(void)state;
	begin(false);
	nm_xfrm_session_lost(session, 0);
	assert_int_equal(nm_xfrm_session_status(session)->losses, 1);
	assert_true(nm_xfrm_session_is_idle(session));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_requests, teardown),
		cmocka_unit_test_teardown(test_wiped, teardown),
		cmocka_unit_test_teardown(test_refused, teardown),
		cmocka_unit_test_teardown(test_timeout, teardown),
		cmocka_unit_test_teardown(test_late_answer, teardown),
		cmocka_unit_test_teardown(test_send_fails, teardown),
		cmocka_unit_test_teardown(test_asks_in_done, teardown),
		cmocka_unit_test_teardown(test_bad_requests, teardown),
		cmocka_unit_test_teardown(test_events, teardown),
		cmocka_unit_test_teardown(test_same_number, teardown),
		cmocka_unit_test_teardown(test_broken_input, teardown),
		cmocka_unit_test_teardown(test_resync, teardown),
		cmocka_unit_test_teardown(test_resync_again, teardown),
		cmocka_unit_test_teardown(test_interrupted_dump, teardown),
		cmocka_unit_test_teardown(test_resync_fails, teardown),
		cmocka_unit_test_teardown(test_loss_without_interest, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
