/* SPDX-License-Identifier: Apache-2.0 */
/* Good configurations: defaults, every key, and the form that is printed. */
#include "config_text.h"

#include <stdlib.h>

static void test_defaults(void **state)
{
	struct nm_config *config = parse("");

	(void)state;
	assert_int_equal(config->listen_len, 2);
	assert_addr(&config->listen[0], "0.0.0.0:4500");
	assert_addr(&config->listen[1], "[::]:4500");
	assert_int_equal(config->port, 4500);
	assert_int_equal(config->attach, NM_ATTACH_OWN);
	assert_int_equal(config->esp, NM_ESP_DAEMON);
	assert_int_equal(config->handoff, NM_HANDOFF_RELAY);
	assert_string_equal(config->device, "");
	assert_true(config->gro && config->gso && config->seccomp);
	assert_int_equal(config->receive_buffer_bytes, 4 << 20);
	assert_int_equal(config->send_buffer_bytes, 4 << 20);
	assert_int_equal(config->budget, 32);
	assert_string_equal(config->control_socket, "/run/natmux/control.sock");
	assert_string_equal(config->user, "");
	assert_int_equal(config->log_level, NATMUX_LOG_INFO);
	assert_string_equal(config->relay.tun, "natmux0");
	assert_addr(&config->relay.daemon4, "100.64.0.1");
	assert_addr(&config->relay.pool4.base, "100.64.0.0");
	assert_int_equal(config->relay.pool4.bits, 24);
	assert_addr(&config->relay.daemon6, "fd6e:6174:6d75::1");
	assert_addr(&config->relay.pool6.base, "fd6e:6174:6d75::");
	assert_int_equal(config->relay.pool6.bits, 112);
	assert_int_equal(config->relay.daemon_port, 14500);
	assert_int_equal(config->relay.peer_port, 4500);
	assert_string_equal(config->user_plane.tun, "natmux1");
	assert_int_equal(config->user_plane.address4.addr.family, NATMUX_FAMILY_NONE);
	assert_int_equal(config->user_plane.mtu, 0);
	assert_int_equal(config->user_plane.sas, 1024);
	assert_int_equal(config->user_plane.path_mtu, 1500);
	assert_true(config->user_plane.offload && !config->user_plane.export_keys);
	assert_string_equal(config->unix_handoff.path, "/run/natmux/handoff.sock");
	assert_int_equal(config->unix_handoff.clients, 8);
	assert_int_equal(config->unix_handoff.queue, 256);
	assert_int_equal(config->peers_len + config->servers_len, 0);
	assert_int_equal(config->sas_len + config->policies_len, 0);
	assert_string_equal(config->name, "natmux.conf");
	nm_config_free(config);
	nm_config_free(NULL);
}

/* The defaults of include/natmux/mux.h, by way of the file's. */
static void test_mux(void **state)
{
	struct nm_config *config = parse("");
	struct natmux_mux_config mux, defaults;

	(void)state;
	natmux_mux_config_init(&defaults);
	natmux_mux_config_init(&mux);
	mux.flows_max = mux.flow_new_ms = mux.flow_idle_ms = mux.keepalive_ms = 7;
	mux.stun_refresh_ms = mux.flow_answered_ms = mux.prefix4_bits = mux.prefix6_bits = 7;
	mux.ike_prefix = mux.ike_all = mux.stun_prefix = mux.stun_all = (struct natmux_rate){7, 7};
	mux.responder = NATMUX_RESPONDER_OPEN;
	mux.keepalive = NATMUX_KEEPALIVE_ALL;
	nm_config_mux(config, &mux);
	assert_int_equal(mux.size, defaults.size);
	assert_int_equal(mux.flows_max, defaults.flows_max);
	assert_int_equal(mux.flow_new_ms, defaults.flow_new_ms);
	assert_int_equal(mux.flow_answered_ms, defaults.flow_answered_ms);
	assert_int_equal(mux.flow_idle_ms, defaults.flow_idle_ms);
	assert_memory_equal(&mux.ike_prefix, &defaults.ike_prefix, sizeof(mux.ike_prefix));
	assert_memory_equal(&mux.ike_all, &defaults.ike_all, sizeof(mux.ike_all));
	assert_memory_equal(&mux.stun_prefix, &defaults.stun_prefix, sizeof(mux.stun_prefix));
	assert_memory_equal(&mux.stun_all, &defaults.stun_all, sizeof(mux.stun_all));
	assert_int_equal(mux.prefix4_bits, defaults.prefix4_bits);
	assert_int_equal(mux.prefix6_bits, defaults.prefix6_bits);
	assert_int_equal(mux.responder, defaults.responder);
	assert_int_equal(mux.keepalive, defaults.keepalive);
	assert_int_equal(mux.keepalive_ms, defaults.keepalive_ms);
	assert_int_equal(mux.stun_refresh_ms, defaults.stun_refresh_ms);
	nm_config_free(config);
}

/* No value that the file may hold overflows a number of milliseconds. */
static void test_mux_largest(void **state)
{
	struct nm_config *config = parse("stun { refresh = 3600 }\nkeepalive { interval = 3600 }\n"
					 "limits {\nflow-new = 3600\nflow-answered = 3600\n"
					 "flow-idle = 604800\nprefix6 = 128\n}\n");
	struct natmux_mux_config mux;

	(void)state;
	natmux_mux_config_init(&mux);
	nm_config_mux(config, &mux);
	assert_int_equal(mux.flow_new_ms, 3600000);
	assert_int_equal(mux.flow_answered_ms, 3600000);
	assert_int_equal(mux.flow_idle_ms, 604800000);
	assert_int_equal(mux.keepalive_ms, 3600000);
	assert_int_equal(mux.stun_refresh_ms, 3600000);
	assert_int_equal(mux.prefix6_bits, 128);
	nm_config_free(config);
}

/* Something else than the default in every key, in the form in which it is printed. */
static const char all_other[] =
	"listen = { \"192.0.2.1\", \"2001:db8::1\", \"fe80::1%7\" }\n"
	"port = 4501\n"
	"attach = own\n"
	"esp = user\n"
	"both-planes = no\n"
	"handoff = unix\n"
	"device = \"eth0.100\"\n"
	"gro = no\n"
	"gso = no\n"
	"receive-buffer = 65536\n"
	"send-buffer = 536870912\n"
	"budget = 1024\n"
	"control-socket = \"/run/a \\\"b\\\\c'.sock\"\n"
	"user = \"nobody\"\n"
	"seccomp = no\n"
	"log-level = debug\n"
	"relay {\n"
	"\ttun = \"t\"\n"
	"\tdaemon4 = \"10.0.255.254\"\n"
	"\tpool4 = \"10.0.0.0/16\"\n"
	"\tdaemon6 = \"\"\n"
	"\tpool6 = \"fd00::/64\"\n"
	"\tdaemon-port = 1\n"
	"\tpeer-port = 65535\n"
	"}\n"
	"inject {\n"
	"\ttun = \"abcdefghijklmno\"\n"
	"}\n"
	"join {\n"
	"\tuser = \"nobody\"\n"
	"}\n"
	"unix {\n"
	"\tpath = \"/h\"\n"
	"\tclients = 64\n"
	"\tqueue = 65536\n"
	"}\n"
	"user-plane {\n"
	"\ttun = \"u\"\n"
	"\taddress4 = \"10.1.0.1/24\"\n"
	"\taddress6 = \"fd01::1/64\"\n"
	"\tmtu = 1400\n"
	"\tengine = \"sodium\"\n"
	"\tsas = 1048576\n"
	"\tpolicies = 65536\n"
	"\tpath-mtu = 9000\n"
	"\tbare-esp = yes\n"
	"\toffload = no\n"
	"\texport-keys = yes\n"
	"\tworkers = 16\n"
	"\tmss-clamp = yes\n"
	"}\n"
	"kernel-plane {\n"
	"\ttun = \"back\"\n"
	"\tsas = 1\n"
	"\tpolicies = 2\n"
	"\tkeep = yes\n"
	"\texport-keys = yes\n"
	"\tgro = yes\n"
	"}\n"
	"sa \"branch-in\" {\n"
	"\tdirection = in\n"
	"\tmode = transport\n"
	"\tspi = 0x00001000\n"
	"\tsuite = aes256-sha512\n"
	"\tkey-file = \"/etc/natmux/keys/a\"\n"
	"\tlocal = \"192.0.2.1\"\n"
	"\tremote = \"203.0.113.2:61000\"\n"
	"\treqid = 4294967295\n"
	"\tesn = yes\n"
	"\treplay-window = 8192\n"
	"\troam = port-only\n"
	"\tsoft-bytes = 1\n"
	"\thard-bytes = 9223372036854775807\n"
	"\tsoft-packets = 3\n"
	"\thard-packets = 4\n"
	"\tsoft-seconds = 5\n"
	"\thard-seconds = 31622400\n"
	"\tdf = copy\n"
	"\tdscp = copy\n"
	"\tecn = no\n"
	"\ttfc-pad = 0\n"
	"\ttoo-big = tell\n"
	"\tdummy = 0\n"
	"\tresync = no\n"
	"\tselectors = { \"src 10.2.0.0/16 dst 10.1.0.0/24 proto udp sport 500-600 "
	"dport 4500\", \"src ::/0 dst fd01::/64 proto 47\" }\n"
	"\tmark = 0\n"
	"\toutput-mark = 0\n"
	"\tif-id = 0\n"
	"\toffload = \"\"\n"
	"}\n"
	"sa \"branch-out\" {\n"
	"\tdirection = out\n"
	"\tmode = tunnel\n"
	"\tspi = 0xffffffff\n"
	"\tsuite = chacha20poly1305\n"
	"\tkey-file = \"/b\"\n"
	"\tlocal = \"\"\n"
	"\tremote = \"[2001:db8::2]:4500\"\n"
	"\treqid = 7\n"
	"\tesn = no\n"
	"\treplay-window = 1024\n"
	"\troam = yes\n"
	"\tsoft-bytes = 0\n"
	"\thard-bytes = 0\n"
	"\tsoft-packets = 0\n"
	"\thard-packets = 0\n"
	"\tsoft-seconds = 0\n"
	"\thard-seconds = 0\n"
	"\tdf = clear\n"
	"\tdscp = 46\n"
	"\tecn = yes\n"
	"\ttfc-pad = 9000\n"
	"\ttoo-big = cut\n"
	"\tdummy = 3600\n"
	"\tresync = yes\n"
	"\tmark = 0\n"
	"\toutput-mark = 0\n"
	"\tif-id = 0\n"
	"\toffload = \"\"\n"
	"}\n"
	"policy \"p\" {\n"
	"\tpriority = 4294967295\n"
	"\taction = protect\n"
	"\treqid = 7\n"
	"\tselector = \"src 10.1.0.0/24 dst 10.2.0.0/16\"\n"
	"\tmark = 0\n"
	"\tif-id = 0\n"
	"}\n"
	"policy \"q\" {\n"
	"\tpriority = 0\n"
	"\taction = discard\n"
	"\treqid = 0\n"
	"\tselector = \"src ::/0 dst ::/0 proto tcp dport 25\"\n"
	"\tmark = 0\n"
	"\tif-id = 0\n"
	"}\n"
	"peer \"branch\" {\n"
	"\tremote = \"203.0.113.2:4500\"\n"
	"\talias = \"10.0.0.1\"\n"
	"}\n"
	"peer \"six._-\" {\n"
	"\tremote = \"[2001:db8::2]:1\"\n"
	"\talias = \"\"\n"
	"}\n"
	"stun-server \"a\" {\n"
	"\taddress = \"192.0.2.9:3478\"\n"
	"}\n"
	"stun-server \"b\" {\n"
	"\taddress = \"[fe80::9%7]:5\"\n"
	"}\n"
	"stun {\n"
	"\tresponder = open\n"
	"\trefresh = 3600\n"
	"}\n"
	"keepalive {\n"
	"\tmode = all\n"
	"\tinterval = 1\n"
	"}\n"
	"limits {\n"
	"\tflows = 1048576\n"
	"\tflow-new = 1\n"
	"\tflow-answered = 2\n"
	"\tflow-idle = 604800\n"
	"\tike-rate = 0\n"
	"\tike-burst = 1\n"
	"\tike-rate-all = 1000000\n"
	"\tike-burst-all = 1000000\n"
	"\tstun-rate = 1\n"
	"\tstun-burst = 2\n"
	"\tstun-rate-all = 3\n"
	"\tstun-burst-all = 4\n"
	"\tprefix4 = 8\n"
	"\tprefix6 = 128\n"
	"}\n";

static void test_every_key(void **state)
{
	struct nm_config *config = parse(all_other);
	char *printed = print(config);

	(void)state;
	assert_string_equal(printed, all_other);
	assert_string_equal(config->control_socket, "/run/a \"b\\c'.sock");
	assert_addr(&config->listen[2], "[fe80::1%7]:4501");
	assert_int_equal(config->relay.daemon6.family, NATMUX_FAMILY_NONE);
	assert_int_equal(config->peers_len, 2);
	assert_string_equal(config->peers[1].name, "six._-");
	assert_addr(&config->peers[1].remote, "[2001:db8::2]:1");
	assert_int_equal(config->peers[1].alias.family, NATMUX_FAMILY_NONE);
	assert_int_equal(config->servers_len, 2);
	assert_addr(&config->servers[1].address, "[fe80::9%7]:5");
	assert_null(nm_config_tun(config));
	assert_addr(&config->user_plane.address4.addr, "10.1.0.1");
	assert_int_equal(config->user_plane.address4.bits, 24);
	assert_int_equal(config->sas_len, 2);
	assert_string_equal(config->sas[0].name, "branch-in");
	assert_int_equal(config->sas[0].selectors_len, 2);
	assert_int_equal(config->sas[0].selectors[0].source_ports.max, 600);
	assert_int_equal(config->sas[0].selectors[1].protocol, 47);
	assert_int_equal(config->sas[0].dscp, -1);
	assert_int_equal(config->sas[1].spi, UINT32_MAX);
	assert_int_equal(config->sas[1].dscp, 46);
	assert_int_equal(config->sas[1].selectors_len, 0);
	assert_null(config->sas[1].key);
	assert_int_equal(config->policies_len, 2);
	assert_int_equal(config->policies[1].action, NATMUX_POLICY_DISCARD);
	free(printed);
	nm_config_free(config);
}

static void test_print_of_defaults(void **state)
{
	struct nm_config *config = parse(""), *again;
	char *printed = print(config), *printed_again;

	(void)state;
	again = parse(printed);
	printed_again = print(again);
	assert_string_equal(printed, printed_again);
	free(printed);
	free(printed_again);
	nm_config_free(config);
	nm_config_free(again);
}

/* Other ways to write the same. */
static void test_spellings(void **state)
{
	static const struct {
		const char *text, *same;
	} cases[] = {
		{"port=4501", "port = 4501"},
		{"port = \"4501\"", "port = 4501"},
		{"port = '4501' # comment", "port = 4501"},
		{"#\nport = 4501\n#", "port = 4501"},
		{"// c\nport /* c */ = /* \n */ 4501 /**/", "port = 4501"},
		{"port = 4501\r\nbudget = 1\r\n", "port = 4501\nbudget = 1\n"},
		{"port = 4501 budget = 1", "port = 4501\nbudget = 1\n"},
		{"listen = ::1", "listen = { \"::1\" }"},
		{"listen = {\n\t192.0.2.1, # one\n\t192.0.2.2 # two\n}",
			"listen = { \"192.0.2.1\", \"192.0.2.2\" }"},
		{"listen = { \"2001:DB8:0:0::1\" }", "listen = { \"2001:db8::1\" }"},
		{"stun { } stun { refresh = 1 } stun { responder = off }",
			"stun {\nrefresh = 1\nresponder = off\n}"},
		{"peer a { remote = 203.0.113.2 }", "peer \"a\" { remote = \"203.0.113.2:4500\" }"},
		{"peer 'a' { remote = \"[2001:db8::2]\" }",
			"peer \"a\" { remote = \"[2001:db8::2]:4500\" }"},
		{"stun-server a { address = 192.0.2.1 }",
			"stun-server \"a\" { address = \"192.0.2.1:3478\" }"},
		{"control-socket = '/run/a\\'b'", "control-socket = \"/run/a'b\""},
		{"control-socket = \"/run/$a#b//c/*d\"", "control-socket = '/run/$a#b//c/*d'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_config *a, *b;
		char *a_text, *b_text;

		a = parse(cases[i].text);
		b = parse(cases[i].same);
		a_text = print(a);
		b_text = print(b);
		assert_string_equal(a_text, b_text);
		free(a_text);
		free(b_text);
		nm_config_free(a);
		nm_config_free(b);
	}
}

static void test_lines(void **state)
{
	struct nm_config *config = parse("# one\n/* two\nthree */ port = 4501\n"
					 "listen = {\n\t\"192.0.2.1\",\n\t\"192.0.2.2\"\n}\n"
					 "peer \"a\"\n{\n\tremote = 203.0.113.2\n}\n"
					 "limits { flows = 5\n}\nbudget = 3");

	(void)state;
	assert_int_equal(nm_config_line_of(config, "", "port"), 3);
	assert_int_equal(nm_config_line_of(config, "", "listen"), 5);
	assert_int_equal(config->listen_lines[1], 6);
	assert_int_equal(config->peers[0].line, 9);
	assert_int_equal(config->peers[0].lines[0], 10);
	assert_int_equal(config->peers[0].lines[1], 0);
	assert_int_equal(nm_config_line_of(config, "limits", "flows"), 12);
	assert_int_equal(nm_config_line_of(config, "", "budget"), 14);
	assert_int_equal(nm_config_line_of(config, "", "gro"), 0);
	nm_config_free(config);
}

static void test_largest(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);
	struct nm_config *config;

	(void)state;
	assert_non_null(file);
	fprintf(file, "listen = { ");
	for (int i = 0; i < NM_CONFIG_LISTEN_MAX; i++)
		fprintf(file, "%s\"2001:db8:1111:2222:3333:4444:5555:66%02x\"", i ? ", " : "", i);
	fprintf(file, " }\n");
	for (int i = 0; i < NM_CONFIG_SERVERS_MAX; i++)
		fprintf(file, "stun-server s%d { address = [2001:db8::%x] }\n", i, i + 1);
	for (int i = 0; i < NM_CONFIG_PEERS_MAX; i++)
		fprintf(file, "peer p%d { remote = [2001:db8::2]:%d }\n", i, i + 1000);
	fclose(file);
	config = parse(text);
	free(text);
	assert_int_equal(config->peers_len, NM_CONFIG_PEERS_MAX);
	assert_string_equal(config->peers[1023].name, "p1023");
	assert_addr(&config->peers[1023].remote, "[2001:db8::2]:2023");
	text = print(config);
	assert_non_null(strstr(text, ":660f\" }\n"));
	nm_config_free(parse(text));
	free(text);
	nm_config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_mux),
		cmocka_unit_test(test_mux_largest),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_print_of_defaults),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_largest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
