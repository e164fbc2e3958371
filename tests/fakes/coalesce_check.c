/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/coalesce_check.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "esp/split.h"
#include "tests/fakes/inner_packets.h"

static void say(struct coalesce_check *check, const char *what)
{
	if (!check->wrong)
		check->wrong = what;
}

static bool is_same_flow(const struct nm_inner_info *a, const struct nm_inner_info *b)
{
	size_t addr_len = a->family == NATMUX_FAMILY_IPV4 ? 4 : 16;

	return a->family == b->family && a->protocol == b->protocol &&
	       a->has_ports == b->has_ports && a->source_port == b->source_port &&
	       a->destination_port == b->destination_port &&
	       memcmp(a->source, b->source, addr_len) == 0 &&
	       memcmp(a->destination, b->destination, addr_len) == 0;
}

/* The oldest of its flow that has not come out yet must be this one. */
static void account(void *user, const uint8_t *packet, size_t len)
{
	struct coalesce_check *check = user;
	struct nm_inner_info info;

	if (!nm_inner_read(packet, len, &info)) {
		say(check, "what came out is no packet");
		return;
	}
	for (size_t i = 0; i < check->inputs_len; i++) {
		struct coalesce_input *input = &check->inputs[i];

		if (input->is_out || !is_same_flow(&input->info, &info))
			continue;
		input->is_out = true;
		if (input->info.len != len || memcmp(input->copy, packet, len) != 0)
			say(check, "another packet came out than went in");
		return;
	}
	say(check, "more came out than went in");
}

/* A super-packet under the knife. */
struct cutting {
	struct coalesce_check *check;
	struct nm_split split;
	uint32_t next;
};

static void cut_one(void *user, const uint8_t *packet, size_t len)
{
	struct cutting *cutting = user;
	uint32_t i = cutting->next++;
	uint8_t *out;

	if (i >= cutting->split.count || nm_split_len(&cutting->split, i) != len) {
		say(cutting->check, "the two ways of cutting differ in length");
		return;
	}
	out = malloc(len);
	if (!out)
		abort();
	nm_split_write(&cutting->split, i, out);
	if (memcmp(out, packet, len) != 0)
		say(cutting->check, "the two ways of cutting differ");
	free(out);
	account(cutting->check, packet, len);
}

static void check_super(struct coalesce_check *check, const struct natmux_offload *offload,
	uint8_t *packet, uint32_t len, uint32_t parts)
{
	struct natmux_inner inner = {.data = packet, .len = len, .offload = *offload};
	struct cutting cutting = {.check = check};

	if (!nm_split_init(&cutting.split, &inner) || cutting.split.count != parts || parts < 2 ||
		cutting.split.header_len != offload->header_len ||
		cutting.split.checksum_at != offload->checksum_start + offload->checksum_offset ||
		!offload->needs_checksum)
		say(check, "a super-packet that is wrongly described");
	else if (inner_cut(packet, len, offload->segment, cut_one, &cutting) != parts)
		say(check, "a super-packet of another number of segments");
	check->merged += parts;
	check->longest = len > check->longest ? len : check->longest;
	check->most_parts = parts > check->most_parts ? parts : check->most_parts;
}

static void deliver(void *user, const struct natmux_gathered *gathered)
{
	struct coalesce_check *check = user;
	uint32_t len = 0, at = 0;
	uint8_t *flat;

	for (uint32_t i = 0; i < gathered->parts_len; i++)
		len += gathered->parts[i].len;
	if (len == 0 || gathered->parts_len > NATMUX_GATHER_PARTS) {
		say(check, "nothing came out, or too much");
		return;
	}
	flat = malloc(len);
	if (!flat)
		abort();
	for (uint32_t i = 0; i < gathered->parts_len; i++) {
		memcpy(flat + at, gathered->parts[i].data, gathered->parts[i].len);
		at += gathered->parts[i].len;
	}
	check->delivered++;
	check->last_kind = gathered->offload.kind;
	if (len > NM_COALESCE_MAX)
		say(check, "a super-packet that is too long");
	else if (gathered->offload.kind != NATMUX_OFFLOAD_NONE)
		check_super(check, &gathered->offload, flat, len, gathered->parts_len);
	else if (gathered->parts_len != 1 || gathered->offload.needs_checksum)
		say(check, "a single packet of many parts");
	else
		account(check, flat, len);
	free(flat);
}

void coalesce_check_begin(struct coalesce_check *check, bool has_tcp, bool has_udp)
{
	const struct nm_coalesce_port port = {deliver, check, has_tcp, has_udp};

	memset(check, 0, offsetof(struct coalesce_check, inputs));
	nm_coalesce_init(&check->coalesce, &port);
}

bool coalesce_check_add(struct coalesce_check *check, const uint8_t *packet, size_t len)
{
	struct coalesce_input *input = &check->inputs[check->inputs_len];
	struct nm_inner_info info;

	if (check->inputs_len == COALESCE_CHECK_MAX || !nm_inner_read(packet, len, &info))
		return false;
	input->block = malloc(len);
	input->copy = malloc(len);
	if (!input->block || !input->copy)
		abort();
	memcpy(input->block, packet, len);
	memcpy(input->copy, packet, len);
	/* Addresses are in the packet: each reader has its own. */
	nm_inner_read(input->copy, len, &input->info);
	input->is_out = false;
	check->inputs_len++;
	check->packets++;
	nm_inner_read(input->block, len, &info);
	nm_coalesce_add(&check->coalesce, input->block, &info);
	return true;
}

void coalesce_check_flush(struct coalesce_check *check)
{
	nm_coalesce_flush(&check->coalesce);
	for (size_t i = 0; i < check->inputs_len; i++) {
		if (!check->inputs[i].is_out)
			say(check, "a packet was lost");
		/* From here on its memory is somebody else's. */
		free(check->inputs[i].block);
		free(check->inputs[i].copy);
	}
	check->inputs_len = 0;
}

const char *coalesce_check_end(struct coalesce_check *check)
{
	coalesce_check_flush(check);
	return check->wrong;
}
