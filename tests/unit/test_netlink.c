/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink sockets: the kernel's XFRM asked for real, and each call that can fail. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <unistd.h>
#include <natmux/error.h>
#include "io/netlink.h"
#include "tests/fakes/alloc_count.h"
#include "tests/fakes/fake_sys.h"
#include "tests/fakes/log_tape.h"

static struct log_tape tape;

/* NETLINK_ROUTE is there for everybody, and acknowledges what it does not know. */
static struct nm_netlink_config config_of(int protocol)
{
	return (struct nm_netlink_config){
		.sys = &fake_sys, .log = log_tape(&tape), .protocol = protocol};
}

static int setup(void **state)
{
	(void)state;
	fake_sys_reset();
	log_tape_clear(&tape);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(fake_sys_open_fds(), 0);
	return 0;
}

/* A request that any protocol answers with an error, or (NLMSG_NOOP) with success. */
static const struct nlmsghdr noop = {
	.nlmsg_len = sizeof(noop),
	.nlmsg_type = NLMSG_NOOP,
	.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
	.nlmsg_seq = 99,
};

static struct nm_netlink *open_route(void)
{
	struct nm_netlink_config config = config_of(NETLINK_ROUTE);
	struct nm_netlink *netlink;

	assert_int_equal(nm_netlink_open(&config, &netlink), 0);
	return netlink;
}

static void test_exchange(void **state)
{
	struct nm_netlink *netlink = open_route();
	struct nlmsghdr answer;
	unsigned long before;
	int os_error = 0;
	void *bytes;
	size_t len;

	(void)state;
	assert_true(fcntl(nm_netlink_fd(netlink), F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(nm_netlink_fd(netlink), F_GETFD) & FD_CLOEXEC);
	assert_true(nm_netlink_portid(netlink) != 0);
	assert_int_equal(nm_netlink_recv(netlink, &bytes, &len), NM_NETLINK_EMPTY);
	assert_false(nm_netlink_wait(netlink, 1));
	before = alloc_count();
	assert_int_equal(nm_netlink_send(netlink, &noop, sizeof(noop), &os_error), 0);
	assert_true(nm_netlink_wait(netlink, 1000));
	assert_int_equal(nm_netlink_recv(netlink, &bytes, &len), NM_NETLINK_DATA);
	assert_int_equal(alloc_count(), before);
	assert_int_equal((uintptr_t)bytes % 8, 0);
	assert_true(len >= sizeof(answer));
	memcpy(&answer, bytes, sizeof(answer));
	assert_int_equal(answer.nlmsg_type, NLMSG_ERROR);
	assert_int_equal(answer.nlmsg_seq, 99);
	assert_int_equal(answer.nlmsg_pid, nm_netlink_portid(netlink));
	/* What was received does not stay. */
	nm_netlink_wipe(netlink);
	memcpy(&answer, bytes, sizeof(answer));
	assert_int_equal(answer.nlmsg_seq, 0);
	assert_int_equal(nm_netlink_recv(netlink, &bytes, &len), NM_NETLINK_EMPTY);
	nm_netlink_close(netlink);
	nm_netlink_close(NULL);
}

/* The kernel's own XFRM, where there is one: a state that is not there. */
static void test_xfrm(void **state)
{
	static const uint32_t groups[] = {XFRMNLGRP_SA, XFRMNLGRP_MAPPING};
	struct nm_netlink_config config = config_of(NETLINK_XFRM);
	struct {
		struct nlmsghdr header;
		struct xfrm_usersa_id id;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
			.nlmsg_type = XFRM_MSG_GETSA,
			.nlmsg_flags = NLM_F_REQUEST},
		.id = {.family = AF_INET, .proto = IPPROTO_ESP},
	};
	struct nm_netlink *netlink;
	struct nlmsghdr answer;
	int os_error, code, err;
	void *bytes;
	size_t len;

	(void)state;
	config.groups = groups;
	config.groups_len = 2;
	err = nm_netlink_open(&config, &netlink);
	if (err < 0) {
		/* No XFRM in the kernel, or no right to listen: that is what it has to say. */
		assert_true(log_tape_has(&tape, "CONFIG_XFRM_USER") ||
			    log_tape_has(&tape, "CAP_NET_ADMIN"));
		return;
	}
	assert_int_equal(nm_netlink_send(netlink, &request, sizeof(request), &os_error), 0);
	assert_int_equal(nm_netlink_recv(netlink, &bytes, &len), NM_NETLINK_DATA);
	memcpy(&answer, bytes, sizeof(answer));
	memcpy(&code, (uint8_t *)bytes + sizeof(answer), sizeof(code));
	assert_int_equal(answer.nlmsg_type, NLMSG_ERROR);
	assert_true(code == -ESRCH || code == -EPERM);
	nm_netlink_close(netlink);
}

static void test_open_fails(void **state)
{
	static const uint32_t group = XFRMNLGRP_SA;
	static const struct {
		enum fake_call call;
		unsigned int skip;
		int error, result;
		const char *said;
	} cases[] = {
		{FAKE_SOCKET, 0, EPROTONOSUPPORT, NATMUX_EUNSUPPORTED, "CONFIG_XFRM_USER"},
		{FAKE_SOCKET, 0, EPERM, NATMUX_ESYSTEM, "socket: Operation not permitted (needs"},
		{FAKE_SOCKET, 0, EMFILE, NATMUX_ESYSTEM, "socket: Too many open files"},
		{FAKE_BIND, 0, EADDRINUSE, NATMUX_ESYSTEM, "bind: Address already in use"},
		{FAKE_GETSOCKNAME, 0, ENOBUFS, NATMUX_ESYSTEM, "getsockname"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_netlink_config config = config_of(NETLINK_ROUTE);
		struct nm_netlink *netlink = (struct nm_netlink *)0x1;

		fake_sys_reset();
		log_tape_clear(&tape);
		config.groups = &group;
		config.groups_len = 1;
		fake_sys_fail(cases[i].call, cases[i].skip, 1, cases[i].error);
		assert_int_equal(nm_netlink_open(&config, &netlink), cases[i].result);
		assert_ptr_equal(netlink, (struct nm_netlink *)0x1);
		if (!log_tape_has(&tape, cases[i].said))
			fail_msg("said: %s", tape.text);
		assert_int_equal(fake_sys_open_fds(), 0);
	}
}

/* What a kernel may lack, and what it may not. */
static void test_options(void **state)
{
	static const uint32_t group = 1;
	struct nm_netlink_config config = config_of(NETLINK_ROUTE);
	struct nm_netlink *netlink;

	(void)state;
	config.groups = &group;
	config.groups_len = 1;
	fake_sys_fail_option(SOL_NETLINK, NETLINK_EXT_ACK, ENOPROTOOPT);
	fake_sys_fail_option(SOL_NETLINK, NETLINK_CAP_ACK, ENOPROTOOPT);
	fake_sys_fail_option(SOL_SOCKET, SO_RCVBUFFORCE, EPERM);
	fake_sys_fail_option(SOL_SOCKET, SO_RCVBUF, ENOBUFS);
	assert_int_equal(nm_netlink_open(&config, &netlink), 0);
	assert_string_equal(tape.text, "");
	nm_netlink_close(netlink);
	fake_sys_fail_option(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, EINVAL);
	assert_int_equal(nm_netlink_open(&config, &netlink), 0);
	assert_true(log_tape_has(&tape, "no group 1; its events are missed"));
	nm_netlink_close(netlink);
	fake_sys_reset();
	fake_sys_fail_option(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, EPERM);
	assert_int_equal(nm_netlink_open(&config, &netlink), NATMUX_ESYSTEM);
	assert_true(log_tape_has(&tape, "joining a group: Operation not permitted (needs CAP"));
}

static void test_recv_fails(void **state)
{
	struct nm_netlink *netlink = open_route();
	void *bytes;
	size_t len;

	(void)state;
	fake_sys_fail(FAKE_RECVMSG, 0, 1, ENOBUFS);
	assert_int_equal(nm_netlink_recv(netlink, &bytes, &len), NM_NETLINK_LOST);
	assert_int_equal(nm_netlink_status(netlink)->lost, 1);
	assert_string_equal(tape.text, "");
	fake_sys_fail(FAKE_RECVMSG, 0, 2, EIO);
	assert_int_equal(nm_netlink_recv(netlink, &bytes, &len), NM_NETLINK_ERROR);
	assert_true(log_tape_has(&tape, "recvmsg: Input/output error"));
	log_tape_clear(&tape);
	assert_int_equal(nm_netlink_recv(netlink, &bytes, &len), NM_NETLINK_ERROR);
	assert_string_equal(tape.text, "");
	assert_int_equal(nm_netlink_status(netlink)->recv_errors, 2);
	/* A signal is no reason to stop. */
	fake_sys_fail(FAKE_RECVMSG, 0, 1, EINTR);
	assert_int_equal(nm_netlink_recv(netlink, &bytes, &len), NM_NETLINK_EMPTY);
	fake_sys_fail(FAKE_POLL, 0, 1, EINTR);
	assert_false(nm_netlink_wait(netlink, 1));
	nm_netlink_close(netlink);
}

static void test_send_fails(void **state)
{
	static const struct {
		int error, result, os_error;
	} cases[] = {
		{EAGAIN, NATMUX_EFULL, 0},
		{ENOBUFS, NATMUX_EFULL, 0},
		{EPERM, NATMUX_ESYSTEM, EPERM},
		{ECONNREFUSED, NATMUX_ESYSTEM, ECONNREFUSED},
		{EINTR, 0, 0},
	};
	struct nm_netlink *netlink = open_route();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int os_error = 0;

		fake_sys_fail(FAKE_SENDMSG, 0, 1, cases[i].error);
		assert_int_equal(
			nm_netlink_send(netlink, &noop, sizeof(noop), &os_error), cases[i].result);
		assert_int_equal(os_error, cases[i].os_error);
	}
	assert_int_equal(nm_netlink_status(netlink)->send_errors, 2);
	nm_netlink_close(netlink);
}

/* The receive buffer runs over for real: the kernel says so, and what was in it still comes. */
static void test_overrun(void **state)
{
	struct nm_netlink_config config = config_of(NETLINK_ROUTE);
	unsigned int data = 0, lost = 0;
	struct nm_netlink *netlink;
	void *bytes;
	size_t len;
	int os_error;

	(void)state;
	config.receive_buffer = 1; /* the kernel's least */
	assert_int_equal(nm_netlink_open(&config, &netlink), 0);
	for (int i = 0; i < 200; i++)
		(void)nm_netlink_send(netlink, &noop, sizeof(noop), &os_error);
	for (;;) {
		enum nm_netlink_result result = nm_netlink_recv(netlink, &bytes, &len);

		data += result == NM_NETLINK_DATA;
		lost += result == NM_NETLINK_LOST;
		if (result == NM_NETLINK_EMPTY)
			break;
	}
	assert_true(data > 0);
	assert_true(data < 200);
	assert_true(lost > 0);
	nm_netlink_close(netlink);
}

static ssize_t recv_truncated(int fd, struct msghdr *msg, int flags)
{
	ssize_t len = fake_sys.recvmsg(fd, msg, flags);

	msg->msg_flags |= MSG_TRUNC;
	return len;
}

/* Half of something is not half of the truth: it counts as lost. */
static void test_truncated(void **state)
{
	struct nm_sys sys = fake_sys;
	struct nm_netlink_config config = config_of(NETLINK_ROUTE);
	struct nm_netlink *netlink;
	int os_error = 0;
	void *bytes;
	size_t len;

	(void)state;
	sys.recvmsg = recv_truncated;
	config.sys = &sys;
	assert_int_equal(nm_netlink_open(&config, &netlink), 0);
	assert_int_equal(nm_netlink_send(netlink, &noop, sizeof(noop), &os_error), 0);
	assert_int_equal(nm_netlink_recv(netlink, &bytes, &len), NM_NETLINK_LOST);
	assert_int_equal(nm_netlink_status(netlink)->truncated, 1);
	assert_int_equal(nm_netlink_recv(netlink, &bytes, &len), NM_NETLINK_EMPTY);
	nm_netlink_close(netlink);
}

/* Other programs can send to a netlink socket of theirs; who is not the kernel is not heard. */
static void test_strangers(void **state)
{
	struct nm_netlink_config config = config_of(NETLINK_USERSOCK);
	struct sockaddr_nl to = {.nl_family = AF_NETLINK};
	struct nm_netlink *netlink;
	void *bytes;
	size_t len;
	int fd;

	(void)state;
	assert_int_equal(nm_netlink_open(&config, &netlink), 0);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_USERSOCK);
	assert_true(fd >= 0);
	to.nl_pid = nm_netlink_portid(netlink);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
			sendto(fd, &noop, sizeof(noop), 0, (struct sockaddr *)&to, sizeof(to)),
			sizeof(noop));
	assert_int_equal(nm_netlink_recv(netlink, &bytes, &len), NM_NETLINK_EMPTY);
	assert_int_equal(nm_netlink_status(netlink)->strangers, 3);
	close(fd);
	nm_netlink_close(netlink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exchange, setup, teardown),
		cmocka_unit_test_setup_teardown(test_xfrm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recv_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_send_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overrun, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strangers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
