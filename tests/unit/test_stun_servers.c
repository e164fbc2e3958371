/* SPDX-License-Identifier: Apache-2.0 */
/* Who is asked and from where, and what that tells about a NAT. */
#include "stun_client_test.h"

#include <stdio.h>

static void test_server_table(void **state)
{
	struct natmux_addr addr = addr_of("192.0.2.1:3478"), other = addr_of("192.0.2.99:3478");
	static const char *const nobody[] = {
		"0.0.0.0:1", "192.0.2.1:0", "239.0.0.1:1", "[::]:1", "[ff05::1]:1"};
	char name[40];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[32] = 0;
	assert_int_equal(nm_stun_client_server_add(client, 0, name, &addr), NATMUX_EINVAL);
	assert_int_equal(nm_stun_client_server_add(client, 0, "", &addr), NATMUX_EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(nobody); i++) {
		struct natmux_addr bad = addr_of(nobody[i]);

		assert_int_equal(nm_stun_client_server_add(client, 0, "x", &bad), NATMUX_EINVAL);
	}
	assert_int_equal(nm_stun_client_server_add(client, 0, name + 1, &addr), 0);
	assert_int_equal(nm_stun_client_server_add(client, 0, name + 1, &other), NATMUX_EEXISTS);
	assert_int_equal(nm_stun_client_server_add(client, 0, "x", &addr), NATMUX_EEXISTS);
	for (unsigned int i = 1; i < NM_STUN_SERVERS_MAX; i++) {
		other.ip[3] = (uint8_t)(100 + i);
		snprintf(name, sizeof(name), "s%u", i);
		assert_int_equal(nm_stun_client_server_add(client, 0, name, &other), 0);
	}
	other.ip[3] = 99;
	assert_int_equal(nm_stun_client_server_add(client, 0, "x", &other), NATMUX_EFULL);
	assert_int_equal(nm_stun_client_server_remove(client, "x"), NATMUX_ENOTFOUND);
	assert_int_equal(nm_stun_client_server_remove(client, "s3"), 0);
	assert_int_equal(nm_stun_client_server_remove(client, "s3"), NATMUX_ENOTFOUND);
	assert_int_equal(nm_stun_client_server_add(client, 0, "x", &other), 0);
}

static void test_locals_table(void **state)
{
	struct natmux_addr locals[NM_STUN_LOCALS_MAX + 1];

	(void)state;
	add(0, "a", "192.0.2.1:3478");
	for (size_t i = 0; i < ARRAY_SIZE(locals); i++) {
		locals[i] = addr_of("10.0.0.1:4500");
		locals[i].ip[3] = (uint8_t)i;
	}
	set_locals(0, "10.9.9.9:4500", NULL);
	assert_int_equal(nm_stun_client_set_locals(client, 0, locals, 17), NATMUX_EFULL);
	locals[1] = locals[0];
	assert_int_equal(nm_stun_client_set_locals(client, 0, locals, 2), NATMUX_EEXISTS);
	locals[1] = (struct natmux_addr){.family = NATMUX_FAMILY_NONE};
	assert_int_equal(nm_stun_client_set_locals(client, 0, locals, 2), NATMUX_EINVAL);
	locals[1] = addr_of("10.0.0.3:0");
	assert_int_equal(nm_stun_client_set_locals(client, 0, locals, 2), NATMUX_EINVAL);
	assert_int_equal(count_infos(), 1); /* refused: as it was */
	assert_addr(&info.path.local, "10.9.9.9:4500");
	locals[1] = addr_of("10.0.0.3:1");
	assert_int_equal(nm_stun_client_set_locals(client, 0, locals, 16), 0);
	assert_int_equal(count_infos(), 16);
}

static void test_locals_that_stay_keep_what_they_know(void **state)
{
	enum natmux_drop drop;

	(void)state;
	ask();
	answered(10, "198.51.100.7:61000", NULL);
	set_locals(20, "10.0.0.2:4500", "10.0.0.1:4500");
	assert_int_equal(count_infos(), 2);
	assert_true(output(500)); /* the new one, an RTO after the other's start */
	assert_addr(&path.local, "10.0.0.2:4500");
	assert_false(output(500));

	set_locals(510, "10.0.0.1:4500", NULL); /* gone while its question is pending */
	answer_begin(0x0101);
	answer_mapped("198.51.100.7:61001", 0x0020);
	assert_false(nm_stun_client_expects(client, &path, m.data, m.len));
	assert_false(input(520, &drop));
	assert_int_equal(count_infos(), 1);
	assert_addr(&info.mapped, "198.51.100.7:61000");
	assert_int_equal(info.next_ms, 10 + REFRESH_MS);

	set_locals(530, "10.0.0.1:4500", "10.0.0.2:4500"); /* back again, and knows nothing */
	assert_int_equal(count_infos(), 2);
	assert_addr(&info.path.local, "10.0.0.2:4500");
	assert_int_equal(info.requests, 0);
	assert_false(nm_stun_client_expects(client, &path, m.data, m.len));
}

static void test_removed_server_is_not_expected(void **state)
{
	enum natmux_drop drop;

	(void)state;
	ask();
	answer_begin(0x0101);
	answer_mapped("198.51.100.7:61000", 0x0020);
	assert_int_equal(nm_stun_client_server_remove(client, "a"), 0);
	assert_false(nm_stun_client_expects(client, &path, m.data, m.len));
	assert_false(input(1, &drop));
	assert_true(nm_stun_client_next_deadline(client) == UINT64_MAX);
	add(2, "b", "192.0.2.1:3478"); /* the address under a new name: a new beginning */
	assert_false(nm_stun_client_expects(client, &path, m.data, m.len));
	assert_int_equal(count_infos(), 1);
	assert_int_equal(info.requests, 0);
}

static void test_refresh(void **state)
{
	struct nm_stun_client *none = NULL;

	(void)state;
	assert_int_equal(nm_stun_client_new(&fake_random, 999, &none), NATMUX_ERANGE);
	assert_null(none);
	add(0, "a", "192.0.2.1:3478");
	set_locals(0, "10.0.0.1:4500", NULL);
	assert_int_equal(nm_stun_client_set_refresh(client, 60000), 0);
	assert_true(output(0)); /* the first question does not wait */
	answered(10, "198.51.100.7:61000", NULL);
	assert_int_equal(nm_stun_client_next_deadline(client), 60010);
	assert_int_equal(nm_stun_client_set_refresh(client, 999), NATMUX_ERANGE);
	assert_int_equal(nm_stun_client_next_deadline(client), 60010);
	assert_int_equal(nm_stun_client_set_refresh(client, 5000), 0);
	assert_int_equal(nm_stun_client_next_deadline(client), 5010);
	assert_int_equal(nm_stun_client_set_refresh(client, UINT32_MAX), 0);
	run_silent(UINT64_C(10) + UINT32_MAX + LIFE_MS);
	assert_int_equal(nm_stun_client_next_deadline(client),
		UINT64_C(10) + UINT32_MAX + LIFE_MS + UINT32_MAX); /* longer than the bound */
}

static void assert_nat(const char *local, enum nm_stun_nat wanted)
{
	struct natmux_addr addr = addr_of(local);

	assert_int_equal(nm_stun_client_nat(client, &addr), wanted);
}

static void test_nat_of_a_bound_address(void **state)
{
	(void)state;
	add(0, "a", "192.0.2.1:3478");
	set_locals(0, "10.0.0.1:4500", NULL);
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_UNKNOWN);
	assert_true(output(0));
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_UNKNOWN);
	answered(10, "10.0.0.1:4500", NULL);
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_NONE);
	assert_nat("10.0.0.1:4501", NM_STUN_NAT_UNKNOWN);
	assert_nat("10.0.0.2:4500", NM_STUN_NAT_UNKNOWN);
	assert_nat("[::1]:4500", NM_STUN_NAT_UNKNOWN);
	assert_true(output(10 + REFRESH_MS));
	answered(20 + REFRESH_MS, "198.51.100.7:4500", NULL);
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_PRESENT);
	assert_true(output(20 + 2 * REFRESH_MS));
	answered(30 + 2 * REFRESH_MS, "10.0.0.1:61000", NULL);
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_PRESENT);
	run_silent(30 + 3 * REFRESH_MS + LIFE_MS); /* lost: what was known is not known any more */
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_UNKNOWN);
}

static void test_nat_behind_a_wildcard(void **state)
{
	(void)state;
	add(0, "a", "192.0.2.1:3478");
	set_locals(0, "0.0.0.0:4500", NULL);
	assert_true(output(0));
	answered(10, "198.51.100.7:4500", "10.0.0.1:4500"); /* the answer came to this one */
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_PRESENT);
	assert_nat("0.0.0.0:4500", NM_STUN_NAT_PRESENT);
	assert_nat("10.0.0.2:4500", NM_STUN_NAT_UNKNOWN); /* nobody asked from there */
	assert_true(output(10 + REFRESH_MS));
	answered(20 + REFRESH_MS, "10.0.0.1:4500", "10.0.0.1:4500");
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_NONE);
	assert_nat("0.0.0.0:4500", NM_STUN_NAT_NONE);
}

static void test_nat_when_nobody_tells_our_address(void **state)
{
	(void)state;
	add(0, "a", "192.0.2.1:3478");
	set_locals(0, "0.0.0.0:4500", NULL);
	assert_true(output(0));
	answered(10, "198.51.100.7:4500", NULL);
	assert_nat("0.0.0.0:4500", NM_STUN_NAT_UNKNOWN);
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_UNKNOWN);
	assert_nat("10.0.0.1:4501", NM_STUN_NAT_UNKNOWN);  /* a port that nobody asked from */
	assert_nat("198.51.100.7:4500", NM_STUN_NAT_NONE); /* ours, and seen as it is */
	assert_true(output(10 + REFRESH_MS));
	answered(20 + REFRESH_MS, "198.51.100.7:61000", NULL);
	assert_nat("0.0.0.0:4500", NM_STUN_NAT_PRESENT); /* a changed port is proof enough */
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_PRESENT);
}

static void test_nat_if_any_server_sees_one(void **state)
{
	(void)state;
	add(0, "a", "192.0.2.1:3478");
	add(0, "b", "192.0.2.2:3478");
	set_locals(0, "10.0.0.1:4500", NULL);
	assert_true(output(0));
	answered(10, "10.0.0.1:4500", NULL); /* on this side of the NAT */
	assert_true(output(10));
	answered(10, "198.51.100.7:4500", NULL);
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_PRESENT);
	assert_true(output(10 + REFRESH_MS)); /* and the other way round */
	answered(10 + REFRESH_MS, "198.51.100.7:4500", NULL);
	assert_true(output(10 + REFRESH_MS));
	answered(10 + REFRESH_MS, "10.0.0.1:4500", NULL);
	assert_nat("10.0.0.1:4500", NM_STUN_NAT_PRESENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_server_table),
		TEST(test_locals_table),
		TEST(test_locals_that_stay_keep_what_they_know),
		TEST(test_removed_server_is_not_expected),
		TEST(test_refresh),
		TEST(test_nat_of_a_bound_address),
		TEST(test_nat_behind_a_wildcard),
		TEST(test_nat_when_nobody_tells_our_address),
		TEST(test_nat_if_any_server_sees_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
