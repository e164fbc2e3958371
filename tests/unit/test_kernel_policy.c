/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of the kernel's plane: which are there, and what stands in the kernel for each. */
#include "kernel_test.h"

#include <errno.h>
#include <sodium.h>

/* A template follows the newest SA, and without one asks for one and lets nothing out. */
static void test_policies(void **state)
{
	struct nm_policy_order made = policy_order(5, "dst 10.2.0.0/16");
	struct nm_policy_order again = policy_order(6, "dst 10.2.0.0/16");
	struct nm_policy_order odd = policy_order(5, "dst 10.2.0.0/16 proto udp dport 1-2");
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	struct nm_sa_order newer = order(NATMUX_SA_OUT, 0x102, "192.0.2.3");
	struct nm_xfrm_policy policy;
	char why[NM_SA_PLANE_WHY];

	(void)state;
	made.mark = (struct nm_sa_mark){1, 1};
	again.mark = made.mark;
	assert_int_equal(nm_sa_plane_policy_add(&plane, &made, why), 0);
	assert_true(get_policy(NM_XFRM_OUT, &policy));
	assert_int_equal(policy.templates_len, 1);
	assert_int_equal(policy.templates[0].mode, XFRM_MODE_TRANSPORT);
	assert_int_equal(policy.mark.mask, 1);
	assert_int_equal(nm_sa_plane_policy_add(&plane, &made, why), NATMUX_EEXISTS);
	assert_int_equal(nm_sa_plane_policy_add(&plane, &again, why), NATMUX_EINVAL);
	assert_non_null(strstr(why, "one policy of a selector"));
	assert_int_equal(nm_sa_plane_policy_add(&plane, &odd, why), NATMUX_EUNSUPPORTED);
	assert_int_equal(nm_sa_plane_policy_count(&plane), 1);

	assert_int_equal(add(&out), 0);
	assert_int_equal(add(&newer), 0);
	assert_true(get_policy(NM_XFRM_OUT, &policy));
	assert_int_equal(policy.templates[0].mode, XFRM_MODE_TUNNEL);
	assert_int_equal(policy.templates[0].destination.ip[3], 3);
	nm_sa_plane_delete(&plane, NATMUX_SA_OUT, 0x102, &newer.config.path.remote);
	assert_true(get_policy(NM_XFRM_OUT, &policy));
	assert_int_equal(policy.templates[0].destination.ip[3], 2);
	nm_sa_plane_delete(&plane, NATMUX_SA_OUT, 0x100, &out.config.path.remote);
	assert_true(get_policy(NM_XFRM_OUT, &policy));
	assert_int_equal(policy.templates[0].mode, XFRM_MODE_TRANSPORT);
	assert_int_equal(nm_sa_plane_policy_delete(&plane, &again, why), NATMUX_ENOTFOUND);
	assert_int_equal(nm_sa_plane_policy_delete(&plane, &made, why), 0);
	assert_int_equal(count_policies(), 0);

	made.policy.action = NATMUX_POLICY_DISCARD;
	assert_int_equal(nm_sa_plane_policy_add(&plane, &made, why), 0);
	assert_true(get_policy(NM_XFRM_OUT, &policy));
	assert_true(policy.is_block && policy.templates_len == 0);
	fake.fail_type = XFRM_MSG_UPDPOLICY;
	fake.fail_error = ENOBUFS;
	fake.fail_skip = 0;
	made = policy_order(9, "dst 10.3.0.0/16");
	assert_true(nm_sa_plane_policy_add(&plane, &made, why) < 0);
	assert_int_equal(nm_sa_plane_policy_count(&plane), 1);
	nm_kernel_clear(kernel);
	assert_int_equal(count_policies(), 0);
}

/* A gate has two wings: refused one of them, there is none. */
static void test_half_a_gate(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");

	(void)state;
	fake.fail_type = XFRM_MSG_UPDPOLICY;
	fake.fail_error = ENOMEM;
	fake.fail_skip = 1;
	assert_true(add(&in) < 0);
	assert_int_equal(count_policies(), 0);
	assert_int_equal(kernel->spd.len, 0);
	assert_int_equal(count_states(), 0);
}

/* Gates: shared by SAs of one reqid, refused to another one, wide for an SA that says nothing. */
static void test_gates(void **state)
{
	struct nm_sa_order first = order(NATMUX_SA_IN, 0x101, "192.0.2.2"), second, third;
	struct natmux_selector selector;
	struct nm_xfrm_policy policy;
	char why[NM_SA_PLANE_WHY];

	(void)state;
	assert_int_equal(nm_selector_parse("src 10.2.0.0/16", &selector), 0);
	first.config.selectors = &selector;
	first.config.selectors_len = 1;
	second = third = first;
	second.config.spi = 0x102;
	third.config.spi = 0x103;
	third.config.reqid = 8;
	assert_int_equal(add(&first), 0);
	assert_int_equal(add(&second), 0);
	assert_int_equal(count_policies(), 2);
	/* Told before anything is changed. */
	assert_int_equal(nm_sa_plane_check(&plane, &second, why), 0);
	assert_int_equal(nm_sa_plane_check(&plane, &third, why), NATMUX_EEXISTS);
	assert_int_equal(nm_sa_plane_add(&plane, &third, why), NATMUX_EEXISTS);
	assert_non_null(strstr(why, "an inbound SA with reqid 7 has that selector"));
	assert_int_equal(count_states(), 2);
	nm_sa_plane_delete(&plane, NATMUX_SA_IN, 0x101, NULL);
	assert_int_equal(count_policies(), 2);
	nm_sa_plane_delete(&plane, NATMUX_SA_IN, 0x102, NULL);
	assert_int_equal(count_policies(), 0);
	third.config.selectors_len = 0;
	assert_int_equal(add(&third), 0);
	assert_int_equal(count_policies(), 4); /* two families */
	assert_true(get_policy(NM_XFRM_IN, &policy));
	assert_true(policy.templates[0].is_optional);
	assert_int_equal(policy.templates[0].reqid, 0);
	/* Replaced by one that says what: the wide ones go. */
	third.config.selectors_len = 1;
	assert_int_equal(add(&third), 0);
	assert_int_equal(count_policies(), 2);
	/* Transport mode ends here, and is let in without being told to. */
	first.config.mode = NATMUX_SA_TRANSPORT;
	first.config.selectors_len = 0;
	assert_int_equal(add(&first), 0);
	assert_int_equal(count_policies(), 2);
}

/* Another action in its place, at once: between a deletion and an addition there would be none. */
static void test_policy_in_place(void **state)
{
	struct nm_policy_order made = policy_order(5, "dst 10.2.0.0/16");
	struct nm_sa_order out = order(NATMUX_SA_OUT, 0x100, "192.0.2.2");
	struct nm_xfrm_policy policy;
	char why[NM_SA_PLANE_WHY];
	bool is_replaced;

	(void)state;
	assert_int_equal(nm_sa_plane_policy_put(&plane, &made, &is_replaced, why), 0);
	assert_false(is_replaced);
	made.policy.reqid = 8;
	assert_int_equal(nm_sa_plane_policy_put(&plane, &made, &is_replaced, why), 0);
	assert_true(is_replaced);
	/* It is the new reqid's SAs that it follows. */
	assert_int_equal(add(&out), 0);
	assert_true(get_policy(NM_XFRM_OUT, &policy));
	assert_int_equal(policy.templates[0].reqid, 8);
	assert_int_equal(policy.templates[0].mode, XFRM_MODE_TRANSPORT);
	out.config.spi = 0x102;
	out.config.reqid = 8;
	assert_int_equal(add(&out), 0);
	assert_true(get_policy(NM_XFRM_OUT, &policy));
	assert_int_equal(policy.templates[0].mode, XFRM_MODE_TUNNEL);
	/* Refused, it is as it was. */
	fake.fail_type = XFRM_MSG_UPDPOLICY;
	fake.fail_error = ENOMEM;
	fake.fail_skip = 0;
	made.policy.action = NATMUX_POLICY_BYPASS;
	assert_true(nm_sa_plane_policy_put(&plane, &made, &is_replaced, why) < 0);
	made.policy.action = NATMUX_POLICY_PROTECT;
	assert_int_equal(fake_xfrm_requests(&fake, XFRM_MSG_DELPOLICY), 0);
	assert_int_equal(nm_sa_plane_policy_count(&plane), 1);
	assert_int_equal(nm_sa_plane_policy_delete(&plane, &made, why), 0);
	assert_int_equal(count_policies(), 0);
}

/* Policies that have gone while events were lost are told of: what they seal leaves in the clear. */
static void test_policies_during_resync(void **state)
{
	struct nm_policy_order made = policy_order(5, "dst 10.2.0.0/16");
	struct nm_policy_order late = policy_order(5, "dst 10.3.0.0/16");
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, "192.0.2.2");
	struct natmux_selector selector;
	struct nm_xfrm_policy policy;
	char why[NM_SA_PLANE_WHY];

	(void)state;
	assert_int_equal(nm_selector_parse("src 10.2.0.0/16", &selector), 0);
	in.config.selectors = &selector;
	in.config.selectors_len = 1;
	assert_int_equal(nm_sa_plane_policy_add(&plane, &made, why), 0);
	assert_int_equal(add(&in), 0);
	assert_int_equal(nm_kernel_spd_missing(&kernel->spd), 0);
	nm_kernel_resync(kernel, NM_XFRM_RESYNC_LOST, NULL);
	assert_int_equal(nm_kernel_spd_missing(&kernel->spd), 3);
	assert_int_equal(nm_sa_plane_policy_add(&plane, &late, why), 0);
	assert_true(get_policy(NM_XFRM_IN, &policy));
	nm_kernel_resync_policy(kernel, &policy);
	assert_int_equal(nm_kernel_spd_missing(&kernel->spd), 2);
	assert_true(get_policy(NM_XFRM_FWD, &policy));
	nm_kernel_resync_policy(kernel, &policy);
	nm_kernel_resync_policy(kernel, &policy);
	assert_int_equal(nm_kernel_spd_missing(&kernel->spd), 1);
	logged[0] = '\0';
	nm_kernel_resync(kernel, NM_XFRM_RESYNC_DONE, NULL);
	assert_non_null(strstr(logged, "deleted 1 policies of natmuxd's"));
}

static void test_policies_by_other_hands(void **state)
{
	struct nm_policy_order made = policy_order(5, "dst 10.2.0.0/16");
	struct nm_xfrm_event event = {.type = NM_XFRM_EVENT_POLICIES_FLUSHED};
	char why[NM_SA_PLANE_WHY];

	(void)state;
	nm_kernel_event(kernel, &event);
	assert_string_equal(logged, "");
	assert_int_equal(nm_sa_plane_policy_add(&plane, &made, why), 0);
	event.policy.type = 1; /* sub-policies are others' */
	nm_kernel_event(kernel, &event);
	assert_string_equal(logged, "");
	event.policy.type = 0;
	nm_kernel_event(kernel, &event);
	assert_non_null(strstr(logged, "flushed all policies"));
	event = (struct nm_xfrm_event){.type = NM_XFRM_EVENT_POLICY_DELETED};
	assert_true(get_policy(NM_XFRM_OUT, &event.policy));
	logged[0] = '\0';
	nm_kernel_event(kernel, &event);
	assert_non_null(strstr(logged, "deleted a policy"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_policies),
		TEST(test_gates),
		TEST(test_half_a_gate),
		TEST(test_policy_in_place),
		TEST(test_policies_during_resync),
		TEST(test_policies_by_other_hands),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
