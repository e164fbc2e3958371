/* SPDX-License-Identifier: Apache-2.0 */
/* Ties port, plane and device together. Nothing is decided here that natmuxd would not decide so. */
#include "bench/gateway.h"

#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <natmux/error.h>
#include <natmux/esp.h>
#include <natmux/mux.h>
#include <natmux/uv.h>

#include "bench/console.h"
#include "bench/packets.h"
#include "io/inner_tun.h"

enum { PACKETS = 64, BUDGET = 32, REQID = 1 };

struct gateway {
	uv_loop_t loop;
	uv_signal_t end;
	uv_poll_t poll;
	struct natmux_mux *mux;
	struct natmux_uv *port;
	struct natmux_esp *esp;
	struct nm_inner_tun *tun;
	struct nm_inner_tun_queue *queue;
	uint64_t drops[NATMUX_DROP_COUNT];
};

static void fill(void *user, void *buf, size_t len)
{
	(void)user;
	randombytes_buf(buf, len);
}

static void write_log(void *user, enum natmux_log_level level, const char *text)
{
	(void)user;
	(void)level;
	nm_console_error("gateway: %s", text);
}

static const struct natmux_log errors = {.write = write_log, .level = NATMUX_LOG_WARNING};

static void send_trains(void *user, const struct natmux_train *trains, size_t n)
{
	struct gateway *gateway = user;

	natmux_uv_send(gateway->port, trains, n);
}

static void count_drop(void *user, enum natmux_drop drop, uint64_t packets)
{
	struct gateway *gateway = user;

	gateway->drops[drop] += packets;
}

static void deliver(void *user, const struct nm_gathered *packet)
{
	struct gateway *gateway = user;

	if (nm_inner_tun_write(gateway->queue, packet, 1) == 0)
		count_drop(user, NATMUX_DROP_TUN_WRITE, 1);
}

static void take_esp(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	struct gateway *gateway = self;

	natmux_esp_input(gateway->esp, now_ms, trains, n);
}

static const struct natmux_sink_ops sink = {.name = "gateway", .input = take_esp};

static void on_inner(uv_poll_t *poll, int status, int events)
{
	struct gateway *gateway = poll->data;
	struct nm_inner packets[PACKETS];

	(void)status;
	(void)events;
	for (unsigned int i = 0; i < BUDGET; i++) {
		size_t n = nm_inner_tun_read(gateway->queue, packets, PACKETS);

		natmux_esp_output(gateway->esp, uv_now(&gateway->loop), packets, n);
		if (!nm_inner_tun_has_more(gateway->queue))
			break;
	}
}

static void on_end(uv_signal_t *end, int number)
{
	(void)number;
	uv_stop(end->loop);
}

static int open_tun(struct gateway *gateway, const struct nm_gateway_config *config)
{
	struct nm_inner_tun_config tun = {
		.sys = &nm_sys_real,
		.log = errors,
		.name = "natmux%d",
		.ipv4 = {config->inner.base, config->inner.bits},
		.mtu = NM_GATEWAY_MTU,
		.use_tso = true,
		.use_uso = true,
	};
	int err = nm_inner_tun_open(&tun, &gateway->tun);

	if (err < 0)
		return err;
	gateway->queue = nm_inner_tun_queue(gateway->tun, 0);
	uv_poll_init(&gateway->loop, &gateway->poll, nm_inner_tun_fd(gateway->queue));
	gateway->poll.data = gateway;
	uv_poll_start(&gateway->poll, UV_READABLE, on_inner);
	return 0;
}

static int open_port(struct gateway *gateway, const struct nm_gateway_config *config)
{
	const struct natmux_random random = {fill, NULL};
	const struct natmux_path path = {config->local, config->remote};
	struct natmux_mux_config mux;
	struct natmux_uv_config uv;
	uint32_t flow;
	int err;

	natmux_mux_config_init(&mux);
	err = natmux_mux_new(&mux, &random, &gateway->mux);
	if (err == 0)
		err = natmux_mux_peer_add(gateway->mux, 0, "peer", &path, &flow);
	if (err == 0)
		err = natmux_mux_set_sink(gateway->mux, NATMUX_CLASS_ESP, &sink, gateway);
	if (err < 0)
		return err;
	natmux_uv_config_init(&uv);
	uv.locals = &config->local;
	uv.locals_n = 1;
	uv.use_bypass = false;
	uv.log = errors;
	return natmux_uv_new(&gateway->loop, gateway->mux, &uv, &gateway->port);
}

static int add_sa(struct gateway *gateway, const struct nm_gateway_config *config,
	enum natmux_sa_direction direction, uint32_t spi)
{
	struct natmux_sa_config sa;

	natmux_sa_config_init(&sa);
	sa.direction = direction;
	sa.spi = spi;
	sa.suite = config->suite;
	sa.key = nm_packets_keymat;
	sa.key_len = natmux_suite_key_len(config->suite);
	sa.has_esn = true;
	sa.path = (struct natmux_path){config->local, config->remote};
	sa.reqid = REQID;
	return natmux_esp_sa_add(gateway->esp, 0, &sa);
}

static int add_policy(struct gateway *gateway)
{
	const struct natmux_policy policy = {
		.action = NATMUX_POLICY_PROTECT,
		.reqid = REQID,
		.selector =
			{
				.source = {{.family = NATMUX_FAMILY_IPV4}, 0},
				.destination = {{.family = NATMUX_FAMILY_IPV4}, 0},
				.source_ports = {0, UINT16_MAX},
				.destination_ports = {0, UINT16_MAX},
			},
	};

	return natmux_esp_policy_add(gateway->esp, &policy);
}

static int make_plane(struct gateway *gateway, const struct nm_gateway_config *config)
{
	const struct nm_inner_tun_status *status = nm_inner_tun_status(gateway->queue);
	struct natmux_esp_config esp;
	int err;

	natmux_esp_config_init(&esp);
	esp.engine = config->engine;
	esp.random.fill = fill;
	esp.log = errors;
	esp.send = send_trains;
	esp.deliver = deliver;
	esp.drop = count_drop;
	esp.user = gateway;
	esp.can_tcp = status->tso.is_written;
	esp.can_udp = status->uso.is_written;
	err = natmux_esp_new(&esp, &gateway->esp);
	if (err == 0)
		err = add_sa(gateway, config, NATMUX_SA_IN, config->spi_in);
	if (err == 0)
		err = add_sa(gateway, config, NATMUX_SA_OUT, config->spi_out);
	return err < 0 ? err : add_policy(gateway);
}

const char *nm_gateway_missing(void)
{
	return NULL;
}

int nm_gateway_run(const struct nm_gateway_config *config)
{
	static struct gateway gateway;
	int err;

	if (sodium_init() < 0 || uv_loop_init(&gateway.loop) < 0)
		return EXIT_FAILURE;
	uv_signal_init(&gateway.loop, &gateway.end);
	uv_signal_start(&gateway.end, on_end, SIGTERM);
	err = open_tun(&gateway, config);
	if (err == 0)
		err = make_plane(&gateway, config);
	if (err == 0)
		err = open_port(&gateway, config);
	if (err < 0) {
		nm_console_error("gateway: %s", natmux_strerror(err));
		return EXIT_FAILURE;
	}
	uv_run(&gateway.loop, UV_RUN_DEFAULT);
	for (unsigned int i = 0; i < NATMUX_DROP_COUNT; i++)
		if (gateway.drops[i] > 0)
			nm_console_error("gateway: %llu packets dropped: %s",
				(unsigned long long)gateway.drops[i], natmux_drop_name(i));
	return EXIT_SUCCESS;
}
