/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxd's half of esp = kernel before a kernel made of a table, which refuses and forgets on demand. */
#include "test.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <natmux/error.h>
#include "daemon/config_selector.h"
#include "daemon/kernel.h"
#include "tests/fakes/fake_xfrm.h"
#include "xfrm/kernel.h"

static struct fake_xfrm fake;
static struct nm_kernel_ask *ask;
static struct nm_kernel *kernel;
static struct nm_sa_plane plane;
static uint64_t now; /* of all clocks, in ms */
static uint8_t received[sizeof(fake.out)] __attribute__((aligned(8)));

/* What was told and sent, as texts. */
static char events[1024];
static unsigned int keepalives;

static enum nm_netlink_result recv_fake(void *self, void **bytes, size_t *len)
{
	(void)self;
	if (fake.out_len == 0)
		return NM_NETLINK_EMPTY;
	memcpy(received, fake.out, fake.out_len);
	*bytes = received;
	*len = fake.out_len;
	fake.out_len = 0;
	return NM_NETLINK_DATA;
}

/* A kernel that says nothing costs as much time as it is waited for. */
static bool wait_fake(void *self, uint32_t timeout_ms)
{
	(void)self;
	now += timeout_ms;
	return false;
}

static void wipe_fake(void *self)
{
	(void)self;
}

static uint64_t get_now(void *user)
{
	(void)user;
	return now;
}

static uint64_t get_now_s(void *user)
{
	(void)user;
	return 1790000000 + now / 1000;
}

static struct natmux_addr addr(const char *text)
{
	struct natmux_addr parsed;

	assert_int_equal(natmux_addr_parse(text, 0, &parsed), 0);
	return parsed;
}

/* There is no way to 198.51.100.0/24. */
static int find_source(void *user, const struct natmux_addr *remote, struct natmux_addr *local)
{
	(void)user;
	if (remote->ip[0] == 198)
		return NATMUX_ENOTFOUND;
	*local = addr(remote->family == NATMUX_FAMILY_IPV6 ? "2001:db8::1" : "192.0.2.1");
	return 0;
}

static uint32_t find_ifindex(void *user, const char *device)
{
	(void)user;
	return strcmp(device, "eth0") == 0 ? 3 : 0;
}

static void count_keepalive(void *user, const struct natmux_train *trains, size_t n)
{
	(void)user;
	assert_int_equal(n, 1);
	assert_int_equal(trains[0].len, 1);
	assert_int_equal(trains[0].data[0], 0xff);
	keepalives++;
}

static void note_event(void *user, const struct natmux_esp_event *event)
{
	char remote[NATMUX_ADDR_TEXT], line[120];

	(void)user;
	snprintf(line, sizeof(line), "%d %s 0x%x %u %s;", (int)event->type,
		event->direction == NATMUX_SA_IN ? "in" : "out", event->spi, event->reqid,
		natmux_addr_format(&event->path.remote, remote));
	strcat(events, line);
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 0x77, len);
}

static int setup(void **state)
{
	const struct nm_kernel_ask_config ask_config = {
		.link = {fake_xfrm_send, recv_fake, wait_fake, wipe_fake, FAKE_XFRM_PORTID, &fake},
		.now_ms = get_now};
	struct nm_kernel_config config = {.port = 4500,
		.sas_max = 4,
		.policies_max = 3,
		.keepalive_ms = 20000,
		.exports_keys = true,
		.random.fill = fill,
		.now_ms = get_now,
		.now_s = get_now_s,
		.source = find_source,
		.ifindex = find_ifindex,
		.send = count_keepalive,
		.event = note_event};

	(void)state;
	fake_xfrm_init(&fake);
	fake.has_group = true;
	now = 1000000;
	events[0] = '\0';
	keepalives = 0;
	if (nm_kernel_ask_new(&ask_config, &ask) < 0)
		return -1;
	config.ask = ask;
	if (nm_kernel_new(&config, &kernel) < 0)
		return -1;
	plane = nm_kernel_sa_plane(kernel);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nm_kernel_free(kernel);
	nm_kernel_ask_free(ask);
	return 0;
}

static const uint8_t key[NATMUX_SUITE_KEY_MAX] = {1, 2, 3}, other_key[NATMUX_SUITE_KEY_MAX] = {4};

static struct nm_sa_order order(
	enum natmux_sa_direction direction, uint32_t spi, const char *remote)
{
	struct nm_sa_order made = {.kernel.if_id = 0};

	natmux_sa_config_init(&made.config);
	made.config.direction = direction;
	made.config.spi = spi;
	made.config.suite = NATMUX_SUITE_AES128GCM16;
	made.config.key = key;
	made.config.key_len = 20;
	made.config.reqid = 7;
	if (remote)
		assert_int_equal(natmux_addr_parse(remote, 4500, &made.config.path.remote), 0);
	made.config.path.local.family = made.config.path.remote.family;
	if (!remote)
		made.config.path.local = addr("192.0.2.1");
	return made;
}

static int add(const struct nm_sa_order *made)
{
	char why[NM_SA_PLANE_WHY];
	int err = nm_sa_plane_add(&plane, made, why);

	assert_int_equal(err == 0, why[0] == '\0');
	return err;
}

static size_t count_states(void)
{
	size_t n = 0;

	for (size_t i = 0; i < FAKE_XFRM_STATES; i++)
		n += fake.states[i].is_used;
	return n;
}

static size_t count_policies(void)
{
	size_t n = 0;

	for (size_t i = 0; i < FAKE_XFRM_POLICIES; i++) {
		const struct nlmsghdr *head = (const void *)fake.policies[i].bytes;

		n += head->nlmsg_len > 0;
	}
	return n;
}

/* The kernel's policy of a direction, the first. */
static bool get_policy(enum nm_xfrm_direction direction, struct nm_xfrm_policy *policy)
{
	for (size_t i = 0; i < FAKE_XFRM_POLICIES; i++) {
		const struct nlmsghdr *head = (const void *)fake.policies[i].bytes;

		if (head->nlmsg_len > 0 && nm_xfrm_policy_decode(head, policy) == 0 &&
			policy->direction == direction)
			return true;
	}
	return false;
}

/* The list as a text: "in 0x100 192.0.2.2:4500 5;" */
static char list[1024];

static void note_sa(void *user, const struct nm_sa_seen *sa)
{
	char remote[NATMUX_ADDR_TEXT], line[120];

	(void)user;
	assert_string_equal(sa->plane, "kernel");
	snprintf(line, sizeof(line), "%s 0x%x %s %llu%s%s;",
		sa->info->direction == NATMUX_SA_IN ? "in" : "out", sa->info->spi,
		natmux_addr_format(&sa->info->path.remote, remote),
		(unsigned long long)sa->info->sequence, sa->info->is_dead ? " dead" : "",
		sa->info->key_len > 0 ? " key" : "");
	strcat(list, line);
}

static const char *sas(void)
{
	list[0] = '\0';
	nm_sa_plane_each(&plane, note_sa, NULL);
	return list;
}

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

static struct nm_policy_order policy_order(uint32_t priority, const char *selector)
{
	struct nm_policy_order made = {.policy = {.priority = priority, .reqid = 7}};

	assert_int_equal(nm_selector_parse(selector, &made.policy.selector), 0);
	return made;
}

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
	assert_int_equal(nm_sa_plane_policy_delete(&plane, &again), NATMUX_ENOTFOUND);
	assert_int_equal(nm_sa_plane_policy_delete(&plane, &made), 0);
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

static struct nm_xfrm_event event_of(enum nm_xfrm_event_type type, const char *to, uint32_t spi)
{
	struct nm_xfrm_event event = {.type = type};

	assert_true(fake_xfrm_find(&fake, to, spi, &event.state));
	event.id = nm_xfrm_state_id_of(&event.state);
	return event;
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
	nm_kernel_event(kernel, &event);
	assert_string_equal(sas(), "in 0x101 192.0.2.2:4600 0 key;");
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_states),
		TEST(test_refusals),
		TEST(test_check),
		TEST(test_full),
		TEST(test_replace),
		TEST(test_taken_over),
		TEST(test_policies),
		TEST(test_gates),
		TEST(test_lifetimes),
		TEST(test_other_hands),
		TEST(test_acquire),
		TEST(test_moving),
		TEST(test_moving_fails),
		TEST(test_resync),
		TEST(test_keepalives),
		TEST(test_kernel_keepalives),
		TEST(test_directions),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
