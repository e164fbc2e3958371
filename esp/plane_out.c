/* SPDX-License-Identifier: Apache-2.0 */
/* The way out: inner packets and super-packets to sealed trains (RFC 4301 5.1, RFC 4303 3.3). */
#include <string.h>

#include "base/bytes.h"
#include "base/export.h"
#include "esp/mss.h"
#include "esp/plane.h"
#include "esp/too_big.h"
#include "esp/transport.h"

enum {
	IP4_DF = 0x4000,
	SEALED_MAX = 65507, /* of one UDP datagram: 65535 - 20 IPv4 - 8 UDP */
};

static void flush(struct natmux_esp *esp)
{
	if (esp->trains_len > 0)
		esp->config.send(esp->config.user, esp->trains, esp->trains_len);
	esp->trains_len = 0;
	esp->out_len = 0;
}

/* Outer headers of UDP encapsulation: IP and UDP. */
static uint32_t outer_len(const struct nm_sa *sa)
{
	return sa->path.remote.family == NATMUX_FAMILY_IPV6 ? 40 + 8 : 20 + 8;
}

/* Octets of IP header that are not sealed: none in tunnel mode, all in transport mode. */
static uint32_t bare_len(const struct nm_sa *sa, const struct nm_split *split)
{
	return sa->mode == NATMUX_SA_TRANSPORT ? split->info.transport : 0;
}

/* Octets of packet `i` that are sealed. */
static uint32_t text_len(const struct nm_sa *sa, const struct nm_split *split, uint32_t i)
{
	return nm_split_len(split, i) - bare_len(sa, split);
}

static void write_text(struct natmux_esp *esp, const struct nm_sa *sa, const struct nm_split *split,
	uint32_t i, uint8_t *out)
{
	if (sa->mode == NATMUX_SA_TUNNEL) {
		nm_split_write(split, i, out);
		return;
	}
	nm_split_write(split, i, esp->piece);
	memcpy(out, esp->piece + split->info.transport, text_len(sa, split, i));
}

/* RFC 4303 2.6: what is behind the trailer's number. */
static uint8_t next_header_of(const struct nm_sa *sa, const struct nm_split *split)
{
	if (sa->mode == NATMUX_SA_TRANSPORT)
		return split->info.protocol;
	return split->info.family == NATMUX_FAMILY_IPV4 ? NM_PROTO_IPIP : NM_PROTO_IPV6;
}

/* Seals what waits, as one train. */
static void seal_vector(struct natmux_esp *esp)
{
	struct nm_plane_vector *vector = &esp->vector;
	uint32_t n = vector->n;

	vector->n = 0;
	if (n == 0)
		return;
	if (!nm_seal(vector->sa, &esp->ivs, vector->items, n)) {
		nm_plane_drop(esp, NATMUX_DROP_ESP_DEAD, n);
		nm_lifetime_end(esp, vector->sa);
		return;
	}
	esp->trains[esp->trains_len++] = (struct natmux_train){
		.data = vector->start,
		.len = vector->len,
		.segment = vector->stride,
		.flow = NATMUX_FLOW_NONE,
		.tos = vector->tos,
		.dont_fragment = vector->has_df,
		.path = vector->sa->path,
	};
	vector->sa->tos = vector->tos;
	vector->sa->has_df = vector->has_df;
	esp->out_len += vector->len;
	nm_lifetime_count(esp, vector->sa, n, vector->bytes);
}

static void seal_and_send(struct natmux_esp *esp)
{
	seal_vector(esp);
	flush(esp);
}

/* What packets of one train have in common. */
struct outer {
	struct nm_sa *sa;
	uint8_t tos;
	bool has_df;
};

/* Whether a packet can follow in the same train: of one path, only the last shorter. */
static bool fits(const struct nm_plane_vector *vector, const struct outer *outer, uint32_t sealed)
{
	return vector->sa == outer->sa && vector->tos == outer->tos &&
	       vector->has_df == outer->has_df && sealed <= vector->stride &&
	       vector->len == vector->n * vector->stride && vector->n < NM_PLANE_TRAIN_MAX &&
	       vector->len + sealed <= NM_PLANE_TRAIN_BYTES;
}

static void begin_vector(struct natmux_esp *esp, const struct outer *outer, uint32_t sealed)
{
	struct nm_plane_vector *vector = &esp->vector;

	/* Room for the longest train, so that none ends because the buffer does. */
	if (esp->trains_len == NM_PLANE_TRAINS || NM_PLANE_OUT_BYTES - esp->out_len < SEALED_MAX)
		flush(esp);
	vector->sa = outer->sa;
	vector->start = esp->out + esp->out_len;
	vector->stride = sealed;
	vector->len = 0;
	vector->tos = outer->tos;
	vector->has_df = outer->has_df;
	vector->bytes = 0;
}

/* False: what waited was sealed, and whoever was told of it has taken the SA away. */
static bool make_room(struct natmux_esp *esp, const struct outer *outer, uint32_t sealed)
{
	if (esp->vector.n > 0 && !fits(&esp->vector, outer, sealed))
		seal_vector(esp);
	if (esp->flow.changes != esp->changes)
		return false;
	if (esp->vector.n == 0)
		begin_vector(esp, outer, sealed);
	return true;
}

/* One packet to those that wait. False: there is no SA any more. */
static bool append(
	struct natmux_esp *esp, const struct outer *outer, const struct nm_split *split, uint32_t i)
{
	struct nm_plane_vector *vector = &esp->vector;
	struct nm_sa *sa = outer->sa;
	uint32_t len = text_len(sa, split, i), sealed = nm_sa_sealed_len(sa, len);
	uint8_t *packet;

	if (!make_room(esp, outer, sealed))
		return false;
	packet = vector->start + vector->len;
	vector->items[vector->n++] = (struct nm_seal_item){
		.packet = packet, .len = len, .next_header = next_header_of(sa, split)};
	vector->len += sealed;
	vector->bytes += len;
	write_text(esp, sa, split, i, nm_seal_inner(sa, packet));
	return true;
}

/* RFC 4301 8.1; what is longer than the path takes has to be cut, whatever the SA wants. */
static bool wants_df(const struct nm_sa *sa, const struct nm_split *split, bool is_too_big)
{
	switch ((enum natmux_df)sa->df) {
	case NATMUX_DF_CLEAR: return false;
	case NATMUX_DF_SET: return !is_too_big;
	case NATMUX_DF_COPY: break;
	}
	return !is_too_big &&
	       (split->info.family == NATMUX_FAMILY_IPV6 || (nm_get16(split->packet + 6) & IP4_DF));
}

/* False: there is no SA any more. */
static bool seal_all(
	struct natmux_esp *esp, struct nm_sa *sa, const struct nm_split *split, bool is_too_big)
{
	const struct outer outer = {
		.sa = sa,
		.tos = nm_tunnel_outer_tos(sa, split->info.tos),
		.has_df = wants_df(sa, split, is_too_big),
	};

	for (uint32_t i = 0; i < split->count; i++)
		if (!append(esp, &outer, split, i)) {
			nm_plane_drop(esp, NATMUX_DROP_OUT_NO_SA, split->count - i);
			return false;
		}
	return true;
}

/* RFC 4301 8.2: the inner sender hears what fits. */
static void tell_too_big(struct natmux_esp *esp, const struct nm_split *split, uint32_t mtu)
{
	uint8_t icmp[NM_TOO_BIG_MAX];
	struct natmux_gathered message = {.parts_len = 1, .parts = {{.data = icmp}}};

	message.parts[0].len = nm_too_big_make(split->packet, &split->info, mtu, icmp);
	/* Whoever is called may add and delete SAs: nothing waits for one. */
	seal_vector(esp);
	if (message.parts[0].len > 0)
		esp->config.deliver(esp->config.user, &message);
	nm_plane_drop(esp, NATMUX_DROP_OUT_TOO_BIG, split->count);
}

/* One of the packets that may be cut: cut before it is sealed. */
static void seal_pieces(struct natmux_esp *esp, struct nm_sa *sa, uint32_t whole_len, uint32_t mtu)
{
	struct nm_inner_info info;
	uint32_t at = 0, len;

	if (!nm_inner_read(esp->whole, whole_len, &info))
		return;
	while ((len = nm_fragment_next(esp->whole, &info, mtu, &at, esp->piece)) > 0) {
		struct natmux_inner inner = {.data = esp->piece, .len = len};
		struct nm_split one;

		/* Whoever is told of those that went may have taken the SA away. */
		if (nm_split_init(&one, &inner) && !seal_all(esp, sa, &one, false))
			return;
	}
	if (at == 0)
		nm_plane_drop(esp, NATMUX_DROP_OUT_TOO_BIG, 1);
}

/* IPv4 packets that may be cut are cut before they are sealed: no peer has to put ESP together. */
static void seal_fragments(
	struct natmux_esp *esp, struct nm_sa *sa, const struct nm_split *split, uint32_t mtu)
{
	for (uint32_t i = 0; i < split->count; i++) {
		if (esp->flow.changes != esp->changes) {
			nm_plane_drop(esp, NATMUX_DROP_OUT_NO_SA, split->count - i);
			return;
		}
		nm_split_write(split, i, esp->whole);
		seal_pieces(esp, sa, nm_split_len(split, i), mtu);
	}
}

uint32_t nm_plane_inner_max(const struct natmux_esp *esp, struct nm_sa *sa, uint64_t now_ms)
{
	return nm_sa_inner_max(sa, nm_path_mtu(esp, sa, now_ms) - outer_len(sa));
}

/*
 * What is padded has to fit as well. The length of those that wait is decided: they go first. False:
 * whoever was told of them has taken the SA away.
 */
static bool limit_padding(struct natmux_esp *esp, struct nm_sa *sa, uint32_t inner_max)
{
	uint16_t tfc_pad = nm_sa_padding_within(sa, inner_max);

	if (tfc_pad == sa->tfc_pad)
		return true;
	seal_vector(esp);
	if (esp->flow.changes != esp->changes)
		return false;
	sa->tfc_pad = tfc_pad;
	return true;
}

/* Packets that are longer than what fits. */
static void protect_too_big(
	struct natmux_esp *esp, struct nm_sa *sa, const struct nm_split *split, uint32_t mtu)
{
	bool wants_icmp = nm_too_big_wants_icmp(split->packet, &split->info);
	uint32_t sealed = nm_sa_sealed_len(sa, text_len(sa, split, 0));

	if (!wants_icmp && sa->mode == NATMUX_SA_TUNNEL)
		seal_fragments(esp, sa, split, mtu);
	else if ((!wants_icmp || sa->too_big == NATMUX_TOO_BIG_CUT) && sealed <= SEALED_MAX)
		seal_all(esp, sa, split, true);
	else
		tell_too_big(esp, split, mtu);
}

static void protect(
	struct natmux_esp *esp, uint64_t now_ms, struct nm_sa *sa, const struct nm_split *split)
{
	uint32_t inner_max = nm_plane_inner_max(esp, sa, now_ms) + bare_len(sa, split);
	uint32_t mtu = nm_plane_mtu_of(split->info.family, inner_max), len = nm_split_len(split, 0);

	nm_usage_touch(sa->usage, now_ms);
	if (sa->mode == NATMUX_SA_TRANSPORT && !nm_transport_fits(&split->info)) {
		nm_plane_drop(esp, NATMUX_DROP_OUT_FORMAT, split->count);
		return;
	}
	if (!limit_padding(esp, sa, inner_max)) {
		nm_plane_drop(esp, NATMUX_DROP_OUT_NO_SA, split->count);
		return;
	}
	/* No sender of IPv6 takes less than 1280 for an answer: what is sealed is cut (RFC 2473 7.1). */
	if (len <= mtu)
		seal_all(esp, sa, split, len > inner_max);
	else
		protect_too_big(esp, sa, split, mtu);
}

/* The packet's memory is ours to write to: natmux_esp_output(). */
static void clamp_mss(struct natmux_esp *esp, uint64_t now_ms, struct nm_sa *sa,
	const struct nm_split *split, uint8_t *packet)
{
	uint32_t mtu;

	if (split->kind != NATMUX_OFFLOAD_NONE || !nm_mss_is_syn(packet, &split->info))
		return;
	mtu = nm_plane_mtu_of(
		split->info.family, nm_plane_inner_max(esp, sa, now_ms) + bare_len(sa, split));
	nm_mss_clamp(packet, &split->info, mtu, !split->needs_checksum);
}

/* RFC 4301 5.1: the SA is not there, so somebody has to make it. */
static void acquire(struct natmux_esp *esp, uint64_t now_ms, uint32_t reqid)
{
	if (!nm_plane_is_due(&esp->leader->acquire_ms, now_ms, NM_PLANE_ACQUIRE_MS))
		return;
	seal_vector(esp);
	nm_plane_event(
		esp, &(struct natmux_esp_event){.type = NATMUX_ESP_EVENT_ACQUIRE, .reqid = reqid});
}

static void bypass(
	struct natmux_esp *esp, const struct nm_split *split, const struct natmux_inner *packet)
{
	if (!esp->config.bypass) {
		nm_plane_drop(esp, NATMUX_DROP_OUT_POLICY, split->count);
		return;
	}
	seal_vector(esp);
	esp->config.bypass(esp->config.user, packet->data, packet->len);
}

static void apply(struct natmux_esp *esp, uint64_t now_ms, const struct nm_plane_flow *flow,
	const struct nm_split *split, const struct natmux_inner *packet)
{
	struct nm_sa *sa = flow->sa;

	switch (flow->policy->action) {
	case NATMUX_POLICY_PROTECT:
		if (sa && !nm_usage_is_dead(sa->usage) &&
			sa->path.remote.family != NATMUX_FAMILY_NONE) {
			if (esp->config.clamps_mss)
				clamp_mss(esp, now_ms, sa, split, packet->data);
			protect(esp, now_ms, sa, split);
			return;
		}
		acquire(esp, now_ms, flow->policy->reqid);
		nm_plane_drop(esp, NATMUX_DROP_OUT_NO_SA, split->count);
		return;
	case NATMUX_POLICY_BYPASS: bypass(esp, split, packet); return;
	case NATMUX_POLICY_DISCARD: break;
	}
	nm_plane_drop(esp, NATMUX_DROP_OUT_POLICY, split->count);
}

/* Policy and SA of a packet. Packets of one flow come in a row: they are looked up once. */
static const struct nm_plane_flow *find_flow(
	struct natmux_esp *esp, const struct nm_inner_info *info)
{
	size_t addr_len = info->family == NATMUX_FAMILY_IPV4 ? 4 : 16;
	struct nm_plane_flow flow = {
		.key = {.source_port = info->source_port,
			.destination_port = info->destination_port,
			.family = info->family,
			.protocol = info->protocol,
			.has_ports = info->has_ports,
			.is_fragment = info->is_fragment},
		.changes = esp->changes,
	};

	memcpy(flow.key.source, info->source, addr_len);
	memcpy(flow.key.destination, info->destination, addr_len);
	if (esp->flow.changes == esp->changes &&
		memcmp(&flow.key, &esp->flow.key, sizeof(flow.key)) == 0 &&
		!(esp->flow.sa && nm_usage_is_dead(esp->flow.sa->usage)))
		return &esp->flow;
	flow.policy = nm_spd_find(&esp->spd, info);
	if (flow.policy && flow.policy->action == NATMUX_POLICY_PROTECT)
		flow.sa = nm_sad_find_reqid(&esp->sad, flow.policy->reqid);
	esp->flow = flow;
	return &esp->flow;
}

static void output_packet(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_inner *packet)
{
	const struct nm_plane_flow *flow;
	struct nm_split split;

	if (!nm_split_init(&split, packet)) {
		nm_plane_drop(esp, NATMUX_DROP_OUT_FORMAT, 1);
		return;
	}
	flow = find_flow(esp, &split.info);
	if (flow->policy)
		apply(esp, now_ms, flow, &split, packet);
	else
		nm_plane_drop(esp, NATMUX_DROP_OUT_POLICY, split.count);
}

NM_EXPORT void natmux_esp_output(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_inner *packets, size_t n)
{
	for (size_t from = 0, to; from < n; from = to) {
		to = from + nm_plane_look_ahead(esp, packets + from, n - from);
		for (size_t i = from; i < to; i++)
			output_packet(esp, now_ms, &packets[i]);
	}
	seal_and_send(esp);
}
