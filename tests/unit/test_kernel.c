/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's plane before a kernel that is a fake: SAs, what is refused, what others do to them, and
 * what is told.
 */
#include "kernel_test.h"

#include <errno.h>
#include <sodium.h>

static void test_states(void **state)
{
	static const struct natmux_selector none;
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2:4501");
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, NULL);
	struct natmux_selector selectors[2] = {none, none};
	struct nm_xfrm_state found;
	struct nm_xfrm_policy policy;

	(void)state;
	assert_int_equal(nm_selector_parse("src 10.2.0.0/16 dst 10.1.0.0/16", &selectors[0]), 0);
	assert_int_equal(nm_selector_parse("src fd02::/16 dst fd01::/16", &selectors[1]), 0);
	in.config.selectors = selectors;
	in.config.selectors_len = 2;
	out.kernel = (struct nm_sa_kernel){
		.mark = {1, 15}, .output_mark = {2, 255}, .if_id = 9, .offload = "eth0"};
	assert_int_equal(add(&out), 0);
	assert_int_equal(add(&in), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.2", 0x100, &found));
	assert_int_equal(found.destination.port, 4501);
	assert_int_equal(found.source.port, 4500);
	assert_int_equal(found.source.ip[3], 1);
	assert_int_equal(found.reqid, 7);
	assert_int_equal(found.mark.value, 1);
	assert_int_equal(found.mark.mask, 15);
	assert_int_equal(found.output_mark.value, 2);
	assert_int_equal(found.if_id, 9);
	assert_int_equal(found.offload_ifindex, 3);
	assert_true(fake_xfrm_find(&fake, "192.0.2.1", 0x101, &found));
	assert_int_equal(found.replay.window, 1024);
	assert_int_equal(found.encap, NM_XFRM_ENCAP_UDP);
	assert_string_equal(sas(), "out 0x100 192.0.2.2:4501 0 key;in 0x101 - 0 key;");
	/* Of two selectors: in and fwd for each. */
	assert_int_equal(count_policies(), 4);
	assert_true(get_policy(NM_XFRM_FWD, &policy));
	assert_int_equal(policy.templates[0].reqid, 7);
	assert_false(policy.templates[0].is_optional);
	assert_int_equal(nm_sa_plane_delete(&plane, NATMUX_SA_IN, 0x101, NULL), 0);
	assert_int_equal(nm_sa_plane_delete(&plane, NATMUX_SA_IN, 0x101, NULL), NATMUX_ENOTFOUND);
	assert_int_equal(count_policies(), 0);
	assert_int_equal(count_states(), 1);
	nm_kernel_clear(kernel);
	assert_int_equal(count_states(), 0);
}

/* What cannot be said, and what the kernel refuses: why, and nothing has changed. */
static void test_refusals(void **state)
{
	static const struct {
		uint16_t fail_type;
		int fail_error;
		const char *why;
	} cases[] = {
		{XFRM_MSG_NEWSA, EPERM, "CAP_NET_ADMIN"},
		{XFRM_MSG_NEWSA, ENOSYS, "algorithm"},
		{XFRM_MSG_NEWSA, EPROTONOSUPPORT,
			"this kernel has no ESP (CONFIG_INET_ESP); use esp = user"},
		{XFRM_MSG_UPDPOLICY, EPERM, "CAP_NET_ADMIN"},
	};
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2"), bad;
	char why[NM_SA_PLANE_WHY];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		fake.fail_type = cases[i].fail_type;
		fake.fail_error = cases[i].fail_error;
		fake.fail_skip = 0;
		assert_true(nm_sa_plane_add(&plane, &in, why) < 0);
		if (!strstr(why, cases[i].why))
			fail_msg("%zu: \"%s\" lacks \"%s\"", i, why, cases[i].why);
		assert_int_equal(count_states(), 0);
		assert_int_equal(count_policies(), 0);
		assert_string_equal(sas(), "");
	}
	bad = order(NATMUX_SA_OUT, 0x100, "198.51.100.1");
	assert_int_equal(add(&bad), NATMUX_ENOTFOUND);
	bad = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	strcpy(bad.kernel.offload, "eth9");
	assert_int_equal(nm_sa_plane_add(&plane, &bad, why), NATMUX_EINVAL);
	assert_string_equal(why, "offload: there is no device eth9");
	bad = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	bad.config.df = NATMUX_DF_SET;
	assert_int_equal(add(&bad), NATMUX_EUNSUPPORTED);
	bad = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	bad.config.key_len = 19;
	assert_int_equal(add(&bad), NATMUX_EINVAL);
	fake.is_silent = true;
	assert_true(add(&in) < 0);
	fake.is_silent = false;
	assert_int_equal(kernel->sad.len, 0);
}

/* Asked before anything is changed: the kernel has what it takes, and nothing stays. */
static void test_check(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	char why[NM_SA_PLANE_WHY];

	(void)state;
	assert_int_equal(nm_sa_plane_check(&plane, &in, why), 0);
	assert_int_equal(fake_xfrm_requests(&fake, XFRM_MSG_NEWSA), 1);
	assert_int_equal(count_states(), 0);
	fake.has_no_esp = true;
	assert_true(nm_sa_plane_check(&plane, &in, why) < 0);
	assert_non_null(strstr(why, "this kernel has no ESP"));
	in.config.path.local = in.config.path.remote = (struct natmux_addr){0};
	assert_int_equal(nm_sa_plane_check(&plane, &in, why), NATMUX_EINVAL);
	assert_non_null(strstr(why, "give local"));
}

static void test_full(void **state)
{
	struct nm_sa_order out;

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		out = order(NATMUX_SA_OUT, 0x100 + i, "192.0.2.2");
		assert_int_equal(add(&out), 0);
	}
	out = order(NATMUX_SA_OUT, 0x200, "192.0.2.2");
	assert_int_equal(add(&out), NATMUX_EFULL);
	/* One that is there may be replaced all the same; other peers have SPIs of their own. */
	out = order(NATMUX_SA_OUT, 0x103, "192.0.2.2");
	assert_int_equal(add(&out), 0);
	assert_int_equal(
		nm_sa_plane_delete(&plane, NATMUX_SA_OUT, 0x100, &out.config.path.remote), 0);
	out = order(NATMUX_SA_OUT, 0x103, "192.0.2.3");
	assert_int_equal(add(&out), 0);
	assert_int_equal(count_states(), 4);
}

/* The same key goes on counting, with what was sent while it was replaced; another begins anew. */
static void test_replace(void **state)
{
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	struct nm_xfrm_state found;

	(void)state;
	out.config.sequence = 1000;
	assert_int_equal(add(&out), 0);
	out.config.sequence = 0;
	out.config.soft.packets = 9;
	fake.traffic = 50;
	assert_int_equal(add(&out), 0);
	fake.traffic = 0;
	assert_true(fake_xfrm_find(&fake, "192.0.2.2", 0x100, &found));
	assert_int_equal(found.replay.out, 1050);
	assert_int_equal(found.limits.soft_packets, 9);
	/* Its successor is refused: it comes back as it was. */
	out.config.soft.packets = 10;
	fake.fail_type = XFRM_MSG_NEWSA;
	fake.fail_error = ENOMEM;
	fake.fail_skip = 0;
	assert_true(add(&out) < 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.2", 0x100, &found));
	assert_int_equal(found.limits.soft_packets, 9);
	assert_int_equal(found.replay.out, 1050);
	out.config.key = other_key;
	assert_int_equal(add(&out), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.2", 0x100, &found));
	assert_int_equal(found.replay.out, 0);
	assert_int_equal(count_states(), 1);
}

/* Inbound, what was seen stays seen: to the bit with the same window, up to the top with another. */
static void test_replace_inbound(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_xfrm_state found;

	(void)state;
	in.config.sequence = 70;
	assert_int_equal(add(&in), 0);
	assert_false(fake_xfrm_keeps_usage(&fake, "192.0.2.1", 0x101));
	in.config.sequence = 0;
	assert_int_equal(add(&in), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.1", 0x101, &found));
	assert_int_equal(found.replay.in, 70);
	assert_true(nm_xfrm_replay_is_seen(&found.replay, 69));
	/* Limits are limits of the key: what was used of them goes along. */
	assert_true(fake_xfrm_keeps_usage(&fake, "192.0.2.1", 0x101));
	in.config.replay_window = 64;
	assert_int_equal(add(&in), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.1", 0x101, &found));
	assert_int_equal(found.replay.window, 64);
	assert_int_equal(found.replay.in, 70);
	assert_true(nm_xfrm_replay_is_seen(&found.replay, 70));
	assert_true(nm_xfrm_replay_is_seen(&found.replay, 20));
	assert_false(nm_xfrm_replay_is_seen(&found.replay, 71));
	in.config.key = other_key;
	assert_int_equal(add(&in), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.1", 0x101, &found));
	assert_int_equal(found.replay.in, 0);
	assert_false(fake_xfrm_keeps_usage(&fake, "192.0.2.1", 0x101));
}

/* Where ESN goes, numbers of 64 bits are all behind the last one of 32: nothing is accepted, or sent. */
static void test_replace_without_esn(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	struct nm_xfrm_state found;

	(void)state;
	in.config.has_esn = out.config.has_esn = true;
	in.config.sequence = out.config.sequence = UINT64_C(0x100000046);
	assert_int_equal(add(&in), 0);
	assert_int_equal(add(&out), 0);
	in.config.has_esn = out.config.has_esn = false;
	in.config.sequence = out.config.sequence = 0;
	assert_int_equal(add(&in), 0);
	assert_int_equal(add(&out), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.1", 0x101, &found));
	assert_int_equal(found.replay.in, UINT32_MAX);
	for (uint64_t n = UINT32_MAX - 2000; n <= UINT32_MAX; n++)
		assert_true(nm_xfrm_replay_is_seen(&found.replay, n));
	assert_true(fake_xfrm_find(&fake, "192.0.2.2", 0x100, &found));
	assert_int_equal(found.replay.out, UINT32_MAX);
}

/* natmuxd was killed: the next one finds what it left. */
static void test_taken_over(void **state)
{
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");

	(void)state;
	out.config.sequence = 77;
	assert_int_equal(add(&out), 0);
	nm_kernel_sad_done(&kernel->sad); /* forgets, as a process that is gone */
	assert_int_equal(nm_kernel_sad_init(&kernel->sad, 4), 0);
	out.config.sequence = 0;
	assert_int_equal(add(&out), 0);
	assert_string_equal(sas(), "out 0x100 192.0.2.2:4500 77 key;");
	assert_int_equal(kernel->taken_over, 1);
}

static void test_lifetimes(void **state)
{
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	struct nm_xfrm_event event;

	(void)state;
	assert_int_equal(add(&out), 0);
	event = event_of(NM_XFRM_EVENT_STATE_EXPIRED, "192.0.2.2", 0x100);
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "0 out 0x100 7 192.0.2.2:4500;");
	event.is_hard = true;
	event.state.replay.out = 55;
	events[0] = '\0';
	nm_kernel_event(kernel, &event);
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "1 out 0x100 7 192.0.2.2:4500;");
	assert_string_equal(sas(), "out 0x100 192.0.2.2:4500 55 dead;");
	/* Strangers' SAs are none of our business. */
	event.state.spi = 0x999;
	events[0] = '\0';
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "");
	assert_int_equal(
		nm_sa_plane_delete(&plane, NATMUX_SA_OUT, 0x100, &out.config.path.remote), 0);
}

static void test_other_hands(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_xfrm_event event;

	(void)state;
	assert_int_equal(add(&in), 0);
	event = event_of(NM_XFRM_EVENT_STATE_DELETED, "192.0.2.1", 0x101);
	event.portid = FAKE_XFRM_PORTID; /* our own doing */
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "");
	event.portid = 99;
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "1 in 0x101 7 192.0.2.2:4500;");
	assert_int_equal(count_policies(), 0);
	/* Added again, it lives. */
	fake_xfrm_init(&fake);
	fake.has_group = true;
	assert_int_equal(add(&in), 0);
	assert_string_equal(sas(), "in 0x101 192.0.2.2:4500 0 key;");
	event = (struct nm_xfrm_event){.type = NM_XFRM_EVENT_STATES_FLUSHED, .protocol = 51};
	events[0] = '\0';
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "");
	event.protocol = 50;
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "1 in 0x101 7 192.0.2.2:4500;");
}

static void test_acquire(void **state)
{
	struct nm_policy_order made = policy_order(5, "dst 10.2.0.0/16");
	struct nm_xfrm_event event = {.type = NM_XFRM_EVENT_ACQUIRE};
	char why[NM_SA_PLANE_WHY];

	(void)state;
	assert_int_equal(nm_sa_plane_policy_add(&plane, &made, why), 0);
	assert_true(get_policy(NM_XFRM_OUT, &event.policy));
	nm_kernel_event(kernel, &event);
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "3 out 0x0 7 -;");
	now += 1000;
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "3 out 0x0 7 -;3 out 0x0 7 -;");
	event.policy.selector.protocol = 6; /* somebody else's */
	now += 1000;
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "3 out 0x0 7 -;3 out 0x0 7 -;");
}

static void test_resync(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	struct nm_xfrm_state found;

	(void)state;
	assert_int_equal(add(&in), 0);
	assert_int_equal(add(&out), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.1", 0x101, &found));
	nm_kernel_resync(kernel, NM_XFRM_RESYNC_LOST, NULL);
	nm_kernel_resync_state(kernel, &found);
	found.spi = 0x999; /* a stranger's */
	nm_kernel_resync_state(kernel, &found);
	nm_kernel_resync(kernel, NM_XFRM_RESYNC_FAILED, NULL);
	assert_string_equal(events, "");
	nm_kernel_resync(kernel, NM_XFRM_RESYNC_DONE, NULL);
	assert_string_equal(events, "1 out 0x100 7 192.0.2.2:4500;");
}

/* AH and IPComp have SPIs of their own. */
static void test_other_protocols(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_xfrm_event event;

	(void)state;
	assert_int_equal(add(&in), 0);
	event = event_of(NM_XFRM_EVENT_STATE_EXPIRED, "192.0.2.1", 0x101);
	event.state.protocol = event.id.protocol = 51;
	event.is_hard = true;
	nm_kernel_event(kernel, &event);
	event.type = NM_XFRM_EVENT_STATE_DELETED;
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "");
	assert_string_equal(sas(), "in 0x101 192.0.2.2:4500 0 key;");
}

/* An SA or policy that the kernel does not give up is not said to be gone. */
static void test_deleting_fails(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_policy_order made = policy_order(5, "dst 10.2.0.0/16");
	char why[NM_SA_PLANE_WHY];

	(void)state;
	assert_int_equal(add(&in), 0);
	assert_int_equal(nm_sa_plane_policy_add(&plane, &made, why), 0);
	fake.fail_type = XFRM_MSG_DELSA;
	fake.fail_error = EPERM;
	fake.fail_skip = 0;
	assert_true(nm_sa_plane_delete(&plane, NATMUX_SA_IN, 0x101, NULL) < 0);
	assert_string_equal(sas(), "in 0x101 192.0.2.2:4500 0 key;");
	fake.fail_type = XFRM_MSG_DELPOLICY;
	fake.fail_error = EPERM;
	fake.fail_skip = 0;
	assert_true(nm_sa_plane_policy_delete(&plane, &made, why) < 0);
	assert_int_equal(nm_sa_plane_policy_count(&plane), 1);
	/* Somebody else was first: that is what was wanted. */
	fake.fail_type = XFRM_MSG_DELSA;
	fake.fail_error = ESRCH;
	fake.fail_skip = 0;
	assert_int_equal(nm_sa_plane_delete(&plane, NATMUX_SA_IN, 0x101, NULL), 0);
	fake.fail_type = XFRM_MSG_DELPOLICY;
	fake.fail_error = ENOENT;
	fake.fail_skip = 0;
	assert_int_equal(nm_sa_plane_policy_delete(&plane, &made, why), 0);
}

/* RFC 4301 5.2: without a reqid the kernel could not tell through which SA a packet came. */
static void test_selectors_want_a_reqid(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct natmux_selector selector;

	(void)state;
	assert_int_equal(nm_selector_parse("src 10.2.0.0/16", &selector), 0);
	in.config.selectors = &selector;
	in.config.selectors_len = 1;
	in.config.reqid = 0;
	assert_int_equal(add(&in), NATMUX_EINVAL);
	in.config.selectors_len = 0;
	assert_int_equal(add(&in), 0);
	assert_int_equal(count_states(), 1);
}

/* What is added, moved or listed between a dump's beginning and its end is not lost for that. */
static void test_during_resync(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	struct nm_xfrm_event event;

	(void)state;
	assert_int_equal(add(&in), 0);
	nm_kernel_resync(kernel, NM_XFRM_RESYNC_LOST, NULL);
	event = event_of(NM_XFRM_EVENT_MAPPING, "192.0.2.1", 0x101);
	event.now = addr("192.0.2.9:4500");
	nm_kernel_event(kernel, &event);
	assert_int_equal(add(&out), 0);
	fake.is_silent = true; /* the list's own dump does not come */
	sas();
	fake.is_silent = false;
	events[0] = '\0';
	nm_kernel_resync(kernel, NM_XFRM_RESYNC_DONE, NULL);
	assert_string_equal(events, "");
	/* A list does not stand for the dump. */
	nm_kernel_resync(kernel, NM_XFRM_RESYNC_LOST, NULL);
	nm_kernel_resync(kernel, NM_XFRM_RESYNC_AGAIN, NULL);
	sas();
	nm_kernel_resync(kernel, NM_XFRM_RESYNC_DONE, NULL);
	assert_non_null(strstr(events, "1 in 0x101"));
	assert_non_null(strstr(events, "1 out 0x100"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_states),
		TEST(test_refusals),
		TEST(test_check),
		TEST(test_full),
		TEST(test_replace),
		TEST(test_replace_inbound),
		TEST(test_replace_without_esn),
		TEST(test_taken_over),
		TEST(test_lifetimes),
		TEST(test_other_hands),
		TEST(test_acquire),
		TEST(test_resync),
		TEST(test_other_protocols),
		TEST(test_deleting_fails),
		TEST(test_selectors_want_a_reqid),
		TEST(test_during_resync),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
