/* SPDX-License-Identifier: Apache-2.0 */
/* The trial of a reuseport program: on the running kernel, and on one that fails or lies. */
#include "test.h"

#include <errno.h>
#include <sys/socket.h>
#include <natmux/error.h>

#include "dispatcher/spread.h"
#include "io/reuseport_proof.h"
#include "tests/fakes/fake_sys.h"
#include "tests/fakes/udp_peer.h"

static char why[NM_REUSEPORT_WHY];

static int prove(uint32_t sockets, uint32_t lie)
{
	struct nm_spread_sample samples[NM_SPREAD_SAMPLES];
	struct nm_reuseport_probe probes[NM_SPREAD_SAMPLES];
	struct nm_filter_step steps[NM_SPREAD_STEPS];
	size_t steps_n = nm_spread_program(sockets, steps);
	size_t n = nm_spread_samples(sockets, samples);

	for (size_t i = 0; i < n; i++)
		probes[i] = (struct nm_reuseport_probe){samples[i].what, samples[i].payload,
			samples[i].len, (samples[i].worker + lie) % sockets};
	why[0] = '\0';
	return nm_reuseport_prove(&fake_sys, sockets, steps, steps_n, probes, n, why);
}

static int begin(void **state)
{
	(void)state;
	fake_sys_reset();
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(fake_sys_open_fds(), 0);
	return 0;
}

static void test_this_kernel(void **state)
{
	(void)state;
	for (uint32_t sockets = 1; sockets <= 16; sockets++) {
		if (prove(sockets, 0) < 0)
			fail_msg("%u sockets: %s", sockets, why);
		assert_string_equal(why, "");
	}
}

static void test_another_gets_it(void **state)
{
	(void)state;
	assert_int_equal(prove(2, 1), NATMUX_EUNSUPPORTED);
	assert_non_null(strstr(why, "comes out at the wrong socket"));
}

/* Who is stopped and goes on while it waits has not waited in vain. */
static void test_interrupted(void **state)
{
	(void)state;
	fake_sys_fail(FAKE_RECVMSG, 1, 2, EINTR);
	assert_int_equal(prove(2, 0), 0);
	assert_string_equal(why, "");
}

static void test_counts(void **state)
{
	(void)state;
	assert_int_equal(nm_reuseport_prove(&fake_sys, 0, NULL, 0, NULL, 0, why), NATMUX_EINVAL);
	assert_int_equal(
		nm_reuseport_prove(&fake_sys, NM_REUSEPORT_SOCKETS_MAX + 1, NULL, 0, NULL, 0, why),
		NATMUX_EINVAL);
	/* Without a program nothing is proved. */
	assert_int_equal(
		nm_reuseport_prove(&fake_sys, 1, NULL, 0, NULL, 0, why), NATMUX_EUNSUPPORTED);
}

static void test_calls_that_fail(void **state)
{
	static const struct {
		enum fake_call call;
		unsigned int skip;
		int error;
		const char *why;
	} calls[] = {
		{FAKE_SOCKET, 0, EMFILE, "socket: Too many open files"},
		{FAKE_SOCKET, 1, EMFILE, "socket: Too many open files"},
		{FAKE_BIND, 0, EADDRNOTAVAIL, "bind: Cannot assign requested address"},
		{FAKE_BIND, 1, EADDRINUSE, "bind: Address already in use"},
		{FAKE_GETSOCKNAME, 0, ENOBUFS, "getsockname: No buffer space available"},
		{FAKE_SENDMSG, 0, ENETUNREACH,
			"sendmsg over the loopback interface: Network is unreachable"},
		{FAKE_SENDMSG, 3, EPERM,
			"sendmsg over the loopback interface: Operation not permitted"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		fake_sys_reset();
		fake_sys_fail(calls[i].call, calls[i].skip, 1, calls[i].error);
		assert_int_equal(prove(2, 0), NATMUX_EUNSUPPORTED);
		assert_string_equal(why, calls[i].why);
		assert_int_equal(fake_sys_open_fds(), 0);
	}
}

/* Another family is another path through the kernel: it is tried where it is there. */
static void test_ipv6(void **state)
{
	static const struct {
		enum fake_call call;
		unsigned int skip; /* calls of IPv4 */
		int error, result;
	} calls[] = {
		{FAKE_SOCKET, 3, EAFNOSUPPORT, 0},
		{FAKE_BIND, 2, EADDRNOTAVAIL, 0},
		{FAKE_SOCKET, 3, EMFILE, NATMUX_EUNSUPPORTED},
		{FAKE_BIND, 2, EACCES, NATMUX_EUNSUPPORTED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		fake_sys_reset();
		fake_sys_fail(calls[i].call, calls[i].skip, 1, calls[i].error);
		assert_int_equal(prove(2, 0), calls[i].result);
		assert_int_equal(strstr(why, "(IPv6)") != NULL, calls[i].result < 0);
		assert_int_equal(fake_sys_open_fds(), 0);
	}
	/* Not that nothing was tried. */
	fake_sys_reset();
	assert_int_equal(prove(2, 0), 0);
	if (udp_peer_can("::1"))
		assert_int_equal(fake_sys_calls(FAKE_SOCKET), 6);
}

static void test_options_that_fail(void **state)
{
	static const struct {
		int name;
		const char *why;
	} options[] = {
		{SO_REUSEPORT, "setsockopt(SO_REUSEPORT): Protocol not available"},
		{SO_RCVTIMEO, "setsockopt(SO_RCVTIMEO): Protocol not available"},
		{SO_ATTACH_REUSEPORT_CBPF,
			"setsockopt(SO_ATTACH_REUSEPORT_CBPF): Protocol not available"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		fake_sys_reset();
		fake_sys_fail_option(SOL_SOCKET, options[i].name, ENOPROTOOPT);
		assert_int_equal(prove(2, 0), NATMUX_EUNSUPPORTED);
		assert_string_equal(why, options[i].why);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_this_kernel),
		TEST(test_another_gets_it),
		TEST(test_interrupted),
		TEST(test_counts),
		TEST(test_calls_that_fail),
		TEST(test_ipv6),
		TEST(test_options_that_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
