/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of the TUN device of the user ESP plane: those that others have, and what is left of those
 * who went.
 */
#include "inner_tun_open_test.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <linux/if_tun.h>
#include <natmux/error.h>

/* A persistent device, made as `ip tuntap add` makes it; and the descriptor that still holds it. */
static int make_persistent(const char *name, int flags)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | flags)};

	assert_true(fd >= 0);
	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	assert_int_equal(ioctl(fd, TUNSETPERSIST, 1), 0);
	return fd;
}

static void remove_persistent(const char *name, int flags)
{
	int fd = make_persistent(name, flags);

	assert_int_equal(ioctl(fd, TUNSETPERSIST, 0), 0);
	close(fd);
}

/* Whoever had it left offloads on, big headers, and an address that we want too. */
static void test_persistent(void **state)
{
	static const int kinds[] = {0, IFF_MULTI_QUEUE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds) * 2; i++) {
		struct nm_inner_tun_config config = config_all();
		int fd = make_persistent("kept0", kinds[i % 2] | IFF_VNET_HDR), size = 24;
		struct nm_inner_tun *tun;

		assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &size), 0);
		assert_int_equal(ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4), 0);
		close(fd);
		config.name = "kept0";
		config.queues = i / 2 ? 3 : 1;
		for (int again = 0; again < 2 && (kinds[i % 2] == 0 || config.queues > 1);
			again++) {
			tun = open_with(&config);
			assert_int_equal(flags_of(tun), kernel_has);
			assert_int_equal(nm_inner_tun_queues(tun),
				kinds[i % 2] == IFF_MULTI_QUEUE ? config.queues : 1);
			assert_true((nm_inner_tun_queues_why(tun)[0] == '\0') ==
				    (nm_inner_tun_queues(tun) == config.queues));
			nm_inner_tun_close(tun);
			assert_true(udp_peer_binds(OWN4)); /* it is still there */
		}
		remove_persistent("kept0", kinds[i % 2]);
	}
}

static void bring_up(const char *name)
{
	struct udp_peer peer = udp_peer_open("0.0.0.0");
	struct ifreq ifr = {.ifr_flags = IFF_UP};

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	assert_int_equal(ioctl(peer.fd, SIOCSIFFLAGS, &ifr), 0);
	udp_peer_close(&peer);
}

static void test_in_use(void **state)
{
	static const int kinds[] = {0, IFF_MULTI_QUEUE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds) * 2; i++) {
		struct nm_inner_tun_config config = config_all();
		int fd = make_persistent("kept0", kinds[i % 2]);
		struct nm_inner_tun *tun = NULL;

		bring_up("kept0");
		config.name = "kept0";
		config.queues = i / 2 ? 3 : 1;
		/* One queue of a device that is made for many: no TUN of this kind. */
		assert_int_equal(nm_inner_tun_open(&config, &tun),
			kinds[i % 2] && config.queues == 1 ? NATMUX_ESYSTEM : NATMUX_EEXISTS);
		assert_null(tun);
		assert_int_equal(tape.lines, 1);
		close(fd);
		remove_persistent("kept0", kinds[i % 2]);
	}
}

static void test_name_in_use(void **state)
{
	(void)state;
	for (uint32_t queues = 1; queues <= 2; queues++) {
		struct nm_inner_tun_config config = config_all();
		struct nm_inner_tun *tun, *second = NULL;

		config.queues = queues;
		tun = open_with(&config);
		config = config_all();
		config.queues = queues;
		config.name = nm_inner_tun_name(tun);
		assert_int_equal(nm_inner_tun_open(&config, &second), NATMUX_EEXISTS);
		assert_true(log_tape_has(&tape, "Device or resource busy"));
		config = config_all();
		config.name = "lo";
		config.queues = queues;
		assert_int_equal(nm_inner_tun_open(&config, &second), NATMUX_ESYSTEM);
		assert_true(log_tape_has(&tape, "no TUN of this kind"));
		assert_int_equal(tape.lines, 1);
		assert_null(second);
		nm_inner_tun_close(tun);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_persistent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_name_in_use, setup, teardown),
	};
	int result = enter_and_look();

	return result != 0 ? result : cmocka_run_group_tests(tests, NULL, NULL);
}
