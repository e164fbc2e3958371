/* SPDX-License-Identifier: Apache-2.0 */
/* Messages about policies and selectors against what `ip xfrm` sends, Linux answers, and lies. */
#include "xfrm_test.h"

#include "xfrm/policy_message.h"

static struct xfrm_test_case recorded;

static struct nm_xfrm_policy plain_policy(void)
{
	return (struct nm_xfrm_policy){
		.direction = NM_XFRM_OUT,
		.selector =
			{
				.source = {xfrm_test_addr("10.1.0.0"), 16},
				.destination = {xfrm_test_addr("10.2.0.0"), 16},
			},
		.templates_len = 1,
		.templates = {{
			.source = xfrm_test_addr("192.0.2.1"),
			.destination = xfrm_test_addr("192.0.2.2"),
			.protocol = NM_XFRM_PROTO_ESP,
			.mode = XFRM_MODE_TUNNEL,
			.reqid = 1,
		}},
	};
}

static void out(struct nm_xfrm_policy *p)
{
	p->priority = 100;
}

static void in(struct nm_xfrm_policy *p)
{
	p->direction = NM_XFRM_IN;
}

static void fwd(struct nm_xfrm_policy *p)
{
	p->direction = NM_XFRM_FWD;
	p->templates[0].is_optional = true;
}

static void block(struct nm_xfrm_policy *p)
{
	p->is_block = true;
	p->templates_len = 0;
}

static void bypass(struct nm_xfrm_policy *p)
{
	p->selector.source = (struct natmux_prefix){xfrm_test_addr("0.0.0.0"), 0};
	p->selector.destination = p->selector.source;
	p->priority = 5;
	p->templates_len = 0;
}

static void ports(struct nm_xfrm_policy *p)
{
	p->selector.protocol = 6;
	p->selector.source_port = 80;
	p->selector.destination_port = 443;
	p->selector.source_mask = p->selector.destination_mask = 0xffff;
}

/* The type is where the source port is, the code where the destination port is. */
static void icmp(struct nm_xfrm_policy *p)
{
	p->selector.protocol = 1;
	p->selector.source_port = 8;
	p->selector.source_mask = p->selector.destination_mask = 0xffff;
	p->flags = XFRM_POLICY_LOCALOK | XFRM_POLICY_ICMP;
}

static void mark(struct nm_xfrm_policy *p)
{
	p->mark = (struct nm_xfrm_mark){0x11, 0xff};
	p->if_id = 0x22;
}

static void limits(struct nm_xfrm_policy *p)
{
	p->limits.soft_packets = 1000;
	p->limits.hard_seconds = 6000;
}

static void two(struct nm_xfrm_policy *p)
{
	p->templates_len = 2;
	p->templates[1] = (struct nm_xfrm_template){
		.protocol = 108, .mode = XFRM_MODE_TRANSPORT, .is_optional = true};
}

static void six(struct nm_xfrm_policy *p)
{
	p->selector.source = (struct natmux_prefix){xfrm_test_addr("2001:db8:1::"), 48};
	p->selector.destination = (struct natmux_prefix){xfrm_test_addr("2001:db8:2::"), 48};
	p->templates[0].source = xfrm_test_addr("2001:db8::1");
	p->templates[0].destination = xfrm_test_addr("2001:db8::2");
	p->templates[0].spi = 0x99;
	p->templates[0].reqid = 0;
}

static void transport(struct nm_xfrm_policy *p)
{
	p->selector.source = (struct natmux_prefix){xfrm_test_addr("192.0.2.1"), 32};
	p->selector.destination = (struct natmux_prefix){xfrm_test_addr("192.0.2.2"), 32};
	p->templates[0] = (struct nm_xfrm_template){
		.protocol = NM_XFRM_PROTO_ESP, .mode = XFRM_MODE_TRANSPORT, .reqid = 3};
}

static const struct {
	const char *name;
	void (*change)(struct nm_xfrm_policy *policy);
} policies[] = {
	{"out", out},
	{"in", in},
	{"fwd", fwd},
	{"block", block},
	{"bypass", bypass},
	{"ports", ports},
	{"icmp", icmp},
	{"mark", mark},
	{"limits", limits},
	{"two", two},
	{"v6", six},
	{"transport", transport},
};

static void load(const char *prefix, const char *name)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%s", prefix, name);
	xfrm_test_load(text, &recorded);
}

static void test_build(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		struct nm_xfrm_policy p = plain_policy();
		struct nm_xfrm_policy_id id;
		struct nm_xfrm_message message;
		const struct nlmsghdr *made = (const void *)message.bytes;

		policies[i].change(&p);
		id = nm_xfrm_policy_id_of(&p);
		load("policy ", policies[i].name);
		assert_true(nm_xfrm_policy_add(&p, &message) > 0);
		xfrm_test_assert_same(made, xfrm_test_find(&recorded, true, XFRM_MSG_NEWPOLICY, 0),
			sizeof(struct xfrm_userpolicy_info));
		assert_true(nm_xfrm_policy_get(&id, &message) > 0);
		xfrm_test_assert_same(made, xfrm_test_find(&recorded, true, XFRM_MSG_GETPOLICY, 0),
			sizeof(struct xfrm_userpolicy_id));
		load("policy delete ", policies[i].name);
		assert_true(nm_xfrm_policy_delete(&id, &message) > 0);
		xfrm_test_assert_same(made, xfrm_test_find(&recorded, true, XFRM_MSG_DELPOLICY, 0),
			sizeof(struct xfrm_userpolicy_id));
	}
}

static void test_other_requests(void **state)
{
	struct nm_xfrm_policy p = plain_policy();
	struct nm_xfrm_message message;
	const struct nlmsghdr *made = (const void *)message.bytes;

	(void)state;
	xfrm_test_load("policy update", &recorded);
	assert_true(nm_xfrm_policy_update(&p, &message) > 0);
	xfrm_test_assert_same(made, xfrm_test_find(&recorded, true, XFRM_MSG_UPDPOLICY, 0),
		sizeof(struct xfrm_userpolicy_info));
	xfrm_test_load("policy dump", &recorded);
	assert_int_equal(nm_xfrm_policy_dump(&message), 16);
	assert_int_equal(made->nlmsg_flags,
		xfrm_test_find(&recorded, true, XFRM_MSG_GETPOLICY, 0)->nlmsg_flags);
	xfrm_test_load("policy flush", &recorded);
	assert_int_equal(nm_xfrm_policy_flush(&message), 16);
	assert_int_equal(made->nlmsg_flags,
		xfrm_test_find(&recorded, true, XFRM_MSG_FLUSHPOLICY, 0)->nlmsg_flags);
	/* By its number, too, where the kernel has told it. */
	assert_true(nm_xfrm_policy_get(
			    &(struct nm_xfrm_policy_id){.index = 0x123, .direction = NM_XFRM_FWD},
			    &message) > 0);
	{
		const struct xfrm_userpolicy_id *id = mnl_nlmsg_get_payload(made);

		assert_int_equal(id->index, 0x123);
		assert_int_equal(id->dir, XFRM_POLICY_FWD);
	}
	/* The other type says so. */
	p.type = XFRM_POLICY_TYPE_SUB;
	assert_int_equal(nm_xfrm_policy_update(&p, &message), 252 + 12);
	p.templates_len = NM_XFRM_TEMPLATES + 1;
	assert_int_equal(nm_xfrm_policy_add(&p, &message), NATMUX_EINVAL);
}

static void assert_template(const struct nm_xfrm_template *a, const struct nm_xfrm_template *b)
{
	assert_true(natmux_addr_equal(&a->source, &b->source));
	assert_true(natmux_addr_equal(&a->destination, &b->destination));
	assert_int_equal(a->spi, b->spi);
	assert_int_equal(a->protocol, b->protocol);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->reqid, b->reqid);
	assert_int_equal(a->is_optional, b->is_optional);
}

static void test_decode(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		struct nm_xfrm_policy want = plain_policy(), got;

		policies[i].change(&want);
		load("policy ", policies[i].name);
		assert_int_equal(
			nm_xfrm_policy_decode(
				xfrm_test_find(&recorded, false, XFRM_MSG_NEWPOLICY, 1), &got),
			0);
		assert_int_equal(got.direction, want.direction);
		assert_int_equal(got.priority, want.priority);
		assert_int_equal(got.is_block, want.is_block);
		assert_int_equal(got.flags, want.flags);
		assert_true(got.index != 0);
		assert_int_equal(got.index & 7, want.direction);
		assert_memory_equal(&got.limits, &want.limits, sizeof(got.limits));
		assert_memory_equal(&got.mark, &want.mark, sizeof(got.mark));
		assert_int_equal(got.if_id, want.if_id);
		xfrm_test_assert_selector(&got.selector, &want.selector);
		assert_int_equal(got.templates_len, want.templates_len);
		for (size_t t = 0; t < got.templates_len; t++)
			assert_template(&got.templates[t], &want.templates[t]);
	}
}

static void test_truncated(void **state)
{
	struct nlmsghdr *message;
	uint32_t whole;

	(void)state;
	xfrm_test_load("policy two", &recorded);
	message = xfrm_test_find(&recorded, false, XFRM_MSG_NEWPOLICY, 1);
	whole = message->nlmsg_len;
	for (uint32_t len = whole; len-- > 16;) {
		struct nm_xfrm_policy got = {.priority = 77};
		uint8_t *copy = malloc(len);
		int err;

		assert_non_null(copy);
		message->nlmsg_len = len;
		memcpy(copy, message, len);
		err = nm_xfrm_policy_decode((void *)copy, &got);
		/* Whole attributes may be missing; their types are in the middle of the others. */
		if (len == 16 + sizeof(struct xfrm_userpolicy_info) ||
			len == 16 + sizeof(struct xfrm_userpolicy_info) + 132)
			assert_int_equal(err, 0);
		else if (err != 0)
			assert_int_equal(got.priority, 77);
		if (len < 16 + sizeof(struct xfrm_userpolicy_info))
			assert_int_equal(err, NATMUX_ETRUNCATED);
		free(copy);
	}
}

static void test_lies(void **state)
{
	static const struct {
		size_t at; /* behind the header */
		uint8_t value;
		int error;
	} lies[] = {
		{160, XFRM_POLICY_MASK, NATMUX_ENOTFOUND}, /* a socket's policy */
		{160, 4, NATMUX_ENOTFOUND},
		{160, 255, NATMUX_ENOTFOUND},
		{42, 33, NATMUX_EMALFORMED}, /* prefixes */
		{43, 200, NATMUX_EMALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		struct nm_xfrm_policy got = {.priority = 77};
		struct nlmsghdr *message;

		xfrm_test_load("policy out", &recorded);
		message = xfrm_test_find(&recorded, false, XFRM_MSG_NEWPOLICY, 1);
		((uint8_t *)mnl_nlmsg_get_payload(message))[lies[i].at] = lies[i].value;
		assert_int_equal(nm_xfrm_policy_decode(message, &got), lies[i].error);
		assert_int_equal(got.priority, 77);
	}
}

/* More templates than there are, and a part of one. */
static void test_templates(void **state)
{
	static const struct {
		size_t octets;
		int error;
	} cases[] = {
		{0, 0},
		{64, 0},
		{6 * 64, 0},
		{7 * 64, NATMUX_EMALFORMED},
		{63, NATMUX_EMALFORMED},
		{65, NATMUX_EMALFORMED},
		{20 * 64, NATMUX_EMALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_xfrm_policy p = plain_policy(), got;
		struct nm_xfrm_message message;
		struct nlmsghdr *made = (void *)message.bytes;

		p.templates_len = 0;
		assert_true(nm_xfrm_policy_add(&p, &message) > 0);
		/* Zeros: of the policy's own family, from and to anywhere. */
		memset(message.bytes + made->nlmsg_len, 0, sizeof(message.bytes) - made->nlmsg_len);
		((struct nlattr *)(void *)(message.bytes + made->nlmsg_len))->nla_type = XFRMA_TMPL;
		((struct nlattr *)(void *)(message.bytes + made->nlmsg_len))->nla_len =
			(uint16_t)(4 + cases[i].octets);
		made->nlmsg_len += (uint32_t)(4 + MNL_ALIGN(cases[i].octets));
		assert_int_equal(nm_xfrm_policy_decode(made, &got), cases[i].error);
		if (cases[i].error == 0)
			assert_int_equal(got.templates_len, cases[i].octets / 64);
	}
}

static struct natmux_policy natmux_policy(enum natmux_policy_action action)
{
	return (struct natmux_policy){
		.priority = 9,
		.action = action,
		.reqid = 4,
		.selector =
			{
				.source = {xfrm_test_addr("10.1.0.0"), 16},
				.destination = {xfrm_test_addr("10.2.0.0"), 16},
				.protocol = 17,
				.source_ports = {1024, 2047},
				.destination_ports = {53, 53},
			},
	};
}

static void test_from(void **state)
{
	const struct natmux_path path = {
		xfrm_test_addr("192.0.2.1:4500"), xfrm_test_addr("192.0.2.2:4501")};
	struct natmux_policy policy = natmux_policy(NATMUX_POLICY_PROTECT);
	struct nm_xfrm_policy got;

	(void)state;
	assert_int_equal(
		nm_xfrm_policy_from(&policy, NM_XFRM_OUT, NATMUX_SA_TUNNEL, &path, &got), 0);
	assert_int_equal(got.priority, 9);
	assert_int_equal(got.selector.source_port, 1024);
	assert_int_equal(got.selector.source_mask, 0xfc00);
	assert_int_equal(got.selector.destination_port, 53);
	assert_int_equal(got.selector.destination_mask, 0xffff);
	assert_int_equal(got.templates_len, 1);
	assert_int_equal(got.templates[0].reqid, 4);
	assert_int_equal(got.templates[0].source.port, 0);
	assert_int_equal(got.templates[0].source.ip[3], 1);
	assert_int_equal(got.templates[0].destination.ip[3], 2);
	/* The other way round. */
	assert_int_equal(
		nm_xfrm_policy_from(&policy, NM_XFRM_FWD, NATMUX_SA_TUNNEL, &path, &got), 0);
	assert_int_equal(got.selector.destination_port, 1024);
	assert_int_equal(got.selector.source.base.ip[1], 2);
	assert_int_equal(got.templates[0].source.ip[3], 2);
	assert_int_equal(
		nm_xfrm_policy_from(&policy, NM_XFRM_OUT, NATMUX_SA_TRANSPORT, &path, &got), 0);
	assert_int_equal(got.templates[0].source.family, NATMUX_FAMILY_NONE);
	assert_int_equal(got.templates[0].mode, XFRM_MODE_TRANSPORT);
	policy = natmux_policy(NATMUX_POLICY_DISCARD);
	assert_int_equal(
		nm_xfrm_policy_from(&policy, NM_XFRM_OUT, NATMUX_SA_TUNNEL, &path, &got), 0);
	assert_true(got.is_block);
	assert_int_equal(got.templates_len, 0);
	policy = natmux_policy(NATMUX_POLICY_BYPASS);
	assert_int_equal(
		nm_xfrm_policy_from(&policy, NM_XFRM_OUT, NATMUX_SA_TUNNEL, &path, &got), 0);
	assert_false(got.is_block);
	assert_int_equal(got.templates_len, 0);
	policy.selector.source.base.family = policy.selector.destination.base.family = 0;
	assert_int_equal(nm_xfrm_policy_from(&policy, NM_XFRM_OUT, NATMUX_SA_TUNNEL, &path, &got),
		NATMUX_EINVAL);
}

static void test_port_ranges(void **state)
{
	static const struct {
		struct natmux_ports ports;
		int error;
		uint16_t port, mask;
	} cases[] = {
		{{0, 65535}, 0, 0, 0},
		{{0, 0}, 0, 0, 0xffff},
		{{65535, 65535}, 0, 65535, 0xffff},
		{{32768, 65535}, 0, 32768, 0x8000},
		{{1024, 2047}, 0, 1024, 0xfc00},
		{{2, 3}, 0, 2, 0xfffe},
		{{1, 2}, NATMUX_EUNSUPPORTED, 0, 0},
		{{1, 65535}, NATMUX_EUNSUPPORTED, 0, 0},
		{{0, 2}, NATMUX_EUNSUPPORTED, 0, 0},
		{{512, 1535}, NATMUX_EUNSUPPORTED, 0, 0},
		{{5, 4}, NATMUX_EINVAL, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_selector selector = natmux_policy(NATMUX_POLICY_BYPASS).selector,
				       back;
		struct nm_xfrm_selector got;

		selector.destination_ports = cases[i].ports;
		assert_int_equal(nm_xfrm_selector_from(&selector, &got), cases[i].error);
		if (cases[i].error != 0)
			continue;
		assert_int_equal(got.destination_port, cases[i].port);
		assert_int_equal(got.destination_mask, cases[i].mask);
		assert_int_equal(nm_xfrm_selector_to(&got, &back), 0);
		assert_int_equal(back.destination_ports.min, cases[i].ports.min);
		assert_int_equal(back.destination_ports.max, cases[i].ports.max);
	}
}

static void test_odd_selectors(void **state)
{
	struct natmux_selector selector = natmux_policy(NATMUX_POLICY_BYPASS).selector;
	struct nm_xfrm_selector got = {.source_mask = 0xff00};
	struct xfrm_selector kernel;

	(void)state;
	assert_int_equal(nm_xfrm_selector_to(&got, &selector), 0);
	got.source_mask = 0xff0f;
	assert_int_equal(nm_xfrm_selector_to(&got, &selector), NATMUX_EUNSUPPORTED);
	selector = natmux_policy(NATMUX_POLICY_BYPASS).selector;
	selector.source.base.family = NATMUX_FAMILY_IPV6;
	assert_int_equal(nm_xfrm_selector_from(&selector, &got), NATMUX_EINVAL);
	/* `ip` keeps 10.1.2.3/16 as it was typed; a prefix of natmux's has zeros there. */
	selector = natmux_policy(NATMUX_POLICY_BYPASS).selector;
	assert_int_equal(nm_xfrm_selector_from(&selector, &got), 0);
	got.source.base.ip[2] = 2;
	got.source.base.ip[3] = 3;
	got.source.bits = 23;
	nm_xfrm_selector_put(&got, &kernel);
	assert_int_equal(nm_xfrm_selector_get(&kernel, &got), 0);
	assert_int_equal(got.source.base.ip[2], 2);
	assert_int_equal(got.source.base.ip[3], 0);
	assert_int_equal(got.source.bits, 23);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),
		cmocka_unit_test(test_other_requests),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_templates),
		cmocka_unit_test(test_from),
		cmocka_unit_test(test_port_ranges),
		cmocka_unit_test(test_odd_selectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
