/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of UDP sockets share: a socket over calls that can fail, and nothing of it left
 * behind.
 */
#ifndef UDP_TEST_H
#define UDP_TEST_H

#include "test.h"

#include <netinet/udp.h>

#include "io/udp_socket.h"
#include "tests/fakes/fake_sys.h"
#include "tests/fakes/log_tape.h"
#include "tests/fakes/udp_peer.h"

static struct log_tape tape;
static struct nm_udp_batch *batch;

static inline int open_at(const struct nm_udp_config *config, const char *ip, struct nm_udp **udp)
{
	struct natmux_addr local = test_addr(ip);

	return nm_udp_open(config, &local, batch, udp);
}

static inline struct nm_udp_config config_all(void)
{
	return (struct nm_udp_config){
		.sys = &fake_sys,
		.log = log_tape(&tape),
		.receive_buffer = 100000,
		.send_buffer = 50000,
		.use_gro = true,
		.use_gso = true,
		.use_bypass = true,
	};
}

static inline int option_of(const struct nm_udp *udp, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(nm_udp_fd(udp), level, name, &value, &len), 0);
	return value;
}

/* Opened well; faults, calls and lines are counted from now on. */
static inline struct nm_udp *open_quiet(const struct nm_udp_config *config, const char *ip)
{
	struct nm_udp *udp;

	assert_int_equal(open_at(config, ip, &udp), 0);
	fake_sys_reset();
	log_tape_clear(&tape);
	return udp;
}

static inline int setup(void **state)
{
	(void)state;
	fake_sys_reset();
	return nm_udp_batch_new(&fake_sys, &batch);
}

static inline int teardown(void **state)
{
	(void)state;
	fake_sys_reset();
	nm_udp_batch_free(batch);
	assert_int_equal(fake_sys_maps(), 0);
	assert_int_equal(fake_sys_open_fds(), 0);
	return 0;
}

#endif
