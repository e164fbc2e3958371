/* SPDX-License-Identifier: Apache-2.0 */
/* A driver on sockets that others have opened: taken over as they are, closed whatever happens. */
#include "test.h"

#include <errno.h>
#include <natmux/error.h>
#include <natmux/mux.h>
#include "io/udp_socket.h"
#include "io/uv_driver.h"
#include "tests/fakes/fake_sys.h"
#include "tests/fakes/log_tape.h"
#include "tests/fakes/udp_peer.h"

static struct log_tape tape;
static uv_loop_t loop;
static struct natmux_mux *mux;
static struct natmux_uv *uv;
static int fds[2];

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 7, len);
}

/* Two sockets at one address. */
static void open_pair(void)
{
	struct nm_udp_config config = {
		.sys = &fake_sys, .log = log_tape(&tape), .reuse_port = true};
	struct natmux_addr local = test_addr("127.0.0.1");
	struct nm_udp *udp;

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(nm_udp_open(&config, &local, NULL, &udp), 0);
		local = *nm_udp_local(udp);
		fds[i] = nm_udp_release(udp);
	}
}

static int setup(void **state)
{
	static const struct natmux_random randomness = {.fill = fill};
	struct natmux_mux_config config;

	(void)state;
	fake_sys_reset();
	uv = NULL;
	natmux_mux_config_init(&config);
	uv_loop_init(&loop);
	assert_int_equal(natmux_mux_new(&config, &randomness, &mux), 0);
	open_pair();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	natmux_uv_free(uv, NULL, NULL);
	assert_int_equal(fake_sys_open_fds(), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	natmux_mux_free(mux);
	assert_int_equal(fake_sys_maps(), 0);
	return 0;
}

static int adopt(size_t n)
{
	struct natmux_uv_config config;

	natmux_uv_config_init(&config);
	config.log = log_tape(&tape);
	config.use_gro = false;
	config.fds = fds;
	config.fds_n = n;
	return nm_uv_new(&loop, mux, &config, &fake_sys, &uv);
}

static void count_socket(void *user, const struct natmux_uv_socket *socket)
{
	assert_false(socket->has_gro);
	assert_true(socket->receive_buffer > 0);
	++*(size_t *)user;
}

static void count_server(void *user, const struct natmux_server_info *info)
{
	(void)info;
	++*(size_t *)user;
}

static void test_adopted(void **state)
{
	struct natmux_addr server = test_addr("127.0.0.1");
	size_t sockets = 0, locals = 0;

	(void)state;
	assert_int_equal(adopt(2), 0);
	natmux_uv_sockets(uv, count_socket, &sockets);
	assert_int_equal(sockets, 2);
	/* For the mux two sockets at one address are one. */
	server.port = 3478;
	assert_int_equal(natmux_mux_server_add(mux, uv_now(&loop), "a", &server), 0);
	natmux_mux_servers(mux, count_server, &locals);
	assert_int_equal(locals, 1);
	/* And none is left when they are gone. */
	natmux_uv_free(uv, NULL, NULL);
	uv = NULL;
	assert_int_equal(natmux_mux_set_locals(mux, uv_now(&loop), NULL, 0), 0);
	locals = 0;
	natmux_mux_servers(mux, count_server, &locals);
	assert_int_equal(locals, 0);
}

/* Whichever call fails first: teardown counts descriptors. */
static void test_failing_calls(void **state)
{
	static const struct {
		enum fake_call call;
		unsigned int skip;
		int error;
	} cases[] = {
		{FAKE_GETSOCKNAME, 0, EIO},
		{FAKE_GETSOCKNAME, 1, EIO},
		{FAKE_MAP, 0, ENOMEM},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (i > 0)
			open_pair();
		fake_sys_reset();
		fake_sys_fail(cases[i].call, cases[i].skip, 1, cases[i].error);
		assert_true(adopt(2) < 0);
		assert_int_equal(fake_sys_open_fds(), 0);
		uv_run(&loop, UV_RUN_DEFAULT);
	}
}

static void test_bad_config(void **state)
{
	(void)state;
	assert_int_equal(adopt(0), NATMUX_EINVAL);
	assert_int_equal(adopt(NATMUX_UV_FDS_MAX + 1), NATMUX_EINVAL);
	assert_int_equal(adopt(2), 0); /* nothing was taken before */
}

/* Where there is no port yet: nothing happens, and nobody has to ask first. */
static void test_without_driver(void **state)
{
	struct natmux_train train = {0};

	(void)state;
	natmux_uv_send(NULL, &train, 1);
	natmux_uv_flush_output(NULL);
	natmux_uv_set_offloads(NULL, true, true);
	natmux_uv_sockets(NULL, count_socket, NULL);
	natmux_uv_free(NULL, NULL, NULL);
	assert_int_equal(adopt(2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_adopted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failing_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_driver, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
