/* SPDX-License-Identifier: Apache-2.0 */
/* A STUN client on a made-up network and clock, for the tests of the client and of its tables. */
#ifndef STUN_CLIENT_TEST_H
#define STUN_CLIENT_TEST_H

#include "stun_test.h"

#include <natmux/error.h>
#include "stun/check.h"
#include "stun/client.h"

enum { REFRESH_MS = 25000, LIFE_MS = 39500 /* of a transaction that nobody answers */ };

static struct dice dice;
static const struct natmux_random fake_random = {roll_bytes, &dice};
static struct nm_stun_client *client;
static struct raw m;

/* The last request and what the last event said. */
static uint8_t request[NM_STUN_REQUEST_LEN];
static struct natmux_path path;
static struct natmux_event event;
static size_t events;

static inline int setup(void **state)
{
	(void)state;
	dice.state = 77;
	events = 0;
	event = (struct natmux_event){.type = NATMUX_EVENT_COUNT};
	return nm_stun_client_new(&fake_random, REFRESH_MS, &client);
}

static inline int teardown(void **state)
{
	(void)state;
	nm_stun_client_free(client);
	return 0;
}

static inline void set_locals(uint64_t now_ms, const char *a, const char *b)
{
	struct natmux_addr addrs[2];
	size_t n = 0;

	if (a)
		addrs[n++] = addr_of(a);
	if (b)
		addrs[n++] = addr_of(b);
	assert_int_equal(nm_stun_client_set_locals(client, now_ms, addrs, n), 0);
}

static inline void add(uint64_t now_ms, const char *name, const char *addr)
{
	struct natmux_addr a = addr_of(addr);

	assert_int_equal(nm_stun_client_server_add(client, now_ms, name, &a), 0);
}

static inline bool output(uint64_t now_ms)
{
	size_t len = nm_stun_client_output(client, now_ms, &path, request, sizeof(request));

	if (len > 0)
		assert_int_equal(len, NM_STUN_REQUEST_LEN);
	return len > 0;
}

/* One server, one address of ours, and the first question is on its way. */
static inline void ask(void)
{
	add(0, "a", "192.0.2.1:3478");
	set_locals(0, "10.0.0.1:4500", NULL);
	assert_true(output(0));
}

static inline void on_event(void *user, const struct natmux_event *e)
{
	(void)user;
	event = *e;
	events++;
}

/* Runs the clock up to `until_ms`, as an owner does who loses every datagram. */
static inline size_t run_silent(uint64_t until_ms)
{
	size_t sent = 0;

	while (nm_stun_client_next_deadline(client) <= until_ms) {
		uint64_t now_ms = nm_stun_client_next_deadline(client);

		nm_stun_client_timeout(client, now_ms, on_event, NULL);
		while (output(now_ms))
			sent++;
		assert_true(nm_stun_client_next_deadline(client) > now_ms);
	}
	return sent;
}

/* Begins the answer to the last request. */
static inline void answer_begin(unsigned int type)
{
	raw_begin(&m, type);
	memcpy(m.data + 8, request + 8, 12);
}

static inline void answer_mapped(const char *mapped, unsigned int type)
{
	struct natmux_addr addr = addr_of(mapped);
	uint8_t value[20] = {0, addr.family == NATMUX_FAMILY_IPV4 ? 1 : 2};
	size_t len = addr.family == NATMUX_FAMILY_IPV4 ? 4 : 16;

	put16(value + 2, addr.port);
	memcpy(value + 4, addr.ip, len);
	if (type == 0x0020) {
		for (size_t i = 0; i < len; i++)
			value[4 + i] ^= m.data[4 + i]; /* cookie and transaction id */
		value[2] ^= 0x21;
		value[3] ^= 0x12;
	}
	raw_attr(&m, type, value, 4 + len);
}

static inline bool input(uint64_t now_ms, enum natmux_drop *drop)
{
	*drop = NATMUX_DROP_COUNT;
	event = (struct natmux_event){.type = NATMUX_EVENT_COUNT};
	return nm_stun_client_input(client, now_ms, &path, m.data, m.len, &event, drop);
}

/* The answer comes; `to` is the address it was sent to, NULL for the one we asked from. */
static inline void answered(uint64_t now_ms, const char *mapped, const char *to)
{
	enum natmux_drop drop;

	answer_begin(0x0101);
	answer_mapped(mapped, 0x0020);
	raw_fingerprint(&m);
	if (to)
		path.local = addr_of(to);
	assert_true(input(now_ms, &drop));
	assert_int_equal(drop, NATMUX_DROP_COUNT);
}

static inline void assert_addr(const struct natmux_addr *addr, const char *text)
{
	struct natmux_addr wanted = {.family = NATMUX_FAMILY_NONE};

	if (text)
		wanted = addr_of(text);
	assert_true(natmux_addr_equal(addr, &wanted));
}

static struct natmux_server_info info;
static size_t infos;

static inline void on_info(void *user, const struct natmux_server_info *i)
{
	(void)user;
	info = *i;
	infos++;
}

/* How many pairs there are; the last is in `info`. */
static inline size_t count_infos(void)
{
	infos = 0;
	nm_stun_client_each(client, on_info, NULL);
	return infos;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
