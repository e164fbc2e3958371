/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inner packets and what a device says about them, both hostile. Twelve octets of description, then the
 * packet. What is believed is cut, and what is cut is held against what was there.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "esp/split.h"
#include "tests/fakes/inner_packets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DESCRIPTION = 12, WRITES = 24, FIX_LENGTH = 1, ROUTING = 43 };

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static void check_info(const uint8_t *packet, size_t len, const struct nm_inner_info *info)
{
	size_t addr_len = info->family == NATMUX_FAMILY_IPV4 ? 4 : 16;

	must(info->family == packet[0] >> 4);
	must(info->len <= len && info->transport <= info->len);
	must(info->transport >= (info->family == NATMUX_FAMILY_IPV4 ? NM_IP4_MIN : NM_IP6_LEN));
	must(info->source > packet && info->destination == info->source + addr_len);
	must(info->destination + addr_len <= packet + info->transport);
	must(!info->has_ports || info->transport + 4u <= info->len);
}

/* What was not asked to change did not. */
static void check_piece(const struct nm_split *split, uint32_t i, const uint8_t *out)
{
	uint32_t len = nm_split_len(split, i);
	struct nm_inner_info info;

	must(nm_inner_read(out, len, &info) && info.len == len);
	if (split->kind == NATMUX_OFFLOAD_NONE) {
		for (uint32_t at = 0; at < len; at++)
			must(out[at] == split->packet[at] ||
				(split->needs_checksum && at >= split->checksum_at &&
					at < split->checksum_at + 2u));
		return;
	}
	must(memcmp(out + split->header_len,
		     split->packet + split->header_len + (size_t)i * split->segment,
		     len - split->header_len) == 0);
	must(info.transport == split->info.transport && info.protocol == split->info.protocol);
	/* The naive machine does not know all extension headers. */
	if (info.family == NATMUX_FAMILY_IPV4 || info.transport == NM_IP6_LEN)
		must(inner_is_right(out, len));
}

static void cut(const struct nm_split *split)
{
	uint64_t payload = 0;

	must(split->count > 0);
	for (uint32_t i = 0; i < split->count; i++) {
		uint32_t len = nm_split_len(split, i);
		uint8_t *out;

		must(len >= split->header_len && len <= INNER_MAX);
		must(i == 0 || len <= nm_split_len(split, i - 1));
		payload += len - split->header_len;
		if (i >= WRITES && i + WRITES < split->count)
			continue;
		out = malloc(len);
		must(out != NULL);
		nm_split_write(split, i, out);
		check_piece(split, i, out);
		free(out);
	}
	must(payload == split->payload_len);
}

static void fix_length(uint8_t *packet, size_t len)
{
	if (len >= NM_IP4_MIN && packet[0] >> 4 == 4)
		nm_put16(packet + 2, (uint16_t)len);
	else if (len >= NM_IP6_LEN && packet[0] >> 4 == 6)
		nm_put16(packet + 4, (uint16_t)(len - NM_IP6_LEN));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct natmux_inner inner;
	struct nm_inner_info info;
	struct nm_split split;

	if (size < DESCRIPTION || size > INNER_MAX)
		return 0;
	inner.len = (uint32_t)(size - DESCRIPTION);
	inner.data = calloc(1, inner.len > 0 ? inner.len : 1);
	if (!inner.data)
		abort();
	memcpy(inner.data, data + DESCRIPTION, inner.len);
	inner.offload = (struct natmux_offload){
		.kind = data[0],
		.needs_checksum = data[1] & 1,
		.header_len = nm_get16(data + 2),
		.segment = nm_get16(data + 4),
		.checksum_start = nm_get16(data + 6),
		.checksum_offset = nm_get16(data + 8),
	};
	if (data[10] & FIX_LENGTH)
		fix_length(inner.data, inner.len);
	if (nm_inner_read(inner.data, inner.len, &info))
		check_info(inner.data, inner.len, &info);
	if (nm_split_init(&split, &inner))
		cut(&split);
	free(inner.data);
	return 0;
}
