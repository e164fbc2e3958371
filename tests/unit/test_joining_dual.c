/* SPDX-License-Identifier: Apache-2.0 */
/* Joining a daemon that has a socket for IPv4, and one for IPv6 that would take IPv4, too. */
#include "joining_test.h"

/* Opens a socket at the wildcard as OpenIKED does, or with SO_REUSEADDR alone. */
static int open_wildcard(int family, uint16_t port, bool shares_port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is_v6 = family == AF_INET6;
	int fd = socket(family, SOCK_DGRAM, 0), on = 1, off = 0;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (shares_port)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (is_v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, is_v6 ? (struct sockaddr *)&sin6 : (struct sockaddr *)&sin,
		    is_v6 ? sizeof(sin6) : sizeof(sin)) < 0)
		_exit(1);
	return fd;
}

/* A daemon with a socket for IPv4 and one for both: tells its port, then which socket got something. */
static void run_dual_daemon(int out, bool shares_port)
{
	struct sockaddr_in sin;
	struct pollfd both[2];
	socklen_t len = sizeof(sin);
	uint16_t port;

	both[0] = (struct pollfd){open_wildcard(AF_INET, 0, shares_port), POLLIN, 0};
	getsockname(both[0].fd, (struct sockaddr *)&sin, &len);
	port = ntohs(sin.sin_port);
	both[1] = (struct pollfd){open_wildcard(AF_INET6, port, shares_port), POLLIN, 0};
	if (write(out, &port, sizeof(port)) != sizeof(port))
		_exit(1);
	for (;;) {
		char bytes[64];

		if (poll(both, ARRAY_SIZE(both), -1) < 0)
			_exit(1);
		for (size_t i = 0; i < ARRAY_SIZE(both); i++)
			if (both[i].revents && recv(both[i].fd, bytes, sizeof(bytes), 0) > 0 &&
				write(out, i == 0 ? "4" : "6", 1) != 1)
				_exit(1);
	}
}

static void run_iked(int out)
{
	run_dual_daemon(out, true);
}

static void run_racoon(int out)
{
	run_dual_daemon(out, false);
}

static int start_iked(void **state)
{
	(void)state;
	start(run_iked);
	configure(NATMUX_FAMILY_IPV6);
	return 0;
}

static int start_racoon(void **state)
{
	(void)state;
	start(run_racoon);
	configure(NATMUX_FAMILY_IPV6);
	return 0;
}

/* Sends to a loopback address of the family, and looks who gets it: '4' or '6', and ours [0] or [1]. */
static void expect_at(int family, const void *bytes, size_t len, char theirs, int ours)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
		.sin_port = htons(config.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6,
		.sin6_port = htons(config.port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	bool is_v6 = family == AF_INET6;
	int fd = socket(family, SOCK_DGRAM, 0);
	char byte = 0;

	assert_int_equal(sendto(fd, bytes, len, 0,
				 is_v6 ? (struct sockaddr *)&sin6 : (struct sockaddr *)&sin,
				 is_v6 ? sizeof(sin6) : sizeof(sin)),
		(ssize_t)len);
	close(fd);
	if (theirs) {
		assert_true(is_readable(child_says, PATIENCE_MS));
		assert_int_equal(read(child_says, &byte, 1), 1);
	} else {
		assert_true(is_readable(fds.sockets[ours], PATIENCE_MS));
		assert_int_equal(recv(fds.sockets[ours], &byte, 1, 0), 1);
	}
	assert_int_equal(byte, theirs);
	for (size_t i = 0; i < answer.sockets_n; i++)
		assert_false(is_readable(fds.sockets[i], 0));
	assert_false(is_readable(child_says, 0));
}

/* Whose socket is at which place of the answer. */
static int place_of(int family)
{
	for (size_t i = 0; i < joining.n; i++)
		if (joining.theirs[i].local.family == family)
			return (int)i;
	fail_msg("no socket of family %d", family);
	return -1;
}

/* Datagrams of both families, often enough for luck to run out. */
static void expect_each_at_its_own(void)
{
	int place4 = place_of(NATMUX_FAMILY_IPV4), place6 = place_of(NATMUX_FAMILY_IPV6);

	for (int i = 0; i < 20; i++) {
		expect_at(AF_INET, ike, sizeof(ike), '4', 0);
		expect_at(AF_INET6, ike, sizeof(ike), '6', 0);
		expect_at(AF_INET, stun, sizeof(stun), 0, place4);
		expect_at(AF_INET6, stun, sizeof(stun), 0, place6);
	}
}

/* IPv4 stays with the IPv4 socket, though the IPv6 socket would take it. */
static void test_iked(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		join();
		if (answer.result != NM_JOINING_JOINED)
			fail_msg("%s", answer.why);
		assert_int_equal(answer.sockets_n, 2);
		expect_each_at_its_own();
		close_joined();
		if (i == 0) /* and once as if killed */
			nm_joining_leave(&joining, &answer);
	}
	/* What the daemon has set itself is not ours to clear. */
	nm_joining_leave(&joining, &answer);
	answer.sockets_n = 0;
	expect_at(AF_INET, stun, sizeof(stun), '4', 0);
	expect_at(AF_INET6, stun, sizeof(stun), '6', 0);
	join();
	assert_int_equal(answer.result, NM_JOINING_JOINED);
	assert_int_equal(answer.sockets_n, 2);
	close_joined();
}

/* One family of the two: the other's datagrams stay where they are. */
static void test_iked_one_family(void **state)
{
	static const enum natmux_family families[] = {NATMUX_FAMILY_IPV4, NATMUX_FAMILY_IPV6};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		config.listen_len = 0;
		configure(families[i]);
		join();
		if (answer.result != NM_JOINING_JOINED)
			fail_msg("%s", answer.why);
		assert_int_equal(answer.sockets_n, 1);
		expect_at(AF_INET, ike, sizeof(ike), '4', 0);
		expect_at(AF_INET6, ike, sizeof(ike), '6', 0);
		expect_at(AF_INET, stun, sizeof(stun), i == 0 ? 0 : '4', 0);
		expect_at(AF_INET6, stun, sizeof(stun), i == 1 ? 0 : '6', 0);
		close_joined();
		nm_joining_leave(&joining, &answer);
	}
}

/* Bound without SO_REUSEPORT, the IPv6 socket is before the IPv4 socket in the kernel's list. */
static void test_unordered(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		join();
		expect_refusal("takes IPv4, too (no IPV6_V6ONLY), and was bound without "
			       "SO_REUSEPORT: in a group it might get what comes to 0.0.0.0");
	}
	/* Neither was touched: nobody binds beside them. */
	assert_int_equal(bind_beside(), -1);
	config.listen_len = 1;
	join();
	assert_int_equal(answer.result, NM_JOINING_JOINED);
	assert_int_equal(answer.sockets_n, 1);
	expect_at(AF_INET, ike, sizeof(ike), '4', 0);
	expect_at(AF_INET, stun, sizeof(stun), 0, 0);
	close_joined();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_iked, start_iked, stop_daemon),
		cmocka_unit_test_setup_teardown(test_iked_one_family, start_iked, stop_daemon),
		cmocka_unit_test_setup_teardown(test_unordered, start_racoon, stop_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
