/* SPDX-License-Identifier: Apache-2.0 */
/* Commands about the daemon itself: status, version, help, reload. */
#include "daemon/control/control_commands.h"

#include <unistd.h>
#include <natmux/error.h>
#include <natmux/mux.h>
#include <natmux/version.h>
#include "daemon/config/config.h"
#include "daemon/control/control_json.h"
#include "daemon/control/control_kernel.h"
#include "daemon/control/control_request.h"
#include "daemon/join/join.h"
#include "daemon/server.h"
#include "daemon/user/user_plane.h"

static void add_socket(void *user, const struct nm_server_socket *socket)
{
	json_t **sockets = user;
	json_t *entry = json_pack("{s:I, s:o, s:b, s:o, s:b, s:o, s:o, s:o, s:o, s:I, s:I}",
		"worker", (json_int_t)socket->worker, "local", nm_json_addr(&socket->local), "gro",
		(int)socket->has_gro, "gro_why", nm_json_text(socket->gro_why), "gso",
		(int)socket->has_gso, "gso_why", nm_json_text(socket->gso_why), "kernel_drops",
		nm_json_count(socket->kernel_drops), "recv_calls",
		nm_json_count(socket->recv_calls), "send_calls", nm_json_count(socket->send_calls),
		"receive_buffer", (json_int_t)socket->receive_buffer, "send_buffer",
		(json_int_t)socket->send_buffer);

	if (json_array_append_new(*sockets, entry) < 0) {
		json_decref(*sockets);
		*sockets = NULL;
	}
}

static void count_flow(void *user, const struct natmux_flow_info *info)
{
	uint64_t *states = user;

	states[info->state]++;
}

static json_t *flow_counts(const struct natmux_mux *mux)
{
	uint64_t states[NATMUX_FLOW_ESTABLISHED + 1] = {0};

	natmux_mux_flows(mux, count_flow, states);
	return json_pack("{s:o, s:o, s:o}", "new", nm_json_count(states[NATMUX_FLOW_NEW]),
		"answered", nm_json_count(states[NATMUX_FLOW_ANSWERED]), "established",
		nm_json_count(states[NATMUX_FLOW_ESTABLISHED]));
}

/* Our addresses as STUN servers see them, those that are known. */
static void add_mapped(void *user, const struct natmux_server_info *info)
{
	json_t **mapped = user;

	if (info->mapped.family == NATMUX_FAMILY_NONE)
		return;
	if (json_array_append_new(*mapped,
		    json_pack("{s:o, s:o, s:o, s:b}", "server", nm_json_text(info->name), "local",
			    nm_json_addr(&info->path.local), "mapped", nm_json_addr(&info->mapped),
			    "answering", (int)info->is_answering)) < 0) {
		json_decref(*mapped);
		*mapped = NULL;
	}
}

static const char *attach_name(enum nm_attach attach)
{
	switch (attach) {
	case NM_ATTACH_OWN: return "own";
	case NM_ATTACH_JOIN: return "join";
	}
	return NULL;
}

static const char *handoff_name(enum nm_handoff handoff)
{
	switch (handoff) {
	case NM_HANDOFF_RELAY: return "relay";
	case NM_HANDOFF_INJECT: return "inject";
	case NM_HANDOFF_UNIX: return "unix";
	case NM_HANDOFF_NONE: return "none";
	}
	return NULL;
}

static const char *esp_name(enum nm_esp esp)
{
	switch (esp) {
	case NM_ESP_DAEMON: return "daemon";
	case NM_ESP_USER: return "user";
	case NM_ESP_KERNEL: return "kernel";
	}
	return NULL;
}

static json_t *config_json(const struct nm_config *config)
{
	return json_pack("{s:o, s:i, s:o, s:o, s:o, s:I}", "file", nm_json_text(config->name),
		"port", (int)config->port, "attach", nm_json_text(attach_name(config->attach)),
		"handoff", nm_json_text(handoff_name(config->handoff)), "esp",
		nm_json_text(esp_name(config->esp)), "flows_max", (json_int_t)config->limits.flows);
}

static json_t *count_json(const struct nm_user_plane_count *count)
{
	return json_pack("{s:o, s:o, s:o, s:o}", "packets", nm_json_count(count->packets),
		"super_packets", nm_json_count(count->super_packets), "bytes",
		nm_json_count(count->bytes), "drops", nm_json_count(count->drops));
}

static json_t *datagrams_json(const struct natmux_count *count)
{
	return json_pack("{s:o, s:o}", "datagrams", nm_json_count(count->datagrams), "bytes",
		nm_json_count(count->bytes));
}

static void add_worker(void *user, uint32_t worker, const struct nm_user_plane_worker *info)
{
	json_t *list = user;

	json_array_append_new(
		list, json_pack("{s:I, s:o, s:o, s:o, s:o}", "worker", (json_int_t)worker, "rx",
			      datagrams_json(&info->rx), "tx", datagrams_json(&info->tx), "read",
			      count_json(&info->read), "written", count_json(&info->written)));
}

/* The plane of esp = user and its device; null without. */
static json_t *user_plane_json(struct nm_server *server)
{
	struct nm_user_plane *plane = nm_server_user_plane(server);
	struct nm_user_plane_status status;
	json_t *workers;

	if (!plane)
		return json_null();
	workers = json_array();
	nm_user_plane_workers(plane, add_worker, workers);
	nm_user_plane_get_status(plane, &status);
	return json_pack(
		"{s:o, s:I, s:b, s:b, s:o, s:b, s:o, s:o, s:o, s:b, s:o, s:I, s:I, s:I, s:I, s:b, "
		"s:o, s:o}",
		"tun", nm_json_text(status.tun), "mtu", (json_int_t)status.mtu, "gone",
		(int)status.is_gone, "tso", (int)status.has_tso, "tso_why",
		nm_json_text(status.tso_why), "uso", (int)status.has_uso, "uso_why",
		nm_json_text(status.uso_why), "read", count_json(&status.read), "written",
		count_json(&status.written), "bare", (int)status.has_bare, "bare_packets",
		nm_json_count(status.bare_packets), "sas", (json_int_t)status.sas, "sas_max",
		(json_int_t)status.sas_max, "policies", (json_int_t)status.policies, "policies_max",
		(json_int_t)status.policies_max, "export_keys",
		(int)nm_server_config(server)->user_plane.export_keys, "workers", workers,
		"workers_why", nm_json_text(status.workers_why));
}

/* Whose port it is with attach = join; null without. */
static json_t *join_json(struct nm_server *server)
{
	struct nm_join *join = nm_server_join(server);
	struct nm_join_status status;

	if (!join)
		return json_null();
	nm_join_get_status(join, &status);
	return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "joined", (int)status.is_joined,
		"daemon", nm_json_text(status.is_joined ? status.name : NULL), "pid",
		status.is_joined ? json_integer(status.pid) : json_null(), "uid",
		status.is_joined ? json_integer(status.uid) : json_null(), "why",
		nm_json_text(status.is_joined ? NULL : status.why), "joins",
		nm_json_count(status.joins), "for_ms",
		nm_json_count(nm_server_now_ms(server) - status.since_ms));
}

/* Whether ESP of esp = kernel passes us by; null without. */
static json_t *steering_json(struct nm_server *server)
{
	const struct nm_server_steering *steering = nm_server_steering(server);

	if (!steering->tun)
		return json_null();
	return json_pack("{s:b, s:o, s:o, s:b, s:o}", "steered", (int)steering->is_steered, "why",
		nm_json_text(steering->is_steered ? NULL : steering->why), "tun",
		nm_json_text(steering->tun), "esp_gro", (int)steering->has_esp_gro, "esp_gro_why",
		nm_json_text(steering->has_esp_gro ? NULL : steering->esp_gro_why));
}

int nm_control_status(struct nm_control_call *call)
{
	struct nm_server *server = call->server;
	const struct natmux_mux *mux = nm_server_mux(server);
	json_t *sockets = json_array(), *mapped = json_array();

	nm_server_sockets(server, add_socket, &sockets);
	natmux_mux_servers(mux, add_mapped, &mapped);
	call->result = json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"version", natmux_version(), "pid", (json_int_t)getpid(), "uptime_ms",
		nm_json_count(nm_server_now_ms(server) - nm_server_started_ms(server)), "config",
		config_json(nm_server_config(server)), "capabilities",
		nm_json_text(nm_server_capabilities(server)), "flows", flow_counts(mux), "sockets",
		sockets, "mapped", mapped, "user_plane", user_plane_json(server), "kernel_plane",
		nm_json_kernel_plane(server), "steering", steering_json(server), "join",
		join_json(server));
	return 0;
}

int nm_control_version(struct nm_control_call *call)
{
	call->result =
		json_pack("{s:s, s:s}", "natmuxd", NATMUX_VERSION, "library", natmux_version());
	return 0;
}

int nm_control_help(struct nm_control_call *call)
{
	const struct nm_control_command *command;
	json_t *list = json_object();

	for (command = nm_control_commands; command->name; command++)
		if (json_object_set_new(list, command->name, json_string(command->help)) < 0) {
			json_decref(list);
			return 0;
		}
	call->result = json_pack("{s:o}", "commands", list);
	return 0;
}

int nm_control_reload(struct nm_control_call *call)
{
	char message[NM_CONTROL_MESSAGE] = "";
	int error = nm_server_reload(call->server, message, sizeof(message));

	if (error < 0)
		return nm_control_fail(
			call, "failed", "%s", message[0] ? message : natmux_strerror(error));
	call->result = json_pack("{s:o}", "message", nm_json_text(message));
	return 0;
}
