/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random streams through the coalescer, cut again: what comes out is what went in, octet for octet and
 * in each flow's order, whatever was mixed in. Ledger row N9.
 */
#include "test.h"

#include <stdbool.h>
#include "tests/fakes/coalesce_check.h"
#include "tests/fakes/inner_packets.h"

enum { TCP = 6, UDP = 17, FLOWS_MAX = 14, RUNS = 1000 };

static struct coalesce_check check;

static uint64_t dice(uint64_t sides)
{
	static uint64_t state = 88172645463325252u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 11) % sides;
}

static struct inner_spec random_flow(void)
{
	struct inner_spec spec = inner_spec(dice(2) ? 4 : 6, dice(3) ? TCP : UDP);

	/* Few of each, so that flows differ in one thing only. */
	spec.host = (uint8_t)dice(3);
	spec.source_port = (uint16_t)dice(2);
	spec.destination_port = (uint16_t)dice(2);
	spec.payload_len = dice(4) ? 100 + (uint32_t)dice(1400) : 1 + (uint32_t)dice(9000);
	spec.tcp_options = spec.protocol == TCP && dice(2) ? 12 : 0;
	spec.sequence = (uint32_t)dice(UINT64_C(1) << 32);
	spec.id = (uint16_t)dice(65536);
	spec.fragment = dice(2) ? INNER_DF : 0;
	spec.seed = (uint8_t)dice(256);
	return spec;
}

/* Something that happens on networks, once in a while. */
static void disturb(struct inner_spec *spec)
{
	switch (dice(16)) {
	case 0: spec->flags ^= (uint8_t)(1 << dice(8)); break;
	case 1: spec->ack += (uint32_t)dice(3); break;
	case 2: spec->window ^= 1; break;
	case 3: spec->sequence += (uint32_t)dice(3) - 1; break;
	case 4: spec->payload_len = (uint32_t)dice(spec->payload_len + 2); break;
	case 5: spec->tos ^= (uint8_t)(1 << dice(8)); break;
	case 6: spec->ttl--; break;
	case 7: spec->id += (uint16_t)dice(3); break;
	case 8: spec->fragment = (uint16_t)(1 << dice(16)); break;
	case 9: spec->ip_options = 8; break;
	case 10: spec->timestamp++; break;
	case 11: spec->flow_label ^= 1; break;
	case 12: spec->reserved ^= 1; break;
	case 13: spec->urgent ^= 1; break;
	case 14: spec->payload_len = 0; break;
	default: spec->flags |= INNER_PSH; break;
	}
}

static void add(const struct inner_spec *spec)
{
	static uint8_t packet[INNER_MAX + 64];
	size_t len = inner_build(spec, packet), behind = dice(8) ? 0 : (size_t)dice(64);

	/* Seldom a bit that no checksum was made for. */
	if (dice(200) == 0)
		packet[dice(len)] ^= (uint8_t)(1 << dice(8));
	memset(packet + len, 0, behind);
	coalesce_check_add(&check, packet, len + behind);
}

static void send_one(struct inner_spec *flow, uint64_t calm)
{
	struct inner_spec one = *flow;

	if (dice(calm) == 0)
		disturb(&one);
	add(&one);
	flow->sequence = one.sequence + one.payload_len;
	flow->ack = one.ack;
	flow->id = (uint16_t)(one.id + 1);
	flow->timestamp = one.timestamp;
	flow->seed++;
}

static void run(size_t number)
{
	struct inner_spec flows[FLOWS_MAX];
	size_t n = 1 + (size_t)dice(FLOWS_MAX), packets = (size_t)dice(300), at = 0;
	uint64_t calm = 2 + dice(100), stay = 1 + dice(20);
	const char *wrong;

	for (size_t i = 0; i < n; i++)
		flows[i] = random_flow();
	coalesce_check_begin(&check, dice(20) != 0, dice(20) != 0);
	for (size_t i = 0; i < packets; i++) {
		if (dice(stay) == 0)
			at = (size_t)dice(n);
		send_one(&flows[at], calm);
		if (dice(64) == 0)
			coalesce_check_flush(&check);
	}
	wrong = coalesce_check_end(&check);
	if (wrong)
		fail_msg("run %zu: %s", number, wrong);
}

static void test_streams(void **state)
{
	size_t packets = 0, merged = 0, delivered = 0;

	(void)state;
	for (size_t i = 0; i < RUNS; i++) {
		run(i);
		packets += check.packets;
		merged += check.merged;
		delivered += check.delivered;
	}
	/* Or nothing was proved. */
	assert_true(packets > 90000);
	assert_true(merged > packets / 3);
	assert_true(delivered > packets / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
