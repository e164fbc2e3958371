/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/fake_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <natmux/error.h>
#include <natmux/inner.h>
#include "daemon/config/config_selector.h"
#include "daemon/planes/sa_plane_move.h"
#include "daemon/user/user_sa_plane.h"

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

/* Sealed packets, as they wait for the test to bring them in. */
static uint8_t wire[16][256];
static uint32_t wire_len;
static size_t wire_n;

static void keep_trains(void *user, const struct natmux_train *trains, size_t n)
{
	(void)user;
	for (size_t i = 0; i < n && wire_n < 16; i++) {
		wire_len = trains[i].len;
		memcpy(wire[wire_n++], trains[i].data, wire_len);
	}
}

static void ignore_packet(void *user, const struct natmux_gathered *packet)
{
	(void)user;
	(void)packet;
}

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	memset(buf, 0x5a, len);
}

static struct natmux_esp *make_esp(bool keeps_keys)
{
	struct natmux_esp_config config;
	struct natmux_esp *esp;

	natmux_esp_config_init(&config);
	config.engine = "openssl"; /* has every suite, on every machine */
	config.sas_max = 8;
	config.policies_max = 8;
	config.keeps_keys = keeps_keys;
	config.random.fill = fill;
	config.send = keep_trains;
	config.deliver = ignore_packet;
	if (natmux_esp_new(&config, &esp) < 0)
		abort();
	return esp;
}

static void fill_sa(struct nm_config_sa *sa, const char *name, enum natmux_sa_direction direction,
	enum natmux_suite suite, const char *remote)
{
	*sa = (struct nm_config_sa){.direction = direction,
		.spi = 0x1001,
		.suite = suite,
		.remote = fake_addr(remote),
		.reqid = 7,
		.replay_window = 1024,
		.roam = NATMUX_ROAM_YES,
		.dscp = -1,
		.ecn = true,
		.resync = true};
	strcpy(sa->name, name);
}

static void add_sa(struct natmux_esp *esp, const struct nm_config_sa *sa)
{
	static const uint8_t key[NATMUX_SUITE_KEY_MAX] = {0xde, 0xad, 0xbe, 0xef};
	struct natmux_sa_config config;

	nm_config_sa_fill(sa, 4500, &config);
	config.key = key;
	config.key_len = natmux_suite_key_len(sa->suite);
	if (natmux_esp_sa_add(esp, 900000, &config) < 0)
		abort();
}

/* Ten packets go out; of these some come in, in another order, twice, or broken. */
static void run_packets(struct natmux_esp *esp)
{
	static const struct {
		uint8_t packet, broken_octet;
	} order[] = {{1, 0}, {2, 0}, {5, 0}, {4, 0}, {3, 0}, {5, 0}, {6, 60}, {10, 0}};
	uint8_t packet[40] = {0x45, 0, 0, 40, [8] = 64, [9] = 17, [12] = 10, 1, 0, 1, 10, 2, 0, 1};
	struct natmux_inner inner = {.data = packet, .len = sizeof(packet)};

	wire_n = 0;
	for (int i = 0; i < 10; i++)
		natmux_esp_output(esp, 999000, &inner, 1);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		uint8_t copy[256];
		struct natmux_train train = {.data = copy, .len = wire_len};

		memcpy(copy, wire[order[i].packet - 1], wire_len);
		copy[order[i].broken_octet] ^= order[i].broken_octet > 0;
		train.path = fake_path("192.0.2.1:4500", "198.51.100.7:1027");
		natmux_esp_input(esp, 999500, &train, 1);
	}
}

static void fill_policy(
	struct nm_config_policy *policy, const char *name, uint32_t priority, const char *selector)
{
	*policy = (struct nm_config_policy){.priority = priority};
	strcpy(policy->name, name);
	if (nm_selector_parse(selector, &policy->selector) < 0)
		abort();
}

void fake_server_add_plane(struct fake_server *fake)
{
	static struct natmux_esp *kept; /* the last one: nobody ends a fake */
	static struct nm_config_sa sas[3];
	static struct nm_config_policy policies[2];
	struct natmux_policy policy;

	natmux_esp_free(kept);
	fake->esp = kept = make_esp(fake->config.user_plane.export_keys);
	fill_sa(&sas[0], "branch-in", NATMUX_SA_IN, NATMUX_SUITE_AES128GCM16, "198.51.100.7:1027");
	fill_sa(&sas[1], "branch-out", NATMUX_SA_OUT, NATMUX_SUITE_AES128GCM16,
		"198.51.100.7:1027");
	fill_sa(&sas[2], "", NATMUX_SA_OUT, NATMUX_SUITE_AES256_SHA512, "[2001:db8:ffff::2]:4500");
	nm_selector_parse("src 10.1.0.0/16 dst 10.2.0.0/16", &sas[0].selectors[0]);
	sas[0].selectors_len = 1;
	sas[2].spi = 0xc0ffee01;
	sas[2].esn = true;
	sas[2].reqid = 8;
	sas[2].dscp = 46;
	sas[2].soft.bytes = UINT64_C(1) << 40;
	sas[2].hard = (struct natmux_lifetime){UINT64_C(2) << 40, 5000000000, 86400};
	fill_policy(&policies[0], "rest", 20, "src ::/0 dst ::/0");
	policies[0].action = NATMUX_POLICY_DISCARD;
	fill_policy(&policies[1], "branch", 10, "src 10.1.0.0/16 dst 10.2.0.0/16");
	policies[1].reqid = 7;
	for (size_t i = 0; i < 3; i++)
		add_sa(fake->esp, &sas[i]);
	for (size_t i = 0; i < 2; i++) {
		nm_config_policy_fill(&policies[i], &policy);
		natmux_esp_policy_add(fake->esp, &policy);
	}
	run_packets(fake->esp);
	fake->config.esp = NM_ESP_USER;
	fake->config.listen[0] = fake_addr("0.0.0.0:4500");
	fake->config.listen[1] = fake_addr("[::]:4500");
	fake->config.listen_len = 2;
	fake->config.sas = sas;
	fake->config.sas_len = 2; /* the third came by natmuxctl */
	fake->config.policies = policies;
	fake->config.policies_len = 2;
}

void fake_server_tap(struct fake_server *fake, enum natmux_class cls, bool is_sent,
	const struct natmux_train *train)
{
	if (fake->tap && fake->tap_mask & 1u << cls)
		fake->tap(fake->tap_user, cls, is_sent, train);
}

struct nm_user_plane *nm_server_user_plane(struct nm_server *server)
{
	return fake_of(server)->esp ? (struct nm_user_plane *)server : NULL;
}

int nm_server_move_sas(struct nm_server *server, const char *plane, struct nm_sa_plane_moved *moved,
	char *why, size_t size)
{
	struct fake_server *fake = fake_of(server);
	struct nm_sa_plane *to = fake->other_plane;

	if (!to || strcmp(to->ops->name, plane) != 0) {
		snprintf(why, size, "there is one plane");
		return NATMUX_EINVAL;
	}
	return nm_sa_plane_move(&fake->sa_plane, to, NULL, fake->now_ms, moved, why);
}

/* daemon/kernel/kernel_plane.h */

struct nm_kernel_plane *nm_server_kernel_plane(struct nm_server *server)
{
	return fake_of(server)->kernel_status ? (struct nm_kernel_plane *)server : NULL;
}

void nm_kernel_plane_get_status(
	struct nm_kernel_plane *plane, struct nm_kernel_plane_status *status)
{
	*status = *((const struct fake_server *)(const void *)plane)->kernel_status;
}

/* daemon/server.h */

const struct nm_sa_plane *nm_server_sa_plane(struct nm_server *server)
{
	struct fake_server *fake = fake_of(server);

	if (!fake->sa_plane.ops)
		fake->sa_plane = nm_user_sa_plane(nm_server_user_plane(server));
	return fake->sa_plane.ops ? &fake->sa_plane : NULL;
}

const struct nm_server_steering *nm_server_steering(const struct nm_server *server)
{
	return &fake_of(server)->steering;
}

struct nm_join *nm_server_join(struct nm_server *server)
{
	return fake_of(server)->joins ? (struct nm_join *)server : NULL;
}

/* daemon/join/join.h */

void nm_join_get_status(const struct nm_join *join, struct nm_join_status *status)
{
	*status = fake_of((const struct nm_server *)join)->join;
}

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

void nm_server_pause(struct nm_server *server)
{
	fake_of(server)->pauses++;
}

void nm_server_resume(struct nm_server *server)
{
	if (fake_of(server)->pauses-- == 0)
		abort();
}

void nm_server_stats(struct nm_server *server, struct natmux_stats *stats)
{
	*stats = fake_of(server)->stats;
}

void nm_server_set_tap(struct nm_server *server, uint32_t mask,
	void (*tap)(
		void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train),
	void *user)
{
	struct fake_server *fake = fake_of(server);

	fake->tap_mask = mask;
	fake->tap = tap;
	fake->tap_user = user;
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

/* daemon/user/user_plane.h */

static struct fake_server *fake_of_plane(const struct nm_user_plane *plane)
{
	return (struct fake_server *)(uintptr_t)plane;
}

struct natmux_esp *nm_user_plane_esp(struct nm_user_plane *plane)
{
	return plane ? fake_of_plane(plane)->esp : NULL;
}

uint64_t nm_user_plane_now_ms(const struct nm_user_plane *plane)
{
	return fake_of_plane(plane)->now_ms;
}

void nm_user_plane_changed(struct nm_user_plane *plane)
{
	fake_of_plane(plane)->plane_changes++;
}

static void count_sa(void *user, const struct natmux_sa_info *info)
{
	(void)info;
	++*(uint32_t *)user;
}

void nm_user_plane_get_status(
	const struct nm_user_plane *plane, struct nm_user_plane_status *status)
{
	*status = (struct nm_user_plane_status){.tun = "natmux1",
		.mtu = 1438,
		.has_tso = true,
		.uso_why = "TUNSETOFFLOAD: Invalid argument",
		.read = {1000, 200, 9000000, 0},
		.written = {900, 100, 8000000, 3},
		.has_bare = true,
		.bare_packets = 42,
		.policies = 2,
		.sas_max = 1024,
		.policies_max = 1024,
		.workers = 2,
		.workers_why = "IFF_MULTI_QUEUE: Device or resource busy"};
	natmux_esp_sas(fake_of_plane(plane)->esp, count_sa, &status->sas);
}

void nm_user_plane_workers(const struct nm_user_plane *plane,
	void (*each)(void *user, uint32_t worker, const struct nm_user_plane_worker *info),
	void *user)
{
	const struct nm_user_plane_worker workers[2] = {
		{{5000, 7000000}, {4000, 6000000}, {600, 120, 5000000, 0}, {500, 60, 4500000, 3}},
		{{4100, 5500000}, {3900, 4000000}, {400, 80, 4000000, 0}, {400, 40, 3500000, 0}},
	};

	(void)plane;
	for (uint32_t i = 0; i < 2; i++)
		each(user, i, &workers[i]);
}
