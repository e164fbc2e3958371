/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the driver comes to be: what is bound, what is left out, what is refused, and what it says of
 * itself.
 */
#include "uv_driver_test.h"

#include <errno.h>
#include <natmux/error.h>

static void test_port_is_free_at_once(void **state)
{
	struct natmux_addr local;
	struct natmux_uv_config config;
	struct natmux_uv *first;

	(void)state;
	start_at("127.0.0.1");
	local = target(0, NULL);
	first = uv;
	natmux_uv_free(first, NULL, NULL);
	natmux_uv_config_init(&config);
	config.locals = &local;
	config.locals_n = 1;
	assert_int_equal(nm_uv_new(&loop, mux, &config, &fake_sys, &uv), 0);
}

static void test_new_fails(void **state)
{
	static const struct {
		enum fake_call call;
		unsigned int skip;
		int error, result;
	} cases[] = {
		{FAKE_SOCKET, 0, EMFILE, NATMUX_ESYSTEM},
		{FAKE_SOCKET, 1, EMFILE, NATMUX_ESYSTEM}, /* the second: the first is undone */
		{FAKE_SOCKET, 1, EAFNOSUPPORT, NATMUX_EUNSUPPORTED}, /* and is no wildcard */
		{FAKE_BIND, 1, EADDRINUSE, NATMUX_EEXISTS},
		{FAKE_MAP, 0, ENOMEM, NATMUX_ENOMEM},
	};
	static const char *const ips[] = {"127.0.0.1", "127.0.0.2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_uv_config config;

		natmux_uv_config_init(&config);
		config.use_gro = config.use_gso = false; /* their proofs open sockets, too */
		fake_sys_reset();
		fake_sys_fail(cases[i].call, cases[i].skip, 1, cases[i].error);
		assert_int_equal(start_with(&config, ips, 2), cases[i].result);
		assert_null(uv);
		assert_int_equal(fake_sys_open_fds(), 0);
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_int_equal(fake_sys_maps(), 0);
	}
}

/* "0.0.0.0" and "::" on a kernel without IPv6. */
static void test_family_is_left_out(void **state)
{
	static const char *const ips[] = {"0.0.0.0", "::"};
	struct natmux_uv_config config;

	(void)state;
	natmux_uv_config_init(&config);
	config.use_gro = config.use_gso = false; /* their proofs open sockets, too */
	config.log = log_tape(&tape);
	fake_sys_fail(FAKE_SOCKET, 1, 1, EAFNOSUPPORT);
	assert_int_equal(start_with(&config, ips, 2), 0);
	assert_int_equal(target(0, NULL).family, NATMUX_FAMILY_IPV4);
	assert_true(log_tape_has(&tape, "going on without"));
	natmux_uv_free(uv, NULL, NULL);
	uv = NULL;

	/* Nothing is left then. */
	fake_sys_fail(FAKE_SOCKET, 0, 2, EAFNOSUPPORT);
	assert_int_equal(start_with(&config, ips, 2), NATMUX_EUNSUPPORTED);
	assert_null(uv);
}

static void test_bad_config(void **state)
{
	static struct natmux_addr locals[NATMUX_UV_LOCALS_MAX + 1];
	struct natmux_uv_config bad[7];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(locals); i++)
		locals[i] = test_addr("127.0.0.1");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		natmux_uv_config_init(&bad[i]);
		bad[i].locals = locals;
		bad[i].locals_n = 1;
	}
	bad[0].size = 0;
	bad[1].locals = NULL;
	bad[2].locals_n = 0;
	bad[3].locals_n = NATMUX_UV_LOCALS_MAX + 1;
	bad[4].budget = 0;
	bad[5].budget = 65537;
	bad[6].device = "a-name-of-sixteen";
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(nm_uv_new(&loop, mux, &bad[i], &fake_sys, &uv), NATMUX_EINVAL);
	assert_null(uv);
	natmux_uv_free(NULL, NULL, NULL);
	natmux_uv_free(NULL, on_freed, &is_freed);
	assert_true(is_freed);
}

static void check_socket(void *user, const struct natmux_uv_socket *socket)
{
	(*(size_t *)user)++;
	assert_int_equal(socket->local.family, NATMUX_FAMILY_IPV4);
	assert_false(socket->has_gro);
	assert_non_null(socket->gro_why);
	assert_true(socket->has_gso);
	assert_null(socket->gso_why);
	assert_true(socket->receive_buffer > 0);
	assert_true(socket->recv_calls > 0);
	assert_int_equal(socket->send_calls, 0);
	assert_int_equal(socket->recv_errors + socket->kernel_drops + socket->truncated +
				 socket->send_drops + socket->gso_refused,
		0);
}

static void test_status(void **state)
{
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	const char *ip = "127.0.0.1";
	struct natmux_uv_config config;
	struct natmux_addr to;
	size_t seen = 0;

	(void)state;
	natmux_uv_config_init(&config);
	config.use_gro = false;
	assert_int_equal(start_with(&config, &ip, 1), 0);
	to = target(0, NULL);
	udp_peer_send(&peer, &to, ike_init, IKE_LEN, 0, 0);
	run_until(1);
	natmux_uv_sockets(uv, check_socket, &seen);
	assert_int_equal(seen, 1);
	udp_peer_close(&peer);
}

static void count_offloads(void *user, const struct natmux_uv_socket *socket)
{
	*(int *)user += socket->has_gro + socket->has_gso;
}

static void test_switches_offloads(void **state)
{
	static const char *const ips[] = {"127.0.0.1", "127.0.0.2"};
	static const struct {
		bool gro, gso;
		int on;
	} cases[] = {{false, false, 0}, {true, false, 2}, {false, true, 2}, {true, true, 4}};
	struct udp_peer peer = udp_peer_open("127.0.0.1");
	struct natmux_addr to;
	size_t expected = 1;

	(void)state;
	start(ips, 2);
	to = target(0, NULL);
	udp_peer_send(&peer, &to, ike_init, IKE_LEN, 0, 0);
	run_until(1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t trains = sink.trains;
		int on = 0;

		natmux_uv_set_offloads(uv, cases[i].gro, cases[i].gso);
		natmux_uv_sockets(uv, count_offloads, &on);
		assert_int_equal(on, cases[i].on);
		udp_peer_send(&peer, &to, esp, 400, 100, 0);
		expected += 4;
		run_until(expected);
		assert_int_equal(sink.trains - trains, cases[i].gro ? 1 : 4);
	}
	udp_peer_close(&peer);
}

/* The public door, with the kernel's own calls. */
static void test_public_new(void **state)
{
	struct natmux_addr local = test_addr("127.0.0.1");
	struct natmux_uv_config config;

	(void)state;
	natmux_uv_config_init(&config);
	config.locals = &local;
	config.locals_n = 1;
	assert_int_equal(natmux_uv_new(&loop, mux, &config, &uv), 0);
	assert_int_not_equal(target(0, NULL).port, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_port_is_free_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_new_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_family_is_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_switches_offloads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_public_new, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
