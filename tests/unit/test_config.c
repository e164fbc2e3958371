/* SPDX-License-Identifier: Apache-2.0 */
/* Good configurations: defaults, every key, the form that is printed, the files that tell of it. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>
#include "daemon/config_value.h"

static struct nm_config *parse(const char *text)
{
	struct nm_config *config = NULL;
	char message[NM_CONFIG_MESSAGE_SIZE];

	if (nm_config_parse(
		    "natmux.conf", text, strlen(text), NULL, &config, message, sizeof(message)) < 0)
		fail_msg("%s", message);
	assert_string_equal(message, "");
	return config;
}

static char *print(const struct nm_config *config)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	nm_config_print(config, file);
	fclose(file);
	return text;
}

static char *read_source(const char *name)
{
	const char *source = getenv("NATMUX_SOURCE");
	char path[512], *text = calloc(1, 1 << 18);
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", source ? source : ".", name);
	file = fopen(path, "r");
	if (!file || !text)
		fail_msg("cannot read %s", path);
	assert_true(fread(text, 1, (1 << 18) - 1, file) > 0);
	fclose(file);
	return text;
}

static void assert_addr(const struct natmux_addr *addr, const char *text)
{
	char got[NATMUX_ADDR_TEXT];

	assert_string_equal(natmux_addr_format(addr, got), text);
}

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

/* daemon/natmux.conf shows the defaults, and every key of every section without title. */
static void test_example_file(void **state)
{
	char *text = read_source("daemon/natmux.conf"), *defaults, *example;
	struct nm_config *config = parse(text), *empty = parse("");

	(void)state;
	defaults = print(empty);
	example = print(config);
	assert_string_equal(example, defaults);
	for (size_t s = 0; s < nm_config_sections_len; s++) {
		const struct nm_config_section *section = &nm_config_sections[s];

		for (size_t k = 0; k < section->keys_len && !section->is_titled; k++) {
			const char *key = section->keys[k].name;
			bool is_there = nm_config_line_of(config, section->name, key) > 0;

			/* No interface of that name is everywhere: it stands in a comment. */
			if (!is_there && strcmp(key, "device") != 0)
				fail_msg("daemon/natmux.conf lacks %s.%s", section->name, key);
		}
	}
	assert_non_null(strstr(text, "# device = "));
	assert_non_null(strstr(text, "# peer \"branch\" {"));
	assert_non_null(strstr(text, "#\tremote = "));
	assert_non_null(strstr(text, "#\talias = "));
	assert_non_null(strstr(text, "# sa \"branch-in\" {"));
	assert_non_null(strstr(text, "# policy \"branch\" {"));
	assert_non_null(strstr(text, "# stun-server \"a\" {"));
	assert_non_null(strstr(text, "#\taddress = "));
	free(text);
	free(defaults);
	free(example);
	nm_config_free(config);
	nm_config_free(empty);
}

/* The examples in comments are good as well. */
static void test_example_comments(void **state)
{
	char *text = read_source("daemon/natmux.conf"), *bare = calloc(1, strlen(text) + 20);
	struct nm_config *config;
	bool is_inside = false;

	(void)state;
	assert_non_null(bare);
	strcpy(bare, "esp = user\n");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (strstr(line, "\" {") && strncmp(line, "# ", 2) == 0)
			is_inside = true;
		if (is_inside || strncmp(line, "# device", 8) == 0)
			strcat(strcat(bare, line + 2), "\n");
		if (strncmp(line, "# }", 3) == 0)
			is_inside = false;
	}
	config = parse(bare);
	assert_string_equal(config->device, "eth0");
	assert_int_equal(config->peers_len, 1);
	assert_int_equal(config->servers_len, 1);
	assert_int_equal(config->sas_len, 2);
	assert_int_equal(config->policies_len, 1);
	nm_config_free(config);
	free(text);
	free(bare);
}

/* Whether `.It Ic KEY No = DEFAULT` stands under `.Ss SECTION`, as the table has it. */
static void want_in_page(
	const char *page, const struct nm_config_section *section, const struct nm_config_key *key)
{
	char heading[64], item[64], words[256];
	const char *at = page, *end;

	snprintf(
		heading, sizeof(heading), "\n.Ss %s\n", *section->name ? section->name : "General");
	at = strstr(page, heading);
	if (!at) {
		fail_msg("natmux.conf.5 lacks .Ss %s", section->name);
		return; /* for analyzers: fail_msg() does not come back */
	}
	end = strstr(at + 1, "\n.Ss ");
	snprintf(item, sizeof(item), "\n.It Ic %s No = ", key->name);
	at = strstr(at, item);
	if (!at || (end && at > end)) {
		fail_msg("natmux.conf.5 lacks %s in %s", key->name, section->name);
		return;
	}
	if (!key->initial || !*key->initial || key->type->is_list)
		return;
	at += strlen(item);
	snprintf(words, sizeof(words), "%.*s", (int)strcspn(at, "\n"), at);
	if (!strstr(words, key->initial))
		fail_msg(
			"natmux.conf.5: %s: default is %s, not %s", key->name, key->initial, words);
}

static void test_man_page(void **state)
{
	char *page = read_source("docs/natmux.conf.5");
	size_t items = 0, keys = 0;

	(void)state;
	for (size_t s = 0; s < nm_config_sections_len; s++)
		for (size_t k = 0; k < nm_config_sections[s].keys_len; k++, keys++)
			want_in_page(page, &nm_config_sections[s], &nm_config_sections[s].keys[k]);
	/* None that is no key. */
	for (const char *at = page; (at = strstr(at, "\n.It Ic ")) != NULL; at++)
		items++;
	assert_int_equal(items, keys);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_mux),
		cmocka_unit_test(test_mux_largest),
		cmocka_unit_test(test_kernel_keys),
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_print_of_defaults),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_sa),
		cmocka_unit_test(test_tun_mtu),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_example_file),
		cmocka_unit_test(test_example_comments),
		cmocka_unit_test(test_man_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
