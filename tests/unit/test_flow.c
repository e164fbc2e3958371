/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <natmux/error.h>

#include "base/bytes.h"
#include "dispatcher/flow.h"

static const struct nm_flow_limits limits = {
	.lifetime_ms = {30000, 60000, 3600000},
	.keepalive_ms = 20000,
};
static const uint8_t key[NM_RATE_KEY_BYTES] = {3};
static unsigned int closed_count;
static uint32_t closed_last;

static void on_closed(void *user, uint32_t flow)
{
	(void)user;
	closed_count++;
	closed_last = flow;
}

static void start(struct nm_flow_table *table, uint32_t max)
{
	closed_count = 0;
	assert_int_equal(nm_flow_table_init(table, max, key, &limits), 0);
	table->closed = on_closed;
}

static struct natmux_path path_of(uint32_t remote)
{
	struct natmux_path path = {
		.local = {.ip = {192, 0, 2, 1}, .port = 4500, .family = NATMUX_FAMILY_IPV4},
		.remote = {.port = 4500, .family = NATMUX_FAMILY_IPV4},
	};

	nm_put32(path.remote.ip, 0x0b000000 + remote);
	return path;
}

static uint32_t open_at(struct nm_flow_table *table, uint64_t now, uint32_t remote)
{
	struct natmux_path path = path_of(remote);
	uint32_t flow = NATMUX_FLOW_NONE;

	assert_int_equal(nm_flow_open(table, now, &path, &flow), 0);
	return flow;
}

static uint32_t find(struct nm_flow_table *table, uint32_t remote)
{
	struct natmux_path path = path_of(remote);

	return nm_flow_find(table, &path);
}

static void test_states(void **state)
{
	struct nm_flow_table table;
	uint32_t flow;

	(void)state;
	start(&table, 4);
	assert_int_equal(find(&table, 1), NATMUX_FLOW_NONE);
	flow = open_at(&table, 1000, 1);
	assert_int_equal(find(&table, 1), flow); /* a cached miss does not hide it */
	assert_int_equal(nm_flow_get(&table, flow)->state, NATMUX_FLOW_NEW);
	assert_false(nm_flow_sent(&table, 1001, flow, false));
	assert_int_equal(nm_flow_get(&table, flow)->state, NATMUX_FLOW_ANSWERED);
	assert_true(nm_flow_sent(&table, 1002, flow, true));
	assert_int_equal(nm_flow_get(&table, flow)->state, NATMUX_FLOW_ESTABLISHED);
	assert_false(nm_flow_sent(&table, 1003, flow, true));
	assert_false(nm_flow_sent(&table, 1003, flow, false));
	assert_int_equal(nm_flow_get(&table, flow)->state, NATMUX_FLOW_ESTABLISHED);
	nm_flow_close(&table, flow);
	nm_flow_close(&table, flow); /* closed already */
	assert_int_equal(closed_count, 1);
	assert_int_equal(find(&table, 1), NATMUX_FLOW_NONE);
	assert_null(nm_flow_get(&table, flow));
	assert_null(nm_flow_get(&table, NATMUX_FLOW_NONE));
	nm_flow_table_done(&table);
}

static void test_expiry(void **state)
{
	struct nm_flow_table table;
	uint32_t fresh, answered, established;

	(void)state;
	start(&table, 8);
	assert_true(nm_flow_next_expiry(&table) == UINT64_MAX);
	fresh = open_at(&table, 0, 1);
	answered = open_at(&table, 0, 2);
	established = open_at(&table, 0, 3);
	nm_flow_sent(&table, 100, answered, false);
	nm_flow_sent(&table, 200, established, true);
	assert_int_equal(nm_flow_next_expiry(&table), 30000);
	nm_flow_expire(&table, 29999);
	assert_int_equal(closed_count, 0);
	nm_flow_expire(&table, 30000);
	assert_int_equal(closed_count, 1);
	assert_int_equal(closed_last, fresh);
	assert_int_equal(nm_flow_next_expiry(&table), 60100);
	nm_flow_expire(&table, 60100);
	assert_int_equal(closed_last, answered);
	nm_flow_expire(&table, 3600199);
	assert_int_equal(closed_count, 2);
	nm_flow_sent(&table, 3600199, established, false); /* prolongs */
	nm_flow_expire(&table, 7200198);
	assert_int_equal(closed_count, 2);
	nm_flow_expire(&table, 7200199);
	assert_int_equal(closed_last, established);
	assert_int_equal(table.count, 0);
	nm_flow_table_done(&table);
}

/* 10 000 strangers against a table of 8: neither the established nor the peer gives way. */
static void test_eviction(void **state)
{
	struct natmux_path peer = path_of(1000000);
	struct nm_flow_table table;
	uint32_t established, handshake, flow;

	(void)state;
	start(&table, 8);
	established = open_at(&table, 0, 1);
	nm_flow_sent(&table, 0, established, true);
	handshake = open_at(&table, 0, 2);
	nm_flow_sent(&table, 0, handshake, false);
	peer.local = (struct natmux_addr){.family = NATMUX_FAMILY_IPV4};
	assert_int_equal(nm_flow_open_peer(&table, 0, "branch", &peer, &flow), 0);
	for (uint32_t i = 10; i < 10010; i++)
		open_at(&table, 1, i);
	assert_int_equal(table.count, 8);
	assert_int_equal(closed_count, 10000 - 5);
	assert_int_equal(find(&table, 1), established);
	assert_int_equal(find(&table, 2), handshake);
	assert_int_equal(find(&table, 1000000), flow);
	assert_int_equal(find(&table, 10004), NATMUX_FLOW_NONE);
	assert_true(find(&table, 10005) != NATMUX_FLOW_NONE);

	/* Answering them all pushes out the handshake that began first, and nothing else. */
	for (uint32_t i = 10005; i < 10010; i++)
		nm_flow_sent(&table, 2, find(&table, i), false);
	open_at(&table, 3, 20000);
	assert_int_equal(closed_last, handshake);
	assert_int_equal(find(&table, 1), established);
	nm_flow_table_done(&table);
}

static void test_full_of_established(void **state)
{
	struct natmux_path path = path_of(9);
	struct nm_flow_table table;
	uint32_t flow = 77;

	(void)state;
	start(&table, 2);
	nm_flow_sent(&table, 0, open_at(&table, 0, 1), true);
	nm_flow_sent(&table, 0, open_at(&table, 0, 2), true);
	assert_int_equal(nm_flow_open(&table, 0, &path, &flow), NATMUX_EFULL);
	assert_int_equal(flow, 77);
	assert_int_equal(closed_count, 0);
	nm_flow_table_done(&table);
	assert_int_equal(closed_count, 2);
}

/* Who is configured comes in whatever strangers hold; among peers there is nobody to push out. */
static void test_peers_go_first(void **state)
{
	struct natmux_path a = path_of(8), b = path_of(9), c = path_of(10);
	struct nm_flow_table table;
	uint32_t flow;

	(void)state;
	start(&table, 2);
	open_at(&table, 0, 1);
	nm_flow_sent(&table, 0, open_at(&table, 0, 2), true);
	nm_flow_sent(&table, 1, find(&table, 1), true);
	assert_int_equal(nm_flow_open_peer(&table, 2, "a", &a, &flow), 0);
	assert_int_equal(closed_count, 1);
	assert_int_equal(find(&table, 2), NATMUX_FLOW_NONE); /* silent for longer than 1 */
	assert_true(find(&table, 1) != NATMUX_FLOW_NONE);
	assert_int_equal(nm_flow_open_peer(&table, 2, "b", &b, &flow), 0);
	assert_int_equal(nm_flow_open_peer(&table, 2, "c", &c, &flow), NATMUX_EFULL);
	assert_int_equal(closed_count, 2);
	nm_flow_table_done(&table);
}

/* An owner that lets the kernel choose the local address gets its answers, peers or none. */
static void test_any_local(void **state)
{
	struct natmux_path any = path_of(5), concrete = path_of(5);
	struct nm_flow_table table;
	uint32_t flow;

	(void)state;
	start(&table, 4);
	any.local = (struct natmux_addr){.family = NATMUX_FAMILY_IPV4};
	assert_int_equal(nm_flow_open(&table, 0, &any, &flow), 0);
	assert_int_equal(nm_flow_find(&table, &concrete), flow);
	assert_int_equal(find(&table, 6), NATMUX_FLOW_NONE);
	nm_flow_close(&table, flow);
	assert_int_equal(nm_flow_find(&table, &concrete), NATMUX_FLOW_NONE);
	assert_int_equal(table.any_local, 0);
	nm_flow_table_done(&table);
}

static void test_peers(void **state)
{
	struct natmux_path any = path_of(5), concrete = path_of(5), other = path_of(6);
	struct nm_flow_table table;
	uint32_t flow, again;

	(void)state;
	start(&table, 4);
	any.local = (struct natmux_addr){.family = NATMUX_FAMILY_IPV4};
	assert_int_equal(nm_flow_find(&table, &concrete), NATMUX_FLOW_NONE);
	assert_int_equal(nm_flow_open_peer(&table, 0, "", &any, &flow), NATMUX_EINVAL);
	assert_int_equal(
		nm_flow_open_peer(&table, 0, "01234567890123456789012345678901", &any, &flow),
		NATMUX_EINVAL);
	assert_int_equal(nm_flow_open_peer(&table, 0, "a", &any, &flow), 0);
	assert_int_equal(nm_flow_open_peer(&table, 0, "a", &other, &again), NATMUX_EEXISTS);
	assert_int_equal(nm_flow_open_peer(&table, 0, "b", &any, &again), NATMUX_EEXISTS);
	assert_int_equal(nm_flow_find(&table, &concrete), flow);
	assert_int_equal(nm_flow_find_peer(&table, "a"), flow);
	assert_int_equal(nm_flow_find_peer(&table, "b"), NATMUX_FLOW_NONE);
	assert_true(nm_flow_next_expiry(&table) == UINT64_MAX);
	nm_flow_expire(&table, UINT64_MAX);
	assert_int_equal(nm_flow_find(&table, &concrete), flow);
	assert_true(nm_flow_sent(&table, 5, flow, true));
	nm_flow_expire(&table, UINT64_MAX);
	assert_int_equal(nm_flow_find(&table, &concrete), flow);
	nm_flow_close(&table, flow);
	assert_int_equal(nm_flow_find_peer(&table, "a"), NATMUX_FLOW_NONE);
	assert_int_equal(nm_flow_find(&table, &concrete), NATMUX_FLOW_NONE);
	nm_flow_table_done(&table);
}

static void test_silence(void **state)
{
	struct nm_flow_table table;
	uint32_t a, b;

	(void)state;
	start(&table, 4);
	a = open_at(&table, 0, 1);
	b = open_at(&table, 0, 2);
	nm_flow_sent(&table, 0, a, false);
	assert_true(nm_flow_next_silence(&table) == UINT64_MAX); /* answered is not enough */
	nm_flow_sent(&table, 10, a, true);
	nm_flow_sent(&table, 20, b, true);
	assert_int_equal(nm_flow_next_silence(&table), 20010);
	assert_int_equal(nm_flow_next_silent(&table, 20009), NATMUX_FLOW_NONE);
	assert_int_equal(nm_flow_next_silent(&table, 20010), a);
	nm_flow_kept_alive(&table, 20010, a);
	assert_int_equal(nm_flow_next_silent(&table, 20019), NATMUX_FLOW_NONE);
	nm_flow_sent(&table, 20019, b, false); /* traffic puts it off */
	assert_int_equal(nm_flow_next_silence(&table), 40010);
	/* A keepalive is ours, not the owner's: it prolongs no life. */
	assert_int_equal(nm_flow_next_expiry(&table), 10 + 3600000);
	nm_flow_close(&table, a);
	assert_int_equal(nm_flow_next_silence(&table), 40019);
	nm_flow_table_done(&table);
}

static void test_numbers_are_reused_clean(void **state)
{
	struct nm_flow_table table;
	uint32_t flow;

	(void)state;
	start(&table, 2);
	flow = open_at(&table, 0, 1);
	nm_flow_get(&table, flow)->rx[NATMUX_CLASS_ESP].bytes = 5;
	nm_flow_sent(&table, 5, flow, true);
	nm_flow_close(&table, flow);
	assert_int_equal(open_at(&table, 9, 2), flow);
	assert_int_equal(nm_flow_get(&table, flow)->rx[NATMUX_CLASS_ESP].bytes, 0);
	assert_int_equal(nm_flow_get(&table, flow)->state, NATMUX_FLOW_NEW);
	assert_int_equal(nm_flow_get(&table, flow)->tx_ms, 0);
	nm_flow_table_done(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_states),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_eviction),
		cmocka_unit_test(test_full_of_established),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_peers_go_first),
		cmocka_unit_test(test_any_local),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_numbers_are_reused_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
