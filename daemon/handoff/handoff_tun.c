/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two handoffs through a TUN device, relay and inject: the device on the loop, and whether
 * this machine lets injected packets through. What is in the packets is dispatcher/'s business.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>

#include "base/log.h"
#include "daemon/config/config.h"
#include "daemon/handoff/handoff.h"
#include "daemon/process/poller.h"
#include "daemon/port/rp_filter.h"
#include "dispatcher/handoff_inject.h"
#include "dispatcher/handoff_relay.h"
#include "io/tun.h"

enum {
	/* What kernel ESP towards an alias may assume of the path behind it. */
	TUN_MTU = 1500,
	PACKETS_MAX = 64, /* of one round of reading */
	ROUNDS_MAX = 16,  /* per wake-up, before the sockets get their turn again */
};

struct tun_handoff {
	struct nm_handoff_link base;
	struct nm_tun *tun;
	struct nm_relay *relay;   /* of relay */
	struct nm_inject *inject; /* of inject */
	uint32_t interface;       /* the device's number; asked before system calls are few */
	struct nm_poller poller;
};

_Static_assert(sizeof(struct nm_tun_packet) == sizeof(struct nm_relay_packet), "same packet");

static void relay_packets(
	struct tun_handoff *handoff, const struct nm_tun_packet *from_tun, size_t n)
{
	const struct nm_handoff_setup *setup = &handoff->base.setup;
	struct nm_relay_packet packets[PACKETS_MAX];
	struct natmux_train trains[PACKETS_MAX];
	size_t count;

	for (size_t i = 0; i < n; i++)
		packets[i] = (struct nm_relay_packet){from_tun[i].data, from_tun[i].len};
	count = nm_relay_packets(handoff->relay, packets, n, trains, PACKETS_MAX);
	if (count == 0)
		return;
	natmux_mux_sent(setup->mux, uv_now(setup->loop), trains, count);
	setup->send(setup->user, trains, count);
}

/* Somebody removed the device, as the log says. A new one takes capabilities that were given up. */
static void give_up(struct tun_handoff *handoff)
{
	nm_poller_stop(&handoff->poller);
	handoff->base.setup.failed(handoff->base.setup.user);
}

static void on_readable(void *user)
{
	struct tun_handoff *handoff = user;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		struct nm_tun_packet packets[PACKETS_MAX];
		size_t n = nm_tun_read(handoff->tun, packets, PACKETS_MAX);

		if (n > 0 && handoff->relay)
			relay_packets(handoff, packets, n);
		else if (n > 0)
			nm_inject_packets(handoff->inject, n);
		if (n < PACKETS_MAX)
			break;
	}
	if (nm_tun_status(handoff->tun)->is_gone)
		give_up(handoff);
}

static void close_tun(struct nm_handoff_link *base)
{
	struct tun_handoff *handoff = (struct tun_handoff *)base;

	nm_poller_close(&handoff->poller);
}

static void free_tun(struct nm_handoff_link *base)
{
	struct tun_handoff *handoff = (struct tun_handoff *)base;

	nm_relay_free(handoff->relay);
	nm_inject_free(handoff->inject);
	nm_tun_close(handoff->tun);
	free(handoff);
}

static int open_tun(const struct nm_handoff_setup *setup, const struct nm_tun_config *config,
	struct tun_handoff **result)
{
	struct tun_handoff *handoff = calloc(1, sizeof(*handoff));
	int err = NATMUX_ENOMEM;

	if (!handoff)
		return err;
	handoff->base.setup = *setup;
	err = nm_tun_open(config, &handoff->tun);
	if (err < 0)
		free(handoff);
	else
		*result = handoff;
	return err;
}

/* The last step of opening: from here on the handoff is closed by its uv handle. */
static int start(struct tun_handoff *handoff, const struct natmux_sink_ops *sink, void *self)
{
	const struct nm_handoff_setup *setup = &handoff->base.setup;
	int err = nm_poller_start(
		&handoff->poller, setup->loop, nm_tun_fd(handoff->tun), on_readable, handoff);

	if (err < 0)
		return err;
	natmux_mux_set_sink(setup->mux, NATMUX_CLASS_IKE, sink, self);
	natmux_mux_set_sink(setup->mux, NATMUX_CLASS_ESP, sink, self);
	return 0;
}

static int open_relay(const struct nm_handoff_setup *setup, struct nm_handoff_link **result)
{
	const struct nm_config_relay *config = &setup->config->relay;
	struct nm_tun_config tun = {
		.sys = &nm_sys_real,
		.log = setup->log,
		.name = config->tun,
		.ipv4 = {config->daemon4, config->pool4.bits},
		.ipv6 = {config->daemon6, config->pool6.bits},
		.mtu = TUN_MTU,
		.use_super = setup->config->gso,
	};
	struct nm_relay_config relay = {
		.daemon4 = config->daemon4,
		.daemon6 = config->daemon6,
		.pool4 = config->pool4,
		.pool6 = config->pool6,
		.peer_port = config->peer_port,
		.flows_max = setup->config->limits.flows,
		.mux = setup->mux,
	};
	struct tun_handoff *handoff;
	int err = open_tun(setup, &tun, &handoff);

	if (err < 0)
		return err;
	relay.daemon4.port = relay.daemon6.port = config->daemon_port;
	if (relay.daemon4.family == NATMUX_FAMILY_NONE)
		relay.daemon4.port = 0;
	if (relay.daemon6.family == NATMUX_FAMILY_NONE)
		relay.daemon6.port = 0;
	relay.port = nm_tun_port(handoff->tun);
	err = nm_relay_new(&relay, &handoff->relay);
	if (err == 0)
		err = start(handoff, &nm_relay_sink, handoff->relay);
	if (err < 0) {
		nm_log(&setup->log, NATMUX_LOG_ERROR, "relay: %s", natmux_strerror(err));
		free_tun(&handoff->base);
		return err;
	}
	*result = &handoff->base;
	return 0;
}

static bool listens_on_ipv4(const struct nm_config *config)
{
	for (size_t i = 0; i < config->listen_len; i++)
		if (config->listen[i].family == NATMUX_FAMILY_IPV4)
			return true;
	return false;
}

/*
 * Whether the machine lets injected packets reach the daemon; says in the log what stands in the
 * way. Where the port is joined that is one ESP packet in 2^32: no reason not to start.
 */
static int check_inject(const struct nm_handoff_setup *setup, const char *tun)
{
	bool joins = setup->config->attach == NM_ATTACH_JOIN;
	struct nm_inject_facts facts = {
		.tun = tun,
		.listens4 = listens_on_ipv4(setup->config),
		/* The steering program tells injected packets by their interface. */
		.has_device = setup->config->device[0] != '\0' || joins,
		.tun_has_v4_address = true,
		.rp_filter_all = nm_rp_filter_read("all"),
	};
	char message[NM_INJECT_MESSAGE];
	int err;

	if (joins)
		nm_rp_filter_loosen(tun);
	facts.rp_filter_tun = nm_rp_filter_read(tun);
	err = nm_inject_check(&facts, message, sizeof(message));
	if (err < 0)
		nm_log(&setup->log, joins ? NATMUX_LOG_WARNING : NATMUX_LOG_ERROR, "%s", message);
	return joins ? 0 : err;
}

static int open_inject(const struct nm_handoff_setup *setup, struct nm_handoff_link **result)
{
	struct nm_tun_config tun = {
		.sys = &nm_sys_real,
		.log = setup->log,
		.name = setup->config->inject.tun,
		/*
		 * RFC 7600's dummy address: never on a wire. Loose rp_filter accepts packets only
		 * from a device that has an IPv4 address.
		 */
		.ipv4 = {{.ip = {192, 0, 0, 8}, .family = NATMUX_FAMILY_IPV4}, 32},
		.use_super = setup->config->gso,
	};
	struct tun_handoff *handoff;
	struct nm_packet_port port;
	int err = open_tun(setup, &tun, &handoff);

	if (err < 0)
		return err;
	handoff->interface = if_nametoindex(nm_tun_name(handoff->tun));
	err = handoff->interface > 0 ? 0 : NATMUX_ESYSTEM;
	if (err == 0)
		err = check_inject(setup, nm_tun_name(handoff->tun));
	port = nm_tun_port(handoff->tun);
	if (err == 0)
		err = nm_inject_new(&port, setup->mux, &handoff->inject);
	if (err == 0)
		err = start(handoff, &nm_inject_sink, handoff->inject);
	if (err < 0) {
		free_tun(&handoff->base);
		return err;
	}
	*result = &handoff->base;
	return 0;
}

static uint32_t interface_of(struct nm_handoff_link *base)
{
	return ((struct tun_handoff *)base)->interface;
}

static int reserve_alias(
	struct nm_handoff_link *base, uint32_t flow, const struct natmux_addr *alias)
{
	return nm_relay_alias_reserve(((struct tun_handoff *)base)->relay, flow, alias);
}

struct each_alias {
	void (*each)(void *user, const struct nm_server_alias *alias);
	void *user;
};

static void show_alias(void *user, const struct nm_alias *alias)
{
	struct each_alias *context = user;
	struct nm_server_alias shown = {.alias = alias->addr, .flow = alias->flow};

	context->each(context->user, &shown);
}

static void show_aliases(struct nm_handoff_link *base,
	void (*each)(void *user, const struct nm_server_alias *alias), void *user)
{
	struct each_alias context = {each, user};

	nm_relay_aliases(((struct tun_handoff *)base)->relay, show_alias, &context);
}

const struct nm_handoff_kind nm_handoff_relay = {
	.name = "relay",
	.open = open_relay,
	.close = close_tun,
	.free = free_tun,
	.alias_reserve = reserve_alias,
	.aliases = show_aliases,
};

const struct nm_handoff_kind nm_handoff_inject = {
	.name = "inject",
	.open = open_inject,
	.close = close_tun,
	.free = free_tun,
	.interface = interface_of,
};
