/* SPDX-License-Identifier: Apache-2.0 */
/* When servers are asked, and what answers and silence mean. */
#include "stun_client_test.h"

#include "stun/server.h"

static void test_nothing_to_do(void **state)
{
	(void)state;
	assert_false(output(0));
	assert_true(nm_stun_client_next_deadline(client) == UINT64_MAX);
	add(0, "a", "192.0.2.1:3478");
	assert_true(nm_stun_client_next_deadline(client) == UINT64_MAX);
	set_locals(0, "[::]:4500", NULL); /* another family */
	assert_true(nm_stun_client_next_deadline(client) == UINT64_MAX);
	assert_int_equal(count_infos(), 0);
	set_locals(0, NULL, NULL);
	assert_int_equal(nm_stun_client_server_remove(client, "a"), 0);
	assert_int_equal(run_silent(1000000), 0);
}

/* Even in mode STRICT, wherever we are seen; and its answer is one that we understand. */
static void test_another_natmux_answers(void **state)
{
	static const char *const seen[] = {"[2001:db8::1]:65535", "203.0.113.1:61000"};
	enum natmux_drop drop;

	(void)state;
	add(5, "a", "192.0.2.1:3478");
	set_locals(5, "0.0.0.0:4500", NULL);
	assert_int_equal(nm_stun_client_next_deadline(client), 5);
	assert_false(output(4));
	assert_true(output(5));
	assert_int_equal(natmux_classify(request, sizeof(request)), NATMUX_CLASS_STUN);
	assert_addr(&path.local, "0.0.0.0:4500");
	assert_addr(&path.remote, "192.0.2.1:3478");
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++) {
		struct natmux_addr remote = addr_of(seen[i]);

		m.len = nm_stun_respond(NATMUX_RESPONDER_STRICT, request, sizeof(request), &remote,
			m.data, sizeof(m.data), &drop);
		assert_true(m.len > 0 && m.len <= sizeof(request));
	}
	assert_true(input(10, &drop));
	assert_int_equal(event.type, NATMUX_EVENT_MAPPED_CHANGED);
	assert_addr(&event.mapped, "203.0.113.1:61000");
}

static void test_small_buffer_changes_nothing(void **state)
{
	uint8_t small[NM_STUN_REQUEST_LEN];

	(void)state;
	add(0, "a", "192.0.2.1:3478");
	set_locals(0, "0.0.0.0:4500", NULL);
	for (size_t cap = 0; cap < sizeof(small); cap++)
		assert_int_equal(nm_stun_client_output(client, 0, &path, small, cap), 0);
	assert_int_equal(nm_stun_client_next_deadline(client), 0);
	assert_true(output(0));
	assert_false(output(0));
}

static void test_mapped_address_and_its_changes(void **state)
{
	(void)state;
	add(0, "stun-a", "192.0.2.1:3478");
	set_locals(0, "10.0.0.1:4500", NULL);
	assert_true(output(0));
	answered(40, "198.51.100.7:61000", NULL);
	assert_int_equal(event.type, NATMUX_EVENT_MAPPED_CHANGED);
	assert_addr(&event.mapped, "198.51.100.7:61000");
	assert_addr(&event.mapped_before, NULL);
	assert_addr(&event.path.local, "10.0.0.1:4500");
	assert_addr(&event.path.remote, "192.0.2.1:3478");
	assert_string_equal(event.name, "stun-a");

	assert_int_equal(nm_stun_client_next_deadline(client), 40 + REFRESH_MS);
	assert_true(output(40 + REFRESH_MS));
	answered(40 + REFRESH_MS + 30, "198.51.100.7:61000", NULL);
	assert_int_equal(event.type, NATMUX_EVENT_COUNT); /* no news */

	assert_true(output(70 + 2 * REFRESH_MS));
	answered(70 + 2 * REFRESH_MS + 20, "198.51.100.7:61001", NULL);
	assert_int_equal(event.type, NATMUX_EVENT_MAPPED_CHANGED);
	assert_addr(&event.mapped, "198.51.100.7:61001");
	assert_addr(&event.mapped_before, "198.51.100.7:61000");

	assert_int_equal(count_infos(), 1);
	assert_string_equal(info.name, "stun-a");
	assert_addr(&info.mapped, "198.51.100.7:61001");
	assert_true(info.is_answering);
	assert_int_equal(info.rtt_ms, 20);
	assert_int_equal(info.requests, 3);
	assert_int_equal(info.answers, 3);
	assert_int_equal(info.timeouts, 0);
	assert_int_equal(info.changes, 1);
	assert_int_equal(info.next_ms, 90 + 3 * REFRESH_MS);
}

/* A server of RFC 3489's time that echoes the cookie: MAPPED-ADDRESS and its old companions. */
static void test_old_servers_are_understood(void **state)
{
	enum natmux_drop drop;

	(void)state;
	ask();
	answer_begin(0x0101);
	answer_mapped("198.51.100.7:61000", 0x0001);
	answer_mapped("192.0.2.1:3478", 0x0004);
	answer_mapped("192.0.2.2:3479", 0x0005);
	assert_true(nm_stun_client_expects(client, &path, m.data, m.len));
	assert_true(input(9, &drop));
	assert_int_equal(event.type, NATMUX_EVENT_MAPPED_CHANGED);
	assert_addr(&event.mapped, "198.51.100.7:61000");
}

static void test_s5_only_from_whom_we_asked(void **state)
{
	static const struct {
		const char *local, *remote;
		bool is_right;
	} cases[] = {
		{"10.0.0.1:4500", "192.0.2.1:3478", true},
		{"10.0.0.1:4500", "192.0.2.1:3479", false},
		{"10.0.0.1:4500", "192.0.2.2:3478", false},
		{"10.0.0.1:4500", "[2001:db8::1]:3478", false},
		{"10.0.0.1:4501", "192.0.2.1:3478", false},
		{"10.0.0.2:4500", "192.0.2.1:3478", false},
		{"0.0.0.0:4500", "192.0.2.1:3478", false},
		{"[::1]:4500", "192.0.2.1:3478", false},
	};

	(void)state;
	add(0, "a", "192.0.2.1:3478");
	add(0, "b", "192.0.2.9:3478"); /* a server, but not asked with this id */
	set_locals(0, "10.0.0.1:4500", NULL);
	assert_true(output(0));
	answer_begin(0x0101);
	answer_mapped("198.51.100.7:61000", 0x0020);
	for (size_t i = ARRAY_SIZE(cases); i-- > 0;) {
		enum natmux_drop drop;

		path.local = addr_of(cases[i].local);
		path.remote = addr_of(cases[i].remote);
		assert_int_equal(
			nm_stun_client_expects(client, &path, m.data, m.len), cases[i].is_right);
		assert_int_equal(input(1, &drop), cases[i].is_right);
		assert_int_equal(
			drop, cases[i].is_right ? NATMUX_DROP_COUNT : NATMUX_DROP_STUN_UNASKED);
	}
	path.remote = addr_of("192.0.2.9:3478");
	assert_false(nm_stun_client_expects(client, &path, m.data, m.len));
}

static void test_s5_wildcard_local(void **state)
{
	static const struct {
		const char *local;
		bool is_right;
	} cases[] = {
		{"10.0.0.1:4500", true},
		{"172.16.5.5:4500", true},
		{"0.0.0.0:4500", true},
		{"10.0.0.1:4501", false},
		{"[::]:4500", false},
		{"[2001:db8::1]:4500", false},
	};

	(void)state;
	add(0, "a", "192.0.2.1:3478");
	set_locals(0, "0.0.0.0:4500", NULL);
	assert_true(output(0));
	answer_begin(0x0101);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		path.local = addr_of(cases[i].local);
		assert_int_equal(
			nm_stun_client_expects(client, &path, m.data, m.len), cases[i].is_right);
	}
}

static void test_s5_only_the_pending_id(void **state)
{
	enum natmux_drop drop;

	(void)state;
	add(0, "a", "192.0.2.1:3478");
	set_locals(0, "10.0.0.1:4500", NULL);
	raw_begin(&m, 0x0101); /* before anything was asked */
	path = (struct natmux_path){addr_of("10.0.0.1:4500"), addr_of("192.0.2.1:3478")};
	assert_false(nm_stun_client_expects(client, &path, m.data, m.len));
	assert_true(output(0));
	answer_begin(0x0101);
	answer_mapped("198.51.100.7:61000", 0x0020);
	for (size_t bit = 64; bit < 160; bit++) {
		m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(nm_stun_client_expects(client, &path, m.data, m.len));
		assert_false(input(1, &drop));
		assert_int_equal(drop, NATMUX_DROP_STUN_UNASKED);
		m.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_true(nm_stun_client_expects(client, &path, m.data, m.len));
	assert_true(input(1, &drop));
	assert_false(nm_stun_client_expects(client, &path, m.data, m.len)); /* the same again */
	assert_false(input(2, &drop));
	assert_int_equal(drop, NATMUX_DROP_STUN_UNASKED);
}

/* Only responses to Binding, well-formed, and with a right FINGERPRINT if with any. */
static void test_s5_other_messages_are_not_expected(void **state)
{
	enum natmux_drop drop;

	(void)state;
	ask();
	for (unsigned int type = 0; type < 0x10000; type++) {
		answer_begin(type);
		assert_int_equal(nm_stun_client_expects(client, &path, m.data, m.len),
			type == 0x0101 || type == 0x0111);
	}
	answer_begin(0x0101);
	answer_mapped("198.51.100.7:61000", 0x0020);
	for (size_t len = 0; len < m.len; len++)
		assert_false(nm_stun_client_expects(client, &path, m.data, len));
	raw_fingerprint(&m);
	assert_true(nm_stun_client_expects(client, &path, m.data, m.len));
	m.data[m.len - 1] ^= 1;
	assert_false(nm_stun_client_expects(client, &path, m.data, m.len));
	assert_false(input(1, &drop));
	assert_int_equal(drop, NATMUX_DROP_STUN_INVALID);
	assert_int_equal(event.type, NATMUX_EVENT_COUNT);
}

/* Seven requests, then SERVER_LOST; then pauses of one, two, four … refreshes up to the bound. */
static void test_s6_silence(void **state)
{
	uint64_t pause_ms = REFRESH_MS, now_ms = 0;

	(void)state;
	add(0, "a", "192.0.2.1:3478");
	set_locals(0, "10.0.0.1:4500", NULL);
	for (int round = 0; round < 12; round++) {
		assert_int_equal(run_silent(now_ms + LIFE_MS - 1), 7);
		assert_int_equal(nm_stun_client_next_deadline(client), now_ms + LIFE_MS);
		assert_int_equal(events, round > 0);
		now_ms += LIFE_MS;
		assert_int_equal(run_silent(now_ms), 0);
		assert_int_equal(events, 1); /* told once */
		assert_int_equal(event.type, NATMUX_EVENT_SERVER_LOST);
		assert_string_equal(event.name, "a");
		assert_addr(&event.path.remote, "192.0.2.1:3478");
		assert_int_equal(nm_stun_client_next_deadline(client), now_ms + pause_ms);
		now_ms += pause_ms;
		pause_ms = pause_ms * 2 < NM_STUN_BACKOFF_MAX_MS ? pause_ms * 2
								 : NM_STUN_BACKOFF_MAX_MS;
	}
	assert_int_equal(count_infos(), 1);
	assert_int_equal(info.requests, 12 * 7);
	assert_int_equal(info.timeouts, 12);
	assert_int_equal(info.answers, 0);
	assert_false(info.is_answering);
	assert_addr(&info.mapped, NULL);
}

static void test_lost_and_found(void **state)
{
	(void)state;
	ask();
	answered(10, "198.51.100.7:61000", NULL);
	run_silent(10 + REFRESH_MS + LIFE_MS);
	assert_int_equal(event.type, NATMUX_EVENT_SERVER_LOST);
	assert_int_equal(events, 1);
	assert_int_equal(count_infos(), 1);
	assert_false(info.is_answering);
	assert_addr(&info.mapped, "198.51.100.7:61000"); /* the last that was known */
	run_silent(info.next_ms + LIFE_MS);              /* and once more in vain */
	assert_int_equal(events, 1);
	assert_int_equal(count_infos(), 1);
	assert_int_equal(info.timeouts, 2);

	assert_true(output(info.next_ms));
	answered(info.next_ms + 5, "198.51.100.7:61000", NULL);
	assert_int_equal(event.type, NATMUX_EVENT_COUNT); /* the same address: no change */
	assert_int_equal(count_infos(), 1);
	assert_true(info.is_answering);
	assert_int_equal(info.next_ms, nm_stun_client_next_deadline(client));

	events = 0;
	run_silent(info.next_ms + LIFE_MS);
	assert_int_equal(events, 1); /* lost again, told again */
	assert_int_equal(event.type, NATMUX_EVENT_SERVER_LOST);
	/* The failures before the answer do not lengthen the pause. */
	assert_int_equal(nm_stun_client_next_deadline(client), info.next_ms + LIFE_MS + REFRESH_MS);
}

static void test_answer_to_a_repeated_request(void **state)
{
	(void)state;
	add(0, "a", "192.0.2.1:3478");
	set_locals(0, "10.0.0.1:4500", NULL);
	assert_int_equal(run_silent(3500), 4);
	answered(3600, "198.51.100.7:61000", NULL);
	assert_int_equal(count_infos(), 1);
	assert_int_equal(info.rtt_ms, 0); /* Karn: which of the four was it? */
	assert_int_equal(info.answers, 1);
	assert_int_equal(info.requests, 4);
	assert_int_equal(info.next_ms, 3600 + REFRESH_MS);
}

/* A transaction that fails by what was said: as if nobody had answered, but at once. */
static void assert_fails(uint64_t now_ms)
{
	enum natmux_drop drop;

	assert_true(input(now_ms, &drop));
	assert_int_equal(event.type, NATMUX_EVENT_SERVER_LOST);
	assert_int_equal(count_infos(), 1);
	assert_false(info.is_answering);
	assert_int_equal(info.timeouts, 1);
	assert_int_equal(info.next_ms, now_ms + REFRESH_MS);
	teardown(NULL);
	setup(NULL);
	add(now_ms, "a", "192.0.2.1:3478");
	set_locals(now_ms, "10.0.0.1:4500", NULL);
	assert_true(output(now_ms));
}

static void test_s4_responses_that_fail(void **state)
{
	static const char *const nobody[] = {"0.0.0.0:4500", "198.51.100.7:0", "224.0.0.1:4500",
		"255.255.255.255:1", "[::]:4500", "[ff02::1]:4500"};
	static const unsigned int codes[] = {300, 400, 401, 420, 500, 699};

	(void)state;
	ask();
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		uint8_t value[4] = {0, 0, (uint8_t)(codes[i] / 100), (uint8_t)(codes[i] % 100)};

		answer_begin(0x0111);
		raw_attr(&m, 0x0009, value, sizeof(value));
		answer_mapped("192.0.2.66:3478", 0x8023); /* ALTERNATE-SERVER is not followed */
		assert_fails(1);
	}
	answer_begin(0x0111); /* an error that does not say which */
	assert_fails(1);
	answer_begin(0x0101); /* a success that says nothing */
	assert_fails(1);
	answer_begin(0x0101); /* RFC 8489 6.3.3: an attribute that we had to understand */
	answer_mapped("198.51.100.7:61000", 0x0020);
	raw_attr(&m, 0x7abc, NULL, 0);
	assert_fails(1);
	answer_begin(0x0101);
	raw_attr(&m, 0x0020, "\0\1\1\1\1", 5); /* malformed, and no second choice */
	answer_mapped("198.51.100.7:61000", 0x0001);
	assert_fails(1);
	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
		answer_begin(0x0101);
		answer_mapped(nobody[i], 0x0020);
		assert_fails(1);
	}
}

static void test_s8_optional_attributes_are_skipped(void **state)
{
	enum natmux_drop drop;

	(void)state;
	ask();
	answer_begin(0x0101);
	raw_attr(&m, 0xffff, "whatever", 7);
	answer_mapped("198.51.100.7:61000", 0x0020);
	raw_attr(&m, 0x8022, "coturn", 6);
	answer_mapped("198.51.100.7:9", 0x0020); /* the second of its kind */
	assert_true(input(1, &drop));
	assert_addr(&event.mapped, "198.51.100.7:61000");
}

/* RFC 8489 6.2: an RTO between new transactions with one server, at most ten at once. */
static void test_new_transactions_are_paced(void **state)
{
	struct natmux_addr locals[NM_STUN_LOCALS_MAX];
	size_t first[NM_STUN_LOCALS_MAX] = {0}, started = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(locals); i++) {
		locals[i] = addr_of("10.0.0.1:4500");
		locals[i].ip[3] = (uint8_t)i;
	}
	add(0, "a", "192.0.2.1:3478");
	add(0, "b", "192.0.2.2:3478");
	assert_int_equal(nm_stun_client_set_locals(client, 0, locals, ARRAY_SIZE(locals)), 0);
	for (uint64_t now_ms = 0; now_ms < 30000; now_ms += 100) {
		size_t new_ones = 0;

		nm_stun_client_timeout(client, now_ms, on_event, NULL);
		while (output(now_ms)) {
			if (path.remote.ip[3] != 1)
				continue;
			if (first[path.local.ip[3]]++ == 0)
				new_ones++;
		}
		started += new_ones;
		assert_true(new_ones <= 1);
		assert_int_equal(started, now_ms / 500 < 10 ? now_ms / 500 + 1 : 10);
	}
	run_silent(39500 + 16 * 500); /* the first ones fail and make room */
	count_infos();
	for (size_t i = 0; i < ARRAY_SIZE(locals); i++)
		assert_true(first[i] > 0 || i >= 10);
	assert_true(info.requests > 0);
}

/* With more pairs than the pace allows each gets its turn. */
static void test_no_pair_starves(void **state)
{
	struct natmux_addr locals[NM_STUN_LOCALS_MAX];
	size_t asked[NM_STUN_LOCALS_MAX] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(locals); i++) {
		locals[i] = addr_of("10.0.0.1:4500");
		locals[i].ip[3] = (uint8_t)i;
	}
	assert_int_equal(nm_stun_client_set_refresh(client, NM_STUN_REFRESH_MIN_MS), 0);
	add(0, "a", "192.0.2.1:3478");
	assert_int_equal(nm_stun_client_set_locals(client, 0, locals, ARRAY_SIZE(locals)), 0);
	for (uint64_t now_ms = 0; now_ms < 160000; now_ms += 100) {
		while (output(now_ms)) {
			asked[path.local.ip[3]]++;
			answered(now_ms, "198.51.100.7:61000", NULL);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		assert_int_equal(asked[i], 20); /* 160 s, two a second, 16 of them */
}

static void test_two_clients_side_by_side(void **state)
{
	struct nm_stun_client *first = client, *second;

	(void)state;
	assert_int_equal(nm_stun_client_new(&fake_random, REFRESH_MS, &second), 0);
	ask();
	answer_begin(0x0101);
	client = second;
	ask();
	assert_false(nm_stun_client_expects(second, &path, m.data, m.len));
	assert_true(nm_stun_client_expects(first, &path, m.data, m.len));
	nm_stun_client_free(second);
	nm_stun_client_free(NULL);
	client = first;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_to_do),
		TEST(test_another_natmux_answers),
		TEST(test_small_buffer_changes_nothing),
		TEST(test_mapped_address_and_its_changes),
		TEST(test_old_servers_are_understood),
		TEST(test_s5_only_from_whom_we_asked),
		TEST(test_s5_wildcard_local),
		TEST(test_s5_only_the_pending_id),
		TEST(test_s5_other_messages_are_not_expected),
		TEST(test_s6_silence),
		TEST(test_lost_and_found),
		TEST(test_answer_to_a_repeated_request),
		TEST(test_s4_responses_that_fail),
		TEST(test_s8_optional_attributes_are_skipped),
		TEST(test_new_transactions_are_paced),
		TEST(test_no_pair_starves),
		TEST(test_two_clients_side_by_side),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
