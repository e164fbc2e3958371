/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the inner TUN device have in common: a device in a namespace of their own. */
#ifndef INNER_TUN_TEST_H
#define INNER_TUN_TEST_H

#include "test.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "io/inner_tun.h"
#include "tests/fakes/fake_sys.h"
#include "tests/fakes/log_tape.h"
#include "tests/fakes/udp_peer.h"

static struct log_tape tape;
static bool has_v6;

static inline struct nm_inner_tun_config config_of(const char *ipv4, const char *ipv6)
{
	struct nm_inner_tun_config config = {
		.sys = &fake_sys,
		.log = log_tape(&tape),
		.name = "test%d",
		.ipv4 = {test_addr(ipv4), 24},
		.mtu = 1400,
		.use_tso = true,
		.use_uso = true,
	};

	if (has_v6)
		config.ipv6 = (struct nm_tun_address){test_addr(ipv6), 64};
	return config;
}

static inline const struct nm_inner_tun_status *status_of(struct nm_inner_tun *tun)
{
	return nm_inner_tun_status(nm_inner_tun_queue(tun, 0));
}

static inline int setup(void **state)
{
	(void)state;
	fake_sys_reset();
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	assert_int_equal(fake_sys_maps(), 0);
	assert_int_equal(fake_sys_open_fds(), 0);
	return 0;
}

/* 0: go on; else what main() returns. */
static inline int enter_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0) {
		printf("skipped: needs CAP_NET_ADMIN for a network namespace (%s)\n",
			strerror(errno));
		return 77;
	}
	if (access("/dev/net/tun", R_OK | W_OK) < 0) {
		printf("skipped: /dev/net/tun: %s\n", strerror(errno));
		return 77;
	}
	has_v6 = access("/proc/sys/net/ipv6", F_OK) == 0;
	return 0;
}

#endif
