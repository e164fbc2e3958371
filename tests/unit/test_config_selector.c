/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors in the words of `ip xfrm`: what is one, what is none, and the one text of each. */
#include "test.h"

#include <stdio.h>
#include <natmux/error.h>
#include "daemon/config/config_selector.h"

static void test_good(void **state)
{
	static const struct {
		const char *text, *same;
	} cases[] = {
		{"src 10.0.0.0/8 dst 10.2.0.0/16", NULL},
		{"dst 10.2.0.0/16 src 10.0.0.0/8", "src 10.0.0.0/8 dst 10.2.0.0/16"},
		{"src 10.0.0.0/8", "src 10.0.0.0/8 dst 0.0.0.0/0"},
		{"dst fd00::/8", "src ::/0 dst fd00::/8"},
		{"src 192.0.2.1 dst 0.0.0.0/0", "src 192.0.2.1/32 dst 0.0.0.0/0"},
		{"src 2001:DB8:0::1", "src 2001:db8::1/128 dst ::/0"},
		{"src ::/0 dst ::/0", NULL},
		{"src 10.0.0.0/8 dst 0.0.0.0/0 proto udp sport 500-600 dport 4500", NULL},
		{"dport 4500 proto 17 sport 500-600 src 10.0.0.0/8",
			"src 10.0.0.0/8 dst 0.0.0.0/0 proto udp sport 500-600 dport 4500"},
		{"  src   10.0.0.0/8  proto   47  ", "src 10.0.0.0/8 dst 0.0.0.0/0 proto 47"},
		{"src 10.0.0.0/8 proto any", "src 10.0.0.0/8 dst 0.0.0.0/0"},
		{"src 10.0.0.0/8 proto 0", "src 10.0.0.0/8 dst 0.0.0.0/0"},
		{"src 10.0.0.0/8 proto icmp", "src 10.0.0.0/8 dst 0.0.0.0/0 proto icmp"},
		{"src ::/0 proto 58", "src ::/0 dst ::/0 proto ipv6-icmp"},
		{"src ::/0 proto 255", "src ::/0 dst ::/0 proto 255"},
		{"src ::/0 proto tcp sport any dport 0-65535", "src ::/0 dst ::/0 proto tcp"},
		{"src ::/0 sport 0-65535", "src ::/0 dst ::/0"},
		{"src ::/0 proto sctp sport 0 dport 65535",
			"src ::/0 dst ::/0 proto sctp sport 0 dport 65535"},
		{"src ::/0 proto dccp dport 7-7", "src ::/0 dst ::/0 proto dccp dport 7"},
		{"src ::/0 proto udplite dport 1-65535",
			"src ::/0 dst ::/0 proto udplite dport 1-65535"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_selector selector, again;
		char text[NM_SELECTOR_TEXT];

		if (nm_selector_parse(cases[i].text, &selector) < 0)
			fail_msg("refused: %s", cases[i].text);
		nm_selector_format(&selector, text);
		assert_string_equal(text, cases[i].same ? cases[i].same : cases[i].text);
		assert_int_equal(nm_selector_parse(text, &again), 0);
		assert_memory_equal(&selector, &again, sizeof(again));
	}
}

static void test_fields(void **state)
{
	struct natmux_selector selector;

	(void)state;
	assert_int_equal(nm_selector_parse("src 10.1.0.0/16 dst 192.0.2.7 proto tcp sport 1-2 "
					   "dport 3",
				 &selector),
		0);
	assert_int_equal(selector.source.bits, 16);
	assert_int_equal(selector.source.base.ip[1], 1);
	assert_int_equal(selector.source.base.port, 0);
	assert_int_equal(selector.destination.bits, 32);
	assert_int_equal(selector.destination.base.ip[3], 7);
	assert_int_equal(selector.protocol, 6);
	assert_int_equal(selector.source_ports.min, 1);
	assert_int_equal(selector.source_ports.max, 2);
	assert_int_equal(selector.destination_ports.min, 3);
	assert_int_equal(selector.destination_ports.max, 3);
}

static void test_bad(void **state)
{
	static const char *const cases[] = {"", " ", "src", "src ", "dst", "any", "proto udp",
		"src 10.0.0.0/8 dst", "10.0.0.0/8", "src 10.0.0.0/8 -> dst 10.0.0.0/8",
		"src 10.0.0.1/8", "src 10.0.0.0/33", "src 10.0.0.0/", "src 10.0.0.0/-1",
		"src 10.0.0/8", "src 10.0.0.0/8/8", "src ::/129", "src ::ffff:10.0.0.0/104",
		"src ::ffff:10.0.0.1", "src [::1]", "src 10.0.0.1:80", "src fe80::1%2",
		"src host.example", "src any", "src 10.0.0.0/8 dst ::/0", "src ::/0 dst 10.0.0.0/8",
		"src 10.0.0.0/8 src 10.0.0.0/8", "SRC 10.0.0.0/8", "source 10.0.0.0/8",
		"src 10.0.0.0/8 proto", "src 10.0.0.0/8 proto 256", "src 10.0.0.0/8 proto -1",
		"src 10.0.0.0/8 proto 017", "src 10.0.0.0/8 proto UDP", "src 10.0.0.0/8 proto esp",
		"src 10.0.0.0/8 proto udp proto udp", "src 10.0.0.0/8 dport 80",
		"src 10.0.0.0/8 proto 0 dport 80", "src 10.0.0.0/8 proto icmp sport 8",
		"src 10.0.0.0/8 proto 47 sport 8", "src 10.0.0.0/8 proto tcp dport",
		"src 10.0.0.0/8 proto tcp dport 65536", "src 10.0.0.0/8 proto tcp dport 090",
		"src 10.0.0.0/8 proto tcp dport 90-80", "src 10.0.0.0/8 proto tcp dport 80-",
		"src 10.0.0.0/8 proto tcp dport -80", "src 10.0.0.0/8 proto tcp dport 1-2-3",
		"src 10.0.0.0/8 proto tcp dport 80,81", "src 10.0.0.0/8 proto tcp dport http",
		"src 10.0.0.0/8 proto tcp dport 80 dport 80", "src\t10.0.0.0/8", "src 10.0.0.0/8\n",
		"src 10.0.0.0/8 dev eth0",
		"src 0000000000000000000000000000000000000000000000000000000000000000010.0.0.0/8"};
	static const struct natmux_selector untouched = {.protocol = 77};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct natmux_selector selector = untouched;

		if (nm_selector_parse(cases[i], &selector) != NATMUX_EINVAL)
			fail_msg("accepted: %s", cases[i]);
		assert_memory_equal(&selector, &untouched, sizeof(selector));
	}
}

/* The longest text that there can be fits. */
static void test_longest(void **state)
{
	static const char longest[] = "src 1111:2222:3333:4444:5555:6666:7777:8888/128 "
				      "dst 1111:2222:3333:4444:5555:6666:7777:8889/128 "
				      "proto udplite sport 10000-65535 dport 10001-65534";
	struct natmux_selector selector;
	char text[NM_SELECTOR_TEXT];

	(void)state;
	assert_true(sizeof(longest) <= NM_SELECTOR_TEXT);
	assert_int_equal(nm_selector_parse(longest, &selector), 0);
	assert_string_equal(nm_selector_format(&selector, text), longest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
