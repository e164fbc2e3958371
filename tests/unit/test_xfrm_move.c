/* SPDX-License-Identifier: Apache-2.0 */
/* A state that goes elsewhere: its numbers go on, none is used or accepted twice, none gets lost. */
#include "xfrm_test.h"

#include <errno.h>
#include "tests/fakes/fake_xfrm.h"
#include "xfrm/move.h"
#include "xfrm/policy_message.h"
#include "xfrm/suite.h"

static struct fake_xfrm kernel;
static struct nm_xfrm_session *session;
static struct nm_xfrm_move_result result;
static unsigned int results;
static uint8_t key[20];

static void on_moved(void *user, const struct nm_xfrm_move_result *r)
{
	(void)user;
	result = *r;
	results++;
}

static int setup(void **state)
{
	const struct nm_xfrm_session_config config = {.timeout_ms = 1000,
		.portid = FAKE_XFRM_PORTID,
		.send = fake_xfrm_send,
		.user = &kernel};

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i + 1);
	fake_xfrm_init(&kernel);
	results = 0;
	memset(&result, 0, sizeof(result));
	return nm_xfrm_session_new(&config, &session);
}

static int teardown(void **state)
{
	(void)state;
	nm_xfrm_session_free(session);
	return 0;
}

static uint64_t now_ms;

/* Each answer takes nearly as long as one may. */
static void deliver_all(void)
{
	for (int i = 0; i < 50 && fake_xfrm_deliver(&kernel, session, now_ms += 900); i++)
		nm_xfrm_session_tick(session, now_ms);
}

static void install(const struct nm_xfrm_state *s)
{
	struct nm_xfrm_message message;

	assert_true(nm_xfrm_state_add(s, &message) > 0);
	assert_int_equal(
		nm_xfrm_session_request(session, &message, &(struct nm_xfrm_request){0}, now_ms),
		0);
	deliver_all();
}

/* We are 192.0.2.1:4500, the peer 192.0.2.2:4501. */
static struct nm_xfrm_state a_state(enum natmux_sa_direction direction, bool has_esn)
{
	bool is_out = direction == NATMUX_SA_OUT;
	struct nm_xfrm_state s;

	nm_xfrm_state_init(&s);
	s.source = xfrm_test_addr(is_out ? "192.0.2.1:4500" : "192.0.2.2:4501");
	s.destination = xfrm_test_addr(is_out ? "192.0.2.2:4501" : "192.0.2.1:4500");
	s.encap = NM_XFRM_ENCAP_UDP;
	s.spi = 0x1000;
	s.reqid = 5;
	s.flags = has_esn ? XFRM_STATE_ESN : 0;
	assert_int_equal(nm_xfrm_suite_set(&s, NATMUX_SUITE_AES128GCM16, key, 20), 0);
	assert_int_equal(nm_xfrm_replay_init(&s.replay, 64, has_esn), 0);
	return s;
}

static struct nm_xfrm_move_config config_of(const struct nm_xfrm_state *s,
	enum natmux_sa_direction direction, const char *local, const char *remote)
{
	return (struct nm_xfrm_move_config){
		.session = session,
		.id = nm_xfrm_state_id_of(s),
		.direction = direction,
		.path = {xfrm_test_addr(local), xfrm_test_addr(remote)},
	};
}

static void move(const struct nm_xfrm_move_config *config)
{
	assert_int_equal(nm_xfrm_move_start(config, on_moved, NULL, now_ms), 0);
	deliver_all();
	assert_int_equal(results, 1);
	assert_true(nm_xfrm_session_is_idle(session));
}

static void test_port(void **state)
{
	struct nm_xfrm_state s = a_state(NATMUX_SA_IN, true), got;
	struct nm_xfrm_move_config config =
		config_of(&s, NATMUX_SA_IN, "192.0.2.1:4500", "192.0.2.2:5555");

	(void)state;
	for (uint64_t n = 1; n < 100; n += 2)
		nm_xfrm_replay_mark(&s.replay, n);
	install(&s);
	move(&config);
	assert_int_equal(result.answer.error, 0);
	assert_true(result.is_in_place);
	assert_true(result.is_exact);
	assert_int_equal(fake_xfrm_requests(&kernel, XFRM_MSG_UPDSA), 1);
	assert_int_equal(fake_xfrm_requests(&kernel, XFRM_MSG_DELSA), 0);
	assert_true(fake_xfrm_find(&kernel, "192.0.2.1", 0x1000, &got));
	assert_int_equal(got.source.port, 5555);
	assert_int_equal(got.replay.in, 99);
	assert_memory_equal(got.replay.bitmap, s.replay.bitmap, sizeof(got.replay.bitmap));
}

static void test_out(void **state)
{
	struct nm_xfrm_state s = a_state(NATMUX_SA_OUT, true), got;
	struct nm_xfrm_move_config config =
		config_of(&s, NATMUX_SA_OUT, "192.0.2.1:4500", "192.0.2.9:6666");

	(void)state;
	s.replay.out = UINT64_C(0xfffffff0); /* the margin crosses 2^32 */
	install(&s);
	kernel.traffic = 40;
	move(&config);
	assert_int_equal(result.answer.error, 0);
	assert_false(result.is_in_place);
	assert_true(result.is_exact);
	assert_false(fake_xfrm_find(&kernel, "192.0.2.2", 0x1000, &got));
	assert_true(fake_xfrm_find(&kernel, "192.0.2.9", 0x1000, &got));
	assert_int_equal(got.destination.port, 6666);
	assert_int_equal(got.source.port, 4500);
	assert_true(got.replay.out == UINT64_C(0xfffffff0) + NM_XFRM_MOVE_MARGIN);
	assert_true(result.sequence == got.replay.out);
	assert_int_equal(got.aead.key_len, 20);
	assert_memory_equal(got.aead.key, key, 20);
	assert_int_equal(got.reqid, 5);
	assert_int_equal(result.id.destination.ip[3], 9);
	/* Limits go on where they were. */
	assert_true(fake_xfrm_keeps_usage(&kernel, "192.0.2.9", 0x1000));
}

/* More was sent in the meantime than the margin: that is said. */
static void test_out_overtaken(void **state)
{
	struct nm_xfrm_state s = a_state(NATMUX_SA_OUT, false);
	struct nm_xfrm_move_config config =
		config_of(&s, NATMUX_SA_OUT, "192.0.2.1:4500", "192.0.2.9:6666");

	(void)state;
	config.margin = 10;
	install(&s);
	kernel.traffic = 11;
	move(&config);
	assert_int_equal(result.answer.error, 0);
	assert_false(result.is_exact);
}

/* Only our own address: the kernel's name for it is the same, so the old one goes first. */
static void test_out_source(void **state)
{
	struct nm_xfrm_state s = a_state(NATMUX_SA_OUT, false), got;
	struct nm_xfrm_move_config config =
		config_of(&s, NATMUX_SA_OUT, "192.0.2.7:4500", "192.0.2.2:4501");

	(void)state;
	s.replay.out = 100;
	install(&s);
	kernel.traffic = 7;
	move(&config);
	assert_int_equal(result.answer.error, 0);
	assert_true(result.is_exact);
	assert_true(fake_xfrm_find(&kernel, "192.0.2.2", 0x1000, &got));
	assert_int_equal(got.source.ip[3], 7);
	/* It is known where the old one ended. */
	assert_int_equal(got.replay.out, 107);
}

static void test_out_without_group(void **state)
{
	struct nm_xfrm_state s = a_state(NATMUX_SA_OUT, false), got;
	struct nm_xfrm_move_config config =
		config_of(&s, NATMUX_SA_OUT, "192.0.2.7:4500", "192.0.2.2:4501");

	(void)state;
	s.replay.out = 100;
	install(&s);
	kernel.has_group = false;
	kernel.traffic = 7;
	move(&config);
	assert_int_equal(result.answer.error, 0);
	assert_false(result.is_exact);
	assert_true(fake_xfrm_find(&kernel, "192.0.2.2", 0x1000, &got));
	assert_int_equal(got.replay.out, 100 + NM_XFRM_MOVE_MARGIN);
}

static void test_in(void **state)
{
	static const struct {
		const char *local, *remote, *found;
		bool has_esn;
	} cases[] = {
		{"192.0.2.1:4500", "192.0.2.9:6666", "192.0.2.1", true}, /* the peer's */
		{"192.0.2.1:4500", "192.0.2.9:6666", "192.0.2.1", false},
		{"192.0.2.7:4500", "192.0.2.2:4501", "192.0.2.7", true}, /* ours */
		{"192.0.2.1", "192.0.2.2", "192.0.2.1", true},           /* no encapsulation */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_xfrm_state s = a_state(NATMUX_SA_IN, cases[i].has_esn), got;
		struct nm_xfrm_move_config config =
			config_of(&s, NATMUX_SA_IN, cases[i].local, cases[i].remote);

		if (i > 0) {
			teardown(NULL);
			assert_int_equal(setup(NULL), 0);
			config.session = session;
		}
		nm_xfrm_replay_mark(&s.replay, 1000);
		nm_xfrm_replay_mark(&s.replay, 998);
		install(&s);
		kernel.traffic = 5; /* 1001 to 1005 */
		move(&config);
		assert_int_equal(result.answer.error, 0);
		assert_true(result.is_exact);
		assert_int_equal(result.sequence, 1005);
		assert_true(fake_xfrm_find(&kernel, cases[i].found, 0x1000, &got));
		assert_int_equal(got.replay.in, 1005);
		for (uint64_t n = 1000; n <= 1005; n++)
			assert_true(nm_xfrm_replay_is_seen(&got.replay, n));
		assert_true(nm_xfrm_replay_is_seen(&got.replay, 998));
		assert_false(nm_xfrm_replay_is_seen(&got.replay, 999));
		assert_int_equal(got.source.port, config.path.remote.port);
		assert_int_equal(got.encap, config.path.local.port ? NM_XFRM_ENCAP_UDP : 0);
		assert_int_equal(fake_xfrm_requests(&kernel, XFRM_MSG_DELSA), 1);
		assert_int_equal(fake_xfrm_requests(&kernel, XFRM_MSG_NEWSA), 2);
	}
}

static struct nm_xfrm_policy a_policy(const char *peer)
{
	return (struct nm_xfrm_policy){
		.direction = NM_XFRM_OUT,
		.selector = {.source = {xfrm_test_addr("10.1.0.0"), 16},
			.destination = {xfrm_test_addr("10.2.0.0"), 16}},
		.templates_len = 1,
		.templates = {{.source = xfrm_test_addr("192.0.2.1"),
			.destination = xfrm_test_addr(peer),
			.protocol = NM_XFRM_PROTO_ESP,
			.mode = XFRM_MODE_TUNNEL}},
	};
}

static void test_policies(void **state)
{
	const struct nm_xfrm_policy before = a_policy("192.0.2.2"), after = a_policy("192.0.2.9");
	struct nm_xfrm_state s = a_state(NATMUX_SA_OUT, false);
	struct nm_xfrm_move_config config =
		config_of(&s, NATMUX_SA_OUT, "192.0.2.1:4500", "192.0.2.9:6666");
	struct nm_xfrm_message message;
	struct nm_xfrm_policy got;

	(void)state;
	install(&s);
	assert_true(nm_xfrm_policy_add(&before, &message) > 0);
	assert_int_equal(
		nm_xfrm_session_request(session, &message, &(struct nm_xfrm_request){0}, now_ms),
		0);
	deliver_all();
	config.policies = &after;
	config.policies_len = 1;
	move(&config);
	assert_int_equal(result.answer.error, 0);
	assert_int_equal(nm_xfrm_policy_decode((void *)kernel.policies[0].bytes, &got), 0);
	assert_int_equal(got.templates[0].destination.ip[3], 9);
}

/* Each request fails once: what was there is there again, with numbers that go on. */
static void test_failures(void **state)
{
	static const struct {
		enum natmux_sa_direction direction;
		uint16_t type;
		unsigned int skip;
		int os_error, error;
	} cases[] = {
		{NATMUX_SA_OUT, XFRM_MSG_GETSA, 0, ESRCH, NATMUX_ENOTFOUND},
		{NATMUX_SA_OUT, XFRM_MSG_NEWSA, 0, EEXIST, NATMUX_EEXISTS},
		{NATMUX_SA_OUT, XFRM_MSG_NEWSA, 0, ENOBUFS, NATMUX_ESYSTEM},
		{NATMUX_SA_OUT, XFRM_MSG_UPDPOLICY, 0, EBUSY, NATMUX_ESYSTEM},
		{NATMUX_SA_OUT, XFRM_MSG_DELSA, 0, EPERM, NATMUX_ESYSTEM},
		{NATMUX_SA_IN, XFRM_MSG_GETSA, 0, EPERM, NATMUX_ESYSTEM},
		{NATMUX_SA_IN, XFRM_MSG_DELSA, 0, ESRCH, NATMUX_ENOTFOUND},
		{NATMUX_SA_IN, XFRM_MSG_NEWSA, 0, EEXIST, NATMUX_EEXISTS},
		{NATMUX_SA_IN, XFRM_MSG_NEWSA, 0, ENOMEM, NATMUX_ENOMEM},
		{NATMUX_SA_IN, XFRM_MSG_UPDPOLICY, 0, EBUSY, NATMUX_ESYSTEM},
	};
	const struct nm_xfrm_policy policy = a_policy("192.0.2.9");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_xfrm_state s = a_state(cases[i].direction, false), got;
		struct nm_xfrm_move_config config =
			config_of(&s, cases[i].direction, "192.0.2.1:4500", "192.0.2.9:6666");
		bool is_out = cases[i].direction == NATMUX_SA_OUT;

		teardown(NULL);
		assert_int_equal(setup(NULL), 0);
		config.session = session;
		config.policies = &policy;
		config.policies_len = 1;
		s.replay.out = is_out ? 500 : 0;
		if (!is_out)
			nm_xfrm_replay_close(&s.replay, 500);
		install(&s);
		kernel.traffic = is_out ? 0 : 3;
		kernel.fail_type = cases[i].type;
		kernel.fail_skip = cases[i].skip;
		kernel.fail_error = cases[i].os_error;
		move(&config);
		assert_int_equal(result.answer.error, cases[i].error);
		assert_int_equal(result.answer.os_error, cases[i].os_error);
		assert_false(result.is_lost);
		assert_true(
			fake_xfrm_find(&kernel, is_out ? "192.0.2.2" : "192.0.2.1", 0x1000, &got));
		assert_int_equal(got.source.port, is_out ? 4500 : 4501);
		assert_true(is_out ? got.replay.out >= 500 : got.replay.in >= 500);
		if (is_out)
			assert_false(fake_xfrm_find(&kernel, "192.0.2.9", 0x1000, &got));
	}
}

/* The new one fails, and the old one cannot be made again. */
static int fail_every_add(void *user, const void *message, size_t len, int *os_error)
{
	const struct nlmsghdr *request = message;

	if (request->nlmsg_type == XFRM_MSG_NEWSA && kernel.requests[1] > 0) {
		kernel.fail_type = 0;
		kernel.fail_skip = 0;
		kernel.fail_error = ENOMEM;
	}
	return fake_xfrm_send(user, message, len, os_error);
}

static void test_lost(void **state)
{
	const struct nm_xfrm_session_config failing = {.timeout_ms = 1000,
		.portid = FAKE_XFRM_PORTID,
		.send = fail_every_add,
		.user = &kernel};
	struct nm_xfrm_state s = a_state(NATMUX_SA_IN, false);
	struct nm_xfrm_move_config config =
		config_of(&s, NATMUX_SA_IN, "192.0.2.1:4500", "192.0.2.9:6666");

	(void)state;
	install(&s);
	nm_xfrm_session_free(session);
	assert_int_equal(nm_xfrm_session_new(&failing, &session), 0);
	config.session = session;
	move(&config);
	assert_int_equal(result.answer.error, NATMUX_ENOMEM);
	assert_true(result.is_lost);
}

static void test_no_numbers_left(void **state)
{
	struct nm_xfrm_state s = a_state(NATMUX_SA_OUT, false), got;
	struct nm_xfrm_move_config config =
		config_of(&s, NATMUX_SA_OUT, "192.0.2.1:4500", "192.0.2.9:6666");

	(void)state;
	s.replay.out = UINT32_MAX - 1000;
	install(&s);
	move(&config);
	assert_int_equal(result.answer.error, NATMUX_EFULL);
	assert_true(fake_xfrm_find(&kernel, "192.0.2.2", 0x1000, &got));
	assert_false(fake_xfrm_find(&kernel, "192.0.2.9", 0x1000, &got));
}

static void test_hidden_key(void **state)
{
	struct nm_xfrm_state s = a_state(NATMUX_SA_OUT, false), got;
	struct nm_xfrm_move_config config =
		config_of(&s, NATMUX_SA_OUT, "192.0.2.1:4500", "192.0.2.9:6666");

	(void)state;
	install(&s);
	kernel.hides_keys = true;
	move(&config);
	assert_int_equal(result.answer.error, NATMUX_EUNSUPPORTED);
	assert_non_null(strstr(result.answer.text, "lockdown"));
	assert_true(fake_xfrm_find(&kernel, "192.0.2.2", 0x1000, &got));
	results = 0;
	config.key = key;
	config.key_len = 19;
	move(&config);
	assert_int_equal(result.answer.error, NATMUX_EUNSUPPORTED);
	results = 0;
	config.key_len = 20;
	move(&config);
	assert_int_equal(result.answer.error, 0);
	assert_true(fake_xfrm_find(&kernel, "192.0.2.9", 0x1000, &got));
	assert_memory_equal(got.aead.key, key, 20);
}

static void test_timeout(void **state)
{
	struct nm_xfrm_state s = a_state(NATMUX_SA_OUT, false);
	struct nm_xfrm_move_config config =
		config_of(&s, NATMUX_SA_OUT, "192.0.2.1:4500", "192.0.2.9:6666");

	(void)state;
	install(&s);
	kernel.is_silent = true;
	assert_int_equal(nm_xfrm_move_start(&config, on_moved, NULL, 0), 0);
	nm_xfrm_session_tick(session, 5000);
	assert_int_equal(results, 1);
	assert_int_equal(result.answer.os_error, ETIMEDOUT);
}

/* Behind a NAT all of a sudden, and out of it again: the encapsulation comes and goes with the ports. */
static void test_encapsulation(void **state)
{
	struct nm_xfrm_state s = a_state(NATMUX_SA_OUT, true), got;
	struct nm_xfrm_move_config config =
		config_of(&s, NATMUX_SA_OUT, "192.0.2.1:4500", "192.0.2.9:6666");

	(void)state;
	s.encap = 0;
	s.source.port = s.destination.port = 0;
	install(&s);
	assert_true(fake_xfrm_find(&kernel, "192.0.2.2", 0x1000, &got));
	assert_int_equal(got.encap, 0);
	move(&config);
	assert_int_equal(result.answer.error, 0);
	assert_true(fake_xfrm_find(&kernel, "192.0.2.9", 0x1000, &got));
	assert_int_equal(got.encap, NM_XFRM_ENCAP_UDP);
	assert_int_equal(got.destination.port, 6666);
	config = config_of(&got, NATMUX_SA_OUT, "192.0.2.1", "192.0.2.3");
	results = 0;
	move(&config);
	assert_int_equal(result.answer.error, 0);
	assert_true(fake_xfrm_find(&kernel, "192.0.2.3", 0x1000, &got));
	assert_int_equal(got.encap, 0);
}

static void test_bad_paths(void **state)
{
	static const struct {
		const char *local, *remote;
	} cases[] = {
		{"192.0.2.1:4500", "[2001:db8::1]:4500"},
		{"192.0.2.1:4500", "192.0.2.2"},
		{"192.0.2.1", "192.0.2.2:4500"},
	};
	struct nm_xfrm_state s = a_state(NATMUX_SA_OUT, false);
	struct nm_xfrm_move_config config = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		config = config_of(&s, NATMUX_SA_OUT, cases[i].local, cases[i].remote);
		assert_int_equal(nm_xfrm_move_start(&config, on_moved, NULL, 0), NATMUX_EINVAL);
	}
	memset(&config.path, 0, sizeof(config.path));
	assert_int_equal(nm_xfrm_move_start(&config, on_moved, NULL, 0), NATMUX_EINVAL);
	assert_int_equal(results, 0);
}

int main(void)
{
#define MOVE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		MOVE_TEST(test_port),
		MOVE_TEST(test_out),
		MOVE_TEST(test_out_overtaken),
		MOVE_TEST(test_out_source),
		MOVE_TEST(test_out_without_group),
		MOVE_TEST(test_in),
		MOVE_TEST(test_policies),
		MOVE_TEST(test_failures),
		MOVE_TEST(test_lost),
		MOVE_TEST(test_no_numbers_left),
		MOVE_TEST(test_hidden_key),
		MOVE_TEST(test_timeout),
		MOVE_TEST(test_encapsulation),
		MOVE_TEST(test_bad_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
