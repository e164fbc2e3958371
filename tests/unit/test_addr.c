/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <natmux/addr.h>
#include <natmux/error.h>

static void test_size_has_no_padding(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct natmux_addr), 24);
	assert_int_equal(sizeof(struct natmux_path), 48);
}

static void test_parse_and_format(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"192.0.2.1", "192.0.2.1:4500"},
		{"192.0.2.1:0", "192.0.2.1"},
		{"192.0.2.1:65535", "192.0.2.1:65535"},
		{"2001:db8::1", "[2001:db8::1]:4500"},
		{"[2001:db8::1]", "[2001:db8::1]:4500"},
		{"[2001:db8::1]:1", "[2001:db8::1]:1"},
		{"[fe80::1%7]:9", "[fe80::1%7]:9"},
		{"fe80::1%4294967295", "[fe80::1%4294967295]:4500"},
		{"::", "[::]:4500"},
		{"0.0.0.0", "0.0.0.0:4500"},
		{"::ffff:192.0.2.7", "192.0.2.7:4500"},
		{"[::ffff:192.0.2.7%3]:9", "192.0.2.7:9"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_addr addr;
		char text[NATMUX_ADDR_TEXT];

		assert_int_equal(natmux_addr_parse(cases[i].in, 4500, &addr), 0);
		assert_string_equal(natmux_addr_format(&addr, text), cases[i].out);
	}
}

static void test_parse_refuses(void **state)
{
	static const char *const bad[] = {"", " ", "localhost", "192.0.2",
		"192.0.2.1:", "192.0.2.1:x", "192.0.2.1:65536", "192.0.2.1:-1", "192.0.2.1: 1",
		"192.0.2.1:+1", "[192.0.2.1]:1", "[2001:db8::1", "[2001:db8::1]x",
		"[2001:db8::1]:", "2001:db8::1%eth0", "[::1%]:1", "[::1%4294967296]:1", "1.2.3.4.5",
		"::1%1%2", "[]:1", ":4500", "1111:2222:3333:4444:5555:6666:7777:8888:9999",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct natmux_addr addr, before;

		memset(&addr, 0xa5, sizeof(addr));
		before = addr;
		if (natmux_addr_parse(bad[i], 4500, &addr) != NATMUX_EINVAL)
			fail_msg("accepted \"%s\"", bad[i]);
		assert_memory_equal(&addr, &before, sizeof(addr));
	}
}

static void test_prefix(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool is_inside;
	} cases[] = {
		{"100.64.0.0/24", "100.64.0.255", true},
		{"100.64.0.0/24", "100.64.1.0", false},
		{"0.0.0.0/0", "203.0.113.9", true},
		{"0.0.0.0/0", "::1", false},
		{"192.0.2.1/32", "192.0.2.1:99", true},
		{"192.0.2.1/32", "192.0.2.0", false},
		{"fd00::/64", "fd00::ffff", true},
		{"fd00::/64", "fd00:0:0:1::", false},
		{"fd00::8/125", "fd00::f", true},
		{"fd00::8/125", "fd00::10", false},
		{"::/0", "::", true},
	};
	static const char *const bad[] = {"", "/", "1.2.3.4", "1.2.3.4/", "1.2.3.4/33", "1.2.3.4/8",
		"::/129", "::1/64", "[::]/64", "::%1/64", "1.2.3.4/-1", "1.2.3.4/08x",
		"1.2.3.4:80/32"};
	struct natmux_prefix prefix;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_addr addr;

		assert_int_equal(natmux_prefix_parse(cases[i].prefix, &prefix), 0);
		assert_int_equal(natmux_addr_parse(cases[i].addr, 0, &addr), 0);
		assert_int_equal(natmux_prefix_contains(&prefix, &addr), cases[i].is_inside);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (natmux_prefix_parse(bad[i], &prefix) != NATMUX_EINVAL)
			fail_msg("accepted \"%s\"", bad[i]);
}

static void test_sockaddr(void **state)
{
	static const char *const texts[] = {
		"192.0.2.1:4500", "[2001:db8::1]:4500", "[fe80::1%3]:1"};
	struct natmux_addr addr, back;
	struct sockaddr_storage ss;
	struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(5)};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t len;

		assert_int_equal(natmux_addr_parse(texts[i], 0, &addr), 0);
		len = natmux_addr_to_sockaddr(&addr, (struct sockaddr *)&ss);
		assert_int_equal(natmux_addr_from_sockaddr((struct sockaddr *)&ss, len, &back), 0);
		assert_true(natmux_addr_equal(&addr, &back));
		assert_int_equal(natmux_addr_from_sockaddr((struct sockaddr *)&ss, len - 1, &back),
			NATMUX_EINVAL);
	}
	memcpy(&mapped.sin6_addr.s6_addr[10], "\xff\xff\xc0\x00\x02\x01", 6);
	assert_int_equal(
		natmux_addr_from_sockaddr((struct sockaddr *)&mapped, sizeof(mapped), &addr), 0);
	assert_int_equal(natmux_addr_parse("192.0.2.1:5", 0, &back), 0);
	assert_true(natmux_addr_equal(&addr, &back));

	memset(&ss, 0, sizeof(ss));
	ss.ss_family = AF_UNIX;
	assert_int_equal(natmux_addr_from_sockaddr((struct sockaddr *)&ss, sizeof(ss), &addr),
		NATMUX_EINVAL);
	memset(&addr, 0, sizeof(addr));
	assert_int_equal(natmux_addr_to_sockaddr(&addr, (struct sockaddr *)&ss), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_has_no_padding),
		cmocka_unit_test(test_parse_and_format),
		cmocka_unit_test(test_parse_refuses),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_sockaddr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
