/* SPDX-License-Identifier: Apache-2.0 */
/* The mux as a program uses it, with everything that is not the mux left out. */
#include "bench/port.h"

#include <string.h>

#include <natmux/error.h>

#include "base/bytes.h"
#include "base/rate.h"
#include "bench/gen.h"

enum { IKE_LEN = 64, ESP_LEN = 64, CLOCK_START_MS = 1000000 };

/* RFC 5737 and RFC 2544: addresses that nobody has. */
static const uint8_t local_ip[4] = {192, 0, 2, 1};
static const uint8_t remote_base[4] = {198, 18, 0, 0};

static void fill(void *user, void *buf, size_t len)
{
	nm_gen_bytes(user, buf, len);
}

static void count_class(
	struct nm_port *port, enum natmux_class cls, const struct natmux_train *trains, size_t n)
{
	for (size_t i = 0; i < n; i++)
		port->datagrams[cls] += natmux_train_count(&trains[i]);
}

static void count_ike(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	(void)now_ms;
	count_class(self, NATMUX_CLASS_IKE, trains, n);
}

static void count_esp(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	(void)now_ms;
	count_class(self, NATMUX_CLASS_ESP, trains, n);
}

static void count_stun(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	(void)now_ms;
	count_class(self, NATMUX_CLASS_STUN, trains, n);
}

static const struct natmux_sink_ops ike_sink = {.name = "ike", .input = count_ike};
static const struct natmux_sink_ops esp_sink = {.name = "esp", .input = count_esp};
static const struct natmux_sink_ops stun_sink = {.name = "stun", .input = count_stun};

int nm_port_init(struct nm_port *port)
{
	static const struct natmux_rate unlimited = {NM_RATE_PER_S_MAX, NM_RATE_BURST_MAX};
	struct nm_gen gen = {0};
	struct natmux_random random = {fill, &gen};
	struct natmux_mux_config config;
	int err;

	memset(port, 0, sizeof(*port));
	port->now_ms = CLOCK_START_MS;
	natmux_mux_config_init(&config);
	config.flows_max = NM_PORT_FLOWS_MAX;
	config.ike_prefix = config.ike_all = unlimited;
	config.stun_prefix = config.stun_all = unlimited;
	err = natmux_mux_new(&config, &random, &port->mux);
	if (err < 0)
		return err;
	natmux_mux_set_sink(port->mux, NATMUX_CLASS_IKE, &ike_sink, port);
	natmux_mux_set_sink(port->mux, NATMUX_CLASS_ESP, &esp_sink, port);
	natmux_mux_set_sink(port->mux, NATMUX_CLASS_STUN, &stun_sink, port);
	return 0;
}

void nm_port_done(struct nm_port *port)
{
	natmux_mux_free(port->mux);
	port->mux = NULL;
}

static void set_addr(struct natmux_addr *addr, const uint8_t ip[4])
{
	memset(addr, 0, sizeof(*addr));
	memcpy(addr->ip, ip, 4);
	addr->family = NATMUX_FAMILY_IPV4;
	addr->port = 4500;
}

void nm_port_path(uint32_t index, struct natmux_path *path)
{
	set_addr(&path->local, local_ip);
	set_addr(&path->remote, remote_base);
	nm_put16(path->remote.ip + 2, (uint16_t)(index + 1));
}

static struct natmux_train train_of(uint32_t index, const uint8_t *data, uint32_t len)
{
	struct natmux_train train = {
		.data = data, .len = len, .segment = len, .flow = NATMUX_FLOW_NONE};

	nm_port_path(index, &train.path);
	return train;
}

int nm_port_establish(struct nm_port *port, uint32_t n)
{
	uint8_t ike[IKE_LEN], esp[ESP_LEN];
	struct nm_gen gen = {0};
	uint64_t before = port->datagrams[NATMUX_CLASS_IKE];
	int err = nm_gen_datagram(&gen, NM_GEN_IKE, ike, sizeof(ike));

	if (err == 0)
		err = nm_gen_datagram(&gen, NM_GEN_ESP, esp, sizeof(esp));
	if (err < 0 || n > NM_PORT_FLOWS_MAX)
		return NATMUX_ERANGE;
	for (uint32_t i = 0; i < n; i++) {
		struct natmux_train in = train_of(i, ike, sizeof(ike));
		struct natmux_train out = train_of(i, esp, sizeof(esp));

		natmux_mux_input(port->mux, ++port->now_ms, &in, 1);
		natmux_mux_sent(port->mux, port->now_ms, &out, 1);
	}
	return port->datagrams[NATMUX_CLASS_IKE] - before == n ? 0 : NATMUX_EFULL;
}

void nm_port_input(struct nm_port *port, const struct natmux_train *trains, size_t n)
{
	struct natmux_train output[NM_PORT_OUTPUT];
	size_t got;

	natmux_mux_input(port->mux, ++port->now_ms, trains, n);
	do {
		got = natmux_mux_output(port->mux, output, NM_PORT_OUTPUT);
		port->sent += got;
	} while (got == NM_PORT_OUTPUT);
}
