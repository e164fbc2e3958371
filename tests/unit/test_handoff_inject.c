/* SPDX-License-Identifier: Apache-2.0 */
/* The injector: packets as if natmux were not there, and when it must not even start. */
#include "test.h"

#include <natmux/error.h>
#include "../fakes/fake_mux.h"
#include "../fakes/fake_tun.h"
#include "../fakes/inet_sum.h"
#include "base/bytes.h"
#include "bench/alloc.h"
#include "dispatcher/handoff_inject.h"

static struct natmux_mux mux;
static struct fake_tun tun;
static struct nm_inject *inject;
static uint8_t bytes[65536] = {0x11};

static struct natmux_addr addr(const char *text)
{
	struct natmux_addr result;

	assert_int_equal(natmux_addr_parse(text, 0, &result), 0);
	return result;
}

static void start(uint32_t super_max)
{
	struct nm_packet_port port;

	memset(&mux, 0, sizeof(mux));
	fake_tun_init(&tun);
	port = fake_tun_port(&tun, super_max);
	assert_int_equal(nm_inject_new(&port, &mux, &inject), 0);
}

static void stop(void)
{
	fake_tun_clear(&tun);
	nm_inject_free(inject);
	inject = NULL;
}

static void give(const char *remote, const char *local, uint32_t len, uint32_t segment, uint8_t tos)
{
	struct natmux_train train = {
		.data = bytes,
		.len = len,
		.segment = segment,
		.flow = NATMUX_FLOW_NONE,
		.tos = tos,
		.path = {addr(local), addr(remote)},
	};

	nm_inject_sink.input(inject, 0, &train, 1);
}

static void test_ipv4(void **state)
{
	const uint8_t *p;

	(void)state;
	start(0);
	give("203.0.113.7:31022", "192.0.2.1:4500", 77, 0, 0xb9);
	assert_int_equal(tun.n, 1);
	p = tun.packets[0].data;
	assert_int_equal(tun.packets[0].len, 28 + 77);
	assert_int_equal(p[1], 0xb9);
	assert_memory_equal(p + 12, "\xcb\x00\x71\x07\xc0\x00\x02\x01", 8);
	assert_int_equal(nm_get16(p + 20), 31022);
	assert_int_equal(nm_get16(p + 22), 4500);
	assert_int_equal(inet_sum(p, 20, 0), 0xffff);
	assert_int_equal(inet_sum(p + 20, 85, 17 + 85U + inet_sum(p + 12, 8, 0)), 0xffff);
	stop();
}

static void test_ipv6(void **state)
{
	const uint8_t *p;

	(void)state;
	start(65507);
	give("[2001:db8::7]:31022", "[2001:db8::1]:4500", 1010, 100, 2);
	assert_int_equal(tun.n, 11);
	assert_int_equal(tun.supers, 1);
	p = tun.packets[10].data;
	assert_int_equal(nm_get32(p), 0x60200000);
	assert_int_equal(tun.packets[10].len, 48 + 10);
	assert_int_equal(p[23], 7);
	assert_int_equal(p[39], 1);
	assert_int_equal(nm_get16(p + 40), 31022);
	assert_int_equal(inet_sum(p + 40, 18, 17 + 18U + inet_sum(p + 8, 32, 0)), 0xffff);
	assert_int_equal(fake_mux_drops(&mux), 0);
	stop();
}

static void test_refused_paths(void **state)
{
	static const struct {
		const char *remote, *local;
		enum natmux_drop drop;
	} cases[] = {
		{"203.0.113.7:31022", "0.0.0.0:4500", NATMUX_DROP_PATH_LOCAL},
		{"203.0.113.7:31022", "192.0.2.1:0", NATMUX_DROP_PATH_LOCAL},
		{"203.0.113.7:31022", "[2001:db8::1]:4500", NATMUX_DROP_PATH_LOCAL},
		{"[2001:db8::7]:31022", "[::]:4500", NATMUX_DROP_PATH_LOCAL},
		{"[2001:db8::7]:31022", "192.0.2.1:4500", NATMUX_DROP_PATH_LOCAL},
		{"[fe80::7%2]:31022", "[fe80::1%2]:4500", NATMUX_DROP_MARTIAN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		start(0);
		give(cases[i].remote, cases[i].local, 300, 100, 0);
		assert_int_equal(tun.n, 0);
		assert_int_equal(tun.writes, 0);
		assert_int_equal(mux.drops[cases[i].drop], 3);
		assert_int_equal(fake_mux_drops(&mux), 3);
		stop();
	}
}

static void test_nothing_comes_back(void **state)
{
	(void)state;
	start(0);
	nm_inject_packets(inject, 5);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_FORMAT], 5);
	give("203.0.113.7:31022", "192.0.2.1:4500", 65508, 0, 0);
	assert_int_equal(mux.drops[NATMUX_DROP_HANDOFF_SIZE], 1);
	nm_inject_free(NULL);
	stop();
}

static size_t swallow(void *user, const struct nm_packet *packets, size_t n)
{
	(void)user;
	(void)packets;
	return n;
}

static void test_allocates_nothing(void **state)
{
	struct nm_packet_port port = {swallow, NULL, 65507};
	uint64_t before;

	(void)state;
	memset(&mux, 0, sizeof(mux));
	assert_int_equal(nm_inject_new(&port, &mux, &inject), 0);
	before = nm_alloc_count();
	for (int i = 0; i < 100; i++)
		give("203.0.113.7:31022", "192.0.2.1:4500", 60000, 1000, 0);
	assert_true(nm_alloc_count() == before);
	nm_inject_free(inject);
}

/* What the lab found: 0 passes, 2 with an IPv4 address on the device, 1 never; a device always. */
static void test_check(void **state)
{
	enum { ALL, TUN };
	static const struct {
		int rp_filter[2];
		bool has_address, has_device, listens4;
		bool is_good;
		const char *says; /* in the message */
	} cases[] = {
		{{0, 0}, false, true, true, true, ""},
		{{0, 0}, true, true, true, true, ""},
		{{2, 0}, true, true, true, true, ""},
		{{0, 2}, true, true, true, true, ""},
		{{1, 2}, true, true, true, true, ""},
		{{2, 0}, false, true, true, false, "ip address add 192.0.0.8/32 dev natmux0"},
		{{0, 2}, false, true, true, false, "ip address add 192.0.0.8/32 dev natmux0"},
		{{1, 0}, true, true, true, false, "net.ipv4.conf.natmux0.rp_filter=2"},
		{{0, 1}, true, true, true, false, "net.ipv4.conf.natmux0.rp_filter=2"},
		{{1, 1}, true, true, true, false, "net.ipv4.conf.natmux0.rp_filter=2"},
		{{1, 0}, false, true, true, false, "rp_filter=2 and ip address add 192.0.0.8/32"},
		{{1, 1}, false, true, false, true, ""}, /* IPv6 has no rp_filter */
		{{0, 0}, true, false, true, false, "device = "},
		{{0, 0}, true, false, false, false, "device = "},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_inject_facts facts = {
			.tun = "natmux0",
			.listens4 = cases[i].listens4,
			.has_device = cases[i].has_device,
			.tun_has_v4_address = cases[i].has_address,
			.rp_filter_all = cases[i].rp_filter[ALL],
			.rp_filter_tun = cases[i].rp_filter[TUN],
		};
		char message[NM_INJECT_MESSAGE] = "";
		int error = nm_inject_check(&facts, message, sizeof(message));

		if (error != (cases[i].is_good ? 0 : NATMUX_EUNSUPPORTED))
			fail_msg("case %zu: %d", i, error);
		if (!strstr(message, cases[i].says) || (cases[i].is_good && message[0]))
			fail_msg("case %zu: %s", i, message);
		assert_null(strchr(message, '\n'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_refused_paths),
		cmocka_unit_test(test_nothing_comes_back),
		cmocka_unit_test(test_allocates_nothing),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
