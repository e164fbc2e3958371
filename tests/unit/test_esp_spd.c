/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger row A1. The policies against a list that is searched from its beginning. */
#include "test.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>

#include "esp/selector.h"
#include "esp/spd.h"

static const uint8_t key[16] = {9};
static const struct natmux_ports any_ports = {0, UINT16_MAX};

static struct natmux_policy policy_of(uint32_t priority, const char *source,
	const char *destination, uint8_t protocol, struct natmux_ports ports)
{
	struct natmux_policy policy = {
		.priority = priority,
		.action = NATMUX_POLICY_PROTECT,
		.reqid = 1,
		.selector = {.protocol = protocol,
			.source_ports = any_ports,
			.destination_ports = ports},
	};

	assert_int_equal(natmux_prefix_parse(source, &policy.selector.source), 0);
	assert_int_equal(natmux_prefix_parse(destination, &policy.selector.destination), 0);
	return policy;
}

struct packet {
	uint8_t source[16], destination[16];
	struct nm_inner_info info;
};

static void make_packet(struct packet *packet, const char *source, const char *destination,
	uint8_t protocol, uint16_t port)
{
	struct natmux_addr from, to;

	assert_int_equal(natmux_addr_parse(source, 0, &from), 0);
	assert_int_equal(natmux_addr_parse(destination, 0, &to), 0);
	memcpy(packet->source, from.ip, 16);
	memcpy(packet->destination, to.ip, 16);
	packet->info = (struct nm_inner_info){
		.family = from.family,
		.protocol = protocol,
		.has_ports = protocol == NM_PROTO_UDP || protocol == NM_PROTO_TCP,
		.source_port = 999,
		.destination_port = port,
		.source = packet->source,
		.destination = packet->destination,
	};
}

static void test_first_by_priority(void **state)
{
	const struct natmux_policy policies[] = {
		policy_of(50, "10.0.0.0/8", "0.0.0.0/0", 0, any_ports),
		policy_of(10, "10.0.0.0/8", "10.2.0.0/16", NM_PROTO_UDP,
			(struct natmux_ports){500, 600}),
		policy_of(20, "10.0.0.0/8", "10.2.0.0/16", 0, any_ports),
		policy_of(10, "10.0.0.0/8", "10.2.0.0/16", NM_PROTO_UDP,
			(struct natmux_ports){550, 550}),
		policy_of(5, "fd00::/16", "fd01::/16", 0, any_ports),
	};
	static const struct {
		const char *source, *destination;
		uint8_t protocol;
		uint16_t port;
		int want;
	} cases[] = {
		{"10.1.1.1", "10.2.1.1", NM_PROTO_UDP, 500, 1},
		{"10.1.1.1", "10.2.1.1", NM_PROTO_UDP, 550, 1}, /* of equals the first added */
		{"10.1.1.1", "10.2.1.1", NM_PROTO_UDP, 601, 2},
		{"10.1.1.1", "10.2.1.1", NM_PROTO_TCP, 500, 2},
		{"10.1.1.1", "10.2.1.1", NM_PROTO_ICMP, 0, 2},
		{"10.1.1.1", "10.3.1.1", NM_PROTO_UDP, 500, 0},
		{"11.1.1.1", "10.2.1.1", NM_PROTO_UDP, 500, -1},
		{"fd00::1", "fd01::1", NM_PROTO_TCP, 1, 4},
		{"fd00::1", "fd02::1", NM_PROTO_TCP, 1, -1},
	};
	struct nm_spd spd;

	(void)state;
	assert_int_equal(nm_spd_init(&spd, 8, key), 0);
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		assert_int_equal(nm_spd_add(&spd, &policies[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct natmux_policy *found;
		struct packet packet;

		make_packet(&packet, cases[i].source, cases[i].destination, cases[i].protocol,
			cases[i].port);
		found = nm_spd_find(&spd, &packet.info);
		if (cases[i].want < 0) {
			assert_null(found);
			continue;
		}
		assert_non_null(found);
		assert_memory_equal(found, &policies[cases[i].want], sizeof(*found));
	}
	nm_spd_done(&spd);
}

/* A later fragment has no ports: only a selector of all ports is its own (RFC 4301 7). */
static void test_fragment_has_no_ports(void **state)
{
	const struct natmux_policy narrow = policy_of(
		1, "10.0.0.0/8", "10.0.0.0/8", NM_PROTO_UDP, (struct natmux_ports){0, 65534});
	struct packet packet;
	struct nm_spd spd;

	(void)state;
	assert_int_equal(nm_spd_init(&spd, 2, key), 0);
	assert_int_equal(nm_spd_add(&spd, &narrow), 0);
	make_packet(&packet, "10.1.1.1", "10.2.2.2", NM_PROTO_UDP, 5);
	assert_non_null(nm_spd_find(&spd, &packet.info));
	packet.info.has_ports = false;
	assert_null(nm_spd_find(&spd, &packet.info));
	nm_spd_done(&spd);
}

static void test_refusals(void **state)
{
	const struct natmux_policy good = policy_of(1, "10.0.0.0/8", "10.0.0.0/8", 0, any_ports);
	struct natmux_policy bad;
	struct nm_spd spd;

	(void)state;
	assert_int_equal(nm_spd_init(&spd, 1, key), 0);
	bad = good;
	bad.selector.destination.base.family = NATMUX_FAMILY_IPV6;
	assert_int_equal(nm_spd_add(&spd, &bad), NATMUX_EINVAL);
	bad = good;
	bad.selector.source.base.family = bad.selector.destination.base.family = 0;
	assert_int_equal(nm_spd_add(&spd, &bad), NATMUX_EINVAL);
	bad = good;
	bad.selector.source.bits = 33;
	assert_int_equal(nm_spd_add(&spd, &bad), NATMUX_EINVAL);
	/* Bits behind the prefix, of whole octets, of a part of one: no packet would ever match. */
	bad = good;
	bad.selector.source.base.ip[3] = 1;
	assert_int_equal(nm_spd_add(&spd, &bad), NATMUX_EINVAL);
	bad = good;
	bad.selector.destination.bits = 6;
	bad.selector.destination.base.ip[0] = 2;
	assert_int_equal(nm_spd_add(&spd, &bad), NATMUX_EINVAL);
	bad = good;
	bad.selector.source_ports = (struct natmux_ports){2, 1};
	assert_int_equal(nm_spd_add(&spd, &bad), NATMUX_EINVAL);
	bad = good;
	bad.reqid = 0;
	assert_int_equal(nm_spd_add(&spd, &bad), NATMUX_EINVAL);
	bad = good;
	bad.action = (enum natmux_policy_action)3;
	assert_int_equal(nm_spd_add(&spd, &bad), NATMUX_EINVAL);
	assert_int_equal(nm_spd_delete(&spd, &good), NATMUX_ENOTFOUND);
	assert_int_equal(nm_spd_add(&spd, &good), 0);
	assert_int_equal(nm_spd_add(&spd, &good), NATMUX_EEXISTS);
	bad = good;
	bad.priority = 2;
	assert_int_equal(nm_spd_add(&spd, &bad), NATMUX_EFULL);
	assert_int_equal(spd.count, 1);
	nm_spd_done(&spd);
}

static void test_too_many_shapes(void **state)
{
	struct natmux_policy policy = policy_of(1, "0.0.0.0/0", "0.0.0.0/0", 0, any_ports);
	uint32_t added = 0;
	struct nm_spd spd;

	(void)state;
	assert_int_equal(nm_spd_init(&spd, 2000, key), 0);
	for (uint8_t source = 0; source <= 32; source++) {
		for (uint8_t destination = 0; destination <= 32; destination++) {
			policy.selector.source.bits = source;
			policy.selector.destination.bits = destination;
			added += nm_spd_add(&spd, &policy) == 0;
		}
	}
	assert_int_equal(added, NM_SPD_SHAPES_MAX);
	/* A shape that lost its last policy makes room for another one. */
	policy.selector.source.bits = policy.selector.destination.bits = 0;
	assert_int_equal(nm_spd_delete(&spd, &policy), 0);
	policy.selector.source.bits = policy.selector.destination.bits = 32;
	assert_int_equal(nm_spd_add(&spd, &policy), 0);
	nm_spd_done(&spd);
}

/* Prefixes that end within an octet: the last octet in and the first out, on both sides. */
static void test_odd_prefixes(void **state)
{
	static const struct {
		const char *prefix, *in[2], *out[2];
	} cases[] = {
		{"10.176.0.0/12", {"10.176.0.0", "10.191.255.255"},
			{"10.175.255.255", "10.192.0.0"}},
		{"10.160.0.0/11", {"10.160.0.0", "10.191.255.255"},
			{"10.159.255.255", "10.192.0.0"}},
		{"128.0.0.0/1", {"128.0.0.0", "255.255.255.255"}, {"127.255.255.255", "0.0.0.0"}},
		{"10.1.2.254/31", {"10.1.2.254", "10.1.2.255"}, {"10.1.2.253", "10.1.3.0"}},
		{"fdb0::/12", {"fdb0::", "fdbf:ffff::1"}, {"fdaf:ffff::1", "fdc0::"}},
		{"fd00::fe/127", {"fd00::fe", "fd00::ff"}, {"fd00::fd", "fd00::100"}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct natmux_policy policy =
			policy_of(1, cases[i].prefix, cases[i].prefix, 0, any_ports);
		struct packet packet;
		struct nm_spd spd;

		assert_int_equal(nm_spd_init(&spd, 2, key), 0);
		assert_int_equal(nm_spd_add(&spd, &policy), 0);
		for (int j = 0; j < 2; j++) {
			make_packet(&packet, cases[i].in[j], cases[i].in[!j], NM_PROTO_UDP, 1);
			assert_non_null(nm_spd_find(&spd, &packet.info));
			make_packet(&packet, cases[i].in[j], cases[i].out[j], NM_PROTO_UDP, 1);
			assert_null(nm_spd_find(&spd, &packet.info));
			make_packet(&packet, cases[i].out[j], cases[i].in[j], NM_PROTO_UDP, 1);
			assert_null(nm_spd_find(&spd, &packet.info));
		}
		nm_spd_done(&spd);
	}
}

/* Policies of one shape and key, which differ in ranges of ports: whichever goes, the others stay. */
static void test_one_of_many_goes(void **state)
{
	enum { MANY = 4 };

	(void)state;
	for (unsigned int gone = 0; gone < MANY; gone++) {
		struct natmux_policy policies[MANY];
		struct packet packet;
		struct nm_spd spd;

		assert_int_equal(nm_spd_init(&spd, MANY, key), 0);
		for (unsigned int i = 0; i < MANY; i++) {
			policies[i] = policy_of(i, "10.0.0.0/8", "10.0.0.0/8", NM_PROTO_UDP,
				(struct natmux_ports){(uint16_t)(10 * i), (uint16_t)(10 * i + 5)});
			assert_int_equal(nm_spd_add(&spd, &policies[i]), 0);
		}
		assert_int_equal(nm_spd_delete(&spd, &policies[gone]), 0);
		for (unsigned int i = 0; i < MANY; i++) {
			make_packet(&packet, "10.1.1.1", "10.2.2.2", NM_PROTO_UDP,
				(uint16_t)(10 * i + 5));
			assert_int_equal(nm_spd_find(&spd, &packet.info) == NULL, i == gone);
		}
		nm_spd_done(&spd);
	}
}

enum { LIST = 200 };

static struct natmux_prefix random_prefix(void)
{
	struct natmux_prefix prefix = {.base.family = NATMUX_FAMILY_IPV4};
	static const uint8_t bits[] = {0, 8, 9, 16, 30, 32};

	prefix.bits = bits[rand() % 6];
	for (int i = 0; i < 4; i++)
		prefix.base.ip[i] = (uint8_t)(rand() % 3);
	for (unsigned int bit = prefix.bits; bit < 32; bit++)
		prefix.base.ip[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	return prefix;
}

static struct natmux_ports random_ports(void)
{
	uint16_t min = (uint16_t)(rand() % 4);

	switch (rand() % 3) {
	case 0: return any_ports;
	case 1: return (struct natmux_ports){min, min};
	default: return (struct natmux_ports){min, (uint16_t)(min + rand() % 4)};
	}
}

static struct natmux_policy random_policy(void)
{
	return (struct natmux_policy){
		.priority = (uint32_t)(rand() % 5),
		.action = NATMUX_POLICY_DISCARD,
		.selector = {.source = random_prefix(),
			.destination = random_prefix(),
			.protocol = rand() % 2 ? NM_PROTO_UDP : 0,
			.source_ports = random_ports(),
			.destination_ports = random_ports()},
	};
}

/* The list keeps what was added in order; gone ones have a NULL action number. */
struct listed {
	struct natmux_policy policy;
	bool is_there;
};

static const struct natmux_policy *search(
	const struct listed *list, size_t n, const struct nm_inner_info *info)
{
	const struct natmux_policy *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (list[i].is_there && nm_selector_matches(&list[i].policy.selector, info) &&
			(!best || list[i].policy.priority < best->priority))
			best = &list[i].policy;
	return best;
}

static void check_packets(const struct nm_spd *spd, const struct listed *list, size_t n)
{
	for (int i = 0; i < 200; i++) {
		struct packet packet;
		char source[32], destination[32];
		const struct natmux_policy *want, *got;

		snprintf(source, sizeof(source), "%d.%d.%d.%d", rand() % 3, rand() % 3, rand() % 3,
			rand() % 3);
		snprintf(destination, sizeof(destination), "%d.%d.%d.%d", rand() % 3, rand() % 3,
			rand() % 3, rand() % 3);
		make_packet(&packet, source, destination, rand() % 2 ? NM_PROTO_UDP : NM_PROTO_ICMP,
			(uint16_t)(rand() % 8));
		packet.info.source_port = (uint16_t)(rand() % 8);
		want = search(list, n, &packet.info);
		got = nm_spd_find(spd, &packet.info);
		assert_int_equal(want == NULL, got == NULL);
		if (want)
			assert_memory_equal(got, want, sizeof(*got));
	}
}

static void test_against_a_list(void **state)
{
	static struct listed list[20 * LIST];
	struct nm_spd spd;
	size_t n = 0;

	(void)state;
	srand(4);
	assert_int_equal(nm_spd_init(&spd, LIST, key), 0);
	for (int round = 0; round < 3000; round++) {
		size_t victim = n > 0 ? (size_t)rand() % n : 0;

		if (rand() % 3 && n < ARRAY_SIZE(list)) {
			list[n].policy = random_policy();
			list[n].is_there = nm_spd_add(&spd, &list[n].policy) == 0;
			n++;
		} else if (n > 0 && list[victim].is_there) {
			assert_int_equal(nm_spd_delete(&spd, &list[victim].policy), 0);
			list[victim].is_there = false;
		}
		if (round % 50 == 0)
			check_packets(&spd, list, n);
	}
	nm_spd_done(&spd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_by_priority),
		cmocka_unit_test(test_fragment_has_no_ports),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_too_many_shapes),
		cmocka_unit_test(test_odd_prefixes),
		cmocka_unit_test(test_one_of_many_goes),
		cmocka_unit_test(test_against_a_list),
	};

	if (sodium_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
