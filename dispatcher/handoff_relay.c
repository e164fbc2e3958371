/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which packets pass between the mux and the daemon behind the TUN device. Which alias a
 * flow has is alias.c's, how a packet is written handoff_packets.c's.
 */
#include "dispatcher/handoff_relay.h"

#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include "dispatcher/handoff_packets.h"
#include "wire/udp.h"

enum { BUFFER_SIZE = 2 * 65536 };

/* Datagrams of the daemon that can leave as one train; not yet one behind the other. */
struct run {
	struct nm_udp datagrams[NM_RELAY_TRAIN_MAX];
	uint32_t n;
	uint32_t bytes;
	uint32_t flow;
	enum natmux_class cls;
	uint8_t tos;
};

struct nm_relay {
	struct nm_relay_config config;
	struct nm_aliases *aliases;
	struct nm_packets packets; /* to the daemon */
	struct run run;            /* from the daemon */
	uint8_t *buffer;           /* where runs become trains */
	size_t used;
};

/* The trains of the vector that is being read: room for as many as it has packets. */
struct output {
	struct natmux_train *trains;
	size_t n;
};

static bool is_config_valid(const struct nm_relay_config *config)
{
	return config->peer_port != 0 && config->mux && config->port.write &&
	       (config->daemon4.family == NATMUX_FAMILY_NONE || config->daemon4.port != 0) &&
	       (config->daemon6.family == NATMUX_FAMILY_NONE || config->daemon6.port != 0);
}

int nm_relay_new(const struct nm_relay_config *config, struct nm_relay **result)
{
	struct nm_alias_pool_config ipv4 = {config->daemon4, config->pool4};
	struct nm_alias_pool_config ipv6 = {config->daemon6, config->pool6};
	struct nm_relay *relay;
	int err;

	if (!is_config_valid(config))
		return NATMUX_EINVAL;
	relay = calloc(1, sizeof(*relay));
	if (!relay)
		return NATMUX_ENOMEM;
	relay->buffer = malloc(BUFFER_SIZE);
	err = relay->buffer ? nm_aliases_new(&ipv4, &ipv6, config->flows_max, config->peer_port,
				      &relay->aliases)
			    : NATMUX_ENOMEM;
	if (err < 0) {
		nm_relay_free(relay);
		return err;
	}
	relay->config = *config;
	relay->packets.port = config->port;
	relay->packets.mux = config->mux;
	*result = relay;
	return 0;
}

void nm_relay_free(struct nm_relay *relay)
{
	if (!relay)
		return;
	nm_aliases_free(relay->aliases);
	free(relay->buffer);
	free(relay);
}

static const struct natmux_addr *daemon_of(const struct nm_relay *relay, uint8_t family)
{
	return family == NATMUX_FAMILY_IPV4 ? &relay->config.daemon4 : &relay->config.daemon6;
}

static void input_train(struct nm_relay *relay, const struct natmux_train *train)
{
	struct natmux_addr alias;

	if (train->flow == NATMUX_FLOW_NONE) {
		natmux_mux_drop(
			relay->config.mux, NATMUX_DROP_ESP_NO_FLOW, natmux_train_count(train));
		return;
	}
	if (nm_aliases_get(relay->aliases, train->flow, train->path.remote.family, &alias) < 0) {
		natmux_mux_drop(
			relay->config.mux, NATMUX_DROP_ALIAS_NONE, natmux_train_count(train));
		return;
	}
	nm_packets_add(&relay->packets, &alias, daemon_of(relay, alias.family), train);
}

static void input(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	struct nm_relay *relay = self;

	(void)now_ms;
	for (size_t i = 0; i < n; i++)
		input_train(relay, &trains[i]);
	nm_packets_flush(&relay->packets);
}

/* Comes twice when the relay has two classes: the second time there is nothing to release. */
static void flow_closed(void *self, uint32_t flow, const struct natmux_path *path)
{
	struct nm_relay *relay = self;

	(void)path;
	nm_aliases_release(relay->aliases, flow);
}

const struct natmux_sink_ops nm_relay_sink = {
	.name = "relay",
	.input = input,
	.flow_closed = flow_closed,
};

/* One train of the run that has just ended. */
static void emit(const struct run *run, const struct natmux_path *path, const uint8_t *data,
	uint32_t len, struct output *output)
{
	output->trains[output->n++] = (struct natmux_train){
		.data = data,
		.len = len,
		.segment = (uint32_t)run->datagrams[0].len,
		.flow = run->flow,
		.tos = run->tos,
		.path = *path,
	};
}

static void emit_copied(
	struct nm_relay *relay, const struct natmux_path *path, struct output *output)
{
	const struct run *run = &relay->run;
	uint8_t *start = relay->buffer + relay->used;

	for (uint32_t i = 0; i < run->n; i++) {
		memcpy(relay->buffer + relay->used, run->datagrams[i].payload,
			run->datagrams[i].len);
		relay->used += run->datagrams[i].len;
	}
	emit(run, path, start, run->bytes, output);
}

/* What stands alone, or finds the buffer full, is borrowed from its packet. */
static void end_run(struct nm_relay *relay, struct output *output)
{
	struct run *run = &relay->run;
	const struct natmux_path *path;

	if (run->n == 0)
		return;
	path = natmux_mux_flow_path(relay->config.mux, run->flow);
	if (!path)
		natmux_mux_drop(relay->config.mux, NATMUX_DROP_HANDOFF_ALIAS, run->n);
	else if (run->n > 1 && run->bytes <= BUFFER_SIZE - relay->used)
		emit_copied(relay, path, output);
	else
		for (uint32_t i = 0; i < run->n; i++)
			emit(run, path, run->datagrams[i].payload, (uint32_t)run->datagrams[i].len,
				output);
	run->n = 0;
	run->bytes = 0;
}

/* Only the last datagram of a train may be shorter than the others, none longer. */
static bool continues_run(
	const struct run *run, uint32_t flow, uint8_t tos, enum natmux_class cls, size_t len)
{
	return run->n > 0 && run->n < NM_RELAY_TRAIN_MAX && run->flow == flow && run->tos == tos &&
	       run->cls == cls && run->bytes == run->n * run->datagrams[0].len &&
	       len <= run->datagrams[0].len && run->bytes + len <= NM_RELAY_TRAIN_BYTES;
}

static void add_to_run(struct nm_relay *relay, uint32_t flow, uint8_t tos, const struct nm_udp *udp,
	struct output *output)
{
	struct run *run = &relay->run;
	enum natmux_class cls = natmux_classify(udp->payload, udp->len);

	if (cls == NATMUX_CLASS_RUNT) {
		natmux_mux_drop(relay->config.mux, NATMUX_DROP_HANDOFF_FORMAT, 1);
		return;
	}
	if (!continues_run(run, flow, tos, cls, udp->len)) {
		end_run(relay, output);
		run->flow = flow;
		run->tos = tos;
		run->cls = cls;
	}
	run->datagrams[run->n++] = *udp;
	run->bytes += (uint32_t)udp->len;
}

static bool is_good(struct nm_relay *relay, enum nm_ip_verdict verdict)
{
	enum natmux_drop drop = NATMUX_DROP_HANDOFF_FORMAT;

	switch (verdict) {
	case NM_IP_GOOD: return true;
	case NM_IP_FORMAT: break;
	case NM_IP_CHECKSUM: drop = NATMUX_DROP_HANDOFF_CHECKSUM; break;
	case NM_IP_FRAGMENT: drop = NATMUX_DROP_HANDOFF_FRAGMENT; break;
	}
	natmux_mux_drop(relay->config.mux, drop, 1);
	return false;
}

/* Not ours is all the kernel says for itself on the device: router solicitations, MLD, ICMP. */
static bool is_from_daemon(const struct nm_relay *relay, const struct nm_ip *ip)
{
	const struct natmux_addr *daemon = daemon_of(relay, ip->family);

	return ip->protocol == NM_IP_PROTOCOL_UDP && daemon->family == ip->family &&
	       memcmp(ip->source, daemon->ip, nm_ip_addr_len(ip->family)) == 0;
}

static void read_packet(
	struct nm_relay *relay, const struct nm_relay_packet *packet, struct output *output)
{
	struct nm_ip ip;
	struct nm_udp udp;
	uint32_t flow;

	if (!is_good(relay, nm_ip_decode(packet->data, packet->len, &ip)))
		return;
	if (!is_from_daemon(relay, &ip)) {
		natmux_mux_drop(relay->config.mux, NATMUX_DROP_HANDOFF_FORMAT, 1);
		return;
	}
	if (!is_good(relay, nm_udp_decode(&ip, &udp)))
		return;
	if (udp.source_port != daemon_of(relay, ip.family)->port ||
		udp.destination_port != relay->config.peer_port) {
		natmux_mux_drop(relay->config.mux, NATMUX_DROP_HANDOFF_FORMAT, 1);
		return;
	}
	flow = nm_aliases_find(relay->aliases, ip.family, ip.destination);
	if (flow == NATMUX_FLOW_NONE) {
		natmux_mux_drop(relay->config.mux, NATMUX_DROP_HANDOFF_ALIAS, 1);
		return;
	}
	add_to_run(relay, flow, ip.tos, &udp, output);
}

size_t nm_relay_packets(struct nm_relay *relay, const struct nm_relay_packet *packets, size_t n,
	struct natmux_train *trains, size_t max)
{
	struct output output = {.trains = trains};

	if (n > max) {
		natmux_mux_drop(relay->config.mux, NATMUX_DROP_TXQ_FULL, n - max);
		n = max;
	}
	relay->used = 0;
	for (size_t i = 0; i < n; i++)
		read_packet(relay, &packets[i], &output);
	end_run(relay, &output);
	return output.n;
}

int nm_relay_alias_reserve(struct nm_relay *relay, uint32_t flow, const struct natmux_addr *alias)
{
	return nm_aliases_reserve(relay->aliases, flow, alias);
}

void nm_relay_alias_release(struct nm_relay *relay, uint32_t flow)
{
	nm_aliases_release(relay->aliases, flow);
}

void nm_relay_aliases(const struct nm_relay *relay,
	void (*each)(void *user, const struct nm_alias *alias), void *user)
{
	nm_aliases_each(relay->aliases, each, user);
}
