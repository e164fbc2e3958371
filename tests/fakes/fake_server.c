/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/fake_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct fake_server *fake_of(const struct nm_server *server)
{
	return (struct fake_server *)(uintptr_t)server;
}

struct nm_server *fake_server_of(struct fake_server *fake)
{
	return (struct nm_server *)fake;
}

struct natmux_addr fake_addr(const char *text)
{
	struct natmux_addr addr;

	if (natmux_addr_parse(text, 4500, &addr) < 0)
		abort();
	return addr;
}

static struct natmux_path fake_path(const char *local, const char *remote)
{
	return (struct natmux_path){fake_addr(local), fake_addr(remote)};
}

static void fill_stats(struct natmux_stats *stats)
{
	for (int i = 0; i < NATMUX_CLASS_COUNT; i++) {
		stats->rx[i] =
			(struct natmux_count){10u * (unsigned int)i, 1000u * (unsigned int)i};
		stats->tx[i] = (struct natmux_count){(unsigned int)i, 100u * (unsigned int)i};
	}
	stats->rx[NATMUX_CLASS_ESP] = (struct natmux_count){123456789, 170123456789};
	stats->rx_trains = 12345;
	stats->stun_lookalikes = 2;
	stats->drops[NATMUX_DROP_RUNT] = 7;
	stats->drops[NATMUX_DROP_IKE_RATE] = 4000000000;
}

static void fill_flows(struct fake_server *fake)
{
	struct natmux_flow_info *flow = fake->flows;

	flow[0] = (struct natmux_flow_info){.flow = 1,
		.state = NATMUX_FLOW_NEW,
		.path = fake_path("192.0.2.1:4500", "198.51.100.7:1027"),
		.created_ms = 999000,
		.last_rx_ms = 999500};
	flow[0].rx[NATMUX_CLASS_IKE] = (struct natmux_count){1, 328};
	flow[1] = (struct natmux_flow_info){.flow = 0,
		.state = NATMUX_FLOW_ESTABLISHED,
		.peer = "branch",
		.path = fake_path("[2001:db8::1]:4500", "[2001:db8:ffff::2]:4500"),
		.tx = {5000, 7000000},
		.created_ms = 100000,
		.last_rx_ms = 999990,
		.last_tx_ms = 1000000,
		.keepalives_rx = 3,
		.keepalives_tx = 4};
	flow[1].rx[NATMUX_CLASS_IKE] = (struct natmux_count){12, 4096};
	flow[1].rx[NATMUX_CLASS_ESP] = (struct natmux_count){6000, 8000000};
	fake->flows_n = 2;
}

static void fill_servers(struct fake_server *fake)
{
	fake->servers[0] = (struct natmux_server_info){.name = "a",
		.path = fake_path("0.0.0.0:4500", "203.0.113.3:3478"),
		.mapped = fake_addr("198.51.100.1:4500"),
		.is_answering = true,
		.rtt_ms = 23,
		.requests = 40,
		.answers = 39,
		.timeouts = 1,
		.changes = 1,
		.next_ms = 1012000};
	fake->servers[1] = (struct natmux_server_info){.name = "b",
		.path = fake_path("[::]:4500", "[2001:db8:1::3]:3478"),
		.requests = 7,
		.timeouts = 7,
		.next_ms = 1000500};
	fake->servers_n = 2;
}

void fake_server_init(struct fake_server *fake, uv_loop_t *loop)
{
	static char file[] = "/etc/natmux/natmux.conf";

	*fake = (struct fake_server){.loop = loop,
		.now_ms = 1000000,
		.started_ms = 99500,
		.capabilities = "cap_net_admin"};
	fake->config = (struct nm_config){.name = file, .port = 4500, .limits = {.flows = 4096}};
	fill_stats(&fake->stats);
	fill_flows(fake);
	fill_servers(fake);
	fake->sockets[0] = (struct nm_server_socket){.local = fake_addr("0.0.0.0:4500"),
		.has_gro = true,
		.has_gso = true,
		.recv_calls = 1234,
		.send_calls = 567,
		.receive_buffer = 8388608,
		.send_buffer = 8388608};
	fake->sockets[1] = (struct nm_server_socket){.local = fake_addr("[::]:4500"),
		.gro_why = "switched off in natmux.conf",
		.gso_why = "setsockopt UDP_SEGMENT: Protocol not available",
		.kernel_drops = 5,
		.receive_buffer = 425984,
		.send_buffer = 425984};
	fake->sockets_n = 2;
	fake->aliases[0] = (struct nm_server_alias){fake_addr("100.64.0.2:0"), 0, "branch"};
	fake->aliases[1] = (struct nm_server_alias){fake_addr("100.64.0.3:0"), 1, NULL};
	fake->aliases_n = 2;
}

void fake_server_tap(struct fake_server *fake, enum natmux_class cls, bool is_sent,
	const struct natmux_train *train)
{
	if (fake->tap && fake->tap_mask & 1u << cls)
		fake->tap(fake->tap_user, cls, is_sent, train);
}

/* daemon/server.h */

struct natmux_mux *nm_server_mux(struct nm_server *server)
{
	return (struct natmux_mux *)server;
}

uv_loop_t *nm_server_loop(struct nm_server *server)
{
	return fake_of(server)->loop;
}

const struct nm_config *nm_server_config(const struct nm_server *server)
{
	return &fake_of(server)->config;
}

uint64_t nm_server_now_ms(const struct nm_server *server)
{
	return fake_of(server)->now_ms;
}

uint64_t nm_server_started_ms(const struct nm_server *server)
{
	return fake_of(server)->started_ms;
}

void nm_server_sockets(struct nm_server *server,
	void (*each)(void *user, const struct nm_server_socket *socket), void *user)
{
	for (size_t i = 0; i < fake_of(server)->sockets_n; i++)
		each(user, &fake_of(server)->sockets[i]);
}

void nm_server_aliases(struct nm_server *server,
	void (*each)(void *user, const struct nm_server_alias *alias), void *user)
{
	for (size_t i = 0; i < fake_of(server)->aliases_n; i++)
		each(user, &fake_of(server)->aliases[i]);
}

int nm_server_reload(struct nm_server *server, char *message, size_t size)
{
	struct fake_server *fake = fake_of(server);

	fake->reloads++;
	snprintf(message, size, "%s", fake->reload_message ? fake->reload_message : "");
	return fake->reload_result;
}

const char *nm_server_capabilities(const struct nm_server *server)
{
	return fake_of(server)->capabilities;
}

/* natmux/mux.h */

static struct fake_server *fake_of_mux(const struct natmux_mux *mux)
{
	return (struct fake_server *)(uintptr_t)mux;
}

const struct natmux_stats *natmux_mux_stats(const struct natmux_mux *mux)
{
	return &fake_of_mux(mux)->stats;
}

void natmux_mux_flows(const struct natmux_mux *mux,
	void (*each)(void *user, const struct natmux_flow_info *info), void *user)
{
	const struct fake_server *fake = fake_of_mux(mux);

	for (size_t i = 0; i < fake->flows_n; i++) {
		struct natmux_flow_info info = fake->flows[i < 4 ? i : 3];

		if (i >= 4)
			info.flow = (uint32_t)i;
		each(user, &info);
	}
}

void natmux_mux_servers(const struct natmux_mux *mux,
	void (*each)(void *user, const struct natmux_server_info *info), void *user)
{
	for (size_t i = 0; i < fake_of_mux(mux)->servers_n; i++)
		each(user, &fake_of_mux(mux)->servers[i]);
}

void natmux_mux_set_tap(struct natmux_mux *mux, uint32_t mask,
	void (*tap)(
		void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train),
	void *user)
{
	struct fake_server *fake = fake_of_mux(mux);

	fake->tap_mask = mask;
	fake->tap = tap;
	fake->tap_user = user;
}
