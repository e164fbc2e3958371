/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xfrm/ before the real kernel, in a network namespace that is its own: every kind of request and
 * what is there afterwards, a move of each kind, a loss and its resynchronisation. A line for each,
 * "ok - what" or "not ok - what".
 */
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <natmux/error.h>
#include "io/netlink.h"
#include "xfrm/kernel.h"
#include "xfrm/move.h"
#include "xfrm/policy_message.h"
#include "xfrm/probe.h"
#include "xfrm/suite.h"

static struct nm_netlink *netlink;
static struct nm_xfrm_session *session;
static struct nm_xfrm_answer last;
static struct nm_xfrm_features kernel;
static uint8_t key[NATMUX_SUITE_KEY_MAX];
static unsigned int failures;

/* What the last request brought. */
static struct {
	unsigned int states, policies, deleted;
	struct nm_xfrm_state state, end;
	uint8_t key[NATMUX_SUITE_KEY_MAX];
	size_t key_len;
	enum natmux_suite suite;
	bool has_suite;
	struct nm_xfrm_policy policy;
} got;

static struct {
	unsigned int lost, done, states, policies;
} resync;

static bool check(bool is_right, const char *what, const char *more)
{
	printf("%s - %s%s%s\n", is_right ? "ok" : "not ok", what, *more ? ": " : "", more);
	failures += !is_right;
	return is_right;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int send_message(void *user, const void *message, size_t len, int *os_error)
{
	(void)user;
	return nm_netlink_send(netlink, message, len, os_error);
}

static void on_log(void *user, enum natmux_log_level level, const char *text)
{
	(void)user;
	(void)level;
	printf("# %s\n", text);
}

/* Names and keys are gone when this returns: what is looked at later is copied. */
static void on_state(void *user, const struct nm_xfrm_state *state)
{
	(void)user;
	got.states++;
	got.state = *state;
	got.has_suite = nm_xfrm_suite_find(state, &got.suite) == 0;
	got.key_len = nm_xfrm_key_join(state, got.key);
}

static void on_policy(void *user, const struct nm_xfrm_policy *policy)
{
	(void)user;
	got.policies++;
	got.policy = *policy;
}

static void on_event(void *user, const struct nm_xfrm_event *event)
{
	(void)user;
	if (event->type == NM_XFRM_EVENT_STATE_REPLAY)
		got.state = event->state;
	if (event->type != NM_XFRM_EVENT_STATE_DELETED)
		return;
	got.deleted++;
	got.end = event->state;
}

static void on_done(void *user, const struct nm_xfrm_answer *answer)
{
	(void)user;
	last = *answer;
}

static void on_resync(void *user, enum nm_xfrm_resync what, const struct nm_xfrm_answer *answer)
{
	(void)user;
	(void)answer;
	/* A full socket can lose something while it is asked: then all is told from the beginning. */
	if (what == NM_XFRM_RESYNC_AGAIN)
		resync.states = resync.policies = 0;
	resync.lost += what == NM_XFRM_RESYNC_LOST;
	resync.done += what == NM_XFRM_RESYNC_DONE;
}

static void on_resync_state(void *user, const struct nm_xfrm_state *state)
{
	(void)user;
	(void)state;
	resync.states++;
}

static void on_resync_policy(void *user, const struct nm_xfrm_policy *policy)
{
	(void)user;
	(void)policy;
	resync.policies++;
}

/* All that is there. */
static void receive(void)
{
	enum nm_netlink_result result;
	void *bytes;
	size_t len;

	do {
		result = nm_netlink_recv(netlink, &bytes, &len);
		if (result == NM_NETLINK_DATA)
			nm_xfrm_session_input(session, bytes, len, now_ms());
		else if (result == NM_NETLINK_LOST)
			nm_xfrm_session_lost(session, now_ms());
	} while (result == NM_NETLINK_DATA || result == NM_NETLINK_LOST);
}

static void wait_idle(void)
{
	while (!nm_xfrm_session_is_idle(session)) {
		(void)nm_netlink_wait(netlink, 20);
		receive();
		nm_xfrm_session_tick(session, now_ms());
	}
}

/* Returns the answer's error. */
static int ask(int built, struct nm_xfrm_message *message)
{
	const struct nm_xfrm_request request = {
		.state = on_state, .policy = on_policy, .event = on_event, .done = on_done};

	memset(&got, 0, sizeof(got));
	last.error = built < 0 ? built : 0;
	if (built < 0 || nm_xfrm_session_request(session, message, &request, now_ms()) < 0)
		return last.error = NATMUX_EINVAL;
	wait_idle();
	return last.error;
}

static int add(const struct nm_xfrm_state *state)
{
	struct nm_xfrm_message message;

	return ask(nm_xfrm_state_add(state, &message), &message);
}

static int get(const struct nm_xfrm_state *state)
{
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(state);
	struct nm_xfrm_message message;

	return ask(nm_xfrm_state_get(&id, &message), &message);
}

static int remove_state(const struct nm_xfrm_state *state)
{
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(state);
	struct nm_xfrm_message message;

	return ask(nm_xfrm_state_delete(&id, &message), &message);
}

static void flush(void)
{
	struct nm_xfrm_message message;

	(void)ask(nm_xfrm_state_flush(0, &message), &message);
	(void)ask(nm_xfrm_policy_flush(&message), &message);
}

static struct natmux_addr addr(const char *text)
{
	struct natmux_addr made;

	if (natmux_addr_parse(text, 0, &made) < 0)
		abort();
	return made;
}

static struct nm_xfrm_state state_of(enum natmux_suite suite, const char *from, const char *to)
{
	struct nm_xfrm_state state;

	nm_xfrm_state_init(&state);
	state.source = addr(from);
	state.destination = addr(to);
	state.encap = state.source.port ? NM_XFRM_ENCAP_UDP : 0;
	state.spi = 0x1000 + (uint32_t)suite;
	state.reqid = 7;
	(void)nm_xfrm_suite_set(&state, suite, key, natmux_suite_key_len(suite));
	return state;
}

static bool has_suite(enum natmux_suite suite)
{
	return got.states == 1 && got.has_suite && got.suite == suite &&
	       got.key_len == natmux_suite_key_len(suite) && memcmp(got.key, key, got.key_len) == 0;
}

static void every_suite(void)
{
	static const char *const ends[][2] = {
		{"192.0.2.1:4500", "192.0.2.2:4501"}, {"[2001:db8::1]:4500", "[2001:db8::2]:4501"}};

	for (unsigned int i = 0; i < NATMUX_SUITE_COUNT; i++)
		for (unsigned int family = 0; family < 2; family++) {
			enum natmux_suite suite = (enum natmux_suite)i;
			struct nm_xfrm_state state =
				state_of(suite, ends[family][0], ends[family][1]);
			bool is_right = add(&state) == 0 && get(&state) == 0 && has_suite(suite) &&
					got.state.source.port == 4500 &&
					got.state.destination.port == 4501 &&
					remove_state(&state) == 0 && got.deleted == 1 &&
					get(&state) == NATMUX_ENOTFOUND;

			check(is_right, natmux_suite_get(suite)->name, family ? "IPv6" : "IPv4");
		}
}

static void every_field(void)
{
	struct nm_xfrm_state s =
		state_of(NATMUX_SUITE_AES128_SHA256, "192.0.2.1:4500", "192.0.2.2:4501");

	s.flags = XFRM_STATE_ESN | XFRM_STATE_NOECN | XFRM_STATE_AF_UNSPEC;
	s.extra_flags = XFRM_SA_XFLAG_DONT_ENCAP_DSCP;
	s.mark = (struct nm_xfrm_mark){0x11, 0xff};
	s.output_mark = (struct nm_xfrm_mark){0x22, 0xf0};
	s.if_id = 0x33;
	s.tfc_pad = 200;
	s.limits = (struct nm_xfrm_limits){
		.hard_bytes = 1 << 30, .soft_packets = 1000, .hard_seconds = 3600};
	s.keeps_usage = true;
	s.usage = (struct nm_xfrm_usage){
		.bytes = 5000, .packets = 50, .added_at = 1700000000, .used_at = 1700000001};
	s.limits.hard_seconds = 0; /* it is old */
	(void)nm_xfrm_replay_init(&s.replay, 4096, true);
	nm_xfrm_replay_close(&s.replay, UINT64_C(0x200000010));
	s.replay.out = UINT64_C(0x300000020);
	check(add(&s) == 0, "a state with everything is taken", last.text);
	check(get(&s) == 0 && got.states == 1, "it is told again", last.text);
	check(got.state.flags == s.flags && got.state.extra_flags == s.extra_flags, "flags", "");
	check(got.state.mark.mask == 0xff && got.state.output_mark.mask == 0xf0 &&
			got.state.if_id == 0x33,
		"marks and interface", "");
	check(got.state.tfc_pad == 200, "padding", "");
	check(memcmp(&got.state.limits, &s.limits, sizeof(s.limits)) == 0, "limits", "");
	check(got.state.usage.packets == 50 && got.state.usage.bytes == 5000 &&
			got.state.usage.added_at == 1700000000,
		"it goes on counting, and ageing", "");
	check(got.state.replay.in == s.replay.in && got.state.replay.out == s.replay.out &&
			got.state.replay.window == 4096 &&
			nm_xfrm_replay_is_seen(&got.state.replay, s.replay.in - 4000),
		"64-bit numbers and a window of 4096", "");
	check(add(&s) == NATMUX_EEXISTS, "there is one of its name", last.text);
	check(remove_state(&s) == 0 && got.end.replay.in == s.replay.in, "deleted with its numbers",
		"");
	check(remove_state(&s) == NATMUX_ENOTFOUND, "there is none", last.text);
}

static void numbers(void)
{
	struct nm_xfrm_state s =
		state_of(NATMUX_SUITE_AES128GCM16, "192.0.2.1:4500", "192.0.2.2:4501");
	const struct nm_xfrm_state_id id = nm_xfrm_state_id_of(&s);
	struct nm_xfrm_message message;

	(void)nm_xfrm_replay_init(&s.replay, 100, false);
	check(add(&s) == 0, "a state with a window of 100", last.text);
	nm_xfrm_replay_mark(&s.replay, 500);
	nm_xfrm_replay_mark(&s.replay, 450);
	s.replay.out = 9;
	check(ask(nm_xfrm_replay_set(&id, &s.replay, &message), &message) == 0, "numbers set",
		last.text);
	check(ask(nm_xfrm_replay_query(&id, &message), &message) == 0 &&
			got.state.replay.in == 500 && got.state.replay.out == 9 &&
			nm_xfrm_replay_is_seen(&got.state.replay, 450) &&
			!nm_xfrm_replay_is_seen(&got.state.replay, 451),
		"numbers asked for", last.text);
	(void)remove_state(&s);
}

static void alloc_spi(void)
{
	struct nm_xfrm_state s = state_of(NATMUX_SUITE_AES128GCM16, "192.0.2.1", "192.0.2.2");
	struct nm_xfrm_message message;
	int err = ask(nm_xfrm_state_alloc_spi(&s, 0x3000, 0x30ff, &message), &message);

	check(err == 0 && got.states == 1 && got.state.spi >= 0x3000 && got.state.spi <= 0x30ff,
		"the kernel chooses an SPI", last.text);
	s.spi = got.state.spi;
	check(ask(nm_xfrm_state_update(&s, &message), &message) == 0 && get(&s) == 0 &&
			has_suite(NATMUX_SUITE_AES128GCM16),
		"and its state is filled in", last.text);
	(void)remove_state(&s);
}

static void policies(void)
{
	struct nm_xfrm_policy p = {
		.direction = NM_XFRM_OUT,
		.priority = 10,
		.selector = {.source = {addr("10.1.0.0"), 16},
			.destination = {addr("10.2.0.0"), 16},
			.protocol = 6,
			.destination_port = 1024,
			.destination_mask = 0xfc00},
		.if_id = 5,
		.mark = {1, 3},
		.templates_len = 1,
		.templates = {{.source = addr("192.0.2.1"),
			.destination = addr("192.0.2.2"),
			.protocol = NM_XFRM_PROTO_ESP,
			.mode = XFRM_MODE_TUNNEL,
			.reqid = 7}},
	};
	struct nm_xfrm_policy_id id = nm_xfrm_policy_id_of(&p);
	struct nm_xfrm_message message;

	check(ask(nm_xfrm_policy_add(&p, &message), &message) == 0, "a policy", last.text);
	check(ask(nm_xfrm_policy_add(&p, &message), &message) == NATMUX_EEXISTS,
		"there is one of its name", last.text);
	p.priority = 20;
	check(ask(nm_xfrm_policy_update(&p, &message), &message) == 0, "replaced", last.text);
	check(ask(nm_xfrm_policy_get(&id, &message), &message) == 0 && got.policies == 1 &&
			got.policy.priority == 20 && got.policy.templates[0].reqid == 7 &&
			got.policy.selector.destination_mask == 0xfc00,
		"told again", last.text);
	check(ask(nm_xfrm_policy_dump(&message), &message) == 0 && got.policies == 1,
		"the only one", last.text);
	check(ask(nm_xfrm_policy_delete(&id, &message), &message) == 0, "deleted", last.text);
	check(ask(nm_xfrm_policy_delete(&id, &message), &message) == NATMUX_ENOTFOUND,
		"there is none", last.text);
}

static struct nm_xfrm_move_result moved;
static bool is_moved;

static void on_moved(void *user, const struct nm_xfrm_move_result *result)
{
	(void)user;
	moved = *result;
	is_moved = true;
}

static bool move(const struct nm_xfrm_state *state, enum natmux_sa_direction direction,
	const char *local, const char *remote)
{
	const struct nm_xfrm_move_config config = {
		.session = session,
		.id = nm_xfrm_state_id_of(state),
		.direction = direction,
		.path = {addr(local), addr(remote)},
	};

	is_moved = false;
	if (nm_xfrm_move_start(&config, on_moved, NULL, now_ms()) < 0)
		return false;
	wait_idle();
	last = moved.answer;
	return is_moved && moved.answer.error == 0;
}

static struct nm_xfrm_state moving_state(enum natmux_sa_direction direction, bool has_esn)
{
	bool is_out = direction == NATMUX_SA_OUT;
	struct nm_xfrm_state s =
		state_of(NATMUX_SUITE_AES256GCM16, is_out ? "192.0.2.1:4500" : "192.0.2.2:4501",
			is_out ? "192.0.2.2:4501" : "192.0.2.1:4500");

	(void)nm_xfrm_replay_init(&s.replay, is_out ? 0 : 256, has_esn);
	s.flags = has_esn ? XFRM_STATE_ESN : 0;
	if (is_out) {
		s.replay.out = 1000;
	} else {
		nm_xfrm_replay_mark(&s.replay, 990);
		nm_xfrm_replay_mark(&s.replay, 1000);
	}
	return s;
}

static void moves(bool has_esn)
{
	const char *esn = has_esn ? "extended numbers" : "32-bit numbers";
	struct nm_xfrm_state s = moving_state(NATMUX_SA_IN, has_esn), there;

	check(add(&s) == 0 && move(&s, NATMUX_SA_IN, "192.0.2.1:4500", "192.0.2.2:5555") &&
			moved.is_in_place && get(&s) == 0 && got.state.source.port == 5555 &&
			got.state.replay.in == 1000 && has_suite(NATMUX_SUITE_AES256GCM16),
		"inbound to another port, in place", esn);
	check(move(&s, NATMUX_SA_IN, "192.0.2.1:4500", "192.0.2.9:6666") && moved.is_exact &&
			!moved.is_in_place && get(&s) == 0 && got.state.source.ip[3] == 9 &&
			got.state.source.port == 6666 && got.state.replay.in == 1000 &&
			nm_xfrm_replay_is_seen(&got.state.replay, 990) &&
			!nm_xfrm_replay_is_seen(&got.state.replay, 991) &&
			has_suite(NATMUX_SUITE_AES256GCM16),
		"inbound from another address", esn);
	there = s;
	there.destination = addr("192.0.2.7:4500");
	check(move(&s, NATMUX_SA_IN, "192.0.2.7:4500", "192.0.2.9:6666") && moved.is_exact &&
			get(&s) == NATMUX_ENOTFOUND && get(&there) == 0 &&
			got.state.replay.in == 1000,
		"inbound to another address of ours", esn);
	flush();
	s = moving_state(NATMUX_SA_OUT, has_esn);
	there = s;
	there.destination = addr("192.0.2.9:6666");
	check(add(&s) == 0 && move(&s, NATMUX_SA_OUT, "192.0.2.1:4500", "192.0.2.9:6666") &&
			moved.is_exact && get(&s) == NATMUX_ENOTFOUND && get(&there) == 0 &&
			got.state.replay.out == 1000 + NM_XFRM_MOVE_MARGIN &&
			got.state.destination.port == 6666,
		"outbound to another address", esn);
	check(move(&there, NATMUX_SA_OUT, "192.0.2.3:4500", "192.0.2.9:6666") && moved.is_exact &&
			get(&there) == 0 && got.state.source.ip[3] == 3 &&
			got.state.replay.out == 1000 + NM_XFRM_MOVE_MARGIN,
		"outbound from another address of ours", esn);
	check(!move(&s, NATMUX_SA_OUT, "192.0.2.1:4500", "192.0.2.9:6666") &&
			moved.answer.error == NATMUX_ENOTFOUND,
		"one that is not there", moved.answer.text);
	flush();
}

static void check_refused(const struct nm_xfrm_state *s, const char *why)
{
	check(add(s) == NATMUX_EINVAL && strstr(last.text, why), why, last.text);
}

/* Linux 6.10 knows directions, and holds what a state says against its own; 6.11 keepalives. */
static void newer(void)
{
	struct nm_xfrm_state s =
		state_of(NATMUX_SUITE_AES128GCM16, "192.0.2.1:4500", "192.0.2.2:4501");
	struct nm_xfrm_message message;

	s.direction = NM_XFRM_SA_DIR_IN;
	s.flags = XFRM_STATE_NOPMTUDISC;
	check_refused(&s, "Flag NOPMTUDISC should not be set for input SA");
	s.flags = 0;
	s.keepalive_s = 20;
	check_refused(&s, "NAT keepalive is only supported for outbound SAs");
	s.direction = NM_XFRM_SA_DIR_OUT;
	s.encap = 0;
	check_refused(&s, "NAT keepalive is only supported for UDP encapsulation");
	s.encap = NM_XFRM_ENCAP_UDP;
	s.replay.window = 32;
	check_refused(&s, "Replay window should be 0 for output SA");
	s.replay.window = 0;
	s.flags = XFRM_STATE_ESN;
	(void)nm_xfrm_replay_init(&s.replay, 0, true);
	check(add(&s) == 0 && get(&s) == 0 && got.state.direction == NM_XFRM_SA_DIR_OUT &&
			got.state.keepalive_s == 20,
		"an outbound state with keepalives is told again", last.text);
	s.keepalive_s = 0;
	s.direction = NM_XFRM_SA_DIR_IN;
	(void)nm_xfrm_replay_init(&s.replay, 64, true);
	check(ask(nm_xfrm_state_update(&s, &message), &message) == NATMUX_ENOTFOUND,
		"a state does not change its direction", last.text);
	flush();
}

/* More events than the socket holds, while nobody reads. */
static void loss(void)
{
	struct nm_xfrm_state s = state_of(NATMUX_SUITE_AES128GCM16, "192.0.2.1", "192.0.2.2");
	struct nm_xfrm_message message;
	int os_error;

	for (uint32_t i = 0; i < 100; i++) {
		struct nlmsghdr *header = (void *)message.bytes;

		s.spi = 0x5000 + i;
		(void)nm_xfrm_state_add(&s, &message);
		header->nlmsg_flags &= (uint16_t)~NLM_F_ACK;
		(void)nm_netlink_send(netlink, message.bytes, header->nlmsg_len, &os_error);
	}
	while (nm_netlink_wait(netlink, 50))
		receive();
	wait_idle();
	check(resync.lost == 1, "events were lost, and that was told", "");
	check(resync.done == 1 && resync.states == 100, "and all the states were told again", "");
	check(nm_netlink_status(netlink)->lost > 0, "the socket knows", "");
	flush();
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 0x5a, len);
}

static void on_features(void *user, const struct nm_xfrm_features *features)
{
	(void)user;
	kernel = *features;
	for (unsigned int i = 0; i < NM_XFRM_FEATURE_COUNT; i++)
		printf("# %s %s\n", nm_xfrm_feature_word((enum nm_xfrm_feature)i),
			features->has[i] ? "yes" : "no");
	check(features->has[NM_XFRM_FEATURE_ESP4] && features->has[NM_XFRM_FEATURE_ESP6],
		"the kernel has ESP", features->why[NM_XFRM_FEATURE_ESP4].text);
	check(features->has[NM_XFRM_FEATURE_IF_ID] && features->has[NM_XFRM_FEATURE_OUTPUT_MARK],
		"and what is old", "");
}

static void probe(void)
{
	static const struct natmux_random random = {.fill = fill};
	struct nm_xfrm_message message;

	(void)nm_xfrm_probe_start(session, &random, on_features, NULL, now_ms());
	wait_idle();
	check(ask(nm_xfrm_state_dump(0, &message), &message) == 0 && got.states == 0,
		"asking leaves nothing behind", last.text);
}

static bool begin(void)
{
	static const uint32_t groups[] = {XFRMNLGRP_SA, XFRMNLGRP_POLICY};
	const struct nm_netlink_config config = {
		.sys = &nm_sys_real,
		.log = {.write = on_log, .level = NATMUX_LOG_INFO},
		.protocol = NETLINK_XFRM,
		.groups = groups,
		.groups_len = 2,
		.receive_buffer = 32 * 1024,
	};
	struct nm_xfrm_session_config talk = {
		.log = config.log,
		.send = send_message,
		.resync = on_resync,
		.resync_state = on_resync_state,
		.resync_policy = on_resync_policy,
	};

	if (nm_netlink_open(&config, &netlink) < 0)
		return false;
	talk.portid = nm_netlink_portid(netlink);
	return nm_xfrm_session_new(&talk, &session) == 0;
}

int main(void)
{
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i + 1);
	if (!begin()) {
		puts("not ok - a netlink socket");
		return 1;
	}
	probe();
	every_suite();
	every_field();
	numbers();
	alloc_spi();
	policies();
	moves(false);
	moves(true);
	if (kernel.has[NM_XFRM_FEATURE_KEEPALIVE])
		newer();
	loss();
	check(nm_xfrm_session_status(session)->malformed == 0, "nothing was malformed", "");
	check(nm_xfrm_session_status(session)->timeouts == 0, "everything was answered", "");
	nm_xfrm_session_free(session);
	nm_netlink_close(netlink);
	return failures > 0;
}
