/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets which alias: order, bounds, reservations, and what is never one. */
#include "test.h"

#include <stdlib.h>
#include <natmux/error.h>
#include "dispatcher/alias.h"

enum { PORT = 4500 };

static const struct nm_alias_pool_config off;

static struct nm_alias_pool_config pool(const char *daemon, const char *prefix)
{
	struct nm_alias_pool_config config;

	memset(&config, 0, sizeof(config));
	assert_int_equal(natmux_addr_parse(daemon, 0, &config.daemon), 0);
	assert_int_equal(natmux_prefix_parse(prefix, &config.pool), 0);
	return config;
}

static struct nm_aliases *make(
	struct nm_alias_pool_config ipv4, struct nm_alias_pool_config ipv6, uint32_t flows_max)
{
	struct nm_aliases *aliases = NULL;

	assert_int_equal(nm_aliases_new(&ipv4, &ipv6, flows_max, PORT, &aliases), 0);
	return aliases;
}

static struct natmux_addr addr(const char *text)
{
	struct natmux_addr result;

	assert_int_equal(natmux_addr_parse(text, PORT, &result), 0);
	return result;
}

/* The flow has this alias, and the alias this flow. */
static void assert_alias(
	struct nm_aliases *aliases, uint32_t flow, uint8_t family, const char *expected)
{
	struct natmux_addr alias;
	char text[NATMUX_ADDR_TEXT];

	assert_int_equal(nm_aliases_get(aliases, flow, family, &alias), 0);
	assert_string_equal(natmux_addr_format(&alias, text), expected);
	assert_int_equal(nm_aliases_find(aliases, alias.family, alias.ip), flow);
}

static void assert_nobody(struct nm_aliases *aliases, const char *text)
{
	struct natmux_addr alias = addr(text);

	assert_true(nm_aliases_find(aliases, alias.family, alias.ip) == NATMUX_FLOW_NONE);
}

static void test_capacity(void **state)
{
	static const struct {
		const char *daemon, *prefix;
		uint32_t capacity;
	} cases[] = {
		{"100.64.0.1", "100.64.0.0/24", 253},
		{"100.64.1.1", "100.64.0.0/24", 254},
		{"100.64.0.0", "100.64.0.0/24", 254},
		{"100.64.0.1", "100.64.0.0/30", 1},
		{"100.64.0.1", "100.64.0.0/31", 1},
		{"100.64.0.1", "100.64.0.1/32", 0},
		{"100.64.0.2", "100.64.0.1/32", 1},
		{"100.64.0.1", "100.64.0.0/16", 65533},
		{"100.64.0.1", "100.64.0.0/10", 65534}, /* the broadcast address is far away */
		{"fd00::1", "fd00::/112", 65534},
		{"fd00::1", "fd00::/64", 65534},
		{"fd00:1::1", "fd00::/126", 3},
		{"fd00::1", "fd00::/127", 1},
		{"fd00::1", "fd00::1/128", 0},
		{"fd00::1", "100.64.0.0/24", 0},
		{"100.64.0.1", "224.0.0.0/24", 0},
		{"100.64.0.1", "127.0.0.0/24", 0},
		{"100.64.0.1", "0.0.0.0/0", 0},
		{"0.0.0.0", "100.64.0.0/24", 0},
		{"fd00::1", "ff02::/112", 0},
		{"fd00::1", "::/64", 0},
		{"::1", "fd00::/64", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_alias_pool_config config = pool(cases[i].daemon, cases[i].prefix);
		uint32_t capacity = nm_alias_capacity(&config);

		if (capacity != cases[i].capacity)
			fail_msg("%s %s: %u", cases[i].daemon, cases[i].prefix, capacity);
	}
	assert_int_equal(nm_alias_capacity(&off), 0);
}

static void test_possible(void **state)
{
	static const struct {
		const char *daemon, *prefix, *addr;
		bool is_possible;
	} cases[] = {
		{"100.64.0.1", "100.64.0.0/24", "100.64.0.2", true},
		{"100.64.0.1", "100.64.0.0/24", "100.64.0.1", false},
		{"100.64.0.1", "100.64.0.0/24", "100.64.0.0", false},
		{"100.64.0.1", "100.64.0.0/24", "100.64.0.255", false},
		{"100.64.0.1", "100.64.0.0/24", "100.64.1.0", false},
		{"100.64.0.1", "100.64.0.0/24", "fd00::2", false},
		{"fd00::1", "fd00::/64", "fd00::ffff", true},
		{"fd00::1", "fd00::/64", "fd00::1:0", false}, /* in the prefix, not in the pool */
		{"fd00::1", "100.64.0.0/24", "100.64.0.2", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nm_alias_pool_config config = pool(cases[i].daemon, cases[i].prefix);
		struct natmux_addr candidate = addr(cases[i].addr);

		assert_int_equal(nm_alias_is_possible(&config, &candidate), cases[i].is_possible);
	}
}

static void test_new_refuses(void **state)
{
	struct nm_alias_pool_config ipv4 = pool("100.64.0.1", "100.64.0.0/24");
	struct nm_alias_pool_config ipv6 = pool("fd00::1", "fd00::/112");
	struct nm_alias_pool_config empty = pool("100.64.0.1", "100.64.0.1/32");
	struct nm_alias_pool_config mixed = pool("100.64.0.1", "fd00::/112");
	struct nm_aliases *aliases = NULL;

	(void)state;
	assert_int_equal(nm_aliases_new(&off, &off, 10, PORT, &aliases), NATMUX_EINVAL);
	assert_int_equal(nm_aliases_new(&ipv4, &ipv6, 0, PORT, &aliases), NATMUX_EINVAL);
	assert_int_equal(nm_aliases_new(&empty, &ipv6, 10, PORT, &aliases), NATMUX_EINVAL);
	assert_int_equal(nm_aliases_new(&mixed, &ipv6, 10, PORT, &aliases), NATMUX_EINVAL);
	assert_int_equal(nm_aliases_new(&ipv6, &ipv4, 10, PORT, &aliases), NATMUX_EINVAL);
	assert_null(aliases);
	nm_aliases_free(NULL);
}

/* Each address once, none of those that are not for peers, and then no more. */
static void test_all_of_a_pool(void **state)
{
	struct nm_aliases *aliases = make(pool("100.64.5.9", "100.64.5.0/24"), off, 1000);
	bool is_given[256] = {false};
	struct natmux_addr alias, before;

	(void)state;
	for (uint32_t flow = 0; flow < 253; flow++) {
		assert_int_equal(nm_aliases_get(aliases, flow, NATMUX_FAMILY_IPV4, &alias), 0);
		assert_memory_equal(alias.ip, "\x64\x40\x05", 3);
		assert_int_equal(alias.port, PORT);
		assert_false(is_given[alias.ip[3]]);
		is_given[alias.ip[3]] = true;
	}
	assert_false(is_given[0] || is_given[9] || is_given[255]);
	before = alias;
	assert_int_equal(nm_aliases_get(aliases, 253, NATMUX_FAMILY_IPV4, &alias), NATMUX_EFULL);
	assert_int_equal(nm_aliases_get(aliases, 999, NATMUX_FAMILY_IPV6, &alias), NATMUX_EFULL);
	assert_memory_equal(&alias, &before, sizeof(alias));
	assert_nobody(aliases, "100.64.5.0");
	assert_nobody(aliases, "100.64.5.9");
	assert_nobody(aliases, "100.64.5.255");
	assert_nobody(aliases, "100.64.4.1");
	assert_nobody(aliases, "100.64.6.1");
	assert_nobody(aliases, "10.64.5.1");
	assert_nobody(aliases, "fd00::1");
	nm_aliases_free(aliases);
}

static void test_flow_numbers(void **state)
{
	struct nm_aliases *aliases = make(pool("100.64.0.1", "100.64.0.0/24"), off, 3);
	struct natmux_addr alias = addr("100.64.0.7");

	(void)state;
	assert_int_equal(nm_aliases_get(aliases, 3, NATMUX_FAMILY_IPV4, &alias), NATMUX_EFULL);
	assert_int_equal(nm_aliases_get(aliases, NATMUX_FLOW_NONE, NATMUX_FAMILY_IPV4, &alias),
		NATMUX_EFULL);
	assert_int_equal(nm_aliases_reserve(aliases, 3, &alias), NATMUX_EINVAL);
	nm_aliases_release(aliases, 3);
	nm_aliases_release(aliases, NATMUX_FLOW_NONE);
	nm_aliases_release(aliases, 0);
	assert_alias(aliases, 2, NATMUX_FAMILY_IPV4, "100.64.0.2:4500");
	nm_aliases_free(aliases);
}

/* A freed alias waits until every other address has been used. */
static void test_reuse_order(void **state)
{
	struct nm_aliases *aliases = make(pool("100.64.0.1", "100.64.0.0/29"), off, 100);

	(void)state;
	assert_alias(aliases, 0, NATMUX_FAMILY_IPV4, "100.64.0.2:4500");
	assert_alias(aliases, 1, NATMUX_FAMILY_IPV4, "100.64.0.3:4500");
	assert_alias(aliases, 0, NATMUX_FAMILY_IPV4, "100.64.0.2:4500"); /* keeps it */
	nm_aliases_release(aliases, 1);
	nm_aliases_release(aliases, 0);
	nm_aliases_release(aliases, 0); /* told twice: two classes, one sink */
	assert_nobody(aliases, "100.64.0.2");
	assert_alias(aliases, 0, NATMUX_FAMILY_IPV4, "100.64.0.4:4500");
	assert_alias(aliases, 1, NATMUX_FAMILY_IPV4, "100.64.0.5:4500");
	assert_alias(aliases, 2, NATMUX_FAMILY_IPV4, "100.64.0.6:4500");
	assert_alias(aliases, 3, NATMUX_FAMILY_IPV4, "100.64.0.3:4500");
	assert_alias(aliases, 4, NATMUX_FAMILY_IPV4, "100.64.0.2:4500");
	nm_aliases_free(aliases);
}

static void test_other_family(void **state)
{
	struct nm_aliases *only6 = make(off, pool("fd00::1", "fd00::/126"), 100);
	struct nm_aliases *both =
		make(pool("100.64.0.1", "100.64.0.0/30"), pool("fd00::1", "fd00::/126"), 100);
	struct natmux_addr alias;

	(void)state;
	assert_alias(only6, 7, NATMUX_FAMILY_IPV4, "[fd00::2]:4500");
	assert_alias(only6, 7, NATMUX_FAMILY_IPV6, "[fd00::2]:4500");
	nm_aliases_free(only6);
	assert_alias(both, 0, NATMUX_FAMILY_IPV6, "[fd00::2]:4500");
	assert_alias(both, 1, NATMUX_FAMILY_IPV4, "100.64.0.2:4500");
	assert_alias(both, 2, NATMUX_FAMILY_IPV4, "[fd00::3]:4500"); /* used up */
	assert_int_equal(nm_aliases_get(both, 3, NATMUX_FAMILY_IPV4, &alias), NATMUX_EFULL);
	nm_aliases_release(both, 2);
	assert_alias(both, 3, NATMUX_FAMILY_IPV6, "[fd00::3]:4500");
	nm_aliases_free(both);
}

static int reserve(struct nm_aliases *aliases, uint32_t flow, const char *text)
{
	struct natmux_addr alias = addr(text);

	return nm_aliases_reserve(aliases, flow, &alias);
}

static void test_reserve(void **state)
{
	struct nm_aliases *aliases = make(pool("100.64.0.1", "100.64.0.0/29"), off, 100);

	(void)state;
	assert_int_equal(reserve(aliases, 50, "100.64.0.3"), 0);
	assert_alias(aliases, 50, NATMUX_FAMILY_IPV4, "100.64.0.3:4500");
	assert_int_equal(reserve(aliases, 50, "100.64.0.3"), 0);
	assert_alias(aliases, 0, NATMUX_FAMILY_IPV4, "100.64.0.2:4500");
	assert_alias(aliases, 1, NATMUX_FAMILY_IPV4, "100.64.0.4:4500"); /* stepped over */
	/* What a flow has goes back when it is given another. */
	assert_int_equal(reserve(aliases, 0, "100.64.0.6"), 0);
	assert_nobody(aliases, "100.64.0.2");
	assert_alias(aliases, 2, NATMUX_FAMILY_IPV4, "100.64.0.5:4500");
	assert_alias(aliases, 3, NATMUX_FAMILY_IPV4, "100.64.0.2:4500");
	/* A dynamic alias can be made to stay. */
	assert_int_equal(reserve(aliases, 3, "100.64.0.2"), 0);
	nm_aliases_release(aliases, 50);
	assert_alias(aliases, 4, NATMUX_FAMILY_IPV4, "100.64.0.3:4500");
	nm_aliases_free(aliases);
}

static void test_reserve_refuses(void **state)
{
	struct nm_aliases *aliases = make(pool("100.64.0.1", "100.64.0.0/29"), off, 100);

	(void)state;
	assert_alias(aliases, 0, NATMUX_FAMILY_IPV4, "100.64.0.2:4500");
	assert_int_equal(reserve(aliases, 1, "100.64.0.2"), NATMUX_EEXISTS);
	assert_int_equal(reserve(aliases, 1, "100.64.0.1"), NATMUX_EINVAL);
	assert_int_equal(reserve(aliases, 1, "100.64.0.0"), NATMUX_EINVAL);
	assert_int_equal(reserve(aliases, 1, "100.64.0.7"), NATMUX_EINVAL);
	assert_int_equal(reserve(aliases, 1, "100.64.0.8"), NATMUX_ERANGE);
	assert_int_equal(reserve(aliases, 1, "100.63.255.255"), NATMUX_ERANGE);
	assert_int_equal(reserve(aliases, 1, "fd00::2"), NATMUX_ERANGE);
	assert_int_equal(reserve(aliases, 100, "100.64.0.3"), NATMUX_EINVAL);
	/* Nothing has changed by all that. */
	assert_alias(aliases, 0, NATMUX_FAMILY_IPV4, "100.64.0.2:4500");
	assert_alias(aliases, 1, NATMUX_FAMILY_IPV4, "100.64.0.3:4500");
	nm_aliases_free(aliases);
}

static void count_alias(void *user, const struct nm_alias *alias)
{
	unsigned int *seen = user;

	seen[0]++;
	if (alias->is_reserved) {
		seen[1]++;
		assert_int_equal(alias->flow, 9);
		assert_int_equal(alias->addr.family, NATMUX_FAMILY_IPV6);
	}
}

static void test_each(void **state)
{
	struct nm_aliases *aliases =
		make(pool("100.64.0.1", "100.64.0.0/29"), pool("fd00::1", "fd00::/112"), 100);
	unsigned int seen[2] = {0, 0};

	(void)state;
	nm_aliases_each(aliases, count_alias, seen);
	assert_int_equal(seen[0], 0);
	assert_int_equal(reserve(aliases, 9, "fd00::ffff"), 0);
	assert_alias(aliases, 1, NATMUX_FAMILY_IPV4, "100.64.0.2:4500");
	assert_alias(aliases, 2, NATMUX_FAMILY_IPV6, "[fd00::2]:4500");
	nm_aliases_each(aliases, count_alias, seen);
	assert_int_equal(seen[0], 3);
	assert_int_equal(seen[1], 1);
	nm_aliases_free(aliases);
}

/* A long life of random flows against a table that is too simple to be wrong. */
static void test_against_model(void **state)
{
	enum { FLOWS = 40, STEPS = 20000 };
	struct nm_aliases *aliases = make(pool("100.64.0.1", "100.64.0.0/27"), off, FLOWS);
	int model[FLOWS] = {0}; /* last byte of the alias; 0: none */
	int used;
	struct natmux_addr alias;

	(void)state;
	srand(2);
	for (int i = 0; i < STEPS; i++) {
		uint32_t flow = (uint32_t)rand() % FLOWS;

		switch (rand() % 8) {
		case 0:
			alias = addr("100.64.0.0");
			alias.ip[3] = (uint8_t)(rand() % 33);
			if (nm_aliases_reserve(aliases, flow, &alias) == 0)
				model[flow] = alias.ip[3];
			break;
		case 1:
		case 2:
		case 3:
			nm_aliases_release(aliases, flow);
			model[flow] = 0;
			break;
		default:
			if (nm_aliases_get(aliases, flow, NATMUX_FAMILY_IPV4, &alias) < 0) {
				used = 0;
				for (int other = 0; other < FLOWS; other++)
					used += model[other] != 0;
				assert_int_equal(model[flow], 0);
				assert_int_equal(used, 32 - 3);
				break;
			}
			assert_true(model[flow] == 0 || model[flow] == alias.ip[3]);
			model[flow] = alias.ip[3];
		}
		for (int other = 0; other < FLOWS; other++)
			assert_false(model[flow] != 0 && other != (int)flow &&
				     model[other] == model[flow]);
		assert_false(model[flow] == 1 || model[flow] == 31 || model[flow] > 31);
	}
	nm_aliases_free(aliases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_capacity),
		cmocka_unit_test(test_possible),
		cmocka_unit_test(test_new_refuses),
		cmocka_unit_test(test_all_of_a_pool),
		cmocka_unit_test(test_flow_numbers),
		cmocka_unit_test(test_reuse_order),
		cmocka_unit_test(test_other_family),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_reserve_refuses),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
