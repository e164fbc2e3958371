/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which datagrams can be injected, and whether this machine lets injected packets pass.
 * How a packet is written is handoff_packets.c's work.
 */
#include "dispatcher/handoff_inject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include "dispatcher/handoff_packets.h"

struct nm_inject {
	struct nm_packets packets;
};

int nm_inject_new(
	const struct nm_packet_port *port, struct natmux_mux *mux, struct nm_inject **result)
{
	struct nm_inject *inject = calloc(1, sizeof(*inject));

	if (!inject)
		return NATMUX_ENOMEM;
	inject->packets.port = *port;
	inject->packets.mux = mux;
	*result = inject;
	return 0;
}

void nm_inject_free(struct nm_inject *inject)
{
	free(inject);
}

/* An address that a packet can be sent to: a wildcard is where a socket listens, no more. */
static bool is_concrete(const struct natmux_addr *addr, uint8_t family)
{
	static const uint8_t zero[16];

	return addr->family == family && addr->port != 0 &&
	       memcmp(addr->ip, zero, sizeof(zero)) != 0;
}

static void input(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	struct nm_inject *inject = self;

	(void)now_ms;
	for (size_t i = 0; i < n; i++) {
		const struct natmux_path *path = &trains[i].path;

		if (path->remote.scope_id != 0)
			natmux_mux_drop(inject->packets.mux, NATMUX_DROP_MARTIAN,
				natmux_train_count(&trains[i]));
		else if (!is_concrete(&path->local, path->remote.family))
			natmux_mux_drop(inject->packets.mux, NATMUX_DROP_PATH_LOCAL,
				natmux_train_count(&trains[i]));
		else
			nm_packets_add(&inject->packets, &path->remote, &path->local, &trains[i]);
	}
	nm_packets_flush(&inject->packets);
}

const struct natmux_sink_ops nm_inject_sink = {
	.name = "inject",
	.input = input,
};

void nm_inject_packets(struct nm_inject *inject, size_t n)
{
	natmux_mux_drop(inject->packets.mux, NATMUX_DROP_HANDOFF_FORMAT, n);
}

/*
 * IPv4 alone has it, and the larger of both values counts (ip-sysctl: rp_filter). The route back to
 * a peer never leads through the TUN device, so 1 (strict) refuses every packet; 2 (loose) refuses
 * them on a device without an IPv4 address.
 */
static int check_rp_filter(const struct nm_inject_facts *facts, char *message, size_t size)
{
	int effective = facts->rp_filter_all;

	if (effective < facts->rp_filter_tun)
		effective = facts->rp_filter_tun;
	if (effective <= 0 || (effective > 1 && facts->tun_has_v4_address))
		return 0;
	if (effective > 1)
		snprintf(message, size,
			"handoff = inject: loose reverse path filtering drops what is injected "
			"through %s, which has no IPv4 address: ip address add 192.0.0.8/32 dev %s",
			facts->tun, facts->tun);
	else if (facts->tun_has_v4_address)
		snprintf(message, size,
			"handoff = inject: strict reverse path filtering drops what is injected "
			"through %s: sysctl -w net.ipv4.conf.%s.rp_filter=2",
			facts->tun, facts->tun);
	else
		snprintf(message, size,
			"handoff = inject: strict reverse path filtering drops what is injected "
			"through %s: sysctl -w net.ipv4.conf.%s.rp_filter=2 and "
			"ip address add 192.0.0.8/32 dev %s",
			facts->tun, facts->tun, facts->tun);
	return NATMUX_EUNSUPPORTED;
}

int nm_inject_check(const struct nm_inject_facts *facts, char *message, size_t size)
{
	if (!facts->has_device) {
		snprintf(message, size,
			"handoff = inject: without a device natmux would receive what it injects "
			"through %s again, for ever: write device = \"eth0\" (the interface to the "
			"network) into the configuration, or use handoff = relay",
			facts->tun);
		return NATMUX_EUNSUPPORTED;
	}
	return facts->listens4 ? check_rp_filter(facts, message, size) : 0;
}
