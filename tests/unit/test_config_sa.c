/* SPDX-License-Identifier: Apache-2.0 */
/* Good configurations of ESP: SAs, planes, and what fits through the device. */
#include "config_text.h"

#include <stdlib.h>

/* The keys that only the kernel's plane has, which a configuration of the other may not have. */
static void test_kernel_keys(void **state)
{
	static const struct {
		const char *text;
		struct nm_sa_mark mark;
		const char *printed;
	} marks[] = {
		{"0", {0, 0}, "mark = 0\n"},
		{"42", {42, UINT32_MAX}, "mark = 0x2a\n"},
		{"0xFFFFFFFF", {UINT32_MAX, UINT32_MAX}, "mark = 0xffffffff\n"},
		{"0x2a/0xff", {42, 255}, "mark = 0x2a/0xff\n"},
		{"0/0xff", {0, 255}, "mark = 0x0/0xff\n"},
		{"0/0xffffffff", {0, UINT32_MAX}, "mark = 0x0/0xffffffff\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		struct nm_config *config;
		char text[400], *printed;

		snprintf(text, sizeof(text),
			"esp = kernel\nhandoff = none\nsa \"a\" {\ndirection = in\nspi = 256\n"
			"suite = aes128gcm16\nkey-file = \"/k\"\nlocal = \"192.0.2.1\"\n"
			"output-mark = 7\nif-id = 9\noffload = eth0\nmark = \"%s\"\n}\n",
			marks[i].text);
		config = parse(text);
		assert_int_equal(config->sas[0].kernel.mark.value, marks[i].mark.value);
		assert_int_equal(config->sas[0].kernel.mark.mask, marks[i].mark.mask);
		assert_int_equal(config->sas[0].kernel.output_mark.value, 7);
		assert_int_equal(config->sas[0].kernel.if_id, 9);
		assert_string_equal(config->sas[0].kernel.offload, "eth0");
		printed = print(config);
		assert_non_null(strstr(printed, marks[i].printed));
		free(printed);
		nm_config_free(config);
	}
}

/* In section and list the defaults hold for what is not given, and keys have their lines. */
static void test_sa(void **state)
{
	struct nm_config *config =
		parse("esp = user\nhandoff = none\n"
		      "sa a {\n\tdirection = in\n\tspi = 256\n"
		      "\tsuite = aes128gcm16\n\tkey-file = /k\n"
		      "\tselectors = { \"src 10.0.0.0/8\",\n"
		      "\t\t\"dst 192.0.2.1\" }\n}\n"
		      "sa b { direction = out\nspi = 0x100\nsuite = null-sha256\n"
		      "key-file = /k\nremote = 203.0.113.2\nreqid = 1\n}");
	const struct nm_config_sa *sa = &config->sas[0];
	struct natmux_sa_config filled;
	struct natmux_addr other;

	(void)state;
	assert_int_equal(sa->mode, NATMUX_SA_TUNNEL);
	assert_int_equal(sa->replay_window, 1024);
	assert_int_equal(sa->roam, NATMUX_ROAM_YES);
	assert_true(sa->ecn && !sa->esn);
	assert_int_equal(sa->line, 3);
	assert_int_equal(sa->lines[0], 4);
	assert_int_equal(sa->lines[24], 8);
	assert_int_equal(sa->lines[9], 0);
	assert_int_equal(sa->selectors_len, 2);
	assert_int_equal(sa->selectors[0].destination.base.family, NATMUX_FAMILY_IPV4);
	assert_int_equal(sa->selectors[1].destination.bits, 32);
	assert_int_equal(config->sas[1].selectors_len, 0);
	assert_addr(&config->sas[1].remote, "203.0.113.2:4500");

	nm_config_sa_fill(sa, 4501, &filled);
	assert_int_equal(filled.path.local.family, NATMUX_FAMILY_NONE);
	assert_int_equal(filled.path.remote.family, NATMUX_FAMILY_NONE);
	assert_int_equal(filled.selectors_len, 2);
	assert_false(filled.no_ecn);
	assert_int_equal(filled.dscp, -1);
	nm_config_sa_fill(&config->sas[1], 4501, &filled);
	assert_int_equal(filled.path.local.family, NATMUX_FAMILY_IPV4);
	assert_int_equal(filled.path.local.port, 0);

	/* An inbound SA is its SPI, an outbound one that of a peer, wherever its NAT has put it. */
	natmux_addr_parse("203.0.113.2:61000", 0, &other);
	assert_ptr_equal(nm_config_sa_find(config, NATMUX_SA_IN, 256, NULL), sa);
	assert_ptr_equal(nm_config_sa_find(config, NATMUX_SA_OUT, 256, &other), &config->sas[1]);
	other.ip[3]++;
	assert_null(nm_config_sa_find(config, NATMUX_SA_OUT, 256, &other));
	assert_null(nm_config_sa_find(config, NATMUX_SA_IN, 257, NULL));
	nm_config_free(config);
}

/* The arithmetic of RFC 4303 2.4: what fits the wire, by family and suite. */
static void test_tun_mtu(void **state)
{
#define OUT(suite, remote)                                                                         \
	"sa \"" suite "-" remote "\" { direction = out\nspi = 256\nsuite = " suite                 \
	"\nkey-file = /k\nremote = \"" remote "\"\nreqid = 1 }\n"
	static const struct {
		const char *text;
		uint32_t mtu;
	} cases[] = {
		/* 1500 - 40 - 8 - 8 - 16 - 32 = 1396: 87 blocks of 16, less 2 */
		{"", 1390},
		{"listen = 0.0.0.0", 1406},
		/* 1500 - 20 - 8 - 8 - 8 - 16 = 1440, less 2 */
		{OUT("aes128gcm16", "192.0.2.2"), 1438},
		{OUT("aes128gcm8", "192.0.2.2"), 1446},
		{OUT("aes128gcm16", "192.0.2.2") OUT("aes256-sha512", "192.0.2.3"), 1406},
		{"user-plane { path-mtu = 576 }" OUT("aes128gcm16", "192.0.2.2"), 514},
		{"user-plane { path-mtu = 1280 address6 = \"fd01::1/64\" }" OUT(
			 "aes128gcm16", "192.0.2.2"),
			1280},
		{"user-plane { path-mtu = 9000 }" OUT("aes128gcm16", "192.0.2.2"), 8938},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[600];
		struct nm_config *config;

		snprintf(text, sizeof(text), "esp = user\nhandoff = none\n%s", cases[i].text);
		config = parse(text);
		assert_int_equal(nm_config_tun_mtu(config), cases[i].mtu);
		nm_config_free(config);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_keys),
		cmocka_unit_test(test_sa),
		cmocka_unit_test(test_tun_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
