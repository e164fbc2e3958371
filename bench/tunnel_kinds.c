/* SPDX-License-Identifier: Apache-2.0 */
/* Plain veth, and natmux; and which tunnels there are. */
#include "bench/tunnel.h"

#include <stdio.h>
#include <natmux/error.h>

#include "bench/gateway.h"

enum { PING_MS = 10000, PORT = 4500, SPI_AB = 0x10001, SPI_BA = 0x10002 };

#define PING_INNER "ping -q -c 1 -W 1 " NM_LAB_INNER_B

static const char *plain_missing(void)
{
	return NULL;
}

static int plain_start(struct nm_lab *lab)
{
	return nm_lab_wait(lab, NM_LAB_A, "ping -q -c 1 -W 1 " NM_LAB_WIRE_B, PING_MS);
}

const struct nm_tunnel_kind nm_tunnel_plain = {
	.name = "plain veth",
	.target = NM_LAB_WIRE_B,
	.missing = plain_missing,
	.start = plain_start,
};

static int run_gateway(const void *argument)
{
	return nm_gateway_run(argument);
}

static int make_config(enum nm_lab_side side, struct nm_gateway_config *config)
{
	static const char *const wire[] = {NM_LAB_WIRE_A, NM_LAB_WIRE_B};
	static const char *const inner[] = {NM_LAB_INNER_A, NM_LAB_INNER_B};
	const bool is_a = side == NM_LAB_A;

	*config = (struct nm_gateway_config){
		.inner.bits = 24,
		.spi_in = is_a ? SPI_BA : SPI_AB,
		.spi_out = is_a ? SPI_AB : SPI_BA,
		.suite = NATMUX_SUITE_AES128GCM16,
	};
	if (natmux_addr_parse(wire[side], PORT, &config->local) < 0 ||
		natmux_addr_parse(wire[!side], PORT, &config->remote) < 0)
		return NATMUX_EINVAL;
	return natmux_addr_parse(inner[side], 0, &config->inner.base);
}

static int natmux_start(struct nm_lab *lab)
{
	for (unsigned int side = 0; side < NM_LAB_SIDES; side++) {
		struct nm_gateway_config config;
		int err = make_config(side, &config);

		if (err < 0)
			return err;
		if (nm_lab_fork(lab, side, run_gateway, &config) < 0)
			return NATMUX_ESYSTEM;
	}
	return nm_lab_wait(lab, NM_LAB_A, PING_INNER, PING_MS);
}

const struct nm_tunnel_kind nm_tunnel_natmux = {
	.name = "natmux",
	.target = NM_LAB_INNER_B,
	.missing = nm_gateway_missing,
	.start = natmux_start,
};

const struct nm_tunnel_kind *const nm_tunnel_kinds[] = {
	[NM_TUNNEL_PLAIN] = &nm_tunnel_plain,
	[NM_TUNNEL_NATMUX] = &nm_tunnel_natmux,
	[NM_TUNNEL_LIBIPSEC] = &nm_tunnel_libipsec,
	&nm_tunnel_wireguard,
	&nm_tunnel_openvpn,
};

const size_t nm_tunnel_kinds_len = sizeof(nm_tunnel_kinds) / sizeof(nm_tunnel_kinds[0]);
