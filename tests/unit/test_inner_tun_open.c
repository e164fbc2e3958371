/* SPDX-License-Identifier: Apache-2.0 */
/* How the TUN device of the user ESP plane comes to be, and every call failing in turn. */
#include "inner_tun_open_test.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <linux/if_tun.h>
#include <natmux/error.h>

static short interface_flags(const char *name)
{
	struct udp_peer peer = udp_peer_open("0.0.0.0");
	struct ifreq ifr = {0};

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(peer.fd, SIOCGIFFLAGS, &ifr), 0);
	udp_peer_close(&peer);
	return ifr.ifr_flags;
}

static int interface_mtu(const char *name)
{
	struct udp_peer peer = udp_peer_open("0.0.0.0");
	struct ifreq ifr = {0};

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(peer.fd, SIOCGIFMTU, &ifr), 0);
	udp_peer_close(&peer);
	return ifr.ifr_mtu;
}

static void test_all_on(void **state)
{
	struct nm_inner_tun_config config = config_all();
	struct nm_inner_tun *tun = open_with(&config);
	struct udp_peer peer = udp_peer_open(OWN4);
	const struct nm_inner_tun_status *status = status_of(tun);

	(void)state;
	assert_true(kernel_has & READ_TSO && kernel_has & WRITE_TSO);
	assert_int_equal(flags_of(tun), kernel_has);
	assert_int_equal(tape.lines, kernel_has == ALL ? 0 : 1);
	assert_int_equal(strncmp(nm_inner_tun_name(tun), "test", 4), 0);
	assert_null(strchr(nm_inner_tun_name(tun), '%'));
	assert_int_equal(interface_mtu(nm_inner_tun_name(tun)), 1400);
	assert_true(interface_flags(nm_inner_tun_name(tun)) & IFF_UP);
	assert_int_equal(nm_inner_tun_queues(tun), 1);
	assert_string_equal(nm_inner_tun_queues_why(tun), "");
	assert_false(status->is_gone);
	assert_int_equal(status->read.packets + status->read.drops + status->uncut, 0);
	assert_int_equal(status->written.packets + status->written.drops, 0);
	assert_int_equal(status->read.super_packets + status->written.super_packets, 0);
	udp_peer_close(&peer);
	if (has_v6) {
		peer = udp_peer_open(OWN6);
		udp_peer_close(&peer);
	}
	nm_inner_tun_close(tun);
	assert_false(udp_peer_binds(OWN4)); /* the device is gone */
	nm_inner_tun_close(NULL);
}

/* The proof leaves nothing behind: no packet, no answer to one, nothing for a socket. */
static void test_is_quiet(void **state)
{
	struct nm_inner_tun_config config = config_all();
	struct nm_inner_tun *tun;
	struct pollfd waiting = {.events = POLLIN};

	(void)state;
	config.queues = 2;
	tun = open_with(&config);
	check_empty(tun);
	waiting.fd = nm_inner_tun_fd(nm_inner_tun_queue(tun, 0));
	assert_int_equal(poll(&waiting, 1, 1500), 0);
	check_empty(tun);
	nm_inner_tun_close(tun);
}

static void test_by_configuration(void **state)
{
	static const struct {
		bool use_tso, use_uso;
		unsigned int flags;
	} cases[] = {{false, false, 0}, {true, false, READ_TSO | WRITE_TSO},
		{false, true, READ_USO | WRITE_USO}, {true, true, ALL}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_inner_tun_config config = config_all();
		struct nm_inner_tun *tun;

		config.use_tso = cases[i].use_tso;
		config.use_uso = cases[i].use_uso;
		tun = open_with(&config);
		assert_int_equal(flags_of(tun), cases[i].flags & kernel_has);
		if (!cases[i].use_tso)
			assert_string_equal(
				status_of(tun)->tso.why, "switched off by configuration");
		if (!cases[i].use_uso)
			assert_string_equal(
				status_of(tun)->uso.why, "switched off by configuration");
		if (cases[i].flags == 0)
			assert_int_equal(tape.lines, 0);
		nm_inner_tun_close(tun);
	}
}

static void test_queues(void **state)
{
	static const uint32_t wanted[] = {0, 1, 2, 3, 8, NM_INNER_TUN_QUEUES_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		struct nm_inner_tun_config config = config_all();
		uint32_t n = wanted[i] > 0 ? wanted[i] : 1;
		struct nm_inner_tun *tun;

		config.queues = wanted[i];
		tun = open_with(&config);
		assert_int_equal(nm_inner_tun_queues(tun), n);
		assert_string_equal(nm_inner_tun_queues_why(tun), "");
		for (uint32_t k = 0; k < n; k++) {
			struct nm_inner_tun_queue *queue = nm_inner_tun_queue(tun, k);

			assert_true(nm_inner_tun_fd(queue) >= 0);
			assert_true(
				k == 0 || nm_inner_tun_fd(queue) !=
						  nm_inner_tun_fd(nm_inner_tun_queue(tun, k - 1)));
			assert_memory_equal(&nm_inner_tun_status(queue)->tso, &status_of(tun)->tso,
				sizeof(status_of(tun)->tso));
			assert_true(nm_inner_tun_status(queue)->uso.is_written ==
				    status_of(tun)->uso.is_written);
		}
		check_empty(tun);
		nm_inner_tun_close(tun);
	}
}

/* The third queue cannot be had: two it is. */
static void test_fewer_queues(void **state)
{
	static const struct {
		enum fake_call call;
		unsigned int skip;
		int error;
		const char *why;
	} cases[] = {
		{FAKE_OPEN, 2, EMFILE, "/dev/net/tun: Too many open files"},
		{FAKE_MAP, 2, ENOMEM, "Cannot allocate memory"},
		{FAKE_IOCTL, 0, E2BIG, "TUNSETIFF"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_inner_tun_config config = config_all();
		unsigned int skip = cases[i].skip;
		struct nm_inner_tun *tun;

		if (cases[i].call == FAKE_IOCTL) {
			/* The ioctl of the third queue is the last of all. */
			config.queues = 2;
			fake_sys_reset();
			nm_inner_tun_close(open_with(&config));
			skip = fake_sys_calls(FAKE_IOCTL);
		}
		config = config_all();
		config.queues = 5;
		fake_sys_reset();
		fake_sys_fail(cases[i].call, skip, 1, cases[i].error);
		tun = open_with(&config);
		assert_int_equal(nm_inner_tun_queues(tun), 2);
		assert_non_null(strstr(nm_inner_tun_queues_why(tun), cases[i].why));
		assert_true(log_tape_has(&tape, "going on with 2 queues"));
		nm_inner_tun_close(tun);
	}
}

/* The proof of USO takes two messages each way, behind the first three; not without USO. */
static unsigned int unproved(unsigned int messages)
{
	return kernel_has == ALL || messages < 5 ? 0 : 2;
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
		{0, FAKE_MAP, 0, ENOMEM, NATMUX_ENOMEM, ""},
		{0, FAKE_OPEN, 0, ENOENT, NATMUX_EUNSUPPORTED, "modprobe tun"},
		{0, FAKE_OPEN, 0, EACCES, NATMUX_EUNSUPPORTED, "open /dev/net/tun"},
		{TUNSETIFF, 0, 0, EPERM, NATMUX_ESYSTEM, "CAP_NET_ADMIN"},
		{TUNSETIFF, 0, 0, EBUSY, NATMUX_EEXISTS, "another program uses the device"},
		{TUNSETIFF, 0, 0, EINVAL, NATMUX_ESYSTEM, "no TUN of this kind"},
		{TUNSETOFFLOAD, 0, 0, EIO, NATMUX_ESYSTEM, "TUNSETOFFLOAD"},
		{0, FAKE_SOCKET, 0, EMFILE, NATMUX_ESYSTEM, "socket"},
		{SIOCGIFINDEX, 0, 0, ENODEV, NATMUX_EUNSUPPORTED, "SIOCGIFINDEX"},
		{SIOCSIFMTU, 0, 0, EIO, NATMUX_ESYSTEM, "SIOCSIFMTU"},
		{SIOCGIFFLAGS, 0, 0, EIO, NATMUX_ESYSTEM, "SIOCGIFFLAGS"},
		{SIOCSIFFLAGS, 0, 0, ENOBUFS, NATMUX_ENOMEM, "SIOCSIFFLAGS"},
		{0, FAKE_SOCKET, 3, EMFILE, NATMUX_ESYSTEM, "RTM_NEWADDR, IPv4"},
		{0, FAKE_SENDMSG, 5, EIO, NATMUX_ESYSTEM, "RTM_NEWADDR, IPv4"},
		{0, FAKE_RECVMSG, 5, EIO, NATMUX_ESYSTEM, "RTM_NEWADDR, IPv4"},
		{0, FAKE_SOCKET, 4, EMFILE, NATMUX_ESYSTEM, "RTM_NEWADDR, IPv6"},
		{0, FAKE_SENDMSG, 6, EACCES, NATMUX_EUNSUPPORTED, "disable_ipv6"},
		{0, FAKE_RECVMSG, 6, ENOBUFS, NATMUX_ENOMEM, "RTM_NEWADDR, IPv6"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases) * 2; i++) {
		struct nm_inner_tun_config config = config_all();
		struct nm_inner_tun *tun = NULL;
		size_t k = i / 2;

		config.queues = i % 2 ? 4 : 1;
		if (!has_v6 && strstr(cases[k].said, "IPv6"))
			continue;
		fake_sys_reset();
		if (cases[k].request)
			fake_sys_fail_ioctl(cases[k].request, cases[k].error);
		else
			fake_sys_fail(cases[k].call, cases[k].skip - unproved(cases[k].skip), 1,
				cases[k].error);
		assert_int_equal(nm_inner_tun_open(&config, &tun), cases[k].result);
		assert_null(tun);
		assert_true(log_tape_has(&tape, cases[k].said));
		/* A kernel without USO is worth a line of its own. */
		assert_true(tape.lines <= (kernel_has == ALL ? 1 : 2));
		assert_int_equal(fake_sys_maps(), 0);
		assert_int_equal(fake_sys_open_fds(), 0);
	}
}

/* A kernel that cannot be told to be quiet: a few packets more, no reason to give up. */
static void test_quiet_refused(void **state)
{
	struct nm_inner_tun_config config = config_all();

	(void)state;
	config.ipv6.ip.family = NATMUX_FAMILY_NONE;
	fake_sys_fail(FAKE_SENDMSG, 0, 1, EAFNOSUPPORT);
	nm_inner_tun_close(open_with(&config));
}

static void test_bad_config(void **state)
{
	struct nm_inner_tun_config good = config_all(), bad[9];
	struct nm_inner_tun *tun = NULL;

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
	bad[8].queues = NM_INNER_TUN_QUEUES_MAX + 1;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(nm_inner_tun_open(&bad[i], &tun), NATMUX_EINVAL);
	assert_null(tun);
	assert_int_equal(fake_sys_calls(FAKE_OPEN), 0);
}

static unsigned int prefix_bits4(const char *name)
{
	struct udp_peer peer = udp_peer_open("0.0.0.0");
	struct ifreq ifr = {0};
	struct sockaddr_in sin;
	uint32_t mask;

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(peer.fd, SIOCGIFNETMASK, &ifr), 0);
	memcpy(&sin, &ifr.ifr_netmask, sizeof(sin));
	mask = ntohl(sin.sin_addr.s_addr);
	udp_peer_close(&peer);
	return mask ? 32 - (unsigned int)__builtin_ctz(mask) : 0;
}

/* /proc/net/if_inet6: address, index, prefix, scope, flags, name */
static unsigned int prefix_bits6(const char *name)
{
	FILE *stream = fopen("/proc/thread-self/net/if_inet6", "re");
	unsigned int bits = 999;
	char line[256];

	assert_non_null(stream);
	while (bits == 999 && fgets(line, sizeof(line), stream))
		if (strstr(line, name))
			assert_int_equal(sscanf(line, "%*s %*s %x", &bits), 1);
	fclose(stream);
	return bits;
}

/* Every prefix length is one; no address at all is fine too; so is the least MTU. */
static void test_prefixes_and_mtus(void **state)
{
	static const uint8_t bits[] = {0, 1, 8, 31, 32};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		struct nm_inner_tun_config config = config_all();
		struct nm_inner_tun *tun;

		config.ipv4.bits = bits[i];
		config.ipv6.bits = (uint8_t)(bits[i] * 4);
		tun = open_with(&config);
		assert_true(udp_peer_binds(OWN4));
		assert_true(!has_v6 || udp_peer_binds(OWN6));
		assert_int_equal(prefix_bits4(nm_inner_tun_name(tun)), bits[i]);
		if (has_v6)
			assert_int_equal(prefix_bits6(nm_inner_tun_name(tun)), config.ipv6.bits);
		nm_inner_tun_close(tun);
		config.ipv4.ip.family = config.ipv6.ip.family = NATMUX_FAMILY_NONE;
		config.mtu = 68;
		tun = open_with(&config);
		assert_int_equal(flags_of(tun), kernel_has);
		assert_int_equal(interface_mtu(nm_inner_tun_name(tun)), 68);
		nm_inner_tun_close(tun);
	}
}

static void test_set_mtu(void **state)
{
	struct nm_inner_tun_config config = config_all();
	struct nm_inner_tun *tun = open_with(&config);

	(void)state;
	assert_int_equal(nm_inner_tun_set_mtu(tun, 1281), 0);
	assert_int_equal(interface_mtu(nm_inner_tun_name(tun)), 1281);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 67), NATMUX_EINVAL);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 0), NATMUX_EINVAL);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 65536), NATMUX_EINVAL);
	fake_sys_fail_ioctl(SIOCSIFMTU, EPERM);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 1300), NATMUX_ESYSTEM);
	assert_true(log_tape_has(&tape, "CAP_NET_ADMIN"));
	fake_sys_reset();
	fake_sys_fail(FAKE_SOCKET, 0, 1, EMFILE);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 1300), NATMUX_ESYSTEM);
	assert_int_equal(interface_mtu(nm_inner_tun_name(tun)), 1281);
	assert_int_equal(nm_inner_tun_set_mtu(tun, 65535), 0);
	nm_inner_tun_close(tun);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_is_quiet, setup, teardown),
		cmocka_unit_test_setup_teardown(test_by_configuration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queues, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fewer_queues, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quiet_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prefixes_and_mtus, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set_mtu, setup, teardown),
	};
	int result = enter_and_look();

	return result != 0 ? result : cmocka_run_group_tests(tests, NULL, NULL);
}
