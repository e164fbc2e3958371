/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trains that the kernel does not take: segments, paths, sizes and moments that it refuses, and what a
 * refusal costs those that come after it.
 */
#include "udp_send_test.h"

#include <errno.h>

static uint16_t judge_port;
static unsigned int judge_times;

static int refuse_port(const struct msghdr *msg)
{
	struct sockaddr_in sin;

	memcpy(&sin, msg->msg_name, sizeof(sin));
	return ntohs(sin.sin_port) == judge_port ? judge_error : 0;
}

static int refuse_port_times(const struct msghdr *msg)
{
	if (judge_times == 0 || refuse_port(msg) == 0)
		return 0;
	judge_times--;
	return judge_error;
}

/* The kernel refuses a train: its datagrams arrive all the same, and what is said about it. */
static void test_segments_refused(void **state)
{
	static const struct {
		int error;
		bool stays_on;
	} cases[] = {{EIO, false}, {ENOPROTOOPT, false}, {EOPNOTSUPP, false}, {EINVAL, true},
		{EMSGSIZE, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct udp_peer peer = udp_peer_open("127.0.0.1");
		struct nm_udp *udp = open_with("127.0.0.1", true);
		struct natmux_train trains[] = {train_to(&peer, 0, 20, 0),
			train_to(&peer, 100, 1037, 100), train_to(&peer, 2000, 500, 250),
			train_to(&peer, 3000, 50, 0), train_to(&peer, 4000, 50, 0),
			train_to(&peer, 5000, 49, 0)};

		judge_error = cases[i].error;
		fake_sys_judge_sent(refuse_segments);
		assert_int_equal(nm_udp_send(udp, trains, 6), 0);
		expect(&peer, 0, 20);
		for (size_t k = 0; k < 11; k++)
			expect(&peer, 100 + 100 * k, k < 10 ? 100 : 37);
		expect(&peer, 2000, 250);
		expect(&peer, 2250, 250);
		expect(&peer, 3000, 50);
		expect(&peer, 4000, 50);
		expect(&peer, 5000, 49);
		assert_true(udp_peer_is_empty(&peer));
		assert_int_equal(nm_udp_status(udp)->gso_refused, 3);
		assert_int_equal(nm_udp_status(udp)->send_drops, 0);
		assert_true(nm_udp_status(udp)->has_gso == cases[i].stays_on);
		assert_int_equal(tape.lines, cases[i].stays_on ? 0 : 1);
		if (!cases[i].stays_on) {
			assert_true(log_tape_has(&tape, "UDP_SEGMENT off"));
			assert_non_null(
				strstr(nm_udp_status(udp)->gso_why, strerror(cases[i].error)));
			/* From now on nobody tries. */
			fake_sys_reset();
			assert_int_equal(nm_udp_send(udp, trains + 1, 1), 0);
			assert_int_equal(fake_sys_messages_sent(), 11);
			assert_int_equal(nm_udp_status(udp)->gso_refused, 3);
		}
		nm_udp_close(udp);
		udp_peer_close(&peer);
	}
}

/* EINVAL may be one path's fault; a kernel that always says it is not asked for ever. */
static void test_segments_refused_in_a_row(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct natmux_train train = train_to(&peer, 0, 300, 100);

	(void)state;
	judge_error = EINVAL;
	fake_sys_judge_sent(refuse_segments);
	for (int i = 0; i < 15; i++)
		assert_int_equal(nm_udp_send(udp, &train, 1), 0);
	fake_sys_judge_sent(NULL);
	assert_int_equal(nm_udp_send(udp, &train, 1), 0); /* taken: the count begins anew */
	fake_sys_judge_sent(refuse_segments);
	for (int i = 0; i < 15; i++)
		assert_int_equal(nm_udp_send(udp, &train, 1), 0);
	assert_true(nm_udp_status(udp)->has_gso);
	assert_int_equal(tape.lines, 0);
	assert_int_equal(nm_udp_send(udp, &train, 1), 0);
	assert_false(nm_udp_status(udp)->has_gso);
	assert_int_equal(tape.lines, 1);
	assert_int_equal(nm_udp_status(udp)->gso_refused, 31);
	assert_int_equal(nm_udp_status(udp)->send_drops, 0);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

/* A source address that is gone makes everything fail with EINVAL: UDP_SEGMENT is not to blame. */
static void test_path_refused(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct natmux_train train = train_to(&peer, 0, 1000, 100);

	(void)state;
	judge_error = EINVAL;
	judge_port = peer.addr.port;
	fake_sys_judge_sent(refuse_port);
	for (int i = 0; i < 40; i++)
		assert_int_equal(nm_udp_send(udp, &train, 1), 10);
	assert_true(nm_udp_status(udp)->has_gso);
	assert_int_equal(nm_udp_status(udp)->send_drops, 400);
	assert_int_equal(tape.lines, 1);
	/* Not one call per datagram. */
	assert_int_equal(nm_udp_status(udp)->send_calls, 80);
	nm_udp_close(udp);

	/* The same with a kernel that says so itself: EINVAL, newer ones ENETUNREACH. */
	fake_sys_judge_sent(NULL);
	udp = open_with("0.0.0.0", true);
	train.path.local = test_addr("192.0.2.77");
	assert_int_equal(nm_udp_send(udp, &train, 1), 10);
	assert_true(nm_udp_status(udp)->has_gso);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

/* One message fails, in whatever way: those before and behind it arrive. */
static void test_one_of_many_fails(void **state)
{
	static const int errors[] = {EMSGSIZE, EPERM, EHOSTUNREACH, ENETUNREACH, ENOBUFS, ENOMEM,
		ECONNREFUSED, EINVAL, EACCES, EIO};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct udp_peer good = udp_peer_open("127.0.0.1"), bad = udp_peer_open("127.0.0.1");
		struct nm_udp *udp = open_with("127.0.0.1", true);
		struct natmux_train trains[] = {train_to(&good, 0, 10, 0),
			train_to(&bad, 10, 10, 0), train_to(&good, 20, 30, 10),
			train_to(&bad, 50, 30, 10), train_to(&bad, 90, 5, 0),
			train_to(&good, 100, 10, 0)};

		judge_error = errors[i];
		judge_port = bad.addr.port;
		fake_sys_judge_sent(refuse_port);
		assert_int_equal(nm_udp_send(udp, trains, 6), 5);
		expect(&good, 0, 10);
		expect(&good, 20, 10);
		expect(&good, 30, 10);
		expect(&good, 40, 10);
		expect(&good, 100, 10);
		assert_true(udp_peer_is_empty(&good));
		assert_true(udp_peer_is_empty(&bad));
		assert_int_equal(nm_udp_status(udp)->send_drops, 5);
		assert_true(log_tape_has(&tape, strerror(errors[i])));
		nm_udp_close(udp);
		udp_peer_close(&good);
		udp_peer_close(&bad);
	}
}

/* What a signal or an old ICMP error interrupts is tried again, but not for ever. */
static void test_passing_errors(void **state)
{
	static const struct {
		int error;
		unsigned int times;
		uint64_t drops;
	} cases[] = {{EINTR, 1, 0}, {EINTR, 3, 0}, {ECONNREFUSED, 1, 0}, {ECONNREFUSED, 3, 0},
		{EINTR, 4, 1}, {ECONNREFUSED, 4, 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct udp_peer peer = udp_peer_open("127.0.0.1");
		struct nm_udp *udp = open_with("127.0.0.1", true);
		struct natmux_train train = train_to(&peer, 0, 10, 0);

		judge_error = cases[i].error;
		judge_port = peer.addr.port;
		judge_times = cases[i].times;
		fake_sys_judge_sent(refuse_port_times);
		assert_int_equal(nm_udp_send(udp, &train, 1), cases[i].drops);
		if (cases[i].drops == 0)
			expect(&peer, 0, 10);
		assert_true(udp_peer_is_empty(&peer));
		nm_udp_close(udp);
		udp_peer_close(&peer);
	}
}

/* The socket's buffer is full: nothing waits, the rest is dropped and counted. */
static void test_queue_full(void **state)
{
	struct udp_peer a = udp_peer_open("127.0.0.1"), b = udp_peer_open("127.0.0.1");
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct natmux_train trains[] = {train_to(&a, 0, 10, 0), train_to(&b, 10, 20, 10),
		train_to(&a, 30, 10, 0), train_to(&b, 40, 35, 10)};

	(void)state;
	judge_error = EAGAIN;
	judge_port = b.addr.port;
	fake_sys_judge_sent(refuse_port);
	assert_int_equal(nm_udp_send(udp, trains, 4), 2 + 1 + 4);
	expect(&a, 0, 10);
	assert_true(udp_peer_is_empty(&a));
	assert_int_equal(nm_udp_status(udp)->send_drops, 7);
	assert_int_equal(nm_udp_status(udp)->send_calls, 2);
	/* The next call starts afresh. */
	fake_sys_judge_sent(NULL);
	assert_int_equal(nm_udp_send(udp, trains, 4), 0);
	expect(&a, 0, 10);
	nm_udp_close(udp);
	udp_peer_close(&a);
	udp_peer_close(&b);
}

static struct natmux_addr told_of;
static uint32_t told_mtu;
static unsigned int told;

static void hear(void *user, const struct natmux_path *path, uint32_t mtu)
{
	assert_ptr_equal(user, &told);
	told_of = path->remote;
	told_mtu = mtu;
	told++;
}

static int refuse_long(const struct msghdr *msg)
{
	size_t len = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++)
		len += msg->msg_iov[i].iov_len;
	return len > 1000 ? EMSGSIZE : 0;
}

/* What does not fit the path with DF: who sent it hears what would, once a call. */
static void test_too_big(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct nm_udp_config config = {.sys = &fake_sys,
		.log = log_tape(&tape),
		.use_gso = true,
		.too_big = hear,
		.too_big_user = &told};
	struct natmux_addr local = test_addr("127.0.0.1");
	struct natmux_train trains[] = {train_to(&peer, 7, 10, 0), train_to(&peer, 0, 1001, 0),
		train_to(&peer, 0, 1001, 0), train_to(&peer, 0, 3003, 1001)};
	struct nm_udp *udp;

	(void)state;
	assert_int_equal(nm_udp_open(&config, &local, batch, &udp), 0);
	fake_sys_reset();
	told = 0;
	fake_sys_judge_sent(refuse_long);
	/* Without DF the path is not to blame. */
	assert_int_equal(nm_udp_send(udp, trains + 1, 1), 1);
	assert_int_equal(told, 0);
	for (size_t i = 0; i < 4; i++)
		trains[i].dont_fragment = 1;
	assert_int_equal(nm_udp_send(udp, trains, 4), 5);
	assert_int_equal(told, 1);
	assert_true(natmux_addr_equal(&told_of, &peer.addr));
	/* Of the loopback device. */
	assert_in_range(told_mtu, 1500, 65536);
	expect(&peer, 7, 10);
	assert_int_equal(nm_udp_send(udp, trains + 3, 1), 3);
	assert_int_equal(told, 2);
	/* Who asks has no port that anybody could send to, and knows nothing when the kernel doesn't. */
	fake_sys_fail(FAKE_CONNECT, 0, 1, ENETUNREACH);
	nm_udp_send(udp, trains + 1, 1);
	fake_sys_fail_option(IPPROTO_IP, IP_MTU, ENOTCONN);
	nm_udp_send(udp, trains + 1, 1);
	assert_int_equal(told, 2);
	nm_udp_close(udp);

	/* No such socket: nobody hears, and everything else works. */
	fake_sys_reset();
	fake_sys_fail(FAKE_SOCKET, 2, 1, EMFILE); /* behind that of the proof */
	assert_int_equal(nm_udp_open(&config, &local, batch, &udp), 0);
	fake_sys_judge_sent(refuse_long);
	assert_int_equal(nm_udp_send(udp, trains, 4), 5);
	expect(&peer, 7, 10);
	assert_int_equal(told, 2);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

static void test_kernel_takes_a_few(void **state)
{
	enum { N = 50 };
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct nm_udp *udp = open_with("127.0.0.1", false);
	struct natmux_train trains[N];

	(void)state;
	for (size_t i = 0; i < N; i++)
		trains[i] = train_to(&peer, 10 * i, 10, 0);
	fake_sys_limit_sent(7);
	assert_int_equal(nm_udp_send(udp, trains, N), 0);
	expect_train(&peer, 0, 10 * N, 10);
	assert_int_equal(nm_udp_status(udp)->send_calls, 8);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

static void test_errors_are_told_once(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct natmux_train train = train_to(&peer, 0, 10, 0);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		fake_sys_fail(FAKE_SENDMMSG, 0, 1, i % 2 ? EPERM : ENETUNREACH);
		assert_int_equal(nm_udp_send(udp, &train, 1), 1);
	}
	assert_int_equal(tape.lines, 2);
	assert_int_equal(nm_udp_status(udp)->send_drops, 1000);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_segments_refused, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(
			test_segments_refused_in_a_row, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_path_refused, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_one_of_many_fails, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_passing_errors, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_queue_full, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_too_big, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_takes_a_few, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_errors_are_told_once, setup_bytes, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
