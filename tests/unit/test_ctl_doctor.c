/* SPDX-License-Identifier: Apache-2.0 */
/* What natmuxctl doctor makes of facts: a row for each, and whether natmux will work. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/capability.h>
#include "ctl/commands.h"
#include "ctl/doctor.h"
#include "golden.h"

static const struct nm_doctor_probe works = {.works = NM_YES}, not_tried = {.works = NM_UNKNOWN};

static struct nm_doctor_probe refused(int error)
{
	return (struct nm_doctor_probe){.works = NM_NO, .error = error};
}

/* A gateway on which all is well: charon runs, natmuxd does not yet. */
static struct nm_doctor_facts good_machine(void)
{
	return (struct nm_doctor_facts){
		.port = 4500,
		.tun = "natmux0",
		.kernel = "6.12.0",
		.capabilities = UINT64_MAX,
		.daemons = {{.name = "natmuxd"},
			{.name = "charon", .path = "/usr/lib/ipsec/charon", .pid = 12},
			{.name = "charon-systemd"}, {.name = "pluto"}, {.name = "iked"}},
		.rmem_max = 8388608,
		.wmem_max = 8388608,
		.rp_filter_all = 0,
		.rp_filter_default = 2,
		.rp_filter_tun = -1,
		.has_ipv6 = true,
		.has_xfrm = true,
		.bind4 = works,
		.bind6 = works,
		.gro = works,
		.gso = works,
		.encap = works,
		.bypass = works,
		.steering = works,
		.pidfd_getfd = works,
		.tun_open = works,
		.tun_tso = works,
		.tun_uso = works,
		.esp4 = works,
		.esp6 = works,
	};
}

static void hold_port(struct nm_doctor_facts *f, const char *where, int pid, const char *name)
{
	struct nm_doctor_holder *holder = &f->holders[f->holders_n++];

	assert_int_equal(natmux_addr_parse(where, 0, &holder->local), 0);
	holder->pid = pid;
	snprintf(holder->name, sizeof(holder->name), "%s", name);
	if (holder->local.port == f->port && holder->local.family == NATMUX_FAMILY_IPV4)
		f->bind4 = refused(EADDRINUSE);
	else if (holder->local.port == f->port)
		f->bind6 = refused(EADDRINUSE);
}

static void nothing(struct nm_doctor_facts *f)
{
	(void)f;
}

static void charon_has_port(struct nm_doctor_facts *f)
{
	hold_port(f, "0.0.0.0:4500", 12, "charon");
	hold_port(f, "[::]:4500", 12, "charon");
	hold_port(f, "0.0.0.0:500", 12, "charon");
}

static void stranger_has_ipv4(struct nm_doctor_facts *f)
{
	hold_port(f, "192.0.2.1:4500", 77, "vpnd");
}

static void hidden_has_ipv6(struct nm_doctor_facts *f)
{
	hold_port(f, "[::]:4500", 0, "");
}

static void natmuxd_has_port(struct nm_doctor_facts *f)
{
	hold_port(f, "0.0.0.0:4500", 5, "natmuxd");
	hold_port(f, "[::]:4500", 5, "natmuxd");
	f->daemons[NM_DOCTOR_NATMUXD].pid = 5;
	f->has_tun = true;
}

static void natmuxd_and_pluto(struct nm_doctor_facts *f)
{
	hold_port(f, "192.0.2.1:4500", 5, "natmuxd");
	hold_port(f, "100.64.0.1:4500", 6, "pluto");
	hold_port(f, "192.0.2.2:4500", 5, "natmuxd");
}

/* A dual-stack socket of another takes IPv4 along, though only udp6 lists it. */
static void dual_stack(struct nm_doctor_facts *f)
{
	hold_port(f, "[::]:4500", 9, "iked");
	f->bind4 = refused(EADDRINUSE);
}

static void iked_has_port(struct nm_doctor_facts *f)
{
	dual_stack(f); /* charon runs, too, in another namespace */
	f->daemons[NM_DOCTOR_IKED].pid = 9;
}

static void no_ipv6(struct nm_doctor_facts *f)
{
	f->has_ipv6 = false;
	f->disable_ipv6 = -1;
	f->bind6 = refused(EAFNOSUPPORT);
}

static void ipv6_off(struct nm_doctor_facts *f)
{
	f->disable_ipv6 = 1;
}

static void no_daemon(struct nm_doctor_facts *f)
{
	f->daemons[NM_DOCTOR_CHARON].path = NULL;
	f->daemons[NM_DOCTOR_CHARON].pid = 0;
}

static void pluto_installed(struct nm_doctor_facts *f)
{
	no_daemon(f);
	f->daemons[NM_DOCTOR_PLUTO].path = "/usr/libexec/ipsec/pluto";
}

static void no_offload(struct nm_doctor_facts *f)
{
	f->gro = refused(ENOPROTOOPT);
	f->gso = refused(ENOPROTOOPT);
	f->tun_tso = refused(EINVAL);
	f->tun_uso = refused(EINVAL);
}

static void only_tso(struct nm_doctor_facts *f)
{
	f->tun_uso = refused(EINVAL);
}

static void small_buffers(struct nm_doctor_facts *f)
{
	f->rmem_max = f->wmem_max = 212992;
	f->capabilities = 0;
}

static void small_buffers_and_rights(struct nm_doctor_facts *f)
{
	f->rmem_max = f->wmem_max = 212992;
}

static void no_limits_to_read(struct nm_doctor_facts *f)
{
	f->rmem_max = f->wmem_max = -1;
	f->capabilities = 0;
}

static void no_tun_device(struct nm_doctor_facts *f)
{
	f->tun_open = refused(ENOENT);
	f->tun_tso = f->tun_uso = not_tried;
}

static void tun_forbidden(struct nm_doctor_facts *f)
{
	f->tun_open = refused(EPERM);
}

static void user(struct nm_doctor_facts *f)
{
	f->uid = 1000;
	f->capabilities = 0;
	f->tun_open = refused(EPERM);
	f->tun_tso = f->tun_uso = f->esp4 = f->esp6 = not_tried;
	f->bypass = refused(EPERM);
}

static void tun_name_taken(struct nm_doctor_facts *f)
{
	f->has_tun = true;
}

static void strict_filter(struct nm_doctor_facts *f)
{
	f->rp_filter_default = 1;
}

static void strict_filter_on_device(struct nm_doctor_facts *f)
{
	f->rp_filter_tun = 1;
}

static void strict_everywhere_loose_device(struct nm_doctor_facts *f)
{
	f->rp_filter_all = 1;
	f->rp_filter_tun = 2;
}

static void esp_blacklisted(struct nm_doctor_facts *f)
{
	strcpy(f->blacklisted_esp4, "/etc/modprobe.d/no-esp.conf:3");
	f->esp4 = not_tried;
}

static void esp_missing(struct nm_doctor_facts *f)
{
	f->esp4 = f->esp6 = refused(EPROTONOSUPPORT);
}

static void no_aes_gcm(struct nm_doctor_facts *f)
{
	f->esp6 = refused(ENOSYS);
}

static void no_xfrm(struct nm_doctor_facts *f)
{
	f->has_xfrm = false;
	f->bypass = refused(ENOPROTOOPT);
	f->encap = refused(ENOPROTOOPT);
	f->esp4 = f->esp6 = refused(EPROTONOSUPPORT);
}

static void gro_lists(struct nm_doctor_facts *f)
{
	strcpy(f->gro_lists, "eth0, wan");
}

static void no_steering(struct nm_doctor_facts *f)
{
	f->steering = refused(EPERM);
	f->pidfd_getfd = refused(ENOSYS);
}

static void nothing_tried(struct nm_doctor_facts *f)
{
	f->bind4 = f->bind6 = f->gro = f->gso = f->encap = f->bypass = f->steering = not_tried;
	f->pidfd_getfd = f->tun_open = f->tun_tso = f->tun_uso = f->esp4 = f->esp6 = not_tried;
}

/* The row with this name: a check, or a mode as "handoff relay". */
static const struct nm_doctor_row *find_row(const struct nm_doctor_report *report, const char *name)
{
	char mode[64];

	for (size_t i = 0; i < report->checks_n; i++)
		if (strcmp(report->checks[i].name, name) == 0)
			return &report->checks[i];
	for (size_t i = 0; i < report->modes_n; i++) {
		snprintf(mode, sizeof(mode), "%s %s", report->modes[i].kind,
			report->modes[i].row.name);
		if (strcmp(mode, name) == 0)
			return &report->modes[i].row;
	}
	fail_msg("no row %s", name);
	return NULL;
}

enum { OK = NM_VERDICT_OK, WARN = NM_VERDICT_WARN, NO = NM_VERDICT_NO };

static const struct {
	void (*change)(struct nm_doctor_facts *f);
	const char *row;
	int verdict;
	const char *finding, *why, *fix; /* parts; "" wants an empty text, NULL any */
} cases[] = {
	{nothing, "port-4500-ipv4", OK, "free", "", ""},
	{nothing, "attach own", OK, "works", "", ""},
	{nothing, "attach join", OK, "works once charon (process 12) has UDP port 4500", "", ""},
	{nothing, "handoff relay", OK, "works", "", ""},
	{nothing, "handoff inject", WARN, "shares the port", "5.9.8", "relay"},
	{nothing, "handoff unix", OK, "works", "", ""},
	{nothing, "esp daemon", OK, "works", "", ""},
	{nothing, "handoff none", OK, "works, with esp = user", "", ""},
	{nothing, "esp user", OK, "works, with SAs from", "", ""},
	{nothing, "esp kernel", OK, "with the IKE daemon's", "", ""},

	{charon_has_port, "port-4500-ipv4", NO, "charon (process 12) has 0.0.0.0:4500",
		"attach = own", "attach = join; or let charon listen elsewhere"},
	{charon_has_port, "port-4500-ipv6", NO, "charon (process 12) has [::]:4500", NULL, NULL},
	{charon_has_port, "port-500", OK, "charon (process 12) has 0.0.0.0:500", "", ""},
	{charon_has_port, "attach own", NO, "will not work", "taken", ""},
	{charon_has_port, "attach join", OK, "recommended: charon (process 12) keeps its port", "",
		""},
	{stranger_has_ipv4, "port-4500-ipv4", NO, "vpnd (process 77) has 192.0.2.1:4500", NULL,
		"stop it"},
	{stranger_has_ipv4, "attach own", WARN, "IPv6 only", "IPv4", "\"::\""},
	{hidden_has_ipv6, "port-4500-ipv6", NO, "cannot be seen from here", NULL, "as root"},
	{hidden_has_ipv6, "attach own", WARN, "IPv4 only", "IPv6", "\"0.0.0.0\""},
	{natmuxd_has_port, "port-4500-ipv4", OK, "natmuxd (process 5)", "", ""},
	{natmuxd_has_port, "attach own", OK, NULL, "", ""},
	{natmuxd_has_port, "tun", OK, "works", "", ""},
	{natmuxd_and_pluto, "port-4500-ipv4", NO, "pluto (process 6) has 100.64.0.1:4500", NULL,
		"attach = join"},
	{dual_stack, "port-4500-ipv4", NO, "cannot be had: Address already in use", NULL, NULL},
	{dual_stack, "port-4500-ipv6", NO, "iked (process 9) has [::]:4500", NULL, "attach = join"},
	{dual_stack, "attach own", NO, NULL, NULL, NULL},
	{iked_has_port, "attach join", OK, "recommended: iked (process 9) keeps its port", "", ""},

	{no_ipv6, "port-4500-ipv6", WARN, "cannot be had", "address family", "listen"},
	{no_ipv6, "ipv6", WARN, "not in this kernel", NULL, "daemon6 = \"\""},
	{no_ipv6, "attach own", WARN, "IPv4 only", NULL, NULL},
	{ipv6_off, "ipv6", WARN, "disable_ipv6", NULL, NULL},
	{no_daemon, "ike-daemon", WARN, "none found", NULL, "strongSwan"},
	{no_daemon, "esp daemon", WARN, "as soon as", "", ""},
	{no_daemon, "attach join", OK, "once there is an IKE daemon", "", ""},
	{pluto_installed, "attach join", OK, "works once pluto runs", "", ""},
	{pluto_installed, "ike-daemon", OK, "pluto is installed (/usr/libexec/ipsec/pluto)", "",
		""},

	{no_offload, "udp-gro", WARN, "refused", "UDP_GRO: Protocol not available", "5.0"},
	{no_offload, "udp-gso", WARN, "refused", "UDP_SEGMENT", "4.18"},
	{no_offload, "tun-offload", WARN, "none", NULL, "6.2"},
	{only_tso, "tun-offload", WARN, "TCP only", NULL, NULL},
	{small_buffers, "receive-buffer", WARN, "212992, wanted 4194304", "lost",
		"sysctl -w net.core.rmem_max=4194304"},
	{small_buffers, "send-buffer", WARN, "wmem_max", NULL, "net.core.wmem_max=4194304"},
	{small_buffers_and_rights, "receive-buffer", OK, "CAP_NET_ADMIN goes beyond", "", ""},
	{no_limits_to_read, "receive-buffer", OK, "no limit", "", ""},

	{no_tun_device, "tun", NO, "No such file", NULL, "modprobe tun"},
	{no_tun_device, "tun-offload", OK, "not tried", "", ""},
	{no_tun_device, "handoff relay", NO, "will not work", "see tun", ""},
	{no_tun_device, "handoff inject", NO, "will not work", "see tun", ""},
	{no_tun_device, "handoff unix", OK, "works", "", ""},
	{no_tun_device, "handoff none", NO, "will not work", "see tun", ""},
	{no_tun_device, "esp user", NO, "will not work", "see tun", ""},
	{tun_forbidden, "tun", NO, "not permitted", NULL, "container"},
	{user, "rights", WARN, "user 1000, without", NULL, "as root"},
	{user, "tun", OK, "not tried", "", ""},
	{user, "handoff relay", WARN, "not known", NULL, "as root"},
	{user, "handoff none", WARN, "not known", NULL, "as root"},
	{user, "esp user", WARN, "not known", NULL, "as root"},
	{user, "esp kernel", WARN, "was not tried", NULL, "as root"},
	{user, "attach join", WARN, "was not tried", "", "as root"},
	{user, "ipsec-bypass", WARN, "refused", "swallow", "CAP_NET_ADMIN"},
	{tun_name_taken, "tun", WARN, "natmux0 is there", NULL, "ip link delete natmux0"},

	{strict_filter, "rp-filter", OK, "all 0, default 1, natmux0 -", "", ""},
	{strict_filter, "handoff inject", NO, "will not work", "strict reverse path",
		"net.ipv4.conf.default.rp_filter=2"},
	{strict_filter, "handoff relay", OK, "works", "", ""},
	{strict_filter_on_device, "handoff inject", NO, NULL, "strict reverse path",
		"sysctl -w net.ipv4.conf.natmux0.rp_filter=2"},
	{strict_everywhere_loose_device, "handoff inject", WARN, "shares the port", NULL, NULL},

	{esp_blacklisted, "kernel-esp", WARN, "forbidden in /etc/modprobe.d/no-esp.conf:3",
		"cannot bring up", "kernel-libipsec"},
	{esp_blacklisted, "esp daemon", WARN, "does ESP itself", NULL, "kernel-libipsec"},
	{esp_blacklisted, "esp kernel", NO, "will not work", "see kernel-esp above", "esp = user"},
	{esp_missing, "esp kernel", NO, "will not work",
		"this kernel has no ESP (CONFIG_INET_ESP); use esp = user", ""},
	{esp_missing, "kernel-esp", WARN, "no ESP in this kernel", NULL, "INET_ESP"},
	{no_aes_gcm, "kernel-esp", WARN, "esp4 works, esp6 does not work (no AES-GCM", NULL, NULL},
	{no_xfrm, "kernel-esp", WARN, "no UDP_ENCAP", NULL, NULL},
	{no_xfrm, "ipsec-bypass", OK, "no IPsec to bypass", "", ""},
	{no_steering, "steering", OK, "refused", "", ""},
	{no_steering, "rx-gro-list", OK, "none", "", ""},
	{gro_lists, "rx-gro-list", WARN, "eth0, wan", "STUN message behind ESP is lost",
		"ethtool -K DEVICE rx-gro-list off"},
	{no_steering, "attach join", NO, "will not work", "pidfd_getfd", "5.6"},
	{nothing_tried, "port-4500-ipv4", OK, "free", "", ""},
	{nothing_tried, "udp-gro", OK, "not tried", "", ""},
	{nothing_tried, "kernel-esp", OK, "esp4 not tried, esp6 not tried", "", ""},
	{nothing_tried, "handoff relay", WARN, "not known", "", "as root"},
};

static void expect_part(const char *row, const char *text, const char *part)
{
	if (!part || (!*part && !*text) || (*part && strstr(text, part)))
		return;
	fail_msg("%s: \"%s\" should hold \"%s\"", row, text, part);
}

static void test_judgement(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_doctor_facts facts = good_machine();
		struct nm_doctor_report report;
		const struct nm_doctor_row *row;

		cases[i].change(&facts);
		nm_doctor_judge(&facts, &report);
		row = find_row(&report, cases[i].row);
		if ((int)row->verdict != cases[i].verdict)
			fail_msg("case %zu: %s is %s: %s", i, cases[i].row,
				nm_verdict_name(row->verdict), row->finding);
		expect_part(cases[i].row, row->finding, cases[i].finding);
		expect_part(cases[i].row, row->why, cases[i].why);
		expect_part(cases[i].row, row->fix, cases[i].fix);
	}
}

/* Whatever is found, no row is empty and none says "no" without a reason. */
static void test_every_row_speaks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_doctor_facts facts = good_machine();
		struct nm_doctor_report report;

		cases[i].change(&facts);
		nm_doctor_judge(&facts, &report);
		assert_true(report.checks_n <= NM_DOCTOR_CHECKS);
		assert_int_equal(report.modes_n, NM_DOCTOR_MODES);
		for (size_t r = 0; r < report.checks_n; r++) {
			const struct nm_doctor_row *row = &report.checks[r];

			assert_true(row->name[0] && row->finding[0]);
			if (row->verdict == NM_VERDICT_NO)
				assert_true(row->why[0] && row->fix[0]);
		}
		for (size_t m = 0; m < report.modes_n; m++) {
			assert_true(report.modes[m].row.finding[0]);
			if (report.modes[m].row.verdict == NM_VERDICT_NO)
				assert_true(report.modes[m].row.why[0]);
		}
	}
}

static void test_works_or_not(void **state)
{
	static const struct {
		void (*change)(struct nm_doctor_facts *f);
		bool works;
	} verdicts[] = {{nothing, true}, {charon_has_port, true}, {dual_stack, true},
		{stranger_has_ipv4, true}, {no_tun_device, true}, {esp_missing, true}, {user, true},
		{natmuxd_has_port, true}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		struct nm_doctor_facts facts = good_machine();
		struct nm_doctor_report report;

		verdicts[i].change(&facts);
		nm_doctor_judge(&facts, &report);
		assert_int_equal(report.works, verdicts[i].works);
	}
}

static void test_golden(void **state)
{
	struct nm_doctor_facts facts = good_machine();
	struct nm_doctor_report report;
	char *text = NULL;
	size_t len;
	struct nm_ctl ctl = {.out = open_memstream(&text, &len)};
	json_t *json;

	(void)state;
	charon_has_port(&facts);
	esp_missing(&facts);
	nm_doctor_judge(&facts, &report);
	nm_ctl_print_report(&ctl, &report);
	fclose(ctl.out);
	expect_golden("doctor.txt", text);
	free(text);
	json = nm_ctl_report_json(&report);
	text = json_dumps(json, JSON_INDENT(1));
	expect_golden("doctor.json", text);
	free(text);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judgement),
		cmocka_unit_test(test_every_row_speaks),
		cmocka_unit_test(test_works_or_not),
		cmocka_unit_test(test_golden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
