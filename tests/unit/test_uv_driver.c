/* SPDX-License-Identifier: Apache-2.0 */
/* The driver on a loop: what it receives and sends, when, and what does not stop it. */
#include "uv_driver_test.h"

#include <errno.h>
#include <netinet/in.h>
#include "tests/fakes/alloc_count.h"

/* Binding request with FINGERPRINT (RFC 8489 14.7). */
static const uint8_t stun_request[28] = {0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8,
	9, 10, 11, 12, 0x80, 0x28, 0, 4, 0x5b, 0x20, 0xf9, 0xcc};

/* Runs the loop for a while. */
static void run_for(uint64_t ms)
{
	uv_timer_t timer;
	bool is_late = false;

	uv_timer_init(&loop, &timer);
	timer.data = &is_late;
	uv_update_time(&loop);
	uv_timer_start(&timer, on_too_late, ms, 0);
	while (!is_late)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

/* Runs the loop until something has come to a peer, or for twenty seconds. */
static void run_until_heard(const struct udp_peer *peer)
{
	for (int i = 0; i < 1000 && udp_peer_is_empty(peer); i++)
		run_for(20);
}

static uint64_t drops(enum natmux_drop drop)
{
	return natmux_mux_stats(mux)->drops[drop];
}

static void test_receives(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to;

	(void)state;
	start_at("0.0.0.0");
	to = target(0, "127.0.0.2");
	udp_peer_send(&peer, &to, ike_init, IKE_LEN, 0, 0);
	run_until(1);
	assert_true(natmux_addr_equal(&sink.last.path.remote, &peer.addr));
	assert_true(natmux_addr_equal(&sink.last.path.local, &to));
	/* A train stays one. */
	udp_peer_send(&peer, &to, esp, 2010, 100, 0);
	run_until(22);
	assert_int_equal(sink.calls, 2);
	assert_int_equal(sink.last.segment, 100);
	assert_int_equal(natmux_mux_stats(mux)->rx[NATMUX_CLASS_ESP].bytes, 2010);
	udp_peer_close(&peer);
}

static void test_both_families(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "::1"};
	struct natmux_addr to;
	struct udp_peer peer;

	(void)state;
	if (!udp_peer_can("::1"))
		return;
	start(ips, 2);
	for (size_t i = 0; i < 2; i++) {
		peer = udp_peer_open(ips[i]);
		to = target(i, NULL);
		udp_peer_send(&peer, &to, ike_init, IKE_LEN, 0, 0);
		run_until(i + 1);
		assert_int_equal(sink.last.path.local.family, i ? 6 : 4);
		udp_peer_close(&peer);
	}
}

/* What the mux has to say leaves by itself, from the address that was asked. */
static void test_mux_answers(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to, from;
	uint8_t reply[600];
	int tos;

	(void)state;
	start_at("0.0.0.0");
	to = target(0, "127.0.0.3");
	udp_peer_send(&peer, &to, stun_request, sizeof(stun_request), 0, 0);
	run_until_heard(&peer);
	assert_true(udp_peer_recv(&peer, reply, sizeof(reply), &from, &tos) > 20);
	assert_int_equal(reply[0], 1); /* Binding success */
	assert_memory_equal(reply + 4, stun_request + 4, 16);
	assert_true(natmux_addr_equal(&from, &to));
	udp_peer_close(&peer);
}

/* A STUN server is asked when it is added, and again when the mux's deadline comes. */
static void test_deadlines(void **state)
{
	struct udp_peer server = udp_peer_open("127.0.0.1");
	struct natmux_addr from, to;
	uint8_t first[600], second[600];
	uint64_t asked_ms;
	int tos;

	(void)state;
	start_at("127.0.0.1");
	to = target(0, NULL);
	uv_update_time(&loop);
	asked_ms = uv_now(&loop);
	assert_int_equal(natmux_mux_server_add(mux, uv_now(&loop), "a", &server.addr), 0);
	natmux_uv_flush_output(uv);
	run_until_heard(&server);
	assert_true(udp_peer_recv(&server, first, sizeof(first), &from, &tos) >= 20);
	assert_true(natmux_addr_equal(&from, &to));
	run_until_heard(&server);
	/* The first timeout is 500 ms (RFC 8489 6.2.1). */
	assert_true(uv_now(&loop) >= asked_ms + 500);
	assert_true(udp_peer_recv(&server, second, sizeof(second), &from, &tos) >= 20);
	assert_memory_equal(first, second, 20);
	udp_peer_close(&server);
}

static struct natmux_train train_to(const struct udp_peer *peer, const char *local, uint16_t port)
{
	struct natmux_train train = {.data = esp,
		.len = 50,
		.segment = 20,
		.flow = NATMUX_FLOW_NONE,
		.path = {.remote = peer->addr}};

	train.path.local =
		local ? test_addr(local) : (struct natmux_addr){.family = peer->addr.family};
	train.path.local.port = port;
	return train;
}

/* Which socket sends, by the local address of the path. */
static void test_chooses_socket(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "127.0.0.2"};
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr a, b, from;
	uint8_t data[64];
	int tos;

	(void)state;
	start(ips, 2);
	a = target(0, NULL);
	b = target(1, NULL);
	{
		const struct natmux_train trains[] = {train_to(&peer, NULL, 0),
			train_to(&peer, "127.0.0.2", 0), train_to(&peer, "127.0.0.1", a.port),
			train_to(&peer, "127.0.0.2", b.port)};
		const struct natmux_addr *const sources[] = {&a, &b, &a, &b};

		natmux_uv_send(uv, trains, 4);
		for (size_t i = 0; i < 12; i++) {
			assert_int_equal(udp_peer_recv(&peer, data, sizeof(data), &from, &tos),
				i % 3 < 2 ? 20 : 10);
			assert_true(natmux_addr_equal(&from, sources[i / 3]));
		}
	}
	assert_int_equal(drops(NATMUX_DROP_PATH_LOCAL), 0);
	udp_peer_close(&peer);
}

static void test_no_socket(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct udp_peer far = {.addr = test_addr("[2001:db8::1]:4500")};

	(void)state;
	start_at("127.0.0.1");
	{
		const struct natmux_train trains[] = {train_to(&peer, "127.0.0.9", 0),
			train_to(&far, NULL, 0), train_to(&peer, NULL, 1),
			train_to(&peer, "127.0.0.1", 0)};

		natmux_uv_send(uv, trains, 4);
	}
	assert_int_equal(drops(NATMUX_DROP_PATH_LOCAL), 9); /* datagrams, not trains */
	assert_int_equal(drops(NATMUX_DROP_UDP_SEND), 0);
	assert_false(udp_peer_is_empty(&peer));
	udp_peer_close(&peer);
}

static void test_drops_are_counted(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_train train = train_to(&peer, NULL, 0);

	(void)state;
	start_at("127.0.0.1");
	fake_sys_fail(FAKE_SENDMMSG, 0, 1, EPERM);
	natmux_uv_send(uv, &train, 1);
	assert_int_equal(drops(NATMUX_DROP_UDP_SEND), 3);
	assert_true(log_tape_has(&tape, "sendmmsg"));
	natmux_uv_send(uv, &train, 0);
	udp_peer_close(&peer);
}

static void cut_data(struct mmsghdr *msg)
{
	msg->msg_hdr.msg_flags |= MSG_TRUNC;
}

static void test_truncated_are_counted(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to;

	(void)state;
	start_at("127.0.0.1");
	to = target(0, NULL);
	fake_sys_edit_received(cut_data);
	udp_peer_send(&peer, &to, esp, 500, 100, 0);
	udp_peer_send(&peer, &to, esp, 10, 0, 0);
	for (int i = 0; i < 1000 && drops(NATMUX_DROP_UDP_TRUNCATED) < 6; i++)
		run_for(20);
	assert_int_equal(sink.datagrams, 0);
	assert_int_equal(drops(NATMUX_DROP_UDP_TRUNCATED), 6);
	udp_peer_close(&peer);
}

static void keep_fd(uv_handle_t *handle, void *fd)
{
	if (uv_handle_get_type(handle) == UV_POLL)
		assert_int_equal(uv_fileno(handle, fd), 0);
}

/*
 * Libuv takes a descriptor with an error out of the loop: it has to come back, or the port is deaf.
 * Here the error is an ICMP message; in life it is `ss -K`, which aborts sockets.
 */
static void test_error_does_not_deafen(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1"), gone = udp_peer_open("127.0.0.1");
	struct natmux_train train = train_to(&gone, NULL, 0);
	struct msghdr from_queue = {0};
	struct natmux_addr to;
	int fd = -1, on = 1;

	(void)state;
	start_at("127.0.0.1");
	uv_walk(&loop, keep_fd, &fd);
	to = target(0, NULL);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)), 0);
	udp_peer_close(&gone);
	natmux_uv_send(uv, &train, 1);
	uv_run(&loop, UV_RUN_NOWAIT);
	while (recvmsg(fd, &from_queue, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
		;
	udp_peer_send(&peer, &to, ike_init, IKE_LEN, 0, 0);
	run_until(1);
	udp_peer_close(&peer);
}

/* One wake-up takes what the budget allows; then others get their turn. */
static void test_budget(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	const char *ip = "127.0.0.1";
	struct natmux_uv_config config;
	struct natmux_addr to;

	(void)state;
	natmux_uv_config_init(&config);
	config.budget = 1;
	assert_int_equal(start_with(&config, &ip, 1), 0);
	to = target(0, NULL);
	udp_peer_send(&peer, &to, ike_init, IKE_LEN, 0, 0);
	run_until(1);
	for (int i = 0; i < 150; i++)
		udp_peer_send(&peer, &to, esp, 40, 0, 0);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(sink.datagrams, 1 + 64);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(sink.datagrams, 1 + 128);
	run_until(151);
	udp_peer_close(&peer);
}

static void test_sink_sends(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to, from;
	uint8_t data[64];
	int tos;

	(void)state;
	start_at("0.0.0.0");
	to = target(0, "127.0.0.2");
	sink.echoes = true;
	udp_peer_send(&peer, &to, ike_init, IKE_LEN, 0, 0);
	run_until(1);
	assert_int_equal(udp_peer_recv(&peer, data, sizeof(data), &from, &tos), IKE_LEN);
	assert_memory_equal(data, ike_init, IKE_LEN);
	assert_true(natmux_addr_equal(&from, &to));
	udp_peer_close(&peer);
}

/* A sink ends it all while more datagrams wait: the port is free at once, nothing is touched. */
static void test_sink_closes(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to;

	(void)state;
	start_at("127.0.0.1");
	to = target(0, NULL);
	sink.echoes = sink.closes = true;
	for (int i = 0; i < 200; i++)
		udp_peer_send(&peer, &to, ike_init, IKE_LEN, 0, 0);
	while (!is_freed)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(sink.calls, 1);
	assert_null(uv);
	assert_int_equal(fake_sys_open_fds(), 0);
	udp_peer_close(&peer);
}

static void test_allocates_nothing(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	unsigned long before;
	struct natmux_addr to;

	(void)state;
	start_at("127.0.0.1");
	to = target(0, NULL);
	sink.echoes = true;
	udp_peer_send(&peer, &to, ike_init, IKE_LEN, 0, 0);
	run_until(1);
	before = alloc_count();
	assert_true(before > 0);
	for (int i = 0; i < 100; i++)
		udp_peer_send(&peer, &to, esp, 100, i % 2 ? 20 : 0, 0);
	run_until(1 + 50 + 250);
	assert_int_equal(alloc_count(), before);
	udp_peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_receives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both_families, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mux_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deadlines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chooses_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drops_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated_are_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_error_does_not_deafen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_sends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sink_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_allocates_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
