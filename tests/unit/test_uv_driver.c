/* SPDX-License-Identifier: Apache-2.0 */
/* The uv driver with a real mux, a real loop and real sockets on the loopback. */
#include "test.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <natmux/error.h>
#include <natmux/mux.h>
#include "io/uv_driver.h"
#include "tests/fakes/alloc_count.h"
#include "tests/fakes/fake_sys.h"
#include "tests/fakes/log_tape.h"
#include "tests/fakes/udp_peer.h"

enum { IKE_LEN = 4 + 28 + 8 };

/* IKE_SA_INIT with one small payload (RFC 7296 3.1, 3.2): opens a flow, so that ESP gets through. */
static const uint8_t ike_init[IKE_LEN] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0,
	0, 33, 0x20, 34, 0x08, 0, 0, 0, 0, 0, 0, 0, IKE_LEN - 4, 0, 0, 0, 8};

/* Binding request with FINGERPRINT (RFC 8489 14.7). */
static const uint8_t stun_request[28] = {0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8,
	9, 10, 11, 12, 0x80, 0x28, 0, 4, 0x5b, 0x20, 0xf9, 0xcc};

static struct log_tape tape;
static uv_loop_t loop;
static struct natmux_mux *mux;
static struct natmux_uv *uv;
static uint8_t esp[8192];
static bool is_freed;

/* What the sink of IKE and ESP got, and what it shall do. */
static struct {
	size_t calls, trains, datagrams;
	struct natmux_train last;
	bool echoes, closes;
} sink;

static void sink_input(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n);

static const struct natmux_sink_ops sink_ops = {.name = "test", .input = sink_input};

static void on_freed(void *user)
{
	*(bool *)user = true;
}

static void sink_input(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	(void)self;
	assert_int_equal(now_ms, uv_now(&loop));
	sink.calls++;
	sink.trains += n;
	for (size_t i = 0; i < n; i++)
		sink.datagrams += natmux_train_count(&trains[i]);
	sink.last = trains[n - 1];
	if (sink.echoes) {
		natmux_mux_sent(mux, now_ms, trains, n);
		natmux_uv_send(uv, trains, n);
		natmux_uv_flush_output(uv);
	}
	if (sink.closes) {
		sink.closes = false;
		natmux_uv_free(uv, on_freed, &is_freed);
		uv = NULL;
	}
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)rand();
}

static int setup(void **state)
{
	static const struct natmux_random randomness = {.fill = fill};
	struct natmux_mux_config config;

	(void)state;
	fake_sys_reset();
	memset(&sink, 0, sizeof(sink));
	is_freed = false;
	uv = NULL;
	for (size_t i = 0; i < sizeof(esp); i++)
		esp[i] = (uint8_t)(i | 0x80);
	natmux_mux_config_init(&config);
	config.responder = NATMUX_RESPONDER_OPEN;
	uv_loop_init(&loop);
	assert_int_equal(natmux_mux_new(&config, &randomness, &mux), 0);
	natmux_mux_set_sink(mux, NATMUX_CLASS_IKE, &sink_ops, NULL);
	natmux_mux_set_sink(mux, NATMUX_CLASS_ESP, &sink_ops, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_sys_reset();
	if (uv) {
		natmux_uv_free(uv, on_freed, &is_freed);
		assert_int_equal(fake_sys_open_fds(), 0); /* closed at once */
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_true(is_freed);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	natmux_mux_free(mux);
	assert_int_equal(fake_sys_open_fds(), 0);
	assert_int_equal(fake_sys_maps(), 0);
	return 0;
}

static int start_with(struct natmux_uv_config *config, const char *const ips[], size_t n)
{
	struct natmux_addr locals[NATMUX_UV_LOCALS_MAX];

	for (size_t i = 0; i < n; i++)
		locals[i] = test_addr(ips[i]);
	config->locals = locals;
	config->locals_n = n;
	return nm_uv_new(&loop, mux, config, &fake_sys, &uv);
}

static void start(const char *const ips[], size_t n)
{
	struct natmux_uv_config config;

	natmux_uv_config_init(&config);
	config.log = log_tape(&tape);
	assert_int_equal(start_with(&config, ips, n), 0);
}

static void start_at(const char *ip)
{
	start(&ip, 1);
}

static void keep_local(void *user, const struct natmux_uv_socket *socket)
{
	struct natmux_addr **next = user;

	*(*next)++ = socket->local;
}

/* Where a peer reaches the n-th socket; at `ip` when it is not NULL. */
static struct natmux_addr target(size_t n, const char *ip)
{
	struct natmux_addr locals[NATMUX_UV_LOCALS_MAX], *next = locals, addr;

	natmux_uv_sockets(uv, keep_local, &next);
	assert_true(n < (size_t)(next - locals));
	addr = ip ? test_addr(ip) : locals[n];
	addr.port = locals[n].port;
	return addr;
}

static void on_too_late(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Runs the loop until `datagrams` have reached the sink, or for two seconds. */
static void run_until(size_t datagrams)
{
	uv_timer_t timer;
	bool is_late = false;

	uv_timer_init(&loop, &timer);
	timer.data = &is_late;
	uv_update_time(&loop);
	uv_timer_start(&timer, on_too_late, 2000, 0);
	while (sink.datagrams < datagrams && !is_late)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(sink.datagrams, datagrams);
}

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
	run_for(50);
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
	int tos;

	(void)state;
	start_at("127.0.0.1");
	to = target(0, NULL);
	uv_update_time(&loop);
	assert_int_equal(natmux_mux_server_add(mux, uv_now(&loop), "a", &server.addr), 0);
	natmux_uv_flush_output(uv);
	run_for(800); /* the first timeout is 500 ms (RFC 8489 6.2.1) */
	assert_true(udp_peer_recv(&server, first, sizeof(first), &from, &tos) >= 20);
	assert_true(natmux_addr_equal(&from, &to));
	assert_true(udp_peer_recv(&server, second, sizeof(second), &from, &tos) >= 20);
	assert_memory_equal(first, second, 20);
	assert_true(udp_peer_is_empty(&server));
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
	run_for(50);
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

static void test_port_is_free_at_once(void **state)
{
	struct natmux_addr local;
	struct natmux_uv_config config;
	struct natmux_uv *first;

	(void)state;
	start_at("127.0.0.1");
	local = target(0, NULL);
	first = uv;
	natmux_uv_free(first, NULL, NULL);
	natmux_uv_config_init(&config);
	config.locals = &local;
	config.locals_n = 1;
	assert_int_equal(nm_uv_new(&loop, mux, &config, &fake_sys, &uv), 0);
}

static void test_new_fails(void **state)
{
	static const struct {
		enum fake_call call;
		unsigned int skip;
		int error, result;
	} cases[] = {
		{FAKE_SOCKET, 0, EMFILE, NATMUX_ESYSTEM},
		{FAKE_SOCKET, 1, EMFILE, NATMUX_ESYSTEM}, /* the second: the first is undone */
		{FAKE_SOCKET, 1, EAFNOSUPPORT, NATMUX_EUNSUPPORTED}, /* and is no wildcard */
		{FAKE_BIND, 1, EADDRINUSE, NATMUX_EEXISTS},
		{FAKE_MAP, 0, ENOMEM, NATMUX_ENOMEM},
	};
	static const char *const ips[] = {"127.0.0.1", "127.0.0.2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_uv_config config;

		natmux_uv_config_init(&config);
		config.use_gro = config.use_gso = false; /* their proofs open sockets, too */
		fake_sys_reset();
		fake_sys_fail(cases[i].call, cases[i].skip, 1, cases[i].error);
		assert_int_equal(start_with(&config, ips, 2), cases[i].result);
		assert_null(uv);
		assert_int_equal(fake_sys_open_fds(), 0);
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_int_equal(fake_sys_maps(), 0);
	}
}

/* "0.0.0.0" and "::" on a kernel without IPv6. */
static void test_family_is_left_out(void **state)
{
	static const char *const ips[] = {"0.0.0.0", "::"};
	struct natmux_uv_config config;

	(void)state;
	natmux_uv_config_init(&config);
	config.use_gro = config.use_gso = false; /* their proofs open sockets, too */
	config.log = log_tape(&tape);
	fake_sys_fail(FAKE_SOCKET, 1, 1, EAFNOSUPPORT);
	assert_int_equal(start_with(&config, ips, 2), 0);
	assert_int_equal(target(0, NULL).family, NATMUX_FAMILY_IPV4);
	assert_true(log_tape_has(&tape, "going on without"));
	natmux_uv_free(uv, NULL, NULL);
	uv = NULL;

	/* Nothing is left then. */
	fake_sys_fail(FAKE_SOCKET, 0, 2, EAFNOSUPPORT);
	assert_int_equal(start_with(&config, ips, 2), NATMUX_EUNSUPPORTED);
	assert_null(uv);
}

static void test_bad_config(void **state)
{
	static struct natmux_addr locals[NATMUX_UV_LOCALS_MAX + 1];
	struct natmux_uv_config bad[7];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(locals); i++)
		locals[i] = test_addr("127.0.0.1");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		natmux_uv_config_init(&bad[i]);
		bad[i].locals = locals;
		bad[i].locals_n = 1;
	}
	bad[0].size = 0;
	bad[1].locals = NULL;
	bad[2].locals_n = 0;
	bad[3].locals_n = NATMUX_UV_LOCALS_MAX + 1;
	bad[4].budget = 0;
	bad[5].budget = 65537;
	bad[6].device = "a-name-of-sixteen";
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(nm_uv_new(&loop, mux, &bad[i], &fake_sys, &uv), NATMUX_EINVAL);
	assert_null(uv);
	natmux_uv_free(NULL, NULL, NULL);
	natmux_uv_free(NULL, on_freed, &is_freed);
	assert_true(is_freed);
}

static void check_socket(void *user, const struct natmux_uv_socket *socket)
{
	(*(size_t *)user)++;
	assert_int_equal(socket->local.family, NATMUX_FAMILY_IPV4);
	assert_false(socket->has_gro);
	assert_non_null(socket->gro_why);
	assert_true(socket->has_gso);
	assert_null(socket->gso_why);
	assert_true(socket->receive_buffer > 0);
	assert_true(socket->recv_calls > 0);
	assert_int_equal(socket->send_calls, 0);
	assert_int_equal(socket->recv_errors + socket->kernel_drops + socket->truncated +
				 socket->send_drops + socket->gso_refused,
		0);
}

static void test_status(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	const char *ip = "127.0.0.1";
	struct natmux_uv_config config;
	struct natmux_addr to;
	size_t seen = 0;

	(void)state;
	natmux_uv_config_init(&config);
	config.use_gro = false;
	assert_int_equal(start_with(&config, &ip, 1), 0);
	to = target(0, NULL);
	udp_peer_send(&peer, &to, ike_init, IKE_LEN, 0, 0);
	run_until(1);
	natmux_uv_sockets(uv, check_socket, &seen);
	assert_int_equal(seen, 1);
	udp_peer_close(&peer);
}

static void count_offloads(void *user, const struct natmux_uv_socket *socket)
{
	*(int *)user += socket->has_gro + socket->has_gso;
}

static void test_switches_offloads(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "127.0.0.2"};
	static const struct {
		bool gro, gso;
		int on;
	} cases[] = {{false, false, 0}, {true, false, 2}, {false, true, 2}, {true, true, 4}};
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to;
	size_t expected = 1;

	(void)state;
	start(ips, 2);
	to = target(0, NULL);
	udp_peer_send(&peer, &to, ike_init, IKE_LEN, 0, 0);
	run_until(1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t trains = sink.trains;
		int on = 0;

		natmux_uv_set_offloads(uv, cases[i].gro, cases[i].gso);
		natmux_uv_sockets(uv, count_offloads, &on);
		assert_int_equal(on, cases[i].on);
		udp_peer_send(&peer, &to, esp, 400, 100, 0);
		expected += 4;
		run_until(expected);
		assert_int_equal(sink.trains - trains, cases[i].gro ? 1 : 4);
	}
	udp_peer_close(&peer);
}

/* The public door, with the kernel's own calls. */
static void test_public_new(void **state)
{
	struct natmux_addr local = test_addr("127.0.0.1");
	struct natmux_uv_config config;

	(void)state;
	natmux_uv_config_init(&config);
	config.locals = &local;
	config.locals_n = 1;
	assert_int_equal(natmux_uv_new(&loop, mux, &config, &uv), 0);
	assert_int_not_equal(target(0, NULL).port, 0);
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
		cmocka_unit_test_setup_teardown(test_port_is_free_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_family_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_switches_offloads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_public_new, setup, teardown),
		cmocka_unit_test_setup_teardown(test_allocates_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
