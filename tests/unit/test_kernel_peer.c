/* SPDX-License-Identifier: Apache-2.0 */
/* Peers of the kernel's plane: they move, are followed, and hear from us. */
#include "kernel_test.h"

#include <errno.h>
#include <sodium.h>

static void test_moving(void **state)
{
	static const struct {
		enum natmux_roam roam;
		const char *to;
		bool follows;
	} cases[] = {
		{NATMUX_ROAM_YES, "192.0.2.2:4600", true},
		{NATMUX_ROAM_YES, "192.0.2.9:4500", true},
		{NATMUX_ROAM_PORT, "192.0.2.2:4600", true},
		{NATMUX_ROAM_PORT, "192.0.2.9:4500", false},
		{NATMUX_ROAM_NO, "192.0.2.2:4600", false},
		{NATMUX_ROAM_YES, "192.0.2.2:4500", false}, /* it is there already */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
		struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
		struct nm_policy_order made = policy_order(5, "dst 10.2.0.0/16");
		struct natmux_addr to;
		struct nm_xfrm_event event;
		struct nm_xfrm_policy policy;
		char why[NM_SA_PLANE_WHY], wanted[200];

		in.config.roam = cases[i].roam;
		out.config.sequence = 500;
		assert_int_equal(natmux_addr_parse(cases[i].to, 0, &to), 0);
		assert_int_equal(nm_sa_plane_policy_add(&plane, &made, why), 0);
		assert_int_equal(add(&in), 0);
		assert_int_equal(add(&out), 0);
		event = event_of(NM_XFRM_EVENT_MAPPING, "192.0.2.1", 0x101);
		event.now = to;
		nm_kernel_event(kernel, &event);
		snprintf(wanted, sizeof(wanted), "2 in 0x101 7 %s;", cases[i].to);
		assert_string_equal(events, cases[i].follows ? wanted : "");
		sas();
		snprintf(wanted, sizeof(wanted), "out 0x100 %s ",
			cases[i].follows ? cases[i].to : "192.0.2.2:4500");
		assert_non_null(strstr(list, wanted));
		assert_true(get_policy(NM_XFRM_OUT, &policy));
		assert_int_equal(
			policy.templates[0].destination.ip[3], cases[i].follows ? to.ip[3] : 2);
		/* At most once a second. */
		event.now.port = 5000;
		events[0] = '\0';
		if (cases[i].follows) {
			nm_kernel_event(kernel, &event);
			assert_string_equal(events, "");
			now += 1000;
			nm_kernel_event(kernel, &event);
			assert_string_not_equal(events, "");
		}
		teardown(state);
		assert_int_equal(setup(state), 0);
	}
}

/* The kernel does not let an SA follow its peer. */
static void test_moving_fails(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_xfrm_event event;

	(void)state;
	assert_int_equal(add(&in), 0);
	event = event_of(NM_XFRM_EVENT_MAPPING, "192.0.2.1", 0x101);
	event.now = addr("192.0.2.2:4600");
	fake.fail_type = XFRM_MSG_UPDSA;
	fake.fail_error = EPERM;
	fake.fail_skip = 0;
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "");
	assert_string_equal(sas(), "in 0x101 192.0.2.2:4500 0 key;");
	/* Not with each packet, but again. */
	assert_int_equal(fake_xfrm_requests(&fake, XFRM_MSG_UPDSA), 1);
	now += 999;
	nm_kernel_event(kernel, &event);
	assert_int_equal(fake_xfrm_requests(&fake, XFRM_MSG_UPDSA), 1);
	now++;
	nm_kernel_event(kernel, &event);
	assert_string_equal(sas(), "in 0x101 192.0.2.2:4600 0 key;");
}

static void test_keepalives(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");

	(void)state;
	nm_kernel_keep_alive(kernel);
	assert_int_equal(fake_xfrm_requests(&fake, XFRM_MSG_GETSA), 0);
	assert_int_equal(add(&in), 0);
	assert_int_equal(add(&out), 0);
	nm_kernel_keep_alive(kernel);
	assert_int_equal(keepalives, 1);
	kernel->sad.sas[1]->packets_before = 5; /* something has gone since */
	nm_kernel_keep_alive(kernel);
	assert_int_equal(keepalives, 1);
	nm_kernel_keep_alive(kernel);
	assert_int_equal(keepalives, 2);
	nm_sa_plane_set_keepalive(&plane, 0);
	nm_kernel_keep_alive(kernel);
	assert_int_equal(keepalives, 2);
}

/* A kernel that can send them is asked to; one that then refuses the SA for it is not asked again. */
static void test_kernel_keepalives(void **state)
{
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	struct nm_xfrm_state found;

	(void)state;
	kernel->config.features.has[NM_XFRM_FEATURE_KEEPALIVE] = true;
	assert_int_equal(add(&out), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.2", 0x100, &found));
	assert_int_equal(found.keepalive_s, 20);
	assert_int_equal(found.direction, NM_XFRM_SA_DIR_OUT);
	nm_kernel_keep_alive(kernel);
	assert_int_equal(keepalives, 0);
	out.config.spi = 0x102;
	fake.fail_type = XFRM_MSG_NEWSA;
	fake.fail_error = EINVAL;
	fake.fail_skip = 0;
	assert_int_equal(add(&out), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.2", 0x102, &found));
	assert_int_equal(found.keepalive_s, 0);
	nm_kernel_keep_alive(kernel);
	assert_int_equal(keepalives, 1);
}

/* Both directions are said to a kernel that knows them; not to one that refuses. */
static void test_directions(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	struct nm_xfrm_state found;

	(void)state;
	assert_int_equal(add(&in), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.1", 0x101, &found));
	assert_int_equal(found.direction, 0);
	kernel->config.features.has[NM_XFRM_FEATURE_DIRECTION] = true;
	assert_int_equal(add(&in), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.1", 0x101, &found));
	assert_int_equal(found.direction, NM_XFRM_SA_DIR_IN);
	assert_int_equal(add(&out), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.2", 0x100, &found));
	assert_int_equal(found.direction, NM_XFRM_SA_DIR_OUT);
	in.config.spi = 0x103;
	fake.fail_type = XFRM_MSG_NEWSA;
	fake.fail_error = EINVAL;
	fake.fail_skip = 0;
	assert_int_equal(add(&in), 0);
	assert_true(fake_xfrm_find(&fake, "192.0.2.1", 0x103, &found));
	assert_int_equal(found.direction, 0);
}

/* The event has no mark: SAs with one are found all the same, and strangers' are not. */
static void test_moving_with_a_mark(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_xfrm_event event, strange;

	(void)state;
	in.kernel.mark = (struct nm_sa_mark){7, 15};
	assert_int_equal(add(&in), 0);
	event = event_of(NM_XFRM_EVENT_MAPPING, "192.0.2.1", 0x101);
	event.id.mark = (struct nm_xfrm_mark){0};
	event.now = addr("192.0.2.2:4600");
	strange = event;
	strange.reqid = 8;
	nm_kernel_event(kernel, &strange);
	strange = event;
	strange.id.destination = addr("192.0.2.7");
	nm_kernel_event(kernel, &strange);
	strange = event;
	strange.id.protocol = 51;
	nm_kernel_event(kernel, &strange);
	strange = event;
	strange.id.spi = 0x999;
	nm_kernel_event(kernel, &strange);
	assert_string_equal(events, "");
	nm_kernel_event(kernel, &event);
	assert_string_equal(events, "2 in 0x101 7 192.0.2.2:4600;");
}

/* The next outbound SA of a reqid begins where its peer is by now, unless it says another place. */
static void test_rekey_of_a_moved_peer(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	struct nm_sa_order next = order(NATMUX_SA_OUT, 0x102, "192.0.2.2");
	struct nm_sa_order elsewhere = order(NATMUX_SA_OUT, 0x103, "192.0.2.5");
	struct nm_xfrm_event event;

	(void)state;
	assert_int_equal(add(&in), 0);
	assert_int_equal(add(&out), 0);
	event = event_of(NM_XFRM_EVENT_MAPPING, "192.0.2.1", 0x101);
	event.now = addr("192.0.2.9:4600");
	nm_kernel_event(kernel, &event);
	next.config.key = other_key;
	assert_int_equal(add(&next), 0);
	assert_int_equal(add(&elsewhere), 0);
	sas();
	assert_non_null(strstr(list, "out 0x102 192.0.2.9:4600 0"));
	assert_non_null(strstr(list, "out 0x103 192.0.2.5:4500 0"));
}

/* An SA that has moved has the kernel's name of one that is to be added: it is not overwritten. */
static void test_name_is_taken(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	struct nm_sa_order same = order(NATMUX_SA_OUT, 0x100, "192.0.2.9");
	struct nm_xfrm_event event;
	char why[NM_SA_PLANE_WHY];

	(void)state;
	assert_int_equal(add(&in), 0);
	assert_int_equal(add(&out), 0);
	event = event_of(NM_XFRM_EVENT_MAPPING, "192.0.2.1", 0x101);
	event.now = addr("192.0.2.9:4500");
	nm_kernel_event(kernel, &event);
	assert_int_equal(nm_sa_plane_add(&plane, &same, why), NATMUX_EEXISTS);
	assert_non_null(strstr(why, "has followed its peer"));
	assert_int_equal(count_states(), 2);
	/* Once it is dead its name is free. */
	event = event_of(NM_XFRM_EVENT_STATE_DELETED, "192.0.2.9", 0x100);
	nm_kernel_event(kernel, &event);
	same.config.key = other_key;
	assert_int_equal(add(&same), 0);
	assert_int_equal(kernel->sad.len, 2);
	assert_int_equal(count_states(), 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_moving),
		TEST(test_moving_fails),
		TEST(test_keepalives),
		TEST(test_kernel_keepalives),
		TEST(test_directions),
		TEST(test_moving_with_a_mark),
		TEST(test_rekey_of_a_moved_peer),
		TEST(test_name_is_taken),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
