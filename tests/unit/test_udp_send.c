/* SPDX-License-Identifier: Apache-2.0 */
/* Sending trains: what a plain socket receives of them, and what it costs. */
#include "udp_send_test.h"

#include <errno.h>
#include "tests/fakes/alloc_count.h"

/* Every shape of one train, with UDP_SEGMENT and without: the same datagrams arrive. */
static void test_one_train(void **state)
{
	static const struct {
		const char *ip;
		uint32_t len, segment;
		unsigned int messages; /* with UDP_SEGMENT */
	} cases[] = {
		{"127.0.0.1", 0, 0, 1},
		{"127.0.0.1", 1, 0, 1},
		{"127.0.0.1", 1428, 1428, 1},
		{"127.0.0.1", 1428, 4000, 1},
		{"127.0.0.1", 65507, 0, 1},
		{"127.0.0.1", 1037, 100, 1},
		{"127.0.0.1", 1000, 100, 1},
		{"127.0.0.1", 101, 100, 1},
		{"127.0.0.1", 64, 1, 1},
		{"127.0.0.1", 65, 1, 2},
		{"127.0.0.1", 6400, 100, 1},
		{"127.0.0.1", 6401, 100, 2},
		{"127.0.0.1", 150000, 1428, 3}, /* 45 * 1428 = 64260 is the most below 65507 */
		{"127.0.0.1", 70000, 40000, 2}, /* two do not fit one message */
		{"127.0.0.1", 131014, 65507, 2},
		{"::1", 1037, 100, 1},
		{"::1", 150000, 1428, 3},
	};
	bool has_v6 = udp_peer_can("::1");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		bool use_gso = i % 2;
		size_t c = i / 2;
		struct natmux_train train;
		struct udp_peer peer;
		struct nm_udp *udp;

		if (!has_v6 && strchr(cases[c].ip, ':'))
			continue;
		peer = udp_peer_open(cases[c].ip);
		udp = open_with(cases[c].ip, use_gso);
		train = train_to(&peer, 5, cases[c].len, cases[c].segment);
		assert_int_equal(nm_udp_send(udp, &train, 1), 0);
		if (cases[c].len == 0)
			expect(&peer, 0, 0);
		else
			expect_train(&peer, 5, cases[c].len,
				cases[c].segment ? cases[c].segment : cases[c].len);
		assert_int_equal(fake_sys_messages_sent(),
			use_gso ? cases[c].messages : natmux_train_count(&train));
		nm_udp_close(udp);
		udp_peer_close(&peer);
	}
}

/* Which adjacent datagrams go out as one message. */
static void test_joining(void **state)
{
	static const struct {
		const char *what;
		struct {
			size_t offset;
			uint32_t len, segment;
			uint8_t tos, other_local;
		} trains[4];
		size_t n;
		unsigned int messages;
	} cases[] = {
		{"equal size, apart in memory", {{0, 100, 0, 0, 0}, {500, 100, 0, 0, 0}}, 2, 1},
		{"one behind the other", {{0, 100, 0, 0, 0}, {100, 100, 0, 0, 0}}, 2, 1},
		{"last is shorter", {{0, 100, 0, 0, 0}, {500, 100, 0, 0, 0}, {900, 1, 0, 0, 0}}, 3,
			1},
		{"first is shorter", {{0, 99, 0, 0, 0}, {500, 100, 0, 0, 0}}, 2, 2},
		{"shorter in the middle",
			{{0, 100, 0, 0, 0}, {500, 50, 0, 0, 0}, {900, 50, 0, 0, 0}}, 3, 2},
		{"train and datagram", {{0, 300, 100, 0, 0}, {500, 100, 0, 0, 0}}, 2, 1},
		{"odd train and datagram", {{0, 250, 100, 0, 0}, {500, 100, 0, 0, 0}}, 2, 2},
		{"datagram and train", {{0, 100, 0, 0, 0}, {500, 250, 100, 0, 0}}, 2, 1},
		{"datagram and train of shorter ones", {{0, 100, 0, 0, 0}, {500, 100, 50, 0, 0}}, 2,
			2},
		{"empty first", {{0, 0, 0, 0, 0}, {500, 100, 0, 0, 0}}, 2, 2},
		{"empty last", {{0, 100, 0, 0, 0}, {500, 0, 0, 0, 0}}, 2, 2},
		{"both empty", {{0, 0, 0, 0, 0}, {500, 0, 0, 0, 0}}, 2, 2},
		{"other TOS", {{0, 100, 0, 0, 0}, {500, 100, 0, 2, 0}}, 2, 2},
		{"other source", {{0, 100, 0, 0, 0}, {500, 100, 0, 0, 3}}, 2, 2},
		{"more than fits", {{0, 40000, 0, 0, 0}, {500, 40000, 0, 0, 0}}, 2, 2},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct udp_peer peer = udp_peer_open("127.0.0.1");
		struct nm_udp *udp = open_with("0.0.0.0", true);
		struct natmux_train trains[4];

		for (size_t t = 0; t < cases[i].n; t++) {
			trains[t] = train_to(&peer, cases[i].trains[t].offset,
				cases[i].trains[t].len, cases[i].trains[t].segment);
			trains[t].tos = cases[i].trains[t].tos;
			if (cases[i].trains[t].other_local)
				trains[t].path.local = test_addr("127.0.0.3");
		}
		assert_int_equal(nm_udp_send(udp, trains, cases[i].n), 0);
		for (size_t t = 0; t < cases[i].n; t++) {
			uint32_t len = cases[i].trains[t].len;
			uint32_t unit =
				cases[i].trains[t].segment ? cases[i].trains[t].segment : len;
			size_t at = 0;

			do {
				uint32_t left = len - (uint32_t)at;

				expect(&peer, cases[i].trains[t].offset + at,
					left < unit ? left : unit);
				at += unit;
			} while (at < len);
		}
		assert_true(udp_peer_is_empty(&peer));
		if (fake_sys_messages_sent() != cases[i].messages)
			fail_msg("%s: %u messages, not %u", cases[i].what, fake_sys_messages_sent(),
				cases[i].messages);
		nm_udp_close(udp);
		udp_peer_close(&peer);
	}
}

static void test_two_peers_are_not_joined(void **state)
{
	struct udp_peer a = udp_peer_open("127.0.0.1"), b = udp_peer_open("127.0.0.1");
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct natmux_train trains[] = {train_to(&a, 0, 10, 0), train_to(&b, 10, 10, 0),
		train_to(&a, 20, 10, 0), train_to(&a, 40, 10, 0)};

	(void)state;
	assert_int_equal(nm_udp_send(udp, trains, 4), 0);
	expect(&a, 0, 10);
	expect(&a, 20, 10);
	expect(&a, 40, 10);
	expect(&b, 10, 10);
	assert_int_equal(fake_sys_messages_sent(), 3);
	assert_int_equal(nm_udp_status(udp)->send_calls, 1);
	nm_udp_close(udp);
	udp_peer_close(&a);
	udp_peer_close(&b);
}

/* More trains than one call, and than all its iovecs, can hold. */
static void test_many(void **state)
{
	enum { N = 1000 };
	static struct natmux_train trains[N];
	static const bool gso[] = {true, false};

	(void)state;
	for (size_t g = 0; g < ARRAY_SIZE(gso); g++) {
		struct udp_peer peer = udp_peer_open("127.0.0.1");
		struct nm_udp *udp = open_with("127.0.0.1", gso[g]);
		struct natmux_addr from;
		int tos;

		for (size_t i = 0; i < N; i++) {
			uint32_t len = 20 + (i / 100 % 2 ? (uint32_t)i % 5 : 0);

			trains[i] = train_to(&peer, 100 * i, len, 0);
		}
		assert_int_equal(nm_udp_send(udp, trains, N), 0);
		for (size_t i = 0; i < N; i++) {
			assert_int_equal(
				udp_peer_recv(&peer, received, sizeof(received), &from, &tos),
				trains[i].len);
			assert_memory_equal(received, trains[i].data, trains[i].len);
		}
		assert_true(udp_peer_is_empty(&peer));
		nm_udp_close(udp);
		udp_peer_close(&peer);
	}
}

static void test_source_address(void **state)
{
	static const struct {
		const char *bound, *local, *peer, *seen;
	} cases[] = {
		{"0.0.0.0", "127.0.0.2", "127.0.0.1", "127.0.0.2"},
		{"0.0.0.0", NULL, "127.0.0.1", "127.0.0.1"},
		{"127.0.0.2", NULL, "127.0.0.1", "127.0.0.2"},
		{"127.0.0.2", "127.0.0.2", "127.0.0.1", "127.0.0.2"},
		{"::", "::1", "::1", "::1"},
		{"::", NULL, "::1", "::1"},
		{"::1", "::1", "::1", "::1"},
	};
	bool has_v6 = udp_peer_can("::1");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_addr from, seen = test_addr(cases[i].seen);
		struct natmux_train train;
		struct udp_peer peer;
		struct nm_udp *udp;
		int tos;

		if (!has_v6 && strchr(cases[i].peer, ':'))
			continue;
		peer = udp_peer_open(cases[i].peer);
		udp = open_with(cases[i].bound, true);
		train = train_to(&peer, 0, 300, 100);
		if (cases[i].local)
			train.path.local = test_addr(cases[i].local);
		assert_int_equal(nm_udp_send(udp, &train, 1), 0);
		seen.port = nm_udp_local(udp)->port;
		for (int k = 0; k < 3; k++) {
			assert_int_equal(
				udp_peer_recv(&peer, received, sizeof(received), &from, &tos), 100);
			assert_true(natmux_addr_equal(&from, &seen));
		}
		nm_udp_close(udp);
		udp_peer_close(&peer);
	}
}

static void test_tos(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "::1"};
	static const uint8_t values[] = {0, 1, 0xb8, 0xff};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ips) * ARRAY_SIZE(values); i++) {
		const char *ip = ips[i % ARRAY_SIZE(ips)];
		struct natmux_train train;
		struct natmux_addr from;
		struct udp_peer peer;
		struct nm_udp *udp;
		int tos;

		if (!udp_peer_can(ip))
			continue;
		peer = udp_peer_open(ip);
		udp = open_with(ip, true);
		train = train_to(&peer, 0, 20, 10);
		train.tos = values[i / ARRAY_SIZE(ips)];
		assert_int_equal(nm_udp_send(udp, &train, 1), 0);
		for (int k = 0; k < 2; k++) {
			assert_int_equal(
				udp_peer_recv(&peer, received, sizeof(received), &from, &tos), 10);
			assert_int_equal(tos, train.tos);
		}
		nm_udp_close(udp);
		udp_peer_close(&peer);
	}
}

static int df_of(const struct nm_udp *udp)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(nm_udp_fd(udp), IPPROTO_IP, IP_MTU_DISCOVER, &value, &len), 0);
	return value == IP_PMTUDISC_DO ? 1 : value == IP_PMTUDISC_DONT ? 0 : -1;
}

/* DF is the socket's: a system call for each change, none without, and every train has its own. */
static void test_df(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct natmux_train trains[6];

	(void)state;
	assert_int_equal(df_of(udp), 0);
	for (size_t i = 0; i < 6; i++) {
		trains[i] = train_to(&peer, 10 * i, 10, 0);
		trains[i].dont_fragment = i / 2 == 1;
	}
	assert_int_equal(nm_udp_send(udp, trains, 6), 0);
	for (size_t i = 0; i < 6; i++)
		expect(&peer, 10 * i, 10);
	assert_int_equal(fake_sys_calls(FAKE_SETSOCKOPT), 2);
	assert_int_equal(fake_sys_calls(FAKE_SENDMMSG), 3);
	assert_int_equal(df_of(udp), 0);
	assert_int_equal(nm_udp_send(udp, trains + 2, 2), 0);
	assert_int_equal(nm_udp_send(udp, trains + 2, 2), 0);
	assert_int_equal(fake_sys_calls(FAKE_SETSOCKOPT), 3);
	assert_int_equal(df_of(udp), 1);
	assert_int_equal(nm_udp_send(udp, trains, 1), 0);
	assert_int_equal(df_of(udp), 0);
	/* A kernel that refuses is asked once for each change, told of once, and nothing is lost. */
	fake_sys_fail_option(IPPROTO_IP, IP_MTU_DISCOVER, EPERM);
	assert_int_equal(nm_udp_send(udp, trains, 6), 0);
	assert_int_equal(tape.lines, 1);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

static void test_bad_trains(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct natmux_train trains[] = {train_to(&peer, 0, 10, 0), train_to(&peer, 0, 65508, 0),
		train_to(&peer, 0, 30, 10), train_to(&peer, 0, 40, 10), train_to(&peer, 0, 10, 0)};

	(void)state;
	trains[2].path.remote = test_addr("[::1]:5");
	trains[3].path.remote = (struct natmux_addr){0};
	assert_int_equal(nm_udp_send(udp, trains, 5), 1 + 3 + 4);
	expect(&peer, 0, 10);
	expect(&peer, 0, 10);
	assert_true(udp_peer_is_empty(&peer));
	assert_int_equal(nm_udp_send(udp, trains, 0), 0);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

static void test_allocates_nothing(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct natmux_train trains[] = {train_to(&peer, 0, 1037, 100), train_to(&peer, 0, 10, 0),
		train_to(&peer, 20, 10, 0)};
	unsigned long before = alloc_count();

	(void)state;
	assert_true(before > 0); /* the socket and the batch */
	for (int i = 0; i < 100; i++)
		nm_udp_send(udp, trains, 3);
	judge_error = EINVAL;
	fake_sys_judge_sent(refuse_segments);
	nm_udp_send(udp, trains, 3);
	assert_int_equal(alloc_count(), before);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_train, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_joining, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(
			test_two_peers_are_not_joined, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_source_address, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_tos, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_df, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_bad_trains, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_allocates_nothing, setup_bytes, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
