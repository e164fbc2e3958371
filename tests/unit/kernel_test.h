/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's plane with a fake kernel behind it and a clock of the test's. */
#ifndef KERNEL_TEST_H
#define KERNEL_TEST_H

#include "test.h"

#include <stdio.h>
#include <natmux/error.h>
#include "daemon/config/config_selector.h"
#include "daemon/kernel/kernel.h"
#include "tests/fakes/fake_xfrm.h"
#include "xfrm/kernel.h"

static struct fake_xfrm fake;
static struct nm_kernel_ask *ask;
static struct nm_kernel *kernel;
static struct nm_sa_plane plane;
static uint64_t now; /* of all clocks, in ms */
static uint8_t received[sizeof(fake.out)] __attribute__((aligned(8)));

static bool is_wiped = true; /* what was received, which may hold keys */

/* What was told and sent, as texts. */
static char events[1024];
static unsigned int keepalives;
static char logged[1024];

static inline enum nm_netlink_result recv_fake(void *self, void **bytes, size_t *len)
{
	(void)self;
	if (fake.out_len == 0)
		return NM_NETLINK_EMPTY;
	memcpy(received, fake.out, fake.out_len);
	is_wiped = false;
	*bytes = received;
	*len = fake.out_len;
	fake.out_len = 0;
	return NM_NETLINK_DATA;
}

/* A kernel that says nothing costs as much time as it is waited for. */
static inline bool wait_fake(void *self, uint32_t timeout_ms)
{
	(void)self;
	now += timeout_ms;
	return false;
}

static inline void wipe_fake(void *self)
{
	(void)self;
	is_wiped = true;
}

static inline uint64_t get_now(void *user)
{
	(void)user;
	return now;
}

static inline uint64_t get_now_s(void *user)
{
	(void)user;
	return 1790000000 + now / 1000;
}

static inline struct natmux_addr addr(const char *text)
{
	struct natmux_addr parsed;

	assert_int_equal(natmux_addr_parse(text, 0, &parsed), 0);
	return parsed;
}

/* There is no way to 198.51.100.0/24. */
static inline int find_source(
	void *user, const struct natmux_addr *remote, struct natmux_addr *local)
{
	(void)user;
	if (remote->ip[0] == 198)
		return NATMUX_ENOTFOUND;
	*local = addr(remote->family == NATMUX_FAMILY_IPV6 ? "2001:db8::1" : "192.0.2.1");
	return 0;
}

static inline uint32_t find_ifindex(void *user, const char *device)
{
	(void)user;
	return strcmp(device, "eth0") == 0 ? 3 : 0;
}

static inline void count_keepalive(void *user, const struct natmux_train *trains, size_t n)
{
	(void)user;
	assert_int_equal(n, 1);
	assert_int_equal(trains[0].len, 1);
	assert_int_equal(trains[0].data[0], 0xff);
	keepalives++;
}

static inline void note_event(void *user, const struct natmux_esp_event *event)
{
	char remote[NATMUX_ADDR_TEXT], line[120];

	(void)user;
	snprintf(line, sizeof(line), "%d %s 0x%x %u %s;", (int)event->type,
		event->direction == NATMUX_SA_IN ? "in" : "out", event->spi, event->reqid,
		natmux_addr_format(&event->path.remote, remote));
	strcat(events, line);
}

static inline void note_log(void *user, enum natmux_log_level level, const char *text)
{
	(void)user;
	(void)level;
	strncat(logged, text, sizeof(logged) - strlen(logged) - 1);
}

static inline void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 0x77, len);
}

static inline int setup(void **state)
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
		.event = note_event,
		.log = {.write = note_log, .level = NATMUX_LOG_DEBUG}};

	(void)state;
	fake_xfrm_init(&fake);
	fake.has_group = true;
	now = 1000000;
	events[0] = logged[0] = '\0';
	keepalives = 0;
	if (nm_kernel_ask_new(&ask_config, &ask) < 0)
		return -1;
	config.ask = ask;
	if (nm_kernel_new(&config, &kernel) < 0)
		return -1;
	plane = nm_kernel_sa_plane(kernel);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	assert_true(is_wiped);
	nm_kernel_free(kernel);
	nm_kernel_ask_free(ask);
	return 0;
}

static const uint8_t key[NATMUX_SUITE_KEY_MAX] = {1, 2, 3}, other_key[NATMUX_SUITE_KEY_MAX] = {4};

static inline struct nm_sa_order order(
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

static inline int add(const struct nm_sa_order *made)
{
	char why[NM_SA_PLANE_WHY];
	int err = nm_sa_plane_add(&plane, made, why);

	assert_int_equal(err == 0, why[0] == '\0');
	return err;
}

static inline size_t count_states(void)
{
	size_t n = 0;

	for (size_t i = 0; i < FAKE_XFRM_STATES; i++)
		n += fake.states[i].is_used;
	return n;
}

static inline size_t count_policies(void)
{
	size_t n = 0;

	for (size_t i = 0; i < FAKE_XFRM_POLICIES; i++) {
		const struct nlmsghdr *head = (const void *)fake.policies[i].bytes;

		n += head->nlmsg_len > 0;
	}
	return n;
}

/* The kernel's policy of a direction, the first. */
static inline bool get_policy(enum nm_xfrm_direction direction, struct nm_xfrm_policy *policy)
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

static inline void note_sa(void *user, const struct nm_sa_seen *sa)
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

static inline const char *sas(void)
{
	list[0] = '\0';
	nm_sa_plane_each(&plane, note_sa, NULL);
	return list;
}

static inline struct nm_policy_order policy_order(uint32_t priority, const char *selector)
{
	struct nm_policy_order made = {.policy = {.priority = priority, .reqid = 7}};

	assert_int_equal(nm_selector_parse(selector, &made.policy.selector), 0);
	return made;
}

static inline struct nm_xfrm_event event_of(
	enum nm_xfrm_event_type type, const char *to, uint32_t spi)
{
	struct nm_xfrm_event event = {.type = type};

	assert_true(fake_xfrm_find(&fake, to, spi, &event.state));
	event.id = nm_xfrm_state_id_of(&event.state);
	event.reqid = event.state.reqid;
	return event;
}

#endif
