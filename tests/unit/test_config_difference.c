/* SPDX-License-Identifier: Apache-2.0 */
/* What a reload would change, and which changes need a restart. */
#include "config_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>
#include "daemon/config/config_value.h"

/* Writes a change as one line: "3 ~ port 4500 4501 restart". */
static void write_change(void *user, const struct nm_config_change *change)
{
	static const char kinds[] = {
		[NM_CONFIG_CHANGED] = '~', [NM_CONFIG_ADDED] = '+', [NM_CONFIG_REMOVED] = '-'};

	fprintf(user, "%u %c %s [%s] [%s]%s\n", change->line, kinds[change->kind], change->key,
		change->before ? change->before : "", change->after ? change->after : "",
		change->needs_restart ? " restart" : "");
}

#define IN(name, more)                                                                             \
	"sa \"" name "\" { direction = in\nsuite = aes128gcm16\nkey-file = /k\n" more "\n}\n"
#define LONG_SA(soft)                                                                              \
	"direction = in mode = tunnel spi = 0x00000101 suite = aes128gcm16 key-file = \"/k\" "     \
	"local = \"\" remote = \"\" reqid = 0 esn = no replay-window = 1024 roam = yes "           \
	"soft-bytes = " soft " hard-bytes = 0 soft-packets = 0 hard-packets = 0 soft-seconds = 0 " \
	"hard-seconds = 0 df = copy dscp = copy ecn = yes tfc-pad = 0 too-big = tell "             \
	"dummy = 0 resync = yes mark = 0 output-mark = 0 if-id = 0 offload = \"\""

static void test_difference(void **state)
{
	static const struct {
		const char *before, *after, *difference;
	} cases[] = {
		{"", "", ""},
		{"", "port = 4500\nrelay { tun = natmux0 }\n# same", ""},
		{"listen = { \"2001:DB8::1\" }", "listen = { \"2001:db8:0::1\" }", ""},
		{"", "\n\nport = 4501", "3 ~ port [4500] [4501] restart\n"},
		{"port = 4501", "", "0 ~ port [4501] [4500] restart\n"},
		{"", "listen = { \"192.0.2.1\" }",
			"1 ~ listen [{ \"0.0.0.0\", \"::\" }] [{ \"192.0.2.1\" }] restart\n"},
		{"", "handoff = unix\nseccomp = no",
			"1 ~ handoff [relay] [unix] restart\n2 ~ seccomp [yes] [no] restart\n"},
		{"", "gso = no\nlog-level = debug",
			"1 ~ gso [yes] [no]\n2 ~ log-level [info] [debug]\n"},
		{"", "limits { flows = 1\nike-rate = 1\n}",
			"1 ~ limits.flows [4096] [1] restart\n2 ~ limits.ike-rate [10] [1]\n"},
		{"", "peer a { remote = 203.0.113.2 }",
			"1 + peer \"a\" [] [remote = \"203.0.113.2:4500\" alias = \"\"]\n"},
		{"peer a { remote = 203.0.113.2 }", "",
			"0 - peer \"a\" [remote = \"203.0.113.2:4500\" alias = \"\"] []\n"},
		{"peer a { remote = 203.0.113.2 }",
			"\npeer a { remote = 203.0.113.2\nalias = 100.64.0.9 }",
			"2 ~ peer \"a\" [remote = \"203.0.113.2:4500\" alias = \"\"] "
			"[remote = \"203.0.113.2:4500\" alias = \"100.64.0.9\"]\n"},
		{"peer a { remote = 203.0.113.2 } peer b { remote = 203.0.113.3 }",
			"peer b { remote = 203.0.113.3 } peer a { remote = 203.0.113.2 }", ""},
		{"esp = user\n" IN("a", "spi = 256"),
			"esp = user\n" IN("a", "replay-window = 1024\nspi = 0x100"), ""},
		{"esp = user\n" IN("a", "spi = 257"),
			"esp = user\n" IN("a", "spi = 257\nsoft-bytes = 7"),
			"2 ~ sa \"a\" [" LONG_SA("0") "] [" LONG_SA("7") "]\n"},
		{"esp = user\npolicy a { reqid = 1\nselector = \"dst 10.0.0.0/8\" }",
			"esp = user\npolicy a { reqid = 1\nselector = \"src 0.0.0.0/0 dst "
			"10.0.0.0/8\" }",
			""},
		{"esp = user\npolicy a { reqid = 1\nselector = \"dst 10.0.0.0/8\" }",
			"esp = user\npolicy a { reqid = 2\nselector = \"dst 10.0.0.0/8\" }",
			"2 ~ policy \"a\" [priority = 0 action = protect reqid = 1 selector = "
			"\"src 0.0.0.0/0 dst 10.0.0.0/8\" mark = 0 if-id = 0] [priority = 0 action "
			"= protect reqid = "
			"2 "
			"selector = \"src 0.0.0.0/0 dst 10.0.0.0/8\" mark = 0 if-id = 0]\n"},
		{"stun-server a { address = 192.0.2.1 }", "stun-server b { address = 192.0.2.1 }",
			"0 - stun-server \"a\" [address = \"192.0.2.1:3478\"] []\n"
			"1 + stun-server \"b\" [] [address = \"192.0.2.1:3478\"]\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_config *before = parse(cases[i].before), *after = parse(cases[i].after);
		char *text = NULL;
		size_t len;
		FILE *file = open_memstream(&text, &len);

		assert_non_null(file);
		nm_config_difference(before, after, write_change, file);
		fclose(file);
		assert_string_equal(text, cases[i].difference);
		free(text);
		nm_config_free(before);
		nm_config_free(after);
	}
}

/* The only ones that a running natmuxd takes over. The rest is refused, key by key. */
static const char *const live[] = {"gro", "gso", "log-level", "kernel-plane.keep", "sa.mark",
	"sa.output-mark", "sa.if-id", "sa.offload", "policy.mark", "policy.if-id", "sa.direction",
	"sa.mode", "sa.spi", "sa.suite", "sa.key-file", "sa.local", "sa.remote", "sa.reqid",
	"sa.esn", "sa.replay-window", "sa.roam", "sa.soft-bytes", "sa.hard-bytes",
	"sa.soft-packets", "sa.hard-packets", "sa.soft-seconds", "sa.hard-seconds", "sa.df",
	"sa.dscp", "sa.ecn", "sa.tfc-pad", "sa.too-big", "sa.dummy", "sa.resync", "sa.selectors",
	"policy.priority", "policy.action", "policy.reqid", "policy.selector", "peer.remote",
	"peer.alias", "stun-server.address", "stun.responder", "stun.refresh", "keepalive.mode",
	"keepalive.interval", "limits.flow-new", "limits.flow-answered", "limits.flow-idle",
	"limits.ike-rate", "limits.ike-burst", "limits.ike-rate-all", "limits.ike-burst-all",
	"limits.stun-rate", "limits.stun-burst", "limits.stun-rate-all", "limits.stun-burst-all",
	"limits.prefix4", "limits.prefix6"};

static bool is_listed(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(live); i++)
		if (strcmp(live[i], path) == 0)
			return true;
	return false;
}

static void test_live_keys(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t s = 0; s < nm_config_sections_len; s++) {
		const struct nm_config_section *section = &nm_config_sections[s];

		for (size_t k = 0; k < section->keys_len; k++) {
			char path[NM_CONFIG_KEY_SIZE];

			nm_config_key_path(section, NULL, section->keys[k].name, path);
			if (section->keys[k].is_live != is_listed(path))
				fail_msg("%s", path);
			n += section->keys[k].is_live;
		}
	}
	assert_int_equal(n, ARRAY_SIZE(live));
}

static void test_reload(void **state)
{
	static const struct {
		const char *before, *after, *message; /* NULL: may be reloaded */
	} cases[] = {
		{"", "", NULL},
		{"", "gro = no\npeer a { remote = 203.0.113.2 }\nlimits { flow-idle = 70 }", NULL},
		{"peer a { remote = 203.0.113.2 }", "", NULL},
		{"", "gro = no\nport = 4501",
			"natmux.conf:2: port: found 4501, allowed in a reload is 4500 as it runs: "
			"restart natmuxd for another (nothing was changed)"},
		{"relay { tun = a }", "",
			"natmux.conf: relay.tun: found \"natmux0\", allowed in a reload is \"a\" "
			"as it runs: restart natmuxd for another (nothing was changed)"},
		{"", "budget = 1\nlimits { flows = 10 }\nuser = x",
			"natmux.conf:1: budget: found 1, allowed in a reload is 32 as it runs: "
			"restart natmuxd for another (nothing was changed)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_config *before = parse(cases[i].before), *after = parse(cases[i].after);
		char message[NM_CONFIG_MESSAGE_SIZE];
		int want = cases[i].message ? NATMUX_EINVAL : 0;

		assert_int_equal(
			nm_config_reload_check(before, after, message, sizeof(message)), want);
		assert_string_equal(message, cases[i].message ? cases[i].message : "");
		assert_int_equal(nm_config_reload_check(before, after, NULL, 0), want);
		nm_config_free(before);
		nm_config_free(after);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_live_keys),
		cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
