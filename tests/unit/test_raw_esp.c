/* SPDX-License-Identifier: Apache-2.0 */
/* Raw sockets for bare ESP: what they hand on, and what is said when there is none. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <natmux/error.h>
#include "io/raw_esp.h"
#include "tests/fakes/alloc_count.h"
#include "tests/fakes/fake_sys.h"
#include "tests/fakes/log_tape.h"
#include "tests/fakes/udp_peer.h"

static struct log_tape tape;

static struct nm_raw_esp_config config_all(void)
{
	return (struct nm_raw_esp_config){
		.sys = &fake_sys, .log = log_tape(&tape), .receive_buffer = 100000};
}

static int open_at(const struct nm_raw_esp_config *config, const char *ip, struct nm_raw_esp **raw)
{
	struct natmux_addr local = test_addr(ip);

	return nm_raw_esp_open(config, &local, raw);
}

static int setup(void **state)
{
	(void)state;
	fake_sys_reset();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(fake_sys_maps(), 0);
	assert_int_equal(fake_sys_open_fds(), 0);
	return 0;
}

static bool can_open_raw(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ESP);

	close(fd);
	return fd >= 0;
}

static void send_esp(int family, const char *to, uint8_t tos, const void *data, size_t len)
{
	struct natmux_addr addr = test_addr(to);
	struct sockaddr_storage sa;
	socklen_t sa_len = (socklen_t)natmux_addr_to_sockaddr(&addr, (struct sockaddr *)&sa);
	int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ESP), class = tos;

	assert_true(fd >= 0);
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof(class));
	else
		setsockopt(fd, IPPROTO_IP, IP_TOS, &class, sizeof(class));
	assert_int_equal(sendto(fd, data, len, 0, (struct sockaddr *)&sa, sa_len), len);
	close(fd);
}

/* Loopback delivers at once. */
static void test_receive(void **state)
{
	static const struct {
		int family;
		const char *ip, *wildcard;
	} cases[] = {{AF_INET, "127.0.0.1", "0.0.0.0"}, {AF_INET6, "::1", "::"}};
	static uint8_t large[20000] = {0, 0, 0x10, 0, 0, 0, 0, 2};
	static const uint8_t small[4] = {0, 0, 0x10, 1};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct nm_raw_esp_config config = config_all();
		struct natmux_addr want = test_addr(cases[i].ip);
		struct natmux_train trains[8];
		struct nm_raw_esp *raw;
		unsigned long before;

		if (!can_open_raw(cases[i].family)) {
			print_message("no raw sockets for %s here\n", cases[i].ip);
			continue;
		}
		assert_int_equal(open_at(&config, cases[i].wildcard, &raw), 0);
		assert_true(fcntl(nm_raw_esp_fd(raw), F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(nm_raw_esp_fd(raw), F_GETFD) & FD_CLOEXEC);
		assert_int_equal(nm_raw_esp_recv(raw, trains, 8), 0);
		send_esp(cases[i].family, cases[i].ip, 0x03, large, sizeof(large));
		send_esp(cases[i].family, cases[i].ip, 0xb8, small, sizeof(small));
		before = alloc_count();
		assert_int_equal(nm_raw_esp_recv(raw, trains, 8), 2);
		assert_int_equal(alloc_count(), before);
		assert_false(nm_raw_esp_has_more(raw));
		assert_int_equal(trains[0].len, sizeof(large));
		assert_int_equal(trains[0].segment, sizeof(large));
		assert_memory_equal(trains[0].data, large, sizeof(large));
		assert_int_equal(trains[0].tos, 0x03);
		assert_int_equal(trains[0].flow, NATMUX_FLOW_NONE);
		assert_int_equal(trains[1].len, sizeof(small));
		assert_memory_equal(trains[1].data, small, sizeof(small));
		assert_int_equal(trains[1].tos, 0xb8);
		want.port = 0;
		assert_true(natmux_addr_equal(&trains[1].path.remote, &want));
		/* Sent to itself: where it went is ours, which the wildcard is not. */
		assert_true(natmux_addr_equal(&trains[1].path.local, &want));
		assert_int_equal(nm_raw_esp_status(raw)->packets, 2);
		/* One at a time: there may be more. */
		send_esp(cases[i].family, cases[i].ip, 0, small, sizeof(small));
		assert_int_equal(nm_raw_esp_recv(raw, trains, 1), 1);
		assert_true(nm_raw_esp_has_more(raw));
		assert_int_equal(nm_raw_esp_recv(raw, trains, 1), 0);
		nm_raw_esp_close(raw);
	}
}

/* Lies about a packet that the kernel would not tell. */
static enum {
	SHORT_HEADER,
	LONG_HEADER,
	SHORT_PACKET,
	TRUNCATED,
	FIRST_FRAGMENT,
	LAST_FRAGMENT,
	STRANGE_NAME,
	LIES
} lie;

static void tell_lie(struct mmsghdr *msg)
{
	uint8_t *packet = msg->msg_hdr.msg_iov->iov_base;

	switch (lie) {
	case SHORT_HEADER: packet[0] = 0x44; break;
	case LONG_HEADER: packet[0] = 0x4f; break;
	case SHORT_PACKET: msg->msg_len = 19; break;
	case TRUNCATED: msg->msg_hdr.msg_flags |= MSG_TRUNC; break;
	case FIRST_FRAGMENT: packet[6] |= 0x20; break;
	case LAST_FRAGMENT: packet[7] |= 0x01; break;
	case STRANGE_NAME: ((struct sockaddr *)msg->msg_hdr.msg_name)->sa_family = AF_UNIX; break;
	case LIES: break;
	}
}

static void test_lies(void **state)
{
	static const uint8_t small[8] = {0, 0, 0x10, 1};
	struct nm_raw_esp_config config = config_all();
	struct natmux_train trains[8];
	struct nm_raw_esp *raw;

	(void)state;
	if (!can_open_raw(AF_INET)) {
		print_message("no raw sockets here\n");
		return;
	}
	assert_int_equal(open_at(&config, "127.0.0.1", &raw), 0);
	fake_sys_edit_received(tell_lie);
	for (lie = SHORT_HEADER; lie < LIES; lie++) {
		send_esp(AF_INET, "127.0.0.1", 0, small, sizeof(small));
		assert_int_equal(nm_raw_esp_recv(raw, trains, 8), 0);
	}
	assert_int_equal(nm_raw_esp_status(raw)->truncated, 6);
	assert_int_equal(nm_raw_esp_status(raw)->recv_errors, 1);
	assert_int_equal(nm_raw_esp_status(raw)->packets, 0);
	/* And then all is well again. */
	send_esp(AF_INET, "127.0.0.1", 0, small, sizeof(small));
	assert_int_equal(nm_raw_esp_recv(raw, trains, 8), 1);
	fake_sys_fail(FAKE_RECVMMSG, 0, 2, EIO);
	assert_int_equal(nm_raw_esp_recv(raw, trains, 8), 0);
	assert_int_equal(nm_raw_esp_recv(raw, trains, 8), 0);
	assert_int_equal(nm_raw_esp_status(raw)->recv_errors, 3);
	nm_raw_esp_close(raw);
	nm_raw_esp_close(NULL);
}

static void test_open_fails(void **state)
{
	static const struct {
		enum fake_call call;
		int error, result;
		const char *said;
	} cases[] = {
		{FAKE_SOCKET, EPERM, NATMUX_ESYSTEM,
			"bare ESP to 127.0.0.1: socket: Operation not permitted (needs "
			"CAP_NET_RAW; bare-esp = no goes without)"},
		{FAKE_SOCKET, EAFNOSUPPORT, NATMUX_EUNSUPPORTED, "socket: Address family"},
		{FAKE_BIND, EADDRNOTAVAIL, NATMUX_ESYSTEM, "bind: Cannot assign"},
		{FAKE_MAP, ENOMEM, NATMUX_ENOMEM, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_raw_esp_config config = config_all();
		struct nm_raw_esp *raw = (struct nm_raw_esp *)0x1;

		if (cases[i].call == FAKE_BIND && !can_open_raw(AF_INET))
			continue;
		fake_sys_reset();
		log_tape_clear(&tape);
		fake_sys_fail(cases[i].call, 0, 1, cases[i].error);
		assert_int_equal(open_at(&config, "127.0.0.1", &raw), cases[i].result);
		assert_ptr_equal(raw, (struct nm_raw_esp *)0x1);
		if (cases[i].said && !log_tape_has(&tape, cases[i].said))
			fail_msg("said: %s", tape.text);
	}
}

static void test_bad_arguments(void **state)
{
	struct nm_raw_esp_config config = config_all();
	struct natmux_addr none = {0};
	struct nm_raw_esp *raw;

	(void)state;
	assert_int_equal(nm_raw_esp_open(&config, &none, &raw), NATMUX_EINVAL);
	config.device = "a-name-that-is-too-long";
	assert_int_equal(open_at(&config, "127.0.0.1", &raw), NATMUX_EINVAL);
	config.device = "no-such-dev";
	if (can_open_raw(AF_INET))
		assert_int_equal(open_at(&config, "127.0.0.1", &raw), NATMUX_ESYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_receive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_arguments, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
