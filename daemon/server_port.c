/* SPDX-License-Identifier: Apache-2.0 */
/* How natmuxd comes by the port: as its owner, with the kernel beside it, or in somebody else's. */
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config.h"
#include "daemon/join/join.h"
#include "daemon/kernel/kernel_door.h"
#include "daemon/kernel/kernel_port.h"
#include "daemon/server_parts.h"
#include "daemon/user/user_plane.h"

/* The kernel has heard of a path that takes less than the plane believes. */
static void on_too_big(void *user, const struct natmux_path *path, uint32_t mtu)
{
	struct nm_server *server = user;

	nm_user_plane_set_path_mtu(server->user_plane, &path->remote, mtu);
}

void nm_server_net_config(struct nm_server *server, struct natmux_uv_config *net)
{
	const struct nm_config *config = server->config;

	natmux_uv_config_init(net);
	net->locals = config->listen;
	net->locals_n = config->listen_len;
	net->device = config->device;
	net->receive_buffer = config->receive_buffer_bytes;
	net->send_buffer = config->send_buffer_bytes;
	net->use_gro = config->gro;
	net->use_gso = config->gso;
	net->reuse_address = config->handoff == NM_HANDOFF_INJECT;
	net->budget = config->budget;
	net->log = server->log;
	net->too_big = config->esp == NM_ESP_USER ? on_too_big : NULL;
	net->too_big_user = server;
}

static int open_own(struct nm_server *server)
{
	struct natmux_uv_config net;

	nm_server_net_config(server, &net);
	return natmux_uv_new(&server->loop, server->mux, &net, &server->net);
}

static int open_kernel_door(struct nm_server *server)
{
	struct nm_kernel_door_setup setup = {
		.loop = &server->loop,
		.config = server->config,
		.mux = server->mux,
		.log = server->log,
		.failed = nm_server_failed,
		.user = server,
	};
	int err = nm_kernel_door_open(&setup, &server->kernel_door);

	if (err == 0)
		server->steering.tun = nm_kernel_door_tun(server->kernel_door);
	return err;
}

/* With esp = kernel: two sockets for each address, and ESP past us. */
static int open_steered(struct nm_server *server)
{
	const struct nm_config *config = server->config;
	struct nm_kernel_port port = {.fds_n = 0};
	struct natmux_uv_config net;
	int err = open_kernel_door(server);

	if (err == 0)
		err = nm_kernel_port_open(
			config, nm_kernel_door_interface(server->kernel_door), &server->log, &port);
	if (err < 0)
		return err;
	server->steering.is_steered = port.is_steered;
	if (config->both_planes)
		err = nm_server_mover_init(server, &port);
	if (err < 0)
		return err;
	memcpy(server->steering.why, port.why, sizeof(port.why));
	server->steering.has_esp_gro = port.has_esp_gro;
	memcpy(server->steering.esp_gro_why, port.esp_gro_why, sizeof(port.esp_gro_why));
	natmux_uv_config_init(&net);
	net.fds = port.fds;
	net.fds_n = port.fds_n;
	net.use_gro = false; /* kernel_port.c says why */
	net.use_gso = config->gso;
	net.budget = config->budget;
	net.log = server->log;
	err = natmux_uv_new(&server->loop, server->mux, &net, &server->net);
	if (err == 0)
		err = nm_kernel_door_listen(server->kernel_door, config, port.is_steered);
	return err < 0 ? err : nm_kernel_port_widen(&port, &server->log);
}

static int open_join(struct nm_server *server)
{
	struct nm_join_setup setup = {
		.loop = &server->loop,
		.config = server->config,
		.mux = server->mux,
		.log = server->log,
		.net = &server->net,
		.failed = nm_server_failed,
		.user = server,
	};

	return nm_join_open(&setup, &server->join);
}

int nm_server_open_port(struct nm_server *server)
{
	if (server->config->attach == NM_ATTACH_JOIN)
		return open_join(server);
	return nm_config_has_plane(server->config, NM_ESP_KERNEL) ? open_steered(server)
								  : open_own(server);
}
