/* SPDX-License-Identifier: Apache-2.0 */
/* What the running natmuxd shows of itself, to requests and to its other parts. */
#include "daemon/server_parts.h"

#include "daemon/config/config.h"
#include "daemon/handoff/handoff.h"
#include "daemon/user/user_plane.h"

struct natmux_mux *nm_server_mux(struct nm_server *server)
{
	return server->mux;
}

uv_loop_t *nm_server_loop(struct nm_server *server)
{
	return &server->loop;
}

const struct nm_config *nm_server_config(const struct nm_server *server)
{
	return server->config;
}

struct nm_user_plane *nm_server_user_plane(struct nm_server *server)
{
	return server->user_plane;
}

const struct nm_sa_plane *nm_server_sa_plane(struct nm_server *server)
{
	return server->sa_plane.ops ? &server->sa_plane : NULL;
}

struct nm_kernel_plane *nm_server_kernel_plane(struct nm_server *server)
{
	return server->kernel_plane;
}

struct nm_join *nm_server_join(struct nm_server *server)
{
	return server->join;
}

const struct nm_server_steering *nm_server_steering(const struct nm_server *server)
{
	return &server->steering;
}

uint64_t nm_server_now_ms(const struct nm_server *server)
{
	return uv_now(&server->loop);
}

uint64_t nm_server_started_ms(const struct nm_server *server)
{
	return server->started_ms;
}

const char *nm_server_capabilities(const struct nm_server *server)
{
	return server->capabilities;
}

struct each_socket {
	void (*each)(void *user, const struct nm_server_socket *socket);
	void *user;
	uint32_t worker;
	const char *gro_why; /* NULL: the socket's own words */
};

static void show_socket(void *user, const struct natmux_uv_socket *from)
{
	struct each_socket *context = user;
	struct nm_server_socket socket = {
		.worker = context->worker,
		.local = from->local,
		.has_gro = from->has_gro,
		.has_gso = from->has_gso,
		.gro_why = context->gro_why ? context->gro_why : from->gro_why,
		.gso_why = from->gso_why,
		.kernel_drops = from->kernel_drops,
		.recv_calls = from->recv_calls,
		.send_calls = from->send_calls,
		.receive_buffer = from->receive_buffer,
		.send_buffer = from->send_buffer,
	};

	context->each(context->user, &socket);
}

static void show_workers_socket(void *user, uint32_t worker, const struct natmux_uv_socket *from)
{
	struct each_socket *context = user;

	context->worker = worker;
	context->gro_why = NULL;
	show_socket(context, from);
}

const char *nm_server_gro_why(const struct nm_config *config)
{
	if (config->attach == NM_ATTACH_OWN && !nm_config_has_plane(config, NM_ESP_KERNEL))
		return NULL;
	return "behind ESP in a train STUN would not get here";
}

void nm_server_sockets(struct nm_server *server,
	void (*each)(void *user, const struct nm_server_socket *socket), void *user)
{
	struct each_socket context = {each, user, 0, nm_server_gro_why(server->config)};

	natmux_uv_sockets(server->net, show_socket, &context);
	nm_user_plane_sockets(server->user_plane, show_workers_socket, &context);
}

struct each_alias {
	struct nm_server *server;
	void (*each)(void *user, const struct nm_server_alias *alias);
	void *user;
};

static void show_alias(void *user, const struct nm_server_alias *alias)
{
	struct each_alias *context = user;
	struct nm_server_alias shown = *alias;

	shown.peer = natmux_mux_flow_peer(context->server->mux, alias->flow);
	context->each(context->user, &shown);
}

void nm_server_aliases(struct nm_server *server,
	void (*each)(void *user, const struct nm_server_alias *alias), void *user)
{
	struct each_alias context = {server, each, user};

	nm_handoff_aliases(server->handoff, show_alias, &context);
}

void nm_server_pause(struct nm_server *server)
{
	nm_user_plane_pause(server->user_plane);
}

void nm_server_resume(struct nm_server *server)
{
	nm_user_plane_resume(server->user_plane);
}

void nm_server_stats(struct nm_server *server, struct natmux_stats *stats)
{
	*stats = *natmux_mux_stats(server->mux);
	nm_user_plane_add_stats(server->user_plane, stats);
}

void nm_server_set_tap(struct nm_server *server, uint32_t mask,
	void (*tap)(
		void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train),
	void *user)
{
	nm_server_pause(server);
	natmux_mux_set_tap(server->mux, mask, tap, user);
	nm_user_plane_set_tap(server->user_plane, mask, tap, user);
	nm_server_resume(server);
}
