/* SPDX-License-Identifier: Apache-2.0 */
/* The proof of UDP_GRO and UDP_SEGMENT when a socket is opened: what it finds, and when it cannot be made. */
#include "udp_test.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <natmux/error.h>

static struct nm_sys lying; /* the kernel's calls, but for one */

static ssize_t receive_spoilt(int fd, struct msghdr *msg, int flags)
{
	ssize_t n = fake_sys.recvmsg(fd, msg, flags);

	if (n > 0)
		((uint8_t *)msg->msg_iov->iov_base)[n - 1] ^= 1;
	return n;
}

static ssize_t receive_less(int fd, struct msghdr *msg, int flags)
{
	ssize_t n = fake_sys.recvmsg(fd, msg, flags);

	return n > 0 ? n - 1 : n;
}

static ssize_t receive_unsized(int fd, struct msghdr *msg, int flags)
{
	ssize_t n = fake_sys.recvmsg(fd, msg, flags);

	msg->msg_controllen = 0;
	return n;
}

static ssize_t receive_nothing(int fd, struct msghdr *msg, int flags)
{
	(void)fd;
	(void)msg;
	(void)flags;
	errno = EAGAIN;
	return -1;
}

/* What the proofs of both find: a kernel that does as it says, and kernels that do not. */
static void test_proofs(void **state)
{
	static const struct {
		ssize_t (*recvmsg)(int fd, struct msghdr *msg, int flags);
		bool has_gro, has_gso;
		const char *why;
	} cases[] = {
		{NULL, true, true, ""},
		{receive_spoilt, false, false, "proof, recvmsg: datagrams arrived broken"},
		{receive_less, false, false, "broken"},
		{receive_nothing, false, false, "proof, recvmsg: nothing came: is lo up?"},
		/* one datagram of three without a word about it; single ones need none */
		{receive_unsized, false, true, "broken"},
	};
	static const char *const ips[] = {"127.0.0.1", "0.0.0.0", "::1", "::"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(ips); i++) {
		const char *ip = ips[i % ARRAY_SIZE(ips)];
		size_t c = i / ARRAY_SIZE(ips);
		struct nm_udp_config config = config_all();
		struct nm_udp *udp;

		if (strchr(ip, ':') && !udp_peer_can("::1"))
			continue;
		lying = fake_sys;
		if (cases[c].recvmsg)
			lying.recvmsg = cases[c].recvmsg;
		config.sys = &lying;
		assert_int_equal(open_at(&config, ip, &udp), 0);
		assert_int_equal(nm_udp_status(udp)->has_gro, cases[c].has_gro);
		assert_int_equal(nm_udp_status(udp)->has_gso, cases[c].has_gso);
		assert_non_null(strstr(nm_udp_status(udp)->gro_why, cases[c].why));
		assert_int_equal(option_of(udp, IPPROTO_UDP, UDP_GRO), cases[c].has_gro);
		/* A reload does not forget. */
		nm_udp_set_offloads(udp, false, false);
		nm_udp_set_offloads(udp, true, true);
		assert_int_equal(nm_udp_status(udp)->has_gro, cases[c].has_gro);
		assert_int_equal(nm_udp_status(udp)->has_gso, cases[c].has_gso);
		nm_udp_close(udp);
	}
}

/* Who is stopped and goes on while it waits for its own train has not waited in vain. */
static void test_interrupted_proofs(void **state)
{
	struct nm_udp_config config = config_all();
	struct nm_udp *udp;

	(void)state;
	fake_sys_fail(FAKE_POLL, 0, 3, EINTR);
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_true(nm_udp_status(udp)->has_gro);
	assert_true(nm_udp_status(udp)->has_gso);
	assert_int_not_equal(fake_sys_calls(FAKE_POLL), 0);
	nm_udp_close(udp);
}

/* A proof that cannot be made: no offload, and a socket all the same. */
static void test_no_proofs(void **state)
{
	static const struct {
		enum fake_call call;
		unsigned int skip;
		int error;
		const char *why;
	} cases[] = {
		{FAKE_SOCKET, 1, EPERM, "Operation not permitted"},
		{FAKE_BIND, 1, EPERM, "Operation not permitted"},
		{FAKE_GETSOCKNAME, 1, EPERM, "Operation not permitted"},
		{FAKE_SENDMSG, 0, EPERM, "Operation not permitted"},
		{FAKE_POLL, 0, ENOMEM, "Cannot allocate memory"},
		/* as in a new namespace, where nobody has set lo up */
		{FAKE_BIND, 1, EADDRNOTAVAIL, "is the loopback interface up?"},
		{FAKE_SENDMSG, 0, ENETUNREACH, "is the loopback interface up?"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_udp_config config = config_all();
		struct nm_udp *udp;

		fake_sys_reset();
		fake_sys_fail(cases[i].call, cases[i].skip, 2, cases[i].error);
		assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
		assert_false(nm_udp_status(udp)->has_gro);
		assert_false(nm_udp_status(udp)->has_gso);
		assert_non_null(strstr(nm_udp_status(udp)->gso_why, cases[i].why));
		assert_true(log_tape_has(&tape, "UDP_GRO off, proof"));
		nm_udp_close(udp);
	}
}

/* As where the device does not lead to the loopback's addresses. */
static ssize_t send_off_the_device(int fd, const struct msghdr *msg, int flags)
{
	char device[IFNAMSIZ] = "";
	socklen_t len = sizeof(device);

	getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len);
	return *device ? (ssize_t)msg->msg_iov->iov_len : fake_sys.sendmsg(fd, msg, flags);
}

static void test_device_proofs(void **state)
{
	static const struct {
		const char *ip, *device;
		bool works;
	} cases[] = {
		{"0.0.0.0", "lo", true}, {"0.0.0.0", NULL, true}, {"::", "lo", true},
		{"127.0.0.1", "lo", false}, /* its own address it has to reach by itself */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_udp_config config = config_all();
		struct nm_udp *udp;

		if (strchr(cases[i].ip, ':') && !udp_peer_can("::1"))
			continue;
		lying = fake_sys;
		lying.sendmsg = send_off_the_device;
		config.sys = &lying;
		config.device = cases[i].device;
		assert_int_equal(open_at(&config, cases[i].ip, &udp), 0);
		assert_int_equal(nm_udp_status(udp)->has_gro, cases[i].works);
		assert_int_equal(nm_udp_status(udp)->has_gso, cases[i].works);
		nm_udp_close(udp);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_proofs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupted_proofs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_proofs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_device_proofs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
