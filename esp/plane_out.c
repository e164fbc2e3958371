/* SPDX-License-Identifier: Apache-2.0 */
/* The way out: inner packets and super-packets to sealed trains (RFC 4301 5.1, RFC 4303 3.3). */
#include <string.h>

#include "base/bytes.h"
#include "base/export.h"
#include "esp/plane.h"
#include "esp/too_big.h"
#include "esp/transport.h"

enum { IP6_MTU_MIN = 1280 };

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

/* Seals `n` packets from `first` on, side by side, as one train. */
static bool seal_run(struct natmux_esp *esp, struct nm_sa *sa, const struct nm_split *split,
	uint32_t first, uint32_t n)
{
	struct nm_seal_item items[NM_PLANE_TRAIN_MAX];
	uint32_t stride = nm_sa_sealed_len(sa, text_len(sa, split, first));
	uint8_t next_header = next_header_of(sa, split);
	uint8_t *start = esp->out + esp->out_len;
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t *packet = start + (size_t)i * stride;

		items[i] = (struct nm_seal_item){
			.packet = packet,
			.len = text_len(sa, split, first + i),
			.next_header = next_header,
		};
		write_text(esp, sa, split, first + i, nm_seal_inner(sa, packet));
		bytes += items[i].len;
	}
	if (!nm_seal(sa, &esp->ivs, items, n)) {
		nm_plane_drop(esp, NATMUX_DROP_ESP_DEAD, n);
		return false;
	}
	nm_lifetime_count(esp, sa, n, bytes);
	esp->trains[esp->trains_len++] = (struct natmux_train){
		.data = start,
		.len = (n - 1) * stride + nm_sa_sealed_len(sa, items[n - 1].len),
		.segment = stride,
		.flow = NATMUX_FLOW_NONE,
		.tos = nm_tunnel_outer_tos(sa, split->info.tos),
		.path = sa->path,
	};
	esp->out_len += esp->trains[esp->trains_len - 1].len;
	return true;
}

/* As many packets as one train and the buffer hold. */
static uint32_t run_len(struct natmux_esp *esp, uint32_t stride, uint32_t left)
{
	uint32_t most = NM_PLANE_TRAIN_BYTES / stride;

	if (most > NM_PLANE_TRAIN_MAX)
		most = NM_PLANE_TRAIN_MAX;
	if (left > most)
		left = most;
	if (esp->trains_len == NM_PLANE_TRAINS || left * stride > NM_PLANE_OUT_BYTES - esp->out_len)
		flush(esp);
	return left;
}

static void seal_all(struct natmux_esp *esp, struct nm_sa *sa, const struct nm_split *split)
{
	uint32_t stride = nm_sa_sealed_len(sa, text_len(sa, split, 0));

	for (uint32_t first = 0; first < split->count;) {
		uint32_t n = run_len(esp, stride, split->count - first);

		if (!seal_run(esp, sa, split, first, n))
			return;
		first += n;
	}
}

/* RFC 4301 8.2: the inner sender hears what fits. */
static void tell_too_big(struct natmux_esp *esp, const struct nm_split *split, uint32_t mtu)
{
	uint8_t icmp[NM_TOO_BIG_MAX];
	struct nm_gathered message = {.parts_len = 1, .parts = {{.data = icmp}}};

	message.parts[0].len = nm_too_big_make(split->packet, &split->info, mtu, icmp);
	if (message.parts[0].len > 0)
		esp->config.deliver(esp->config.user, &message);
	nm_plane_drop(esp, NATMUX_DROP_OUT_TOO_BIG, split->count);
}

/* An IPv4 packet that may be cut is cut before it is sealed: no peer has to put ESP together. */
static void seal_fragments(
	struct natmux_esp *esp, struct nm_sa *sa, const struct nm_split *split, uint32_t mtu)
{
	uint32_t at = 0, len;

	nm_split_write(split, 0, esp->whole);
	while ((len = nm_fragment_next(esp->whole, &split->info, mtu, &at, esp->piece)) > 0) {
		struct nm_inner inner = {.data = esp->piece, .len = len};
		struct nm_split one;

		if (nm_split_init(&one, &inner))
			seal_all(esp, sa, &one);
	}
	if (at == 0)
		nm_plane_drop(esp, NATMUX_DROP_OUT_TOO_BIG, 1);
}

/*
 * The longest inner packet. IPv6 has 1280 octets on every link, and no sender takes less for an
 * answer: on a path where they do not fit what is sealed is cut (RFC 8200 5, RFC 2473 7.1).
 */
static uint32_t inner_mtu(
	const struct natmux_esp *esp, const struct nm_sa *sa, const struct nm_split *split)
{
	uint32_t mtu =
		nm_sa_inner_max(sa, esp->config.path_mtu - outer_len(sa)) + bare_len(sa, split);

	return split->info.family == NATMUX_FAMILY_IPV6 && mtu < IP6_MTU_MIN ? IP6_MTU_MIN : mtu;
}

static void protect(
	struct natmux_esp *esp, uint64_t now_ms, struct nm_sa *sa, const struct nm_split *split)
{
	uint32_t mtu = inner_mtu(esp, sa, split);

	sa->used_ms = now_ms;
	if (sa->mode == NATMUX_SA_TRANSPORT && !nm_transport_fits(&split->info)) {
		nm_plane_drop(esp, NATMUX_DROP_OUT_FORMAT, split->count);
		return;
	}
	if (nm_split_len(split, 0) <= mtu)
		seal_all(esp, sa, split);
	else if (split->count > 1 || sa->mode == NATMUX_SA_TRANSPORT ||
		 nm_too_big_wants_icmp(split->packet, &split->info))
		tell_too_big(esp, split, mtu);
	else
		seal_fragments(esp, sa, split, mtu);
}

/* RFC 4301 5.1: the SA is not there, so somebody has to make it. */
static void acquire(struct natmux_esp *esp, uint64_t now_ms, uint32_t reqid)
{
	if (now_ms < esp->acquire_ms)
		return;
	esp->acquire_ms = now_ms + NM_PLANE_ACQUIRE_MS;
	nm_plane_event(
		esp, &(struct natmux_esp_event){.type = NATMUX_ESP_EVENT_ACQUIRE, .reqid = reqid});
}

static void apply(struct natmux_esp *esp, uint64_t now_ms, const struct natmux_policy *policy,
	const struct nm_split *split, const struct nm_inner *packet)
{
	struct nm_sa *sa;

	switch (policy->action) {
	case NATMUX_POLICY_PROTECT:
		sa = nm_sad_find_reqid(&esp->sad, policy->reqid);
		if (sa && !sa->is_dead && sa->path.remote.family != NATMUX_FAMILY_NONE) {
			protect(esp, now_ms, sa, split);
			return;
		}
		acquire(esp, now_ms, policy->reqid);
		nm_plane_drop(esp, NATMUX_DROP_OUT_NO_SA, split->count);
		return;
	case NATMUX_POLICY_BYPASS:
		if (esp->config.bypass && split->count == 1) {
			esp->config.bypass(esp->config.user, packet->data, packet->len);
			return;
		}
		break;
	case NATMUX_POLICY_DISCARD: break;
	}
	nm_plane_drop(esp, NATMUX_DROP_OUT_POLICY, split->count);
}

NM_EXPORT void natmux_esp_output(
	struct natmux_esp *esp, uint64_t now_ms, const struct nm_inner *packets, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct natmux_policy *policy;
		struct nm_split split;

		if (!nm_split_init(&split, &packets[i])) {
			nm_plane_drop(esp, NATMUX_DROP_OUT_FORMAT, 1);
			continue;
		}
		policy = nm_spd_find(&esp->spd, &split.info);
		if (policy)
			apply(esp, now_ms, policy, &split, &packets[i]);
		else
			nm_plane_drop(esp, NATMUX_DROP_OUT_POLICY, split.count);
	}
	flush(esp);
}
