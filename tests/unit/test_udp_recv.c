/* SPDX-License-Identifier: Apache-2.0 */
/* Receiving trains: over the loopback from a plain socket, and with a kernel that fails. */
#include "udp_test.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <natmux/error.h>
#include "io/udp_batch.h"
#include "tests/fakes/alloc_count.h"

enum { MAX = 64, FLOOD = 300 };

static uint8_t bytes[65536];

static struct nm_udp *open_with(const char *ip, bool use_gro)
{
	struct nm_udp_config config = {.sys = &fake_sys,
		.log = log_tape(&tape),
		.receive_buffer = 4 << 20,
		.use_gro = use_gro};

	return open_quiet(&config, ip);
}

/* Where a peer reaches the socket: its port at `ip`. */
static struct natmux_addr target(const struct nm_udp *udp, const char *ip)
{
	struct natmux_addr addr = test_addr(ip);

	addr.port = nm_udp_local(udp)->port;
	return addr;
}

static int setup_bytes(void **state)
{
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	return setup(state);
}

static void test_one_datagram(void **state)
{
	static const struct {
		const char *ip;
		uint32_t len;
		int tos;
	} cases[] = {
		{"127.0.0.1", 0, 0},
		{"127.0.0.1", 1, 0x03},
		{"127.0.0.1", 1428, 0xb8},
		{"127.0.0.1", 65507, 0},
		{"::1", 0, 0xff},
		{"::1", 1428, 0x02},
		{"::1", 65507, 0},
	};
	bool has_v6 = udp_peer_can("::1");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		size_t c = i / 2;
		struct natmux_train train;
		struct natmux_addr to;
		struct udp_peer peer;
		struct nm_udp *udp;

		if (!has_v6 && strchr(cases[c].ip, ':'))
			continue;
		peer = udp_peer_open(cases[c].ip);
		udp = open_with(cases[c].ip, i % 2);
		to = target(udp, cases[c].ip);
		udp_peer_send(&peer, &to, bytes, cases[c].len, 0, cases[c].tos);
		assert_int_equal(nm_udp_recv(udp, &train, 1), 1);
		assert_int_equal(train.len, cases[c].len);
		assert_int_equal(natmux_train_count(&train), 1);
		assert_memory_equal(train.data, bytes, cases[c].len);
		assert_int_equal(train.tos, cases[c].tos);
		assert_int_equal(train.flow, NATMUX_FLOW_NONE);
		assert_true(natmux_addr_equal(&train.path.remote, &peer.addr));
		assert_true(natmux_addr_equal(&train.path.local, &to));
		assert_int_equal(nm_udp_recv(udp, &train, 1), 0);
		nm_udp_close(udp);
		udp_peer_close(&peer);
	}
}

/* Ten datagrams of 100 bytes and one of 37: one train with UDP_GRO, eleven without. */
static void test_train(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "::1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ips); i++) {
		struct natmux_train trains[MAX];
		struct natmux_addr to;
		struct udp_peer peer;
		struct nm_udp *udp;

		if (!udp_peer_can(ips[i]))
			continue;
		peer = udp_peer_open(ips[i]);
		udp = open_with(ips[i], true);
		to = target(udp, ips[i]);
		udp_peer_send(&peer, &to, bytes, 1037, 100, 0);
		assert_int_equal(nm_udp_recv(udp, trains, MAX), 1);
		assert_int_equal(trains[0].len, 1037);
		assert_int_equal(trains[0].segment, 100);
		assert_int_equal(natmux_train_count(trains), 11);
		assert_memory_equal(trains[0].data, bytes, 1037);
		nm_udp_close(udp);

		udp = open_with(ips[i], false);
		to = target(udp, ips[i]);
		udp_peer_send(&peer, &to, bytes, 1037, 100, 0);
		assert_int_equal(nm_udp_recv(udp, trains, MAX), 11);
		for (size_t k = 0; k < 11; k++) {
			assert_int_equal(trains[k].len, k < 10 ? 100 : 37);
			assert_memory_equal(trains[k].data, bytes + 100 * k, trains[k].len);
		}
		nm_udp_close(udp);
		udp_peer_close(&peer);
	}
}

/* A wildcard socket knows which address was asked, so that the reply can leave from it. */
static void test_local_address(void **state)
{
	static const char *const asked[] = {"127.0.0.1", "127.0.0.2", "127.255.255.254"};
	struct nm_udp *udp = open_with("0.0.0.0", true);
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_train train;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		struct natmux_addr to = target(udp, asked[i]);

		udp_peer_send(&peer, &to, "x", 1, 0, 0);
		assert_int_equal(nm_udp_recv(udp, &train, 1), 1);
		assert_true(natmux_addr_equal(&train.path.local, &to));
	}
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

static void test_order_and_small_max(void **state)
{
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to = target(udp, "127.0.0.1");
	struct natmux_train trains[7];
	uint32_t next = 0;
	size_t n;

	(void)state;
	for (uint32_t i = 0; i < 200; i++)
		udp_peer_send(&peer, &to, &i, sizeof(i), 0, 0);
	while ((n = nm_udp_recv(udp, trains, 7)) > 0) {
		assert_true(n <= 7);
		assert_true(nm_udp_has_more(udp) == (n == 7));
		for (size_t i = 0; i < n; i++, next++)
			assert_memory_equal(trains[i].data, &next, sizeof(next));
	}
	assert_int_equal(next, 200);
	assert_false(nm_udp_has_more(udp));
	assert_int_equal(nm_udp_recv(udp, trains, 0), 0);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

/* Pages of the receive buffers that are resident. */
static size_t resident_pages(void)
{
	static unsigned char in_core[NM_UDP_MESSAGES * NM_UDP_STRIDE / 4096 + 1];
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = 0;
	size_t pages = ((size_t)NM_UDP_MESSAGES * NM_UDP_STRIDE + page - 1) / page;

	assert_true(pages <= sizeof(in_core));
	assert_int_equal(mincore(batch->rx.buffers, pages * page, in_core), 0);
	for (size_t i = 0; i < pages; i++)
		n += in_core[i] & 1;
	return n;
}

/* The memory promise: nothing before the first datagram, a page or two per slot for small ones. */
static void test_memory_in_use(void **state)
{
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to = target(udp, "127.0.0.1");
	struct natmux_train trains[MAX];

	(void)state;
	assert_int_equal(resident_pages(), 0);
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 100; i++)
			udp_peer_send(&peer, &to, bytes, 1428, 0, 0);
		while (nm_udp_recv(udp, trains, MAX) > 0)
			;
	}
	assert_true(resident_pages() <= 2 * NM_UDP_MESSAGES);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

/* Long trains: only as many buffers as a cache holds are offered, so only these become resident. */
static void test_offer_follows_size(void **state)
{
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to = target(udp, "127.0.0.1");
	struct natmux_train trains[MAX];
	size_t n;

	(void)state;
	udp_peer_send(&peer, &to, bytes, 64000, 1000, 0);
	assert_int_equal(nm_udp_recv(udp, trains, MAX), 1);
	for (int i = 0; i < 20; i++)
		udp_peer_send(&peer, &to, bytes, 64000, 1000, 0);
	n = nm_udp_recv(udp, trains, MAX);
	assert_true(n >= 8 && n <= 10);
	assert_true(nm_udp_has_more(udp));
	while (nm_udp_recv(udp, trains, MAX) > 0)
		;
	for (int i = 0; i < MAX; i++)
		udp_peer_send(&peer, &to, bytes, 60, 0, 0);
	while (nm_udp_recv(udp, trains, MAX) > 0)
		;
	/* Small ones again: all buffers. */
	for (int i = 0; i < MAX; i++)
		udp_peer_send(&peer, &to, bytes, 60, 0, 0);
	assert_int_equal(nm_udp_recv(udp, trains, MAX), MAX);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

/* Floods a socket with a small buffer; returns it, and how many datagrams it did not lose. */
static struct nm_udp *flooded(const struct udp_peer *peer, size_t *got)
{
	struct nm_udp_config config = {
		.sys = &fake_sys, .log = log_tape(&tape), .receive_buffer = 20000};
	struct natmux_addr local = test_addr("127.0.0.1"), to;
	struct natmux_train trains[MAX];
	struct nm_udp *udp;
	size_t n;

	assert_int_equal(nm_udp_open(&config, &local, batch, &udp), 0);
	to = target(udp, "127.0.0.1");
	for (int i = 0; i < FLOOD; i++)
		udp_peer_send(peer, &to, bytes, 1000, 0, 0);
	for (*got = 0; (n = nm_udp_recv(udp, trains, MAX)) > 0; *got += n)
		;
	assert_true(*got < FLOOD);
	return udp;
}

/* What did not fit the socket's queue, as the kernel counts it. */
static void test_overflow_is_counted(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	size_t got;
	struct nm_udp *udp = flooded(&peer, &got);

	(void)state;
	nm_udp_ask_drops(udp);
	assert_int_equal(nm_udp_status(udp)->kernel_drops, FLOOD - got);
	nm_udp_ask_drops(udp);
	assert_int_equal(nm_udp_status(udp)->kernel_drops, FLOOD - got);
	/* The kernel does not answer: what is known stays. */
	fake_sys_fail_option(SOL_SOCKET, SO_MEMINFO, EIO);
	nm_udp_ask_drops(udp);
	assert_int_equal(nm_udp_status(udp)->kernel_drops, FLOOD - got);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

/* A kernel without SO_MEMINFO: SO_RXQ_OVFL tells the count with the next datagram. */
static void test_overflow_of_old_kernels(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_train train;
	struct natmux_addr to;
	struct nm_udp *udp;
	size_t got;

	(void)state;
	fake_sys_fail_option(SOL_SOCKET, SO_MEMINFO, ENOPROTOOPT);
	udp = flooded(&peer, &got);
	to = target(udp, "127.0.0.1");
	for (int i = 0; i < 2; i++) {
		udp_peer_send(&peer, &to, "x", 1, 0, 0);
		assert_int_equal(nm_udp_recv(udp, &train, 1), 1);
		nm_udp_ask_drops(udp);
		assert_int_equal(nm_udp_status(udp)->kernel_drops, FLOOD - got);
	}
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

static void test_calls_that_fail(void **state)
{
	static const struct {
		int error;
		unsigned int times;
		size_t received;
		uint64_t errors;
		size_t lines;
	} cases[] = {
		{EAGAIN, 1, 0, 0, 0},
		{EINTR, 1, 1, 1, 0},
		{EINTR, 3, 1, 3, 0},
		{EINTR, 100, 0, 4, 1}, /* nobody waits for ever */
		{ECONNREFUSED, 1, 1, 1, 0},
		{EHOSTUNREACH, 2, 1, 2, 0},
		{ENOMEM, 1, 0, 1, 1},
		{EBADF, 1, 0, 1, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_udp *udp = open_with("127.0.0.1", true);
		struct udp_peer peer = udp_peer_open("127.0.0.1");
		struct natmux_addr to = target(udp, "127.0.0.1");
		struct natmux_train train;

		udp_peer_send(&peer, &to, "x", 1, 0, 0);
		fake_sys_fail(FAKE_RECVMMSG, 0, cases[i].times, cases[i].error);
		assert_int_equal(nm_udp_recv(udp, &train, 1), cases[i].received);
		assert_int_equal(nm_udp_status(udp)->recv_errors, cases[i].errors);
		assert_int_equal(tape.lines, cases[i].lines);
		/* Whatever it was, it does not last. */
		fake_sys_reset();
		if (cases[i].received == 0)
			assert_int_equal(nm_udp_recv(udp, &train, 1), 1);
		nm_udp_close(udp);
		udp_peer_close(&peer);
	}
}

/* The log gets one line per kind of error, however often it happens. */
static void test_errors_are_told_once(void **state)
{
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct natmux_train train;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		fake_sys_fail(FAKE_RECVMMSG, 0, 1, i % 2 ? ENOMEM : ENOBUFS);
		assert_int_equal(nm_udp_recv(udp, &train, 1), 0);
	}
	assert_int_equal(tape.lines, 2);
	assert_int_equal(nm_udp_status(udp)->recv_errors, 1000);
	nm_udp_close(udp);
}

static void cut_data(struct mmsghdr *msg)
{
	msg->msg_hdr.msg_flags |= MSG_TRUNC;
}

static void cut_name(struct mmsghdr *msg)
{
	msg->msg_hdr.msg_namelen = 3;
}

static void drop_control(struct mmsghdr *msg)
{
	msg->msg_hdr.msg_controllen = 0;
}

/* Sets the segment size that UDP_GRO told. */
static int forged_segment;

static void forge_segment(struct mmsghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg->msg_hdr); c; c = CMSG_NXTHDR(&msg->msg_hdr, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
			memcpy(CMSG_DATA(c), &forged_segment, sizeof(forged_segment));
}

static void test_truncated_is_counted(void **state)
{
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to = target(udp, "127.0.0.1");
	struct natmux_train train;

	(void)state;
	fake_sys_edit_received(cut_data);
	udp_peer_send(&peer, &to, bytes, 1037, 100, 0);
	assert_int_equal(nm_udp_recv(udp, &train, 1), 0);
	assert_int_equal(nm_udp_status(udp)->truncated, 11);
	udp_peer_send(&peer, &to, bytes, 10, 0, 0);
	assert_int_equal(nm_udp_recv(udp, &train, 1), 0);
	assert_int_equal(nm_udp_status(udp)->truncated, 12);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

static void test_odd_control_messages(void **state)
{
	static const int segments[] = {1038, 65535};
	static const uint8_t nowhere[16];
	struct nm_udp *udp = open_with("0.0.0.0", true);
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to = target(udp, "127.0.0.1");
	struct natmux_train train;

	(void)state;
	fake_sys_edit_received(forge_segment);
	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		forged_segment = segments[i];
		udp_peer_send(&peer, &to, bytes, 1037, 100, 0);
		assert_int_equal(nm_udp_recv(udp, &train, 1), 1);
		assert_int_equal(natmux_train_count(&train), 1);
		assert_int_equal(train.segment, 1037);
	}
	fake_sys_edit_received(drop_control);
	udp_peer_send(&peer, &to, bytes, 10, 0, 0);
	assert_int_equal(nm_udp_recv(udp, &train, 1), 1);
	assert_int_equal(train.path.local.family, NATMUX_FAMILY_IPV4);
	assert_int_equal(train.path.local.port, to.port);
	assert_memory_equal(train.path.local.ip, nowhere, sizeof(nowhere));

	fake_sys_edit_received(cut_name);
	udp_peer_send(&peer, &to, bytes, 10, 0, 0);
	assert_int_equal(nm_udp_recv(udp, &train, 1), 0);
	assert_int_equal(nm_udp_status(udp)->recv_errors, 1);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

/* A train of datagrams without a size: the kernel's UDP_GRO is not to be trusted any more. */
static void test_broken_train(void **state)
{
	static const int segments[] = {0, -1, 65536, INT32_MAX, INT32_MIN};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		struct nm_udp *udp = open_with("127.0.0.1", true);
		struct udp_peer peer = udp_peer_open("127.0.0.1");
		struct natmux_addr to = target(udp, "127.0.0.1");
		struct natmux_train train;

		assert_true(nm_udp_status(udp)->has_gro);
		fake_sys_edit_received(forge_segment);
		forged_segment = segments[i];
		udp_peer_send(&peer, &to, bytes, 1037, 100, 0);
		assert_int_equal(nm_udp_recv(udp, &train, 1), 0);
		assert_int_equal(nm_udp_status(udp)->recv_errors, 1);
		assert_false(nm_udp_status(udp)->has_gro);
		assert_non_null(strstr(nm_udp_status(udp)->gro_why, "broken"));
		/* Datagram by datagram from now on, and no reload changes its mind. */
		fake_sys_edit_received(NULL);
		nm_udp_set_offloads(udp, true, true);
		assert_false(nm_udp_status(udp)->has_gro);
		udp_peer_send(&peer, &to, bytes, 150, 100, 0);
		assert_int_equal(nm_udp_recv(udp, &train, 1), 1);
		assert_int_equal(train.len, 100);
		nm_udp_close(udp);
		udp_peer_close(&peer);
		fake_sys_reset();
	}
}

/* Two sockets, one batch: what the second receives does not depend on what the first left. */
static void test_batch_is_shared(void **state)
{
	struct nm_udp *a = open_with("127.0.0.1", true), *b = open_with("127.0.0.2", true);
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to_a = target(a, "127.0.0.1"), to_b = target(b, "127.0.0.2");
	struct natmux_train trains[MAX];

	(void)state;
	for (int i = 0; i < 5; i++) {
		udp_peer_send(&peer, &to_a, bytes, 1037, 100, 0x10);
		udp_peer_send(&peer, &to_b, bytes, 20, 0, 0);
		assert_int_equal(nm_udp_recv(a, trains, MAX), 1);
		assert_int_equal(trains[0].segment, 100);
		assert_int_equal(nm_udp_recv(b, trains, MAX), 1);
		assert_int_equal(trains[0].segment, 20);
		assert_int_equal(trains[0].tos, 0);
		assert_true(natmux_addr_equal(&trains[0].path.local, &to_b));
	}
	nm_udp_close(a);
	nm_udp_close(b);
	udp_peer_close(&peer);
}

static void test_allocates_nothing(void **state)
{
	struct nm_udp *udp = open_with("127.0.0.1", true);
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to = target(udp, "127.0.0.1");
	struct natmux_train trains[MAX];
	unsigned long before;

	(void)state;
	for (int i = 0; i < 100; i++)
		udp_peer_send(&peer, &to, bytes, 1037, i % 2 ? 100 : 0, 0);
	before = alloc_count();
	assert_true(before > 0); /* the socket and the batch */
	while (nm_udp_recv(udp, trains, MAX) > 0)
		;
	assert_int_equal(alloc_count(), before);
	nm_udp_close(udp);
	udp_peer_close(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_datagram, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_train, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_local_address, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_order_and_small_max, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_memory_in_use, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_offer_follows_size, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_overflow_is_counted, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(
			test_overflow_of_old_kernels, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_calls_that_fail, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_errors_are_told_once, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_truncated_is_counted, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_odd_control_messages, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_broken_train, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_batch_is_shared, setup_bytes, teardown),
		cmocka_unit_test_setup_teardown(test_allocates_nothing, setup_bytes, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
