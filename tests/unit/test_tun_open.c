/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the TUN device comes to be, in a network namespace of the test's own: addresses that work at once,
 * names that are taken, and every call failing in turn.
 */
#include "tun_test.h"

#include <errno.h>
#include <poll.h>
#include <linux/if_tun.h>
#include <natmux/error.h>

static void test_addresses_can_be_bound_at_once(void **state)
{
	struct nm_tun_config config = config_all();
	struct ifreq ifr = {0};
	struct udp_peer peer;
	struct nm_tun *tun;

	(void)state;
	assert_int_equal(nm_tun_open(&config, &tun), 0);
	if (has_v6) {
		peer = udp_peer_open(OWN6);
		udp_peer_close(&peer);
	}
	assert_int_equal(tape.lines, 0);
	assert_true(strncmp(nm_tun_name(tun), "test", 4) == 0);
	assert_null(strchr(nm_tun_name(tun), '%'));
	peer = udp_peer_open(OWN4);
	strncpy(ifr.ifr_name, nm_tun_name(tun), sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(peer.fd, SIOCGIFMTU, &ifr), 0);
	assert_int_equal(ifr.ifr_mtu, 1400);
	assert_int_equal(ioctl(peer.fd, SIOCGIFFLAGS, &ifr), 0);
	assert_true(ifr.ifr_flags & IFF_UP);
	udp_peer_close(&peer);
	nm_tun_close(tun);
	assert_false(udp_peer_binds(OWN4)); /* the device is gone */
}

/* Nothing but what somebody sends comes out: no router solicitations, no multicast reports. */
static void test_is_quiet(void **state)
{
	struct nm_tun *tun = open_tun();
	struct nm_tun_packet packets[8];
	struct pollfd waiting = {.fd = nm_tun_fd(tun), .events = POLLIN};

	(void)state;
	assert_int_equal(poll(&waiting, 1, 1500), 0);
	assert_int_equal(nm_tun_read(tun, packets, 8), 0);
	nm_tun_close(tun);
}

/* A kernel that cannot be told to be quiet: a few packets more, no reason to give up. */
static void test_quiet_refused(void **state)
{
	struct nm_tun_config config = config_all();
	struct nm_tun *tun;

	(void)state;
	config.ipv6.ip.family = NATMUX_FAMILY_NONE;
	fake_sys_fail(FAKE_SENDMSG, 0, 1, EAFNOSUPPORT);
	assert_int_equal(nm_tun_open(&config, &tun), 0);
	assert_int_equal(tape.lines, 0);
	nm_tun_close(tun);
}

static void test_open_fails(void **state)
{
	static const struct {
		unsigned long request; /* 0: `call` fails */
		enum fake_call call;
		unsigned int skip;
		int error, result;
		const char *said;
	} cases[] = {
		{0, FAKE_OPEN, 0, ENOENT, NATMUX_EUNSUPPORTED, "modprobe tun"},
		{0, FAKE_OPEN, 0, ENXIO, NATMUX_EUNSUPPORTED, "modprobe tun"},
		{0, FAKE_OPEN, 0, EACCES, NATMUX_EUNSUPPORTED, "open /dev/net/tun"},
		{TUNSETIFF, 0, 0, EPERM, NATMUX_ESYSTEM, "CAP_NET_ADMIN"},
		{TUNSETIFF, 0, 0, EBUSY, NATMUX_EEXISTS, "another program uses the device"},
		{TUNSETIFF, 0, 0, EINVAL, NATMUX_ESYSTEM, "no TUN of this kind"},
		{TUNSETOFFLOAD, 0, 0, EIO, NATMUX_ESYSTEM, "TUNSETOFFLOAD"},
		{0, FAKE_SOCKET, 0, EMFILE, NATMUX_ESYSTEM, "socket"},
		{0, FAKE_SOCKET, 2, EMFILE, NATMUX_ESYSTEM, "RTM_NEWADDR"},
		{0, FAKE_SENDMSG, 1, EACCES, NATMUX_EUNSUPPORTED, "disable_ipv6"},
		{0, FAKE_RECVMSG, 1, ENOBUFS, NATMUX_ENOMEM, "RTM_NEWADDR"},
		{SIOCSIFADDR, 0, 0, EACCES, NATMUX_EUNSUPPORTED, "SIOCSIFADDR"},
		{SIOCSIFNETMASK, 0, 0, EIO, NATMUX_ESYSTEM, "SIOCSIFNETMASK"},
		{SIOCGIFINDEX, 0, 0, ENODEV, NATMUX_EUNSUPPORTED, "SIOCGIFINDEX"},
		{SIOCSIFMTU, 0, 0, EIO, NATMUX_ESYSTEM, "SIOCSIFMTU"},
		{SIOCGIFFLAGS, 0, 0, EIO, NATMUX_ESYSTEM, "SIOCGIFFLAGS"},
		{SIOCSIFFLAGS, 0, 0, ENOBUFS, NATMUX_ENOMEM, "SIOCSIFFLAGS"},
		{0, FAKE_MAP, 0, ENOMEM, NATMUX_ENOMEM, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_tun_config config = config_all();
		struct nm_tun *tun = NULL;

		if (!has_v6 && cases[i].skip > 0)
			continue;
		fake_sys_reset();
		if (cases[i].request)
			fake_sys_fail_ioctl(cases[i].request, cases[i].error);
		else
			fake_sys_fail(cases[i].call, cases[i].skip, 1, cases[i].error);
		assert_int_equal(nm_tun_open(&config, &tun), cases[i].result);
		assert_null(tun);
		assert_true(log_tape_has(&tape, cases[i].said));
		assert_true(tape.lines <= 1);
		assert_int_equal(fake_sys_maps(), 0);
		assert_int_equal(fake_sys_open_fds(), 0);
	}
}

static void test_bad_config(void **state)
{
	struct nm_tun_config good = config_all(), bad[9];
	struct nm_tun *tun = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].name = NULL;
	bad[1].name = "";
	bad[2].name = "a-name-of-sixteen";
	bad[3].ipv4.bits = 33;
	bad[4].ipv4.ip = test_addr("::1");
	bad[5].ipv6 = (struct nm_tun_address){test_addr("fd99::1"), 129};
	bad[6].ipv6 = (struct nm_tun_address){test_addr("fd99::1"), 64};
	bad[6].mtu = 1279;
	bad[7].mtu = 65536;
	bad[8].ipv6.ip.family = NATMUX_FAMILY_NONE;
	bad[8].mtu = 67;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(nm_tun_open(&bad[i], &tun), NATMUX_EINVAL);
	assert_null(tun);
	assert_int_equal(fake_sys_calls(FAKE_OPEN), 0);
	nm_tun_close(NULL);
}

/* Every prefix length is one; no address at all is fine too. */
static void test_prefixes(void **state)
{
	static const uint8_t bits[] = {0, 1, 8, 31, 32};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		struct nm_tun_config config = config_all();
		struct nm_tun *tun;
		struct udp_peer peer;

		config.ipv4.bits = bits[i];
		config.ipv6.bits = (uint8_t)(bits[i] * 4);
		assert_int_equal(nm_tun_open(&config, &tun), 0);
		peer = udp_peer_open(OWN4);
		udp_peer_close(&peer);
		nm_tun_close(tun);
		config.ipv4.ip.family = config.ipv6.ip.family = NATMUX_FAMILY_NONE;
		assert_int_equal(nm_tun_open(&config, &tun), 0);
		nm_tun_close(tun);
	}
}

static void test_name_in_use(void **state)
{
	struct nm_tun *tun = open_tun(), *second = NULL;
	struct nm_tun_config config = config_all();

	(void)state;
	config.name = nm_tun_name(tun);
	assert_int_equal(nm_tun_open(&config, &second), NATMUX_EEXISTS);
	assert_null(second);
	assert_true(log_tape_has(&tape, "Device or resource busy"));
	config.name = "lo";
	assert_int_equal(nm_tun_open(&config, &second), NATMUX_ESYSTEM);
	assert_true(log_tape_has(&tape, "no TUN of this kind"));
	nm_tun_close(tun);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_addresses_can_be_bound_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_quiet, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quiet_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prefixes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_name_in_use, setup, teardown),
	};
	int result = enter_namespace();

	return result != 0 ? result : cmocka_run_group_tests(tests, NULL, NULL);
}
