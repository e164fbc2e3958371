/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several sockets a path goes by: by port, address and scope. */
#include "test.h"

#include "io/udp_batch.h"
#include "tests/fakes/udp_peer.h"

static const struct {
	const char *bound;
	uint32_t bound_scope;
	const char *local;
	uint32_t local_scope;
	const char *remote;
	int suits;
} cases[] = {
	{"192.0.2.1:4500", 0, "192.0.2.1:4500", 0, "198.51.100.7:4500", 3},
	{"192.0.2.1:4500", 0, "192.0.2.1:0", 0, "198.51.100.7:4500", 3},
	{"192.0.2.1:4500", 0, "192.0.2.1:4501", 0, "198.51.100.7:4500", 0},
	{"192.0.2.1:4500", 0, "192.0.2.2:4500", 0, "198.51.100.7:4500", 0},
	{"192.0.2.1:4500", 0, "0.0.0.0:4500", 0, "198.51.100.7:4500", 1},
	{"192.0.2.1:4500", 0, "0.0.0.0:0", 0, "198.51.100.7:4500", 1},
	{"192.0.2.1:4500", 0, "0.0.0.0:4501", 0, "198.51.100.7:4500", 0},
	{"192.0.2.1:4500", 0, "192.0.2.1:4500", 0, "[2001:db8::1]:4500", 0},
	{"0.0.0.0:4500", 0, "192.0.2.1:4500", 0, "198.51.100.7:4500", 2},
	{"0.0.0.0:4500", 0, "0.0.0.0:0", 0, "198.51.100.7:4500", 2},
	{"0.0.0.0:4500", 0, "192.0.2.1:4501", 0, "198.51.100.7:4500", 0},
	{"[::]:4500", 0, "[2001:db8::1]:4500", 0, "[2001:db8::7]:4500", 2},
	{"[::]:4500", 0, "192.0.2.1:4500", 0, "198.51.100.7:4500", 0},
	{"[fe80::1]:4500", 2, "[fe80::1]:4500", 2, "[fe80::7]:4500", 3},
	{"[fe80::1]:4500", 2, "[fe80::1]:4500", 3, "[fe80::7]:4500", 0},
	{"[fe80::1]:4500", 2, "[fe80::1]:4500", 0, "[fe80::7]:4500", 3}, /* any interface */
	{"[fe80::1]:4500", 0, "[fe80::1]:4500", 3, "[fe80::7]:4500", 3},
};

static void test_suits(void **state)
{
	static const uint8_t zeros[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_udp udp = {.local = test_addr(cases[i].bound)};
		struct natmux_path path = {
			.local = test_addr(cases[i].local), .remote = test_addr(cases[i].remote)};

		udp.is_wildcard = memcmp(udp.local.ip, zeros, sizeof(zeros)) == 0;
		udp.local.scope_id = cases[i].bound_scope;
		path.local.scope_id = cases[i].local_scope;
		if (nm_udp_suits(&udp, &path) != cases[i].suits)
			fail_msg(
				"%s for %s to %s", cases[i].bound, cases[i].local, cases[i].remote);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
