/* SPDX-License-Identifier: Apache-2.0 */
/* natmux as natmuxd runs it: sockets and mux on a libuv loop, ESP to a sink that counts. */
#include "bench/receiver.h"

#include <stdlib.h>
#include <uv.h>

#include <natmux/error.h>
#include <natmux/uv.h>

#include "bench/console.h"
#include "bench/port.h"

struct natmux_receiver {
	uv_loop_t loop;
	uv_timer_t timer; /* ends a wait */
	struct nm_port port;
	struct natmux_uv *driver;
};

static void on_timer(uv_timer_t *timer)
{
	(void)timer;
}

static void write_log(void *user, enum natmux_log_level level, const char *text)
{
	(void)user;
	(void)level;
	nm_console_error("%s", text);
}

static void store_local(void *user, const struct natmux_uv_socket *socket)
{
	*(struct natmux_addr *)user = socket->local;
}

static void natmux_receiver_close(void *self)
{
	struct natmux_receiver *receiver = self;

	natmux_uv_free(receiver->driver, NULL, NULL);
	if (!uv_is_closing((uv_handle_t *)&receiver->timer))
		uv_close((uv_handle_t *)&receiver->timer, NULL);
	uv_run(&receiver->loop, UV_RUN_DEFAULT);
	uv_loop_close(&receiver->loop);
	nm_port_done(&receiver->port);
	free(receiver);
}

static int start(struct natmux_receiver *receiver, const struct natmux_addr *local,
	struct natmux_addr *bound)
{
	struct natmux_uv_config config;
	int err;

	natmux_uv_config_init(&config);
	config.locals = local;
	config.locals_n = 1;
	config.receive_buffer = NM_RECEIVER_BUFFER;
	config.log = (struct natmux_log){.write = write_log, .level = NATMUX_LOG_ERROR};
	err = natmux_uv_new(&receiver->loop, receiver->port.mux, &config, &receiver->driver);
	if (err < 0)
		return err;
	natmux_uv_sockets(receiver->driver, store_local, bound);
	return 0;
}

static void *natmux_receiver_open(const struct natmux_addr *local, struct natmux_addr *bound)
{
	struct natmux_receiver *receiver = calloc(1, sizeof(*receiver));
	int err;

	if (!receiver)
		return NULL;
	if (uv_loop_init(&receiver->loop) < 0) {
		free(receiver);
		return NULL;
	}
	uv_timer_init(&receiver->loop, &receiver->timer);
	uv_timer_start(&receiver->timer, on_timer, NM_RECEIVER_STEP_MS, NM_RECEIVER_STEP_MS);
	err = nm_port_init(&receiver->port);
	if (err == 0)
		err = start(receiver, local, bound);
	if (err < 0) {
		nm_console_error("natmux: %s", natmux_strerror(err));
		natmux_receiver_close(receiver);
		return NULL;
	}
	return receiver;
}

static void natmux_receiver_step(void *self)
{
	struct natmux_receiver *receiver = self;

	uv_run(&receiver->loop, UV_RUN_ONCE);
}

static uint64_t natmux_receiver_count(const void *self)
{
	return ((const struct natmux_receiver *)self)->port.datagrams[NATMUX_CLASS_ESP];
}

const struct nm_receiver_ops nm_receiver_natmux = {
	.name = "natmux",
	.open = natmux_receiver_open,
	.step = natmux_receiver_step,
	.count = natmux_receiver_count,
	.close = natmux_receiver_close,
};
