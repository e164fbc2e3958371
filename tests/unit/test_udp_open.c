/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a UDP socket: what it is set to, and what is said when the kernel refuses. */
#include "udp_test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <natmux/error.h>

static void test_options_ipv4(void **state)
{
	struct nm_udp_config config = config_all();
	struct nm_udp *udp;

	(void)state;
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_true(fcntl(nm_udp_fd(udp), F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(nm_udp_fd(udp), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(option_of(udp, IPPROTO_IP, IP_PKTINFO), 0); /* it is bound to one */
	assert_int_equal(option_of(udp, IPPROTO_IP, IP_RECVTOS), 1);
	assert_int_equal(option_of(udp, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT);
	assert_int_equal(option_of(udp, SOL_SOCKET, SO_RXQ_OVFL), 0); /* SO_MEMINFO is asked */
	assert_int_equal(option_of(udp, SOL_SOCKET, SO_REUSEADDR), 0);
	assert_int_equal(option_of(udp, SOL_SOCKET, SO_REUSEPORT), 0);
	assert_int_equal(nm_udp_local(udp)->family, NATMUX_FAMILY_IPV4);
	assert_int_not_equal(nm_udp_local(udp)->port, 0);
	nm_udp_close(udp);
}

static void test_options_ipv6(void **state)
{
	struct nm_udp_config config = config_all();
	struct nm_udp *udp;

	(void)state;
	if (!udp_peer_can("::1"))
		return;
	assert_int_equal(open_at(&config, "::1", &udp), 0);
	assert_int_equal(option_of(udp, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	assert_int_equal(option_of(udp, IPPROTO_IPV6, IPV6_RECVPKTINFO), 0);
	assert_int_equal(option_of(udp, IPPROTO_IPV6, IPV6_RECVTCLASS), 1);
	assert_int_equal(option_of(udp, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_DONT);
	assert_int_equal(nm_udp_local(udp)->family, NATMUX_FAMILY_IPV6);
	nm_udp_close(udp);
}

/* "0.0.0.0" and "::" with one port are what natmuxd binds by default. */
static void test_both_wildcards_share_a_port(void **state)
{
	struct nm_udp_config config = config_all();
	struct natmux_addr local6 = {.family = NATMUX_FAMILY_IPV6};
	struct nm_udp *udp, *udp6;

	(void)state;
	if (!udp_peer_can("::1"))
		return;
	assert_int_equal(open_at(&config, "0.0.0.0", &udp), 0);
	local6.port = nm_udp_local(udp)->port;
	assert_int_equal(nm_udp_open(&config, &local6, batch, &udp6), 0);
	assert_int_equal(nm_udp_local(udp6)->port, local6.port);
	assert_int_equal(option_of(udp, IPPROTO_IP, IP_PKTINFO), 1);
	assert_int_equal(option_of(udp6, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
	nm_udp_close(udp6);
	nm_udp_close(udp);
}

static void test_status_of_offloads(void **state)
{
	struct nm_udp_config config = config_all();
	struct nm_udp *udp;

	(void)state;
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_true(nm_udp_status(udp)->has_gro);
	assert_true(nm_udp_status(udp)->has_gso);
	assert_string_equal(nm_udp_status(udp)->gro_why, "");
	assert_string_equal(nm_udp_status(udp)->gso_why, "");
	nm_udp_close(udp);

	config.use_gro = config.use_gso = false;
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_false(nm_udp_status(udp)->has_gro);
	assert_false(nm_udp_status(udp)->has_gso);
	assert_non_null(strstr(nm_udp_status(udp)->gro_why, "configuration"));
	assert_non_null(strstr(nm_udp_status(udp)->gso_why, "configuration"));
	nm_udp_close(udp);
}

/* Whether the kernel has the option set on the socket now. */
static int gro_of(const struct nm_udp *udp)
{
	socklen_t len = sizeof(int);
	int value = -1;

	assert_int_equal(getsockopt(nm_udp_fd(udp), IPPROTO_UDP, UDP_GRO, &value, &len), 0);
	return value;
}

static void test_offloads_switched_at_run_time(void **state)
{
	struct nm_udp_config config = config_all();
	struct nm_udp *udp;

	(void)state;
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_int_equal(gro_of(udp), 1);
	nm_udp_set_offloads(udp, false, false);
	assert_int_equal(gro_of(udp), 0);
	assert_false(nm_udp_status(udp)->has_gro);
	assert_false(nm_udp_status(udp)->has_gso);
	assert_non_null(strstr(nm_udp_status(udp)->gso_why, "configuration"));
	nm_udp_set_offloads(udp, true, true);
	assert_int_equal(gro_of(udp), 1);
	assert_true(nm_udp_status(udp)->has_gro);
	assert_true(nm_udp_status(udp)->has_gso);
	assert_string_equal(nm_udp_status(udp)->gro_why, "");
	nm_udp_close(udp);
}

static void test_offloads_refused(void **state)
{
	struct nm_udp_config config = config_all();
	struct nm_udp *udp;

	(void)state;
	fake_sys_fail_option(IPPROTO_UDP, UDP_GRO, ENOPROTOOPT);
	fake_sys_fail_option(IPPROTO_UDP, UDP_SEGMENT, ENOPROTOOPT);
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_false(nm_udp_status(udp)->has_gro);
	assert_false(nm_udp_status(udp)->has_gso);
	assert_non_null(strstr(nm_udp_status(udp)->gro_why, strerror(ENOPROTOOPT)));
	assert_non_null(strstr(nm_udp_status(udp)->gso_why, "UDP_SEGMENT"));
	assert_true(log_tape_has(&tape, "setsockopt(UDP_GRO)"));
	assert_true(log_tape_has(&tape, "setsockopt(UDP_SEGMENT)"));
	nm_udp_close(udp);
}

static struct nm_sys lying; /* the kernel's calls, but for one */

/* Which options of UDP were set, in what order; the kernel may have none of them. */
static char said[128];
static unsigned int refuse_nth; /* 0: none */

static int note_udp_option(int fd, int level, int name, const void *value, socklen_t len)
{
	size_t at = strlen(said);
	int number = 0;

	if (level != IPPROTO_UDP || len != sizeof(number))
		return fake_sys.setsockopt(fd, level, name, value, len);
	if (refuse_nth > 0 && --refuse_nth == 0) {
		errno = ENOPROTOOPT;
		return -1;
	}
	memcpy(&number, value, sizeof(number));
	snprintf(said + at, sizeof(said) - at, "%s=%d ", name == UDP_GRO ? "gro" : "encap", number);
	return 0;
}

/* Both sockets of a group end without UDP_GRO, one with and one without UDP_ENCAP. */
static void test_esp_gro(void **state)
{
	static const struct {
		bool encap, use_esp_gro;
		unsigned int refuse_nth;
		bool opens, has_esp_gro;
		const char *said;
	} cases[] = {
		{true, true, 0, true, true, "encap=2 gro=1 gro=0 "},
		{false, true, 0, true, true, "encap=2 gro=1 gro=0 encap=0 "},
		{true, false, 0, true, false, "encap=2 "},
		{false, false, 0, true, false, ""},
		/* no UDP_GRO: the plain socket must not keep UDP_ENCAP */
		{true, true, 2, true, false, "encap=2 "},
		{false, true, 2, true, false, "encap=2 encap=0 "},
		/* what cannot be undone would lose STUN */
		{false, true, 1, false, false, ""},
		{true, true, 3, false, false, "encap=2 gro=1 "},
		{false, true, 3, false, false, "encap=2 gro=1 "},
		{false, true, 4, false, false, "encap=2 gro=1 gro=0 "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_udp_config config = config_all();
		struct nm_udp *udp = NULL;

		lying = fake_sys;
		lying.setsockopt = note_udp_option;
		config.sys = &lying;
		config.use_gro = config.use_gso = false;
		config.encap = cases[i].encap;
		config.use_esp_gro = cases[i].use_esp_gro;
		refuse_nth = cases[i].refuse_nth;
		said[0] = '\0';
		assert_int_equal(open_at(&config, "127.0.0.1", &udp) == 0, cases[i].opens);
		assert_string_equal(said, cases[i].said);
		if (udp) {
			assert_int_equal(nm_udp_status(udp)->has_esp_gro, cases[i].has_esp_gro);
			assert_false(nm_udp_status(udp)->has_gro);
		}
		nm_udp_close(udp);
		assert_int_equal(fake_sys_open_fds(), 0);
	}
}

static void test_buffers(void **state)
{
	struct nm_udp_config config = config_all();
	struct nm_udp *udp;

	(void)state;
	/* As an ordinary user: no more than net.core.rmem_max. */
	fake_sys_fail_option(SOL_SOCKET, SO_RCVBUFFORCE, EPERM);
	fake_sys_fail_option(SOL_SOCKET, SO_SNDBUFFORCE, EPERM);
	config.receive_buffer = 1u << 30;
	config.send_buffer = 50000;
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_true(nm_udp_status(udp)->receive_buffer > 0);
	assert_true(nm_udp_status(udp)->receive_buffer < 1u << 30);
	assert_true(log_tape_has(&tape, "sysctl net.core.rmem_max"));
	assert_int_equal(nm_udp_status(udp)->send_buffer, 50000);
	assert_false(log_tape_has(&tape, "net.core.wmem_max"));
	nm_udp_close(udp);
}

static void test_default_buffers(void **state)
{
	struct nm_udp_config config = config_all();
	struct nm_udp *udp;

	(void)state;
	config.receive_buffer = config.send_buffer = 0;
	fake_sys_fail_option(SOL_SOCKET, SO_RCVBUFFORCE, EIO);
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_true(nm_udp_status(udp)->receive_buffer > 0);
	assert_false(log_tape_has(&tape, "sysctl"));
	nm_udp_close(udp);

	fake_sys_fail(FAKE_GETSOCKOPT, 1, 2, EIO); /* the first asks for drops */
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_int_equal(nm_udp_status(udp)->receive_buffer, 0);
	assert_int_equal(nm_udp_status(udp)->send_buffer, 0);
	nm_udp_close(udp);
}

static void test_reuse(void **state)
{
	struct nm_udp_config config = config_all();
	struct natmux_addr local;
	struct nm_udp *udp, *second;

	(void)state;
	config.reuse_address = config.reuse_port = true;
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_int_equal(option_of(udp, SOL_SOCKET, SO_REUSEADDR), 1);
	assert_int_equal(option_of(udp, SOL_SOCKET, SO_REUSEPORT), 1);
	local = *nm_udp_local(udp);
	assert_int_equal(nm_udp_open(&config, &local, batch, &second), 0);
	nm_udp_close(second);
	nm_udp_close(udp);
}

static void test_port_in_use(void **state)
{
	struct nm_udp_config config = config_all();
	struct udp_peer other = udp_peer_open("127.0.0.1");
	struct nm_udp *udp = NULL;
	char text[NATMUX_ADDR_TEXT];

	(void)state;
	assert_int_equal(nm_udp_open(&config, &other.addr, batch, &udp), NATMUX_EEXISTS);
	assert_null(udp);
	assert_true(log_tape_has(&tape, natmux_addr_format(&other.addr, text)));
	assert_true(log_tape_has(&tape, "bind: Address already in use"));
	assert_true(log_tape_has(&tape, "natmuxctl doctor"));
	udp_peer_close(&other);
}

/* Each option in turn is refused: the needed ones end it, the others are done without. */
static void test_each_option_refused(void **state)
{
	static const struct {
		const char *ip;
		int level, name;
		bool is_needed, is_reuse;
		const char *said;
	} cases[] = {
		{"0.0.0.0", IPPROTO_IP, IP_PKTINFO, true, false, "IP_PKTINFO"},
		{"127.0.0.1", IPPROTO_IP, IP_RECVTOS, false, false, "IP_RECVTOS"},
		{"127.0.0.1", IPPROTO_IP, IP_MTU_DISCOVER, false, false, "IP_MTU_DISCOVER"},
		{"127.0.0.1", IPPROTO_IP, IP_XFRM_POLICY, false, false, "IP_XFRM_POLICY"},
		{"127.0.0.1", SOL_SOCKET, SO_RXQ_OVFL, false, false, "SO_RXQ_OVFL"},
		{"127.0.0.1", SOL_SOCKET, SO_REUSEADDR, true, true, "SO_REUSEADDR"},
		{"127.0.0.1", SOL_SOCKET, SO_REUSEPORT, true, true, "SO_REUSEPORT"},
		{"127.0.0.1", SOL_SOCKET, SO_RCVBUFFORCE, false, false, ""},
		{"127.0.0.1", SOL_SOCKET, SO_SNDBUFFORCE, false, false, ""},
		{"127.0.0.1", IPPROTO_UDP, UDP_GRO, false, false, "UDP_GRO"},
		{"127.0.0.1", IPPROTO_UDP, UDP_SEGMENT, false, false, "UDP_SEGMENT"},
		{"::1", IPPROTO_IPV6, IPV6_V6ONLY, true, false, "IPV6_V6ONLY"},
		{"::", IPPROTO_IPV6, IPV6_RECVPKTINFO, true, false, "IPV6_RECVPKTINFO"},
		{"::1", IPPROTO_IPV6, IPV6_RECVTCLASS, false, false, "IPV6_RECVTCLASS"},
		{"::1", IPPROTO_IPV6, IPV6_MTU_DISCOVER, false, false, "IPV6_MTU_DISCOVER"},
		{"::1", IPPROTO_IPV6, IPV6_XFRM_POLICY, false, false, "IPV6_XFRM_POLICY"},
	};
	bool has_v6 = udp_peer_can("::1");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_udp_config config = config_all();
		struct nm_udp *udp = NULL;
		int error;

		if (!has_v6 && strchr(cases[i].ip, ':'))
			continue;
		fake_sys_reset();
		config.reuse_address = config.reuse_port = cases[i].is_reuse;
		fake_sys_fail_option(cases[i].level, cases[i].name, ENOMEM);
		if (cases[i].name == SO_RXQ_OVFL)
			fake_sys_fail_option(SOL_SOCKET, SO_MEMINFO, ENOPROTOOPT);
		error = open_at(&config, cases[i].ip, &udp);
		assert_int_equal(error, cases[i].is_needed ? NATMUX_ENOMEM : 0);
		assert_true(log_tape_has(&tape, cases[i].said));
		assert_true(cases[i].is_needed == (udp == NULL));
		nm_udp_close(udp);
		assert_int_equal(fake_sys_open_fds(), 0);
	}
}

/* Without CAP_NET_ADMIN there is no bypass; that is no reason for a line above debug. */
static void test_bypass(void **state)
{
	struct nm_udp_config config = config_all();
	struct nm_udp *udp;

	(void)state;
	config.log.level = NATMUX_LOG_INFO;
	fake_sys_fail_option(IPPROTO_IP, IP_XFRM_POLICY, EPERM);
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_false(nm_udp_status(udp)->has_bypass);
	assert_false(log_tape_has(&tape, "XFRM"));
	nm_udp_close(udp);

	fake_sys_reset();
	config.use_bypass = false;
	fake_sys_fail_option(IPPROTO_IP, IP_XFRM_POLICY, EPERM);
	config.log.level = NATMUX_LOG_DEBUG;
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	assert_false(nm_udp_status(udp)->has_bypass);
	assert_false(log_tape_has(&tape, "XFRM"));
	nm_udp_close(udp);
}

static void test_calls_that_fail(void **state)
{
	static const struct {
		enum fake_call call;
		int error, result;
		const char *said;
	} cases[] = {
		{FAKE_SOCKET, EAFNOSUPPORT, NATMUX_EUNSUPPORTED, "address family"},
		{FAKE_SOCKET, EMFILE, NATMUX_ESYSTEM, "LimitNOFILE"},
		{FAKE_SOCKET, ENOBUFS, NATMUX_ENOMEM, "socket"},
		{FAKE_BIND, EACCES, NATMUX_ESYSTEM, "CAP_NET_BIND_SERVICE"},
		{FAKE_BIND, EADDRNOTAVAIL, NATMUX_ESYSTEM, "no interface has this address"},
		{FAKE_BIND, EADDRINUSE, NATMUX_EEXISTS, "natmuxctl doctor"},
		{FAKE_BIND, ENOMEM, NATMUX_ENOMEM, "bind"},
		{FAKE_GETSOCKNAME, EIO, NATMUX_ESYSTEM, "getsockname"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_udp_config config = config_all();
		struct nm_udp *udp = NULL;

		config.use_bypass = false; /* which an ordinary user is told about */
		fake_sys_reset();
		fake_sys_fail(cases[i].call, 0, 1, cases[i].error);
		assert_int_equal(open_at(&config, "127.0.0.1", &udp), cases[i].result);
		assert_null(udp);
		assert_int_equal(tape.lines, 1);
		assert_true(log_tape_has(&tape, "UDP 127.0.0.1: "));
		assert_true(log_tape_has(&tape, strerror(cases[i].error)));
		assert_true(log_tape_has(&tape, cases[i].said));
		assert_int_equal(fake_sys_open_fds(), 0);
	}
}

static void test_device(void **state)
{
	struct nm_udp_config config = config_all();
	struct nm_udp *udp = NULL;

	(void)state;
	config.device = "no-such-device";
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), NATMUX_ESYSTEM);
	assert_true(log_tape_has(&tape, "SO_BINDTODEVICE"));
	assert_true(log_tape_has(&tape, "no such interface"));

	config.device = "a-name-of-sixteen";
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), NATMUX_EINVAL);
	assert_null(udp);

	config.device = "";
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	nm_udp_close(udp);

	config.device = "lo";
	assert_int_equal(open_at(&config, "127.0.0.1", &udp), 0);
	nm_udp_close(udp);
}

static void test_no_family(void **state)
{
	struct nm_udp_config config = config_all();
	struct natmux_addr none = {0};
	struct nm_udp *udp = NULL;

	(void)state;
	assert_int_equal(nm_udp_open(&config, &none, batch, &udp), NATMUX_EINVAL);
	assert_null(udp);
	assert_int_equal(fake_sys_calls(FAKE_SOCKET), 0);
}

static void test_no_memory_for_batch(void **state)
{
	struct nm_udp_batch *none = NULL;

	(void)state;
	fake_sys_fail(FAKE_MAP, 0, 1, ENOMEM);
	assert_int_equal(nm_udp_batch_new(&fake_sys, &none), NATMUX_ENOMEM);
	assert_null(none);
	nm_udp_batch_free(NULL);
	nm_udp_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_options_ipv4, setup, teardown),
		cmocka_unit_test_setup_teardown(test_options_ipv6, setup, teardown),
		cmocka_unit_test_setup_teardown(test_both_wildcards_share_a_port, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status_of_offloads, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_offloads_switched_at_run_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_offloads_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_esp_gro, setup, teardown),
		cmocka_unit_test_setup_teardown(test_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_default_buffers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reuse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_port_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_option_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bypass, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calls_that_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_device, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_family, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory_for_batch, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
