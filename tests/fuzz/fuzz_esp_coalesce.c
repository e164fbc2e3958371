/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets of a few flows through the coalescer, cut again: what comes out must be what went in. The first
 * octet says what the device takes; then come commands of four octets, each of which sends a packet of a
 * flow, changed in one way or none.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fakes/coalesce_check.h"
#include "tests/fakes/inner_packets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FLOWS = 12, COMMAND = 4, TCP = 6, UDP = 17 };

static struct coalesce_check check;

/* Neighbours differ in one thing. */
static void make_flows(struct inner_spec flows[FLOWS])
{
	for (unsigned int i = 0; i < FLOWS; i++) {
		flows[i] = inner_spec(i & 1 ? 6 : 4, i & 2 ? UDP : TCP);
		flows[i].source_port = (uint16_t)(i >> 2);
		flows[i].payload_len = i < 8 ? 50 : 700;
		flows[i].tcp_options = i & 4 && !(i & 2) ? 12 : 0;
	}
}

static void change(struct inner_spec *spec, uint8_t what, uint8_t how)
{
	switch (what) {
	case 0: spec->flags ^= how; break;
	case 1: spec->ack += how; break;
	case 2: spec->window ^= how; break;
	case 3: spec->sequence += how - 128u; break;
	case 4: spec->payload_len = how; break;
	case 5: spec->payload_len = how * 256u; break;
	case 6: spec->tos ^= how; break;
	case 7: spec->ttl ^= how; break;
	case 8: spec->id = (uint16_t)(spec->id + how - 128); break;
	case 9: spec->fragment ^= (uint16_t)(1u << how % 16); break;
	case 10: spec->ip_options = (uint8_t)(how % 6 * 8); break;
	case 11: spec->tcp_options = (uint8_t)(how % 11 * 4); break;
	case 12: spec->timestamp ^= how; break;
	case 13: spec->flow_label ^= how; break;
	case 14: spec->reserved ^= how & 15; break;
	case 15: spec->urgent ^= how; break;
	case 16: spec->seed ^= how; break;
	case 17: spec->host = how & 1; break;
	default: break;
	}
}

/* `keep`: what was changed stays so; `spoil`: an octet that no checksum was made for. */
static void send_one(struct inner_spec *flow, const uint8_t *command)
{
	static uint8_t packet[INNER_MAX + 256];
	bool keep = command[0] & 64, spoil = command[0] & 128;
	struct inner_spec one = *flow;
	size_t len;

	change(&one, command[1] % 32, command[2]);
	len = inner_build(&one, packet);
	if (spoil)
		packet[(command[1] >> 5) * 8u + command[3] % 80u] ^= command[2];
	else
		memset(packet + len, 0, command[3] % 8u);
	coalesce_check_add(&check, packet, len + (spoil ? 0 : command[3] % 8u));
	if (keep)
		*flow = one;
	flow->sequence += one.payload_len;
	flow->id++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inner_spec flows[FLOWS];

	if (size < 1)
		return 0;
	make_flows(flows);
	coalesce_check_begin(&check, data[0] & 1, data[0] & 2);
	for (size_t at = 1; at + COMMAND <= size; at += COMMAND) {
		if (data[at] % 16 < FLOWS)
			send_one(&flows[data[at] % 16], data + at);
		else if (data[at] % 16 == FLOWS)
			coalesce_check_flush(&check);
	}
	if (coalesce_check_end(&check))
		abort();
	return 0;
}
