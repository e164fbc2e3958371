/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The least program that is a gateway: one port, one ESP plane, one TUN device on a libuv loop, one
 * SA each way. What the parts can do together, without a configuration and without a daemon.
 */
#ifndef NM_GATEWAY_H
#define NM_GATEWAY_H

#include <natmux/addr.h>
#include <natmux/suite.h>

struct nm_gateway_config {
	struct natmux_addr local, remote; /* of the wire, with their ports */
	struct natmux_prefix inner;       /* our address of the TUN device, and its network */
	uint32_t spi_in, spi_out;
	enum natmux_suite suite;
	const char *engine; /* NULL: the fastest */
};

/* 1500 - 20 IPv4 - 8 UDP - 8 ESP - 8 IV - 2 trailer - 16 ICV, and the text a multiple of 4. */
enum { NM_GATEWAY_MTU = 1438 };

/* Why this build has none, or NULL. */
const char *nm_gateway_missing(void);

/* Runs until SIGTERM. Returns an exit status; failures are said on stderr. */
int nm_gateway_run(const struct nm_gateway_config *config);

#endif
