/* SPDX-License-Identifier: Apache-2.0 */
/* The running natmuxd: starts its parts in order, stops them in reverse, and lets them meet. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>
#include <natmux/version.h>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/control/control.h"
#include "daemon/handoff/handoff.h"
#include "daemon/join/join.h"
#include "daemon/kernel/kernel_door.h"
#include "daemon/kernel/kernel_plane.h"
#include "daemon/process/logger.h"
#include "daemon/process/privileges.h"
#include "daemon/run.h"
#include "daemon/process/seccomp.h"
#include "daemon/server_parts.h"
#include "daemon/process/service.h"
#include "daemon/user/user_plane.h"
#include "daemon/user/user_sa_plane.h"

static void fill_random(void *user, void *buf, size_t len)
{
	(void)user;
	randombytes_buf(buf, len);
}

static void send_trains(void *user, const struct natmux_train *trains, size_t n)
{
	struct nm_server *server = user;

	natmux_uv_send(server->net, trains, n);
	/* What was sent may have put off a keepalive. */
	natmux_uv_flush_output(server->net);
}

/* The user plane tells the mux by itself. */
static void send_keepalives(void *user, const struct natmux_train *trains, size_t n)
{
	struct nm_server *server = user;

	natmux_mux_sent(server->mux, uv_now(&server->loop), trains, n);
	send_trains(server, trains, n);
}

static int open_mux(struct nm_server *server)
{
	const struct natmux_random random = {.fill = fill_random};
	const struct nm_config *config = server->config;
	struct natmux_mux_config mux;
	uint32_t most = nm_handoff_flows_max(config);
	int err;

	nm_server_mux_config(server, config, &mux);
	if (mux.flows_max == most)
		nm_log(&server->log, NATMUX_LOG_INFO,
			"the alias pools hold %" PRIu32 " peers: so many flows at most", most);
	err = natmux_mux_new(&mux, &random, &server->mux);
	if (err < 0) {
		nm_log(&server->log, NATMUX_LOG_ERROR, "mux: %s", natmux_strerror(err));
		return err;
	}
	natmux_mux_set_event_handler(server->mux, nm_server_on_event, server);
	return 0;
}

static void stop(struct nm_server *server);

void nm_server_failed(void *user)
{
	struct nm_server *server = user;

	if (server->is_stopping)
		return;
	server->is_stopping = server->has_failed = true;
	stop(server);
}

static int open_handoff(struct nm_server *server)
{
	struct nm_handoff_setup setup = {
		.loop = &server->loop,
		.config = server->config,
		.mux = server->mux,
		.log = server->log,
		.send = send_trains,
		.failed = nm_server_failed,
		.user = server,
	};

	return nm_handoff_open(&setup, &server->handoff);
}

/* The plane that is not the one of `esp` begins with nothing. */
static struct nm_config *without_sas(const struct nm_config *config, struct nm_config *bare)
{
	*bare = *config;
	bare->sas_len = bare->policies_len = 0;
	bare->keys = NULL;
	return bare;
}

static int open_user_plane(struct nm_server *server)
{
	struct nm_config bare;
	struct natmux_uv_config net;
	struct nm_user_plane_setup setup = {
		.loop = &server->loop,
		.config = server->config,
		.mux = server->mux,
		.net = server->net,
		.net_config = &net,
		.log = server->log,
		.send = send_trains,
		.event = nm_server_on_esp_event,
		.user = server,
	};

	int err;

	if (!nm_config_has_plane(server->config, NM_ESP_USER))
		return 0;
	if (server->config->esp != NM_ESP_USER)
		setup.config = without_sas(server->config, &bare);
	nm_server_net_config(server, &net);
	err = nm_user_plane_open(&setup, &server->user_plane);
	if (server->config->esp == NM_ESP_USER)
		server->sa_plane = nm_user_sa_plane(server->user_plane);
	return err;
}

static int open_kernel_plane(struct nm_server *server)
{
	struct nm_kernel_plane_setup setup = {
		.loop = &server->loop,
		.config = server->config,
		.log = server->log,
		.send = send_keepalives,
		.event = nm_server_on_esp_event,
		.user = server,
	};
	struct nm_config bare;
	int err;

	if (!nm_config_has_plane(server->config, NM_ESP_KERNEL))
		return 0;
	if (server->config->esp != NM_ESP_KERNEL)
		setup.config = without_sas(server->config, &bare);
	err = nm_kernel_plane_open(&setup, &server->kernel_plane);
	if (server->config->esp == NM_ESP_KERNEL)
		server->sa_plane = nm_kernel_plane_sas(server->kernel_plane);
	return err;
}

static int open_control(struct nm_server *server)
{
	char message[NM_CONFIG_MESSAGE_SIZE];
	int err = nm_control_new(
		server, server->config->control_socket, &server->control, message, sizeof(message));

	if (err < 0)
		nm_log(&server->log, NATMUX_LOG_ERROR, "%s", message);
	return err;
}

static int confine(struct nm_server *server)
{
	int err = nm_privileges_drop(server->config, &server->log);

	if (err < 0)
		return err;
	nm_privileges_text(server->capabilities, sizeof(server->capabilities));
	nm_log(&server->log, NATMUX_LOG_INFO, "capabilities kept: %s", server->capabilities);
	/* Capabilities are each thread's own: begun now, it has none. The filter is for all there are. */
	err = nm_user_plane_start(server->user_plane);
	if (err < 0)
		return err;
	return server->config->seccomp ? nm_seccomp_apply(&server->log) : 0;
}

/* Closes what is open, in the reverse order of opening; works on a server half started. */
static void stop(struct nm_server *server)
{
	nm_service_stopping();
	nm_join_close(server->join);
	nm_user_plane_close(server->user_plane);
	nm_kernel_plane_close(server->kernel_plane);
	nm_kernel_door_close(server->kernel_door);
	nm_handoff_close(server->handoff);
	nm_control_free(server->control, NULL, NULL);
	server->control = NULL;
	for (size_t i = 0; i < sizeof(server->signals) / sizeof(server->signals[0]); i++)
		if (server->signals[i].loop && !uv_is_closing((uv_handle_t *)&server->signals[i]))
			uv_close((uv_handle_t *)&server->signals[i], NULL);
	if (server->watchdog.loop && !uv_is_closing((uv_handle_t *)&server->watchdog))
		uv_close((uv_handle_t *)&server->watchdog, NULL);
	natmux_uv_free(server->net, NULL, NULL);
	server->net = NULL;
}

static void on_signal(uv_signal_t *signal, int number)
{
	struct nm_server *server = signal->data;
	char message[NM_CONFIG_MESSAGE_SIZE];

	if (number == SIGHUP) {
		nm_server_reload(server, message, sizeof(message));
		return;
	}
	if (server->is_stopping)
		return;
	server->is_stopping = true;
	nm_log(&server->log, NATMUX_LOG_INFO, "stopping: signal %d", number);
	stop(server);
}

static void on_watchdog(uv_timer_t *timer)
{
	(void)timer;
	nm_service_watchdog();
}

static int watch(struct nm_server *server)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	uint64_t interval_ms = nm_service_watchdog_ms();

	for (size_t i = 0; i < 3; i++) {
		server->signals[i].data = server;
		if (uv_signal_init(&server->loop, &server->signals[i]) < 0 ||
			uv_signal_start(&server->signals[i], on_signal, numbers[i]) < 0)
			return NATMUX_ESYSTEM;
	}
	if (interval_ms > 0) {
		uv_timer_init(&server->loop, &server->watchdog);
		uv_timer_start(&server->watchdog, on_watchdog, interval_ms, interval_ms);
	}
	return 0;
}

/* The order matters: what needs capabilities comes before they are dropped. */
static int start(struct nm_server *server)
{
	int err = open_mux(server);

	if (err == 0)
		err = nm_server_open_port(server);
	if (err == 0)
		err = open_handoff(server);
	/* After the handoff, which would have ESP otherwise. */
	if (err == 0)
		err = open_user_plane(server);
	if (err == 0 && server->config->esp == NM_ESP_KERNEL)
		nm_kernel_door_take_esp(server->kernel_door);
	if (err == 0)
		err = open_kernel_plane(server);
	if (err == 0)
		err = nm_server_apply_peers(server, NULL);
	if (err == 0)
		err = nm_server_apply_stun_servers(server, NULL);
	if (err == 0)
		err = open_control(server);
	if (err == 0)
		err = watch(server);
	if (err == 0)
		err = confine(server);
	return err;
}

int nm_server_run(const struct nm_options *options, struct nm_config *config)
{
	struct nm_server *server = calloc(1, sizeof(*server));
	int err;

	if (!server || uv_loop_init(&server->loop) < 0) {
		free(server);
		nm_config_free(config);
		return NATMUX_ENOMEM;
	}
	server->options = options;
	server->config = config;
	nm_server_apply_log_level(server);
	server->log = nm_logger_init(&server->log_level);
	server->started_ms = uv_now(&server->loop);
	err = start(server);
	if (err == 0) {
		/* The first questions to the STUN servers; nothing else would arm the timer. */
		natmux_uv_flush_output(server->net);
		if (server->join)
			nm_join_start(server->join, nm_handoff_interface(server->handoff));
		nm_log(&server->log, NATMUX_LOG_INFO, "natmuxd %s is ready on port %u",
			natmux_version(), config->port);
		nm_service_ready();
	} else {
		stop(server);
	}
	uv_run(&server->loop, UV_RUN_DEFAULT);
	if (err == 0 && server->has_failed)
		err = NATMUX_ESYSTEM;
	nm_user_plane_free(server->user_plane);
	nm_kernel_plane_free(server->kernel_plane);
	nm_handoff_free(server->handoff);
	nm_join_free(server->join);
	nm_kernel_door_free(server->kernel_door);
	natmux_mux_free(server->mux);
	uv_loop_close(&server->loop);
	nm_config_free(server->config);
	free(server);
	return err;
}
