/* SPDX-License-Identifier: Apache-2.0 */
/* A driver with a mux and a sink on a loop of the test's. */
#ifndef UV_DRIVER_TEST_H
#define UV_DRIVER_TEST_H

#include "test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <natmux/mux.h>
#include "io/uv_driver.h"
#include "tests/fakes/fake_sys.h"
#include "tests/fakes/log_tape.h"
#include "tests/fakes/udp_peer.h"

enum { IKE_LEN = 4 + 28 + 8 };

/* IKE_SA_INIT with one small payload (RFC 7296 3.1, 3.2): opens a flow, so that ESP gets through. */
static const uint8_t ike_init[IKE_LEN] = {0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0,
	0, 33, 0x20, 34, 0x08, 0, 0, 0, 0, 0, 0, 0, IKE_LEN - 4, 0, 0, 0, 8};

static struct log_tape tape;
static uv_loop_t loop;
static struct natmux_mux *mux;
static struct natmux_uv *uv;
static uint8_t esp[8192];
static bool is_freed;

/* What the sink of IKE and ESP got, and what it shall do. */
static struct {
	size_t calls, trains, datagrams;
	struct natmux_train last;
	bool echoes, closes;
} sink;

static void sink_input(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n);

static const struct natmux_sink_ops sink_ops = {.name = "test", .input = sink_input};

static inline void on_freed(void *user)
{
	*(bool *)user = true;
}

static inline void sink_input(
	void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	(void)self;
	assert_int_equal(now_ms, uv_now(&loop));
	sink.calls++;
	sink.trains += n;
	for (size_t i = 0; i < n; i++)
		sink.datagrams += natmux_train_count(&trains[i]);
	sink.last = trains[n - 1];
	if (sink.echoes) {
		natmux_mux_sent(mux, now_ms, trains, n);
		natmux_uv_send(uv, trains, n);
		natmux_uv_flush_output(uv);
	}
	if (sink.closes) {
		sink.closes = false;
		natmux_uv_free(uv, on_freed, &is_freed);
		uv = NULL;
	}
}

static inline void fill(void *user, void *buf, size_t len)
{
	(void)user;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = (uint8_t)rand();
}

static inline int setup(void **state)
{
	static const struct natmux_random randomness = {.fill = fill};
	struct natmux_mux_config config;

	(void)state;
	fake_sys_reset();
	memset(&sink, 0, sizeof(sink));
	is_freed = false;
	uv = NULL;
	for (size_t i = 0; i < sizeof(esp); i++)
		esp[i] = (uint8_t)(i | 0x80);
	natmux_mux_config_init(&config);
	config.responder = NATMUX_RESPONDER_OPEN;
	uv_loop_init(&loop);
	assert_int_equal(natmux_mux_new(&config, &randomness, &mux), 0);
	natmux_mux_set_sink(mux, NATMUX_CLASS_IKE, &sink_ops, NULL);
	natmux_mux_set_sink(mux, NATMUX_CLASS_ESP, &sink_ops, NULL);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	fake_sys_reset();
	if (uv) {
		natmux_uv_free(uv, on_freed, &is_freed);
		assert_int_equal(fake_sys_open_fds(), 0); /* closed at once */
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_true(is_freed);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	natmux_mux_free(mux);
	assert_int_equal(fake_sys_open_fds(), 0);
	assert_int_equal(fake_sys_maps(), 0);
	return 0;
}

static inline int start_with(struct natmux_uv_config *config, const char *const ips[], size_t n)
{
	struct natmux_addr locals[NATMUX_UV_LOCALS_MAX];

	for (size_t i = 0; i < n; i++)
		locals[i] = test_addr(ips[i]);
	config->locals = locals;
	config->locals_n = n;
	return nm_uv_new(&loop, mux, config, &fake_sys, &uv);
}

static inline void start(const char *const ips[], size_t n)
{
	struct natmux_uv_config config;

	natmux_uv_config_init(&config);
	config.log = log_tape(&tape);
	assert_int_equal(start_with(&config, ips, n), 0);
}

static inline void start_at(const char *ip)
{
	start(&ip, 1);
}

static inline void keep_local(void *user, const struct natmux_uv_socket *socket)
{
	struct natmux_addr **next = user;

	*(*next)++ = socket->local;
}

/* Where a peer reaches the n-th socket; at `ip` when it is not NULL. */
static inline struct natmux_addr target(size_t n, const char *ip)
{
	struct natmux_addr locals[NATMUX_UV_LOCALS_MAX], *next = locals, addr;

	natmux_uv_sockets(uv, keep_local, &next);
	assert_true(n < (size_t)(next - locals));
	addr = ip ? test_addr(ip) : locals[n];
	addr.port = locals[n].port;
	return addr;
}

static inline void on_too_late(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

/* Runs the loop until `datagrams` have reached the sink, or for twenty seconds. */
static inline void run_until(size_t datagrams)
{
	uv_timer_t timer;
	bool is_late = false;

	uv_timer_init(&loop, &timer);
	timer.data = &is_late;
	uv_update_time(&loop);
	uv_timer_start(&timer, on_too_late, 20000, 0);
	while (sink.datagrams < datagrams && !is_late)
		uv_run(&loop, UV_RUN_ONCE);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(sink.datagrams, datagrams);
}

#endif
