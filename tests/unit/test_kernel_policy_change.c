/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reloads that change policies of the kernel's plane, looked at between any two requests: at no
 * moment does a packet leave in the clear that both files protect or discard.
 */
#include "config_test.h"
#include "kernel_test.h"

#include <errno.h>
#include <sodium.h>

enum {
	POLICIES_MAX = 3, /* of a file, and of the plane */
	LISTS = 1,        /* requests of a reload that change nothing: which SAs there are */
};

/* A file with these policies and nothing else. */
struct file {
	struct nm_config config;
	struct nm_config_policy policies[POLICIES_MAX];
};

static struct file old, new;

struct line {
	uint32_t priority;
	enum natmux_policy_action action;
	uint32_t reqid;
	const char *selector;
	struct nm_sa_mark mark;
	uint32_t if_id;
};

static void write_line(struct file *file, const struct line *line)
{
	struct nm_config_policy *policy = &file->policies[file->config.policies_len];

	*policy = (struct nm_config_policy){.line = 10 + (uint32_t)file->config.policies_len,
		.priority = line->priority,
		.action = line->action,
		.reqid = line->reqid,
		.mark = line->mark,
		.if_id = line->if_id};
	snprintf(policy->name, sizeof(policy->name), "p%zu", file->config.policies_len++);
	assert_int_equal(nm_selector_parse(line->selector, &policy->selector), 0);
}

static void open_file(struct file *file)
{
	static char name[] = "natmux.conf";

	*file = (struct file){.config = {.name = name, .policies = file->policies}};
}

/* A packet, and what becomes of it. */
struct packet {
	uint32_t host, mark, if_id; /* to 10.0.0.HOST */
};

struct fate {
	bool is_clear;
	struct nm_xfrm_policy policy; /* the one that decides, unless nobody does */
};

static bool is_for(const struct nm_xfrm_policy *policy, const struct packet *packet)
{
	const struct natmux_prefix *prefix = &policy->selector.destination;

	return policy->direction == NM_XFRM_OUT && policy->if_id == packet->if_id &&
	       (packet->mark & policy->mark.mask) == policy->mark.value &&
	       (prefix->bits == 0 || (uint32_t)prefix->base.ip[3] >> (32 - prefix->bits) ==
					     packet->host >> (32 - prefix->bits));
}

static void decide(const struct nm_xfrm_policy *policy, const struct packet *packet,
	struct fate *fate, uint32_t *best)
{
	if (!is_for(policy, packet) || policy->priority >= *best)
		return;
	*best = policy->priority;
	fate->policy = *policy;
	fate->is_clear = !policy->is_block && policy->templates_len == 0;
}

static struct fate fate_in_file(const struct file *file, const struct packet *packet)
{
	static const struct natmux_path nowhere;
	struct fate fate = {.is_clear = true};
	uint32_t best = UINT32_MAX;

	for (size_t i = 0; i < file->config.policies_len; i++) {
		struct nm_xfrm_policy policy;
		struct nm_policy_order made;

		nm_config_policy_order(&file->policies[i], &made);
		assert_int_equal(nm_xfrm_policy_from(&made.policy, NM_XFRM_OUT, NATMUX_SA_TRANSPORT,
					 &nowhere, &policy),
			0);
		policy.mark = (struct nm_xfrm_mark){made.mark.value, made.mark.mask};
		policy.if_id = made.if_id;
		decide(&policy, packet, &fate, &best);
	}
	return fate;
}

static struct fate fate_in_kernel(const struct packet *packet)
{
	struct fate fate = {.is_clear = true};
	uint32_t best = UINT32_MAX;

	for (size_t i = 0; i < FAKE_XFRM_POLICIES; i++) {
		const struct nlmsghdr *head = (const void *)fake.policies[i].bytes;
		struct nm_xfrm_policy policy;

		if (head->nlmsg_len == 0)
			continue;
		assert_int_equal(nm_xfrm_policy_decode(head, &policy), 0);
		decide(&policy, packet, &fate, &best);
	}
	return fate;
}

static bool is_same_policy(const struct nm_xfrm_policy *a, const struct nm_xfrm_policy *b)
{
	return a->if_id == b->if_id && a->mark.value == b->mark.value &&
	       a->mark.mask == b->mark.mask &&
	       a->selector.destination.bits == b->selector.destination.bits &&
	       natmux_addr_equal(&a->selector.destination.base, &b->selector.destination.base);
}

static unsigned int looks;
static const char *leak; /* the first that was found */

static void look_at(const struct packet *packet)
{
	const struct fate before = fate_in_file(&old, packet);
	const struct fate after = fate_in_file(&new, packet);
	const struct fate present = fate_in_kernel(packet);

	if (leak || before.is_clear || after.is_clear)
		return;
	if (present.is_clear)
		leak = "in the clear";
	else if (is_same_policy(&before.policy, &after.policy) &&
		 !is_same_policy(&before.policy, &present.policy))
		leak = "another policy's";
}

static void look(void *user)
{
	(void)user;
	looks++;
	for (uint32_t i = 0; i < 4 * 2 * 2; i++)
		look_at(&(struct packet){i & 3, i >> 2 & 1, i >> 3 & 1});
}

static int reload(const struct file *before, const struct file *after, char message[512])
{
	int err;

	looks = 0;
	leak = NULL;
	fake.watch = before ? look : NULL;
	err = nm_sa_plane_apply(
		&plane, 4, before ? &before->config : NULL, &after->config, message, 512);
	fake.watch = NULL;
	return err;
}

/* The kernel has what the file says, and nothing else. */
static void assert_kernel_is(const struct file *file)
{
	assert_int_equal(count_policies(), file->config.policies_len);
	assert_int_equal(nm_sa_plane_policy_count(&plane), file->config.policies_len);
	for (uint32_t i = 0; i < 4 * 2 * 2; i++) {
		const struct packet packet = {i & 3, i >> 2 & 1, i >> 3 & 1};
		const struct fate is = fate_in_kernel(&packet),
				  is_to_be = fate_in_file(file, &packet);

		assert_int_equal(is.is_clear, is_to_be.is_clear);
		assert_int_equal(is.policy.priority, is_to_be.policy.priority);
		assert_int_equal(is.policy.templates[0].reqid, is_to_be.policy.templates[0].reqid);
	}
}

#define PROTECT(priority, selector, ...)                                                           \
	{                                                                                          \
		priority, NATMUX_POLICY_PROTECT, 7, selector, __VA_ARGS__                          \
	}
#define BYPASS(priority, selector)                                                                 \
	{                                                                                          \
		priority, NATMUX_POLICY_BYPASS, 0, selector, {0, 0}, 0                             \
	}
#define NET  "dst 10.0.0.0/30"
#define HALF "dst 10.0.0.0/31"
#define HOST "dst 10.0.0.1/32"

static const struct change_case {
	struct line before[POLICIES_MAX], after[POLICIES_MAX];
	unsigned int updates, deletions; /* requests */
} changes[] = {
	/* In place: the action's reqid, and the priority, up and down. */
	{{PROTECT(5, NET, {0, 0}, 0)}, {{5, NATMUX_POLICY_PROTECT, 8, NET, {0, 0}, 0}}, 1, 0},
	{{PROTECT(5, NET, {0, 0}, 0)}, {PROTECT(9, NET, {0, 0}, 0)}, 1, 0},
	{{PROTECT(9, NET, {0, 0}, 0)}, {PROTECT(5, NET, {0, 0}, 0)}, 1, 0},
	{{PROTECT(9, NET, {1, 1}, 0)}, {PROTECT(5, NET, {1, 1}, 0)}, 1, 0},
	/* Beside each other: mark, mask, interface, selector. */
	{{PROTECT(5, NET, {0, 0}, 0)}, {PROTECT(5, NET, {1, 1}, 0)}, 1, 1},
	{{PROTECT(5, NET, {1, 1}, 0)}, {PROTECT(5, NET, {1, 3}, 0)}, 1, 1},
	{{PROTECT(5, NET, {0, 0}, 0)}, {PROTECT(5, NET, {0, 0}, 1)}, 1, 1},
	{{PROTECT(5, NET, {0, 0}, 0)}, {PROTECT(5, HALF, {0, 0}, 0)}, 1, 1},
	{{PROTECT(5, HALF, {0, 0}, 0)}, {PROTECT(5, NET, {0, 0}, 0)}, 1, 1},
	{{PROTECT(5, NET, {0, 0}, 0)}, {PROTECT(9, HOST, {1, 1}, 0)}, 1, 1},
	/* An interface's policy comes, and the one without is another one's from then on. */
	{{PROTECT(1, NET, {0, 0}, 0)}, {PROTECT(1, NET, {0, 0}, 1), PROTECT(2, NET, {0, 0}, 0)}, 2,
		0},
	/* Numbered anew: nobody overtakes. */
	{{PROTECT(10, NET, {0, 0}, 0), BYPASS(15, HALF)},
		{PROTECT(20, NET, {0, 0}, 0), BYPASS(25, HALF)}, 2, 0},
	{{PROTECT(20, NET, {0, 0}, 0), BYPASS(25, HALF)},
		{PROTECT(10, NET, {0, 0}, 0), BYPASS(15, HALF)}, 2, 0},
	{{BYPASS(15, HALF), PROTECT(10, NET, {0, 0}, 0)},
		{BYPASS(25, HALF), PROTECT(20, NET, {0, 0}, 0)}, 2, 0},
	{{BYPASS(25, HALF), PROTECT(20, NET, {0, 0}, 0)},
		{BYPASS(15, HALF), PROTECT(10, NET, {0, 0}, 0)}, 2, 0},
	/* Who protects is another one, with a bypass in between. */
	{{PROTECT(1, NET, {0, 0}, 0), BYPASS(2, HALF), PROTECT(3, HOST, {0, 0}, 0)},
		{BYPASS(4, HALF), PROTECT(3, HOST, {0, 0}, 0)}, 1, 1},
	{{PROTECT(1, NET, {0, 0}, 0), BYPASS(2, HALF), PROTECT(3, HOST, {0, 0}, 0)},
		{BYPASS(1, NET), BYPASS(4, HALF), PROTECT(0, HOST, {0, 0}, 0)}, 3, 0},
	/* All of a full table. */
	{{PROTECT(1, NET, {0, 0}, 0), PROTECT(2, HALF, {0, 0}, 0), PROTECT(3, HOST, {0, 0}, 0)},
		{PROTECT(1, NET, {1, 1}, 0), PROTECT(2, HALF, {1, 1}, 0),
			PROTECT(3, HOST, {1, 1}, 0)},
		3, 3},
};

static void write_file(struct file *file, const struct line *lines)
{
	open_file(file);
	for (size_t i = 0; i < POLICIES_MAX && lines[i].selector; i++)
		write_line(file, &lines[i]);
}

static void test_no_gap(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		unsigned int updates, deletions;
		char message[512];

		assert_int_equal(setup(state), 0);
		write_file(&old, changes[i].before);
		write_file(&new, changes[i].after);
		assert_int_equal(reload(NULL, &old, message), 0);
		updates = fake_xfrm_requests(&fake, XFRM_MSG_UPDPOLICY);
		deletions = fake_xfrm_requests(&fake, XFRM_MSG_DELPOLICY);
		if (reload(&old, &new, message) < 0 || leak)
			fail_msg("%zu: %s %s", i, message, leak ? leak : "");
		assert_string_equal(message, "");
		assert_kernel_is(&new);
		updates = fake_xfrm_requests(&fake, XFRM_MSG_UPDPOLICY) - updates;
		deletions = fake_xfrm_requests(&fake, XFRM_MSG_DELPOLICY) - deletions;
		if (updates != changes[i].updates || deletions != changes[i].deletions)
			fail_msg("%zu: %u updates, %u deletions", i, updates, deletions);
		assert_int_equal(looks, LISTS + updates + deletions);
		/* There is no more room than there was. */
		assert_int_equal(kernel->spd.leaving, 0);
		assert_int_equal(teardown(state), 0);
	}
}

/* Whatever request fails: the old policies stand, and stood all the time. */
static void test_no_gap_in_failure(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
		for (unsigned int n = 0; n < changes[i].updates + changes[i].deletions; n++) {
			char message[512];

			assert_int_equal(setup(state), 0);
			write_file(&old, changes[i].before);
			write_file(&new, changes[i].after);
			assert_int_equal(reload(NULL, &old, message), 0);
			fake.fail_type = 0;
			fake.fail_error = ENOMEM;
			fake.fail_skip = LISTS + n;
			assert_true(reload(&old, &new, message) < 0);
			if (leak)
				fail_msg("%zu.%u: %s", i, n, leak);
			assert_non_null(strstr(message, ": policy \"p"));
			assert_non_null(strstr(message, "(nothing was changed)"));
			assert_kernel_is(&old);
			assert_int_equal(teardown(state), 0);
		}
}

static void make(const struct line *before, const struct line *after)
{
	char message[512];

	write_file(&old, before);
	write_file(&new, after);
	assert_int_equal(reload(NULL, &old, message), 0);
}

/* The answer says exactly what is the matter. */
static void test_answers(void **state)
{
	static const struct line before[POLICIES_MAX] = {PROTECT(5, NET, {0, 0}, 0)};
	static const struct line after[POLICIES_MAX] = {PROTECT(5, NET, {1, 1}, 0)};
	static const struct line twice[POLICIES_MAX] = {
		PROTECT(5, NET, {0, 0}, 0), PROTECT(6, NET, {0, 0}, 0)};
	static const struct line moved_twice[POLICIES_MAX] = {
		PROTECT(7, NET, {0, 0}, 0), PROTECT(6, NET, {0, 0}, 0)};
	char message[512];

	(void)state;
	make(before, after);
	fake.fail_type = XFRM_MSG_UPDPOLICY;
	fake.fail_error = ENOMEM;
	assert_int_equal(reload(&old, &new, message), NATMUX_ENOMEM);
	assert_string_equal(message,
		"natmux.conf:10: policy \"p0\": policy: the kernel is out of memory "
		"(nothing was changed)");
	/* A deletion: of a line that is no more. */
	fake.fail_type = XFRM_MSG_DELPOLICY;
	fake.fail_error = EPERM;
	assert_int_equal(reload(&old, &new, message), NATMUX_ESYSTEM);
	assert_string_equal(message, "natmux.conf: policy \"p0\": policy: not permitted "
				     "(needs CAP_NET_ADMIN) (nothing was changed)");
	assert_kernel_is(&old);
	/* The way back is refused, too: both stand. */
	fake.fail_error = EPERM;
	fake.fail_more = 1;
	assert_int_equal(reload(&old, &new, message), NATMUX_ESYSTEM);
	assert_non_null(strstr(
		message, "(policies that could not be put back: 1; nothing else was changed)"));
	assert_null(leak);
	assert_int_equal(count_policies(), 2);
	assert_int_equal(nm_sa_plane_policy_count(&plane), 2);
	/* What is left over gives way. */
	assert_int_equal(reload(&old, &new, message), 0);
	assert_kernel_is(&new);
	/* The kernel has one policy of a selector. */
	write_file(&old, after);
	write_file(&new, twice);
	assert_int_equal(reload(&old, &new, message), NATMUX_EINVAL);
	assert_non_null(
		strstr(message, "policy \"p1\": the kernel has one policy of a selector, and "
				"there is one with priority 5 (nothing was changed)"));
	assert_kernel_is(&old);
	write_file(&new, before);
	assert_int_equal(reload(&old, &new, message), 0);
	write_file(&old, before);
	write_file(&new, moved_twice);
	assert_int_equal(reload(&old, &new, message), NATMUX_EINVAL);
	assert_non_null(strstr(message, "there is one with priority 7 (nothing was changed)"));
	assert_kernel_is(&old);
}

/* natmuxctl was there in between. */
static void test_beside_others(void **state)
{
	static const struct line before[POLICIES_MAX] = {PROTECT(5, NET, {0, 0}, 0)};
	static const struct line after[POLICIES_MAX] = {
		PROTECT(9, NET, {0, 0}, 0), PROTECT(4, HALF, {0, 0}, 0)};
	struct nm_policy_order order = policy_order(5, NET), other = policy_order(4, HALF);
	struct nm_policy_order more = policy_order(1, HOST);
	char message[512], why[NM_SA_PLANE_WHY];

	(void)state;
	make(before, after);
	other.policy.reqid = 8;
	assert_int_equal(nm_sa_plane_policy_delete(&plane, &order, why), 0);
	assert_int_equal(nm_sa_plane_policy_add(&plane, &other, why), 0);
	/* One of ours is gone, and where a new one is to be there is another: refused, it is back. */
	fake.fail_type = XFRM_MSG_UPDPOLICY;
	fake.fail_error = ENOMEM;
	fake.fail_skip = 1;
	assert_int_equal(reload(&old, &new, message), NATMUX_ENOMEM);
	assert_int_equal(count_policies(), 1);
	assert_int_equal(nm_sa_plane_policy_delete(&plane, &other, why), 0);
	assert_int_equal(nm_sa_plane_policy_add(&plane, &other, why), 0);
	assert_int_equal(reload(&old, &new, message), 0);
	assert_kernel_is(&new);
	/* Those that have gone already make no room. */
	write_file(&old, after);
	write_file(&new, (const struct line[POLICIES_MAX]){PROTECT(9, NET, {1, 1}, 0),
				 PROTECT(4, HALF, {1, 1}, 0), PROTECT(1, HOST, {1, 1}, 0)});
	assert_int_equal(nm_sa_plane_policy_delete(&plane, &other, why), 0);
	assert_int_equal(nm_sa_plane_policy_add(&plane, &more, why), 0);
	more.mark = (struct nm_sa_mark){1, 3};
	assert_int_equal(nm_sa_plane_policy_add(&plane, &more, why), 0);
	assert_int_equal(reload(&old, &new, message), NATMUX_EFULL);
	assert_non_null(strstr(message, "table or queue is full (nothing was changed)"));
	assert_int_equal(nm_sa_plane_policy_count(&plane), POLICIES_MAX);
}

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 16) % below;
}

static bool has_taken(const struct file *file, const struct line *line)
{
	struct natmux_selector selector;

	assert_int_equal(nm_selector_parse(line->selector, &selector), 0);
	for (size_t i = 0; i < file->config.policies_len; i++) {
		const struct nm_config_policy *policy = &file->policies[i];

		if (policy->priority == line->priority ||
			(nm_selector_is_same(&policy->selector, &selector) &&
				policy->mark.mask == line->mark.mask &&
				policy->if_id == line->if_id))
			return true;
	}
	return false;
}

static void draw_file(struct file *file)
{
	static const char *const selectors[] = {NET, HALF, "dst 10.0.0.2/31", "dst 10.0.0.0/32",
		HOST, "dst 10.0.0.2/32", "dst 10.0.0.3/32"};
	static const enum natmux_policy_action actions[] = {NATMUX_POLICY_PROTECT,
		NATMUX_POLICY_PROTECT, NATMUX_POLICY_BYPASS, NATMUX_POLICY_DISCARD};
	uint32_t n = draw(POLICIES_MAX + 1);

	open_file(file);
	while (n-- > 0) {
		struct line line = {.priority = draw(8),
			.action = actions[draw(ARRAY_SIZE(actions))],
			.selector = selectors[draw(draw(2) == 0 ? 3 : ARRAY_SIZE(selectors))],
			.if_id = draw(4) == 0};

		if (draw(3) == 0)
			line.mark = (struct nm_sa_mark){1, 1};
		if (line.action == NATMUX_POLICY_PROTECT)
			line.reqid = 7 + draw(2);
		if (!has_taken(file, &line))
			write_line(file, &line);
	}
}

/* Any file after any other, with a refusal somewhere or without. */
static void test_any_files(void **state)
{
	for (uint32_t i = 0; i < 4000; i++) {
		char message[512];
		int err;

		seed = i * 2654435761U;
		assert_int_equal(setup(state), 0);
		draw_file(&old);
		draw_file(&new);
		assert_int_equal(reload(NULL, &old, message), 0);
		fake.fail_type = 0;
		fake.fail_error = draw(2) == 0 ? ENOMEM : 0;
		fake.fail_skip = draw(6);
		err = reload(&old, &new, message);
		if (leak)
			fail_msg("%u: %s", i, leak);
		assert_kernel_is(err < 0 ? &old : &new);
		assert_int_equal(err < 0, message[0] != '\0');
		assert_int_equal(teardown(state), 0);
	}
}

static bool has_gate_missing;

/* What comes from 10.2.0.0/16 unprotected is to be dropped, be it for this machine or forwarded. */
static void look_at_gates(void *user)
{
	bool is_seen[3] = {false};

	(void)user;
	for (size_t i = 0; i < FAKE_XFRM_POLICIES; i++) {
		const struct nlmsghdr *head = (const void *)fake.policies[i].bytes;
		struct nm_xfrm_policy policy;

		if (head->nlmsg_len > 0 && nm_xfrm_policy_decode(head, &policy) == 0)
			is_seen[policy.direction] = true;
	}
	has_gate_missing |= !is_seen[NM_XFRM_IN] || !is_seen[NM_XFRM_FWD];
}

static void assert_gate_stays(const struct nm_sa_order *made)
{
	has_gate_missing = false;
	fake.watch = look_at_gates;
	assert_int_equal(add(made), 0);
	fake.watch = NULL;
	assert_false(has_gate_missing);
	assert_int_equal(count_policies(), 2);
}

/* The inbound side: an SA with another mark, interface or selector opens its gates before it closes. */
static void test_gates(void **state)
{
	struct nm_sa_order in = order(NATMUX_SA_IN, 0x101, NULL);
	struct natmux_selector selector;

	(void)state;
	assert_int_equal(nm_selector_parse("src 10.2.0.0/16", &selector), 0);
	in.config.selectors = &selector;
	in.config.selectors_len = 1;
	assert_int_equal(add(&in), 0);
	in.kernel.mark = (struct nm_sa_mark){1, 1};
	assert_gate_stays(&in);
	in.kernel.if_id = 5;
	assert_gate_stays(&in);
	assert_int_equal(nm_selector_parse("src 10.2.0.0/15", &selector), 0);
	assert_gate_stays(&in);
	/* Refused, the old ones stand. */
	has_gate_missing = false;
	fake.watch = look_at_gates;
	for (unsigned int n = 0; n < 2; n++) {
		fake.fail_type = XFRM_MSG_UPDPOLICY;
		fake.fail_error = ENOMEM;
		fake.fail_skip = n;
		in.kernel.if_id = 6;
		assert_true(add(&in) < 0);
		assert_int_equal(count_policies(), 2);
	}
	assert_false(has_gate_missing);
}

/* The key of a file is its name. */
static int read_key(const char *path, uint8_t *octets, size_t len, char *message, size_t size)
{
	(void)message;
	(void)size;
	for (size_t i = 0; i < len; i++)
		octets[i] = (uint8_t)path[i % strlen(path)];
	return 0;
}

/* So many inbound SAs as the plane has room for, from that SPI on, one after the other. */
static struct nm_config *write_sas(uint32_t spi, const char *selector)
{
	static const struct nm_config_world world = {.read_key = read_key};
	char text[4096] = "esp = kernel\nhandoff = none\nkernel-plane { sas = 4 }\n", one[512];

	for (uint32_t i = 0; i < 4; i++) {
		snprintf(one, sizeof(one),
			"sa \"s%u\" {\ndirection = in\nspi = %u\nsuite = aes128gcm16\n"
			"key-file = \"/k%u\"\nlocal = \"192.0.2.1\"\nreqid = 7\n"
			"selectors = { \"%s\" }\n}\n",
			i, spi + i, spi + i, selector);
		strcat(text, one);
	}
	return parse_in(&world, text);
}

/* No room for old and new: the old ones go first, and their gates are the new ones'. */
static void test_gates_in_full_table(void **state)
{
	struct nm_config *first = write_sas(0x1000, "src 10.2.0.0/16");
	struct nm_config *second = write_sas(0x2000, "src 10.2.0.0/16");
	struct nm_config *elsewhere = write_sas(0x3000, "src 10.3.0.0/16");
	char message[512];

	(void)state;
	assert_int_equal(nm_sa_plane_apply(&plane, 4, NULL, first, message, sizeof(message)), 0);
	assert_int_equal(count_policies(), 2);
	has_gate_missing = false;
	fake.watch = look_at_gates;
	assert_int_equal(nm_sa_plane_apply(&plane, 4, first, second, message, sizeof(message)), 0);
	assert_int_equal(fake_xfrm_requests(&fake, XFRM_MSG_DELPOLICY), 0);
	assert_int_equal(count_policies(), 2);
	/* Others': these are open before those are shut. */
	assert_int_equal(
		nm_sa_plane_apply(&plane, 4, second, elsewhere, message, sizeof(message)), 0);
	assert_int_equal(fake_xfrm_requests(&fake, XFRM_MSG_DELPOLICY), 2);
	assert_int_equal(count_policies(), 2);
	fake.watch = NULL;
	assert_false(has_gate_missing);
	/* A new SA that is refused: nothing is left over, for nobody. */
	fake.fail_type = XFRM_MSG_NEWSA;
	fake.fail_error = ENOMEM;
	fake.fail_skip = 4; /* each is tried before */
	assert_int_equal(nm_sa_plane_apply(&plane, 4, elsewhere, first, message, sizeof(message)),
		NATMUX_ENOMEM);
	assert_non_null(strstr(message, "removed before it stay so: 4; nothing else was changed)"));
	assert_int_equal(count_states(), 0);
	assert_int_equal(count_policies(), 0);
	assert_int_equal(kernel->spd.len, 0);
	nm_config_free(first);
	nm_config_free(second);
	nm_config_free(elsewhere);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_gap),
		cmocka_unit_test(test_no_gap_in_failure),
		cmocka_unit_test(test_any_files),
		TEST(test_answers),
		TEST(test_beside_others),
		TEST(test_gates),
		TEST(test_gates_in_full_table),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
