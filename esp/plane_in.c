/* SPDX-License-Identifier: Apache-2.0 */
/* The way in: trains of ESP to inner packets, in vectors of one SA (RFC 4303 3.4, RFC 4301 5.2). */
#include <string.h>

#include "base/bytes.h"
#include "base/export.h"
#include "esp/mss.h"
#include "esp/open.h"
#include "esp/plane.h"
#include "esp/selector.h"
#include "esp/transport.h"

/* What all packets of a vector have in common. */
struct arrival {
	struct natmux_esp *esp;
	struct nm_sa *sa;
	uint64_t now_ms;
	const struct natmux_train *train;
	uint64_t packets, bytes; /* delivered */
	uint64_t newest;         /* highest number among the authentic ones */
};

static void audit_item(
	const struct arrival *arrival, const struct nm_open_item *item, enum natmux_drop drop)
{
	nm_plane_audit(arrival->esp, arrival->now_ms, drop, arrival->sa->spi,
		item->len >= NM_ESP_HEADER ? nm_get32(item->packet + 4) : 0, &arrival->train->path);
}

/* RFC 4301 5.2 step 4: what came through the SA must be what the SA is for. */
static bool is_selected(const struct nm_sa *sa, const struct nm_inner_info *info)
{
	for (size_t i = 0; i < sa->selectors_len; i++)
		if (nm_selector_matches(&sa->selectors[i], info))
			return true;
	return sa->selectors_len == 0;
}

static bool next_header_fits(const struct nm_open_item *item, const struct nm_inner_info *info)
{
	return item->next_header ==
	       (info->family == NATMUX_FAMILY_IPV4 ? NM_PROTO_IPIP : NM_PROTO_IPV6);
}

/* What the peer's TCP offers is what comes back, through the outbound SA: that has to fit there. */
static void clamp_mss(
	const struct arrival *arrival, uint8_t *packet, const struct nm_inner_info *info)
{
	struct natmux_esp *esp = arrival->esp;
	struct nm_sa *pair;
	uint32_t inner_max;

	if (arrival->sa->reqid == 0 || !nm_mss_is_syn(packet, info))
		return;
	pair = nm_sad_find_reqid(&esp->sad, arrival->sa->reqid);
	if (!pair)
		return;
	inner_max = nm_plane_inner_max(esp, pair, arrival->now_ms);
	if (pair->mode == NATMUX_SA_TRANSPORT)
		inner_max += info->transport;
	nm_mss_clamp(packet, info, nm_plane_mtu_of(info->family, inner_max), true);
}

/* An opened packet in tunnel mode: judged, marked, on its way. */
static void deliver_tunnel(struct arrival *arrival, struct nm_open_item *item)
{
	struct natmux_esp *esp = arrival->esp;
	struct nm_sa *sa = arrival->sa;
	struct nm_inner_info info;

	if (!nm_inner_read(item->inner, item->inner_len, &info) || !next_header_fits(item, &info)) {
		nm_plane_drop(esp, NATMUX_DROP_ESP_INNER, 1);
		return;
	}
	if (!is_selected(sa, &info)) {
		sa->counters.selector++;
		audit_item(arrival, item, NATMUX_DROP_ESP_SELECTOR);
		return;
	}
	if (!sa->no_ecn && !nm_tunnel_set_ecn(item->inner, &info, arrival->train->tos)) {
		nm_plane_drop(esp, NATMUX_DROP_ESP_ECN, 1);
		return;
	}
	if (esp->config.clamps_mss)
		clamp_mss(arrival, item->inner, &info);
	arrival->packets++;
	arrival->bytes += info.len;
	nm_coalesce_add(&esp->coalesce, item->inner, &info);
}

/* Transport mode: the header is made, and the whole is judged as in tunnel mode. */
static void deliver_transport(struct arrival *arrival, struct nm_open_item *item)
{
	struct natmux_esp *esp = arrival->esp;
	struct natmux_gathered packet = {.parts_len = 1};
	struct nm_inner_info info;
	uint8_t header[NM_IP6_LEN];
	uint32_t len = nm_transport_restore(&arrival->train->path, arrival->train->tos,
		item->next_header, item->inner, item->inner_len, header);

	memcpy(esp->piece, header, len);
	memcpy(esp->piece + len, item->inner, len > 0 ? item->inner_len : 0);
	if (len == 0 || !nm_inner_read(esp->piece, len + item->inner_len, &info)) {
		nm_plane_drop(esp, NATMUX_DROP_ESP_INNER, 1);
		return;
	}
	if (!is_selected(arrival->sa, &info)) {
		arrival->sa->counters.selector++;
		audit_item(arrival, item, NATMUX_DROP_ESP_SELECTOR);
		return;
	}
	if (esp->config.clamps_mss)
		clamp_mss(arrival, esp->piece, &info);
	arrival->packets++;
	arrival->bytes += info.len;
	packet.parts[0] = (struct natmux_gather_part){esp->piece, info.len};
	esp->config.deliver(esp->config.user, &packet);
}

static void deliver(struct arrival *arrival, struct nm_open_item *item)
{
	switch (item->verdict) {
	case NM_OPEN_GOOD:
		if (arrival->sa->mode == NATMUX_SA_TRANSPORT) {
			deliver_transport(arrival, item);
			break;
		}
		deliver_tunnel(arrival, item);
		break;
	case NM_OPEN_DUMMY: break;
	case NM_OPEN_TOO_SHORT: nm_plane_drop(arrival->esp, NATMUX_DROP_ESP_SHORT, 1); break;
	case NM_OPEN_LATE:
	case NM_OPEN_DUPLICATE:
	case NM_OPEN_REPLAYED: audit_item(arrival, item, NATMUX_DROP_ESP_REPLAY); break;
	case NM_OPEN_BAD_ICV: audit_item(arrival, item, NATMUX_DROP_ESP_ICV); break;
	case NM_OPEN_BAD_PADDING: nm_plane_drop(arrival->esp, NATMUX_DROP_ESP_PADDING, 1); break;
	}
}

static bool is_authentic(const struct nm_open_item *item)
{
	return item->verdict == NM_OPEN_GOOD || item->verdict == NM_OPEN_DUMMY ||
	       item->verdict == NM_OPEN_BAD_PADDING;
}

static void open_vector(struct arrival *arrival, struct nm_open_item *items, size_t n)
{
	struct nm_sa *sa = arrival->sa;
	uint64_t top = sa->replay.top;

	nm_open(sa, items, n);
	for (size_t i = 0; i < n; i++) {
		if (is_authentic(&items[i]) && items[i].sequence > arrival->newest)
			arrival->newest = items[i].sequence;
		deliver(arrival, &items[i]);
	}
	/*
	 * Only a number above all before says where the peer is now, with a window and without; and
	 * bare ESP, which has no port, does not say where it takes ESP in UDP.
	 */
	if (arrival->newest > top && arrival->train->path.remote.port > 0)
		nm_path_seen(arrival->esp, sa, arrival->now_ms, &arrival->train->path);
}

static uint32_t datagram_len(const struct natmux_train *train, uint32_t at)
{
	uint32_t left = train->len - at;

	return train->segment > 0 && train->segment < left ? train->segment : left;
}

/* One SA's part of a train: from `at` as long as the SPI is the same. Returns where it ends. */
static uint32_t input_run(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_train *train, uint32_t at)
{
	uint8_t *data = (uint8_t *)(uintptr_t)train->data; /* ours to write: natmux_esp_input() */
	uint32_t spi = nm_get32(data + at);
	struct arrival arrival = {.esp = esp, .now_ms = now_ms, .train = train};
	struct nm_open_item items[NM_ENGINE_VECTOR];
	size_t n = 0;

	arrival.sa = nm_sad_find(&esp->sad, spi);
	if (!arrival.sa || nm_usage_is_dead(arrival.sa->usage)) {
		nm_plane_audit(esp, now_ms,
			arrival.sa ? NATMUX_DROP_ESP_DEAD : NATMUX_DROP_ESP_NO_SA, spi,
			datagram_len(train, at) >= NM_ESP_HEADER ? nm_get32(data + at + 4) : 0,
			&train->path);
		return at + datagram_len(train, at);
	}
	while (at < train->len && n < NM_ENGINE_VECTOR) {
		uint32_t len = datagram_len(train, at);

		if (len < 4 || nm_get32(data + at) != spi)
			break;
		items[n++] = (struct nm_open_item){.packet = data + at, .len = len};
		at += len;
	}
	open_vector(&arrival, items, n);
	if (arrival.packets > 0) {
		arrival.sa->counters.packets += arrival.packets;
		arrival.sa->counters.bytes += arrival.bytes;
		nm_usage_touch(arrival.sa->usage, now_ms);
		nm_lifetime_count(esp, arrival.sa, arrival.packets, arrival.bytes);
	}
	return at;
}

static void input_train(struct natmux_esp *esp, uint64_t now_ms, const struct natmux_train *train)
{
	uint32_t at = 0;

	while (at < train->len) {
		/* Shorter than an SPI: the mux sends none, another owner might. */
		if (datagram_len(train, at) < 4) {
			nm_plane_drop(esp, NATMUX_DROP_ESP_SHORT, 1);
			at += datagram_len(train, at);
			continue;
		}
		at = input_run(esp, now_ms, train, at);
	}
}

/* Of a few trains the first SPI: mostly it is the only one. Returns how many trains it looked at. */
static size_t prefetch_sas(
	const struct natmux_esp *esp, const struct natmux_train *trains, size_t n)
{
	uint32_t spis[NM_SAD_PREFETCH];
	size_t used = 0;

	if (n > NM_SAD_PREFETCH)
		n = NM_SAD_PREFETCH;
	for (size_t i = 0; i < n && esp->sad.count >= NM_SAD_MANY; i++)
		if (trains[i].len >= 4)
			spis[used++] = nm_get32(trains[i].data);
	if (used > 1)
		nm_sad_prefetch(&esp->sad, spis, used);
	return n;
}

NM_EXPORT void natmux_esp_input(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	esp->holds++;
	for (size_t from = 0, to; from < n; from = to) {
		to = from + prefetch_sas(esp, trains + from, n - from);
		for (size_t i = from; i < to; i++)
			input_train(esp, now_ms, &trains[i]);
	}
	nm_coalesce_flush(&esp->coalesce);
	esp->holds--;
}
