/* SPDX-License-Identifier: Apache-2.0 */
/* What each fact means for natmux, one row for each, with a remedy. Pure: facts in, rows out. */
#include "ctl/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/capability.h>

/* A new row; the caller says the rest. */
static struct nm_doctor_row *add(
	struct nm_doctor_report *report, const char *name, enum nm_verdict verdict)
{
	struct nm_doctor_row *row = &report->checks[report->checks_n++];

	*row = (struct nm_doctor_row){.verdict = verdict};
	snprintf(row->name, sizeof(row->name), "%s", name);
	return row;
}

static void judge_kernel(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	struct nm_doctor_row *row = add(report, "kernel", NM_VERDICT_OK);

	nm_doctor_say(row->finding, "Linux %s", facts->kernel);
}

static void judge_rights(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	bool may = nm_doctor_may(facts, CAP_NET_ADMIN);
	struct nm_doctor_row *row = add(report, "rights", may ? NM_VERDICT_OK : NM_VERDICT_WARN);

	nm_doctor_say(
		row->finding, "user %d, %s CAP_NET_ADMIN", facts->uid, may ? "with" : "without");
	if (may)
		return;
	nm_doctor_say(row->why, "some of what follows could not be tried; natmuxd itself needs "
				"CAP_NET_ADMIN for a TUN device");
	nm_doctor_say(row->fix, "run natmuxctl doctor as root; natmuxd.service gives natmuxd what "
				"it needs");
}

/* "charon (process 12) at 0.0.0.0:4500" */
static void describe_holder(const struct nm_doctor_holder *holder, char text[NM_DOCTOR_TEXT])
{
	char addr[NATMUX_ADDR_TEXT];

	natmux_addr_format(&holder->local, addr);
	if (holder->pid > 0)
		nm_doctor_say(text, "%s (process %d) has %s", holder->name, holder->pid, addr);
	else
		nm_doctor_say(text, "a process that cannot be seen from here has %s", addr);
}

static bool is_ike_daemon(const struct nm_doctor_facts *facts, const char *name)
{
	for (size_t i = NM_DOCTOR_CHARON; i < NM_DOCTOR_DAEMONS; i++)
		if (strcmp(facts->daemons[i].name, name) == 0)
			return true;
	return false;
}

static void say_remedy(
	const struct nm_doctor_facts *facts, const struct nm_doctor_holder *holder, char *fix)
{
	if (holder && strncmp(holder->name, "charon", 6) == 0)
		nm_doctor_say(fix, "attach = join; or let charon listen elsewhere: "
				   "charon.port_nat_t = 14500 in strongswan.conf, and handoff = "
				   "relay");
	else if (holder && is_ike_daemon(facts, holder->name))
		nm_doctor_say(fix, "attach = join");
	else if (holder && holder->pid == 0)
		nm_doctor_say(fix, "run natmuxctl doctor as root to see who it is");
	else
		nm_doctor_say(fix,
			"stop it, or let one of the two listen on other addresses (listen in "
			"natmux.conf) or another port than %u",
			facts->port);
}

static bool lacks_family(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == EPFNOSUPPORT;
}

static void judge_port(const struct nm_doctor_facts *facts, struct nm_doctor_report *report,
	enum natmux_family family)
{
	const struct nm_doctor_holder *holder = nm_doctor_holder(facts, facts->port, family);
	const struct nm_doctor_probe *bind =
		family == NATMUX_FAMILY_IPV4 ? &facts->bind4 : &facts->bind6;
	bool is_ours = nm_doctor_port_is_ours(facts, family);
	struct nm_doctor_row *row = add(report, "", is_ours ? NM_VERDICT_OK : NM_VERDICT_NO);

	snprintf(row->name, sizeof(row->name), "port-%u-ipv%d", facts->port, (int)family);
	if (holder)
		describe_holder(holder, row->finding);
	else if (is_ours)
		nm_doctor_say(row->finding, "free");
	else
		nm_doctor_say(row->finding, "cannot be had: %s", strerror(bind->error));
	if (is_ours)
		return;
	if (!holder && lacks_family(bind->error)) {
		row->verdict = NM_VERDICT_WARN;
		nm_doctor_say(row->why, "this machine does not have the address family");
		nm_doctor_say(row->fix, "leave its addresses out of listen in natmux.conf");
		return;
	}
	nm_doctor_say(row->why, "attach = own needs the port for itself: IKE daemons that share it "
				"(charon before 5.9.8) would take datagrams away");
	say_remedy(facts, holder, row->fix);
}

/* Only told: natmux never touches port 500, where IKE begins when no NAT is known of. */
static void judge_port_500(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	const struct nm_doctor_holder *holder =
		nm_doctor_holder(facts, NM_DOCTOR_IKE_PORT, NATMUX_FAMILY_IPV4);
	struct nm_doctor_row *row = add(report, "port-500", NM_VERDICT_OK);

	if (!holder)
		holder = nm_doctor_holder(facts, NM_DOCTOR_IKE_PORT, NATMUX_FAMILY_IPV6);
	if (holder)
		describe_holder(holder, row->finding);
	else
		nm_doctor_say(row->finding, "nobody has it");
}

static void judge_ike_daemon(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	const struct nm_doctor_daemon *daemon = nm_doctor_ike_daemon(facts);
	struct nm_doctor_row *row =
		add(report, "ike-daemon", daemon ? NM_VERDICT_OK : NM_VERDICT_WARN);

	if (daemon && daemon->pid > 0) {
		nm_doctor_say(row->finding, "%s runs (process %d)", daemon->name, daemon->pid);
	} else if (daemon) {
		nm_doctor_say(row->finding, "%s is installed (%s) and does not run", daemon->name,
			daemon->path);
	} else {
		nm_doctor_say(row->finding, "none found");
		nm_doctor_say(row->why, "natmux hands IKE to a daemon on this machine");
		nm_doctor_say(row->fix, "install strongSwan, libreswan or OpenIKED, or use "
					"handoff = unix with a program of your own");
	}
}

static void judge_offload(struct nm_doctor_report *report, const char *name,
	const struct nm_doctor_probe *probe, const char *option, const char *since)
{
	struct nm_doctor_row *row =
		add(report, name, probe->works == NM_NO ? NM_VERDICT_WARN : NM_VERDICT_OK);

	if (probe->works == NM_UNKNOWN)
		nm_doctor_say(row->finding, "not tried");
	else
		nm_doctor_say(row->finding, "%s", probe->works == NM_YES ? "works" : "refused");
	if (probe->works != NM_NO)
		return;
	nm_doctor_say(row->why,
		"%s: %s; natmux does without, at the price of one system call for "
		"every few datagrams",
		option, strerror(probe->error));
	nm_doctor_say(row->fix, "Linux %s or later has it", since);
}

static void judge_buffer(const struct nm_doctor_facts *facts, struct nm_doctor_report *report,
	const char *name, const char *sysctl, long max)
{
	bool is_enough = max < 0 || max >= NM_DOCTOR_BUFFER;
	bool may = nm_doctor_may(facts, CAP_NET_ADMIN);
	struct nm_doctor_row *row =
		add(report, name, is_enough || may ? NM_VERDICT_OK : NM_VERDICT_WARN);

	if (max < 0)
		nm_doctor_say(row->finding, "no limit to be read");
	else
		nm_doctor_say(row->finding, "%s %ld, wanted %d%s", sysctl, max, NM_DOCTOR_BUFFER,
			!is_enough && may ? "; CAP_NET_ADMIN goes beyond" : "");
	if (row->verdict == NM_VERDICT_OK)
		return;
	nm_doctor_say(row->why, "a burst that comes while natmuxd is busy is lost in the kernel");
	nm_doctor_say(row->fix, "sysctl -w %s=%d, or CAP_NET_ADMIN for natmuxd", sysctl,
		NM_DOCTOR_BUFFER);
}

static void say_no_tun(int error, struct nm_doctor_row *row)
{
	row->verdict = NM_VERDICT_NO;
	nm_doctor_say(row->finding, "no device: %s", strerror(error));
	nm_doctor_say(row->why, "the handoffs relay and inject go through a TUN device");
	if (error == ENOENT || error == ENODEV || error == ENXIO)
		nm_doctor_say(row->fix, "modprobe tun; a container has to be given /dev/net/tun");
	else if (error == EPERM || error == EACCES)
		nm_doctor_say(row->fix, "a container has to be allowed to use /dev/net/tun");
	else
		nm_doctor_say(row->fix, "handoff = unix needs no TUN device");
}

static void judge_tun(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	bool runs = facts->daemons[NM_DOCTOR_NATMUXD].pid > 0;
	struct nm_doctor_row *row = add(report, "tun", NM_VERDICT_OK);

	if (nm_doctor_can_tun(facts) == NM_NO) {
		say_no_tun(facts->tun_open.error, row);
	} else if (facts->has_tun && !runs) {
		row->verdict = NM_VERDICT_WARN;
		nm_doctor_say(row->finding, "an interface %s is there, and natmuxd does not run",
			facts->tun);
		nm_doctor_say(
			row->why, "natmuxd cannot make its device under a name that is taken");
		nm_doctor_say(row->fix, "ip link delete %s, or another name for tun in natmux.conf",
			facts->tun);
	} else if (nm_doctor_can_tun(facts) == NM_YES) {
		nm_doctor_say(row->finding, "works");
	} else {
		nm_doctor_say(row->finding, "not tried");
	}
}

static void judge_tun_offload(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	bool tso = facts->tun_tso.works == NM_YES, uso = facts->tun_uso.works == NM_YES;
	bool tried = facts->tun_open.works == NM_YES;
	struct nm_doctor_row *row =
		add(report, "tun-offload", tried && !uso ? NM_VERDICT_WARN : NM_VERDICT_OK);

	nm_doctor_say(row->finding, "%s",
		!tried ? "not tried"
		: uso  ? "TCP and UDP"
		: tso  ? "TCP only"
		       : "none");
	if (row->verdict == NM_VERDICT_OK)
		return;
	nm_doctor_say(row->why, "UDP crosses the device packet by packet: slower, nothing else");
	nm_doctor_say(row->fix, "Linux 6.2 or later has it");
}

static const char *number_or_dash(int number, char text[12])
{
	if (number < 0)
		strcpy(text, "-");
	else
		snprintf(text, 12, "%d", number);
	return text;
}

/* Its meaning for handoff = inject is judged with the modes; relay does not mind any value. */
static void judge_rp_filter(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	struct nm_doctor_row *row = add(report, "rp-filter", NM_VERDICT_OK);
	char all[12], normal[12], tun[12];

	nm_doctor_say(row->finding, "all %s, default %s, %s %s",
		number_or_dash(facts->rp_filter_all, all),
		number_or_dash(facts->rp_filter_default, normal), facts->tun,
		number_or_dash(facts->rp_filter_tun, tun));
}

static void judge_ipv6(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	bool is_on = facts->has_ipv6 && facts->disable_ipv6 != 1;
	struct nm_doctor_row *row = add(report, "ipv6", is_on ? NM_VERDICT_OK : NM_VERDICT_WARN);

	nm_doctor_say(row->finding, "%s",
		is_on             ? "on"
		: facts->has_ipv6 ? "switched off (net.ipv6.conf.all.disable_ipv6)"
				  : "not in this kernel");
	if (is_on)
		return;
	nm_doctor_say(row->why, "natmuxd listens on \"::\" unless told otherwise");
	nm_doctor_say(row->fix, "listen = { \"0.0.0.0\" } and relay daemon6 = \"\" in natmux.conf");
}

static void judge_bypass(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	bool matters = facts->has_xfrm && facts->bypass.works == NM_NO;
	struct nm_doctor_row *row =
		add(report, "ipsec-bypass", matters ? NM_VERDICT_WARN : NM_VERDICT_OK);

	if (facts->bypass.works == NM_YES)
		nm_doctor_say(row->finding, "works");
	else if (matters)
		nm_doctor_say(row->finding, "refused: %s", strerror(facts->bypass.error));
	else
		nm_doctor_say(row->finding, "%s",
			facts->has_xfrm ? "not tried" : "this kernel has no IPsec to bypass");
	if (!matters)
		return;
	nm_doctor_say(row->why, "an IPsec policy that covers the outer addresses too would swallow "
				"IKE and STUN of natmux's sockets");
	nm_doctor_say(row->fix, "CAP_NET_ADMIN for natmuxd");
}

/* The two errors that tell what is missing: the protocol, or the cipher of the state tried. */
static const char *esp_error(int error)
{
	switch (error) {
	case EPROTONOSUPPORT: return "no ESP in this kernel";
	case ENOSYS: return "no AES-GCM in this kernel";
	default: return strerror(error);
	}
}

static void say_esp(
	const struct nm_doctor_facts *facts, enum natmux_family family, char *text, size_t size)
{
	bool is_v4 = family == NATMUX_FAMILY_IPV4;
	const char *blacklist = is_v4 ? facts->blacklisted_esp4 : facts->blacklisted_esp6;
	const struct nm_doctor_probe *probe = is_v4 ? &facts->esp4 : &facts->esp6;
	const char *module = is_v4 ? "esp4" : "esp6";

	if (blacklist[0])
		snprintf(text, size, "%s forbidden in %s", module, blacklist);
	else if (probe->works == NM_YES)
		snprintf(text, size, "%s works", module);
	else if (probe->works == NM_UNKNOWN)
		snprintf(text, size, "%s not tried", module);
	else
		snprintf(text, size, "%s does not work (%s)", module, esp_error(probe->error));
}

static void judge_kernel_esp(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	enum nm_known esp4 = nm_doctor_kernel_esp(facts, NATMUX_FAMILY_IPV4);
	enum nm_known esp6 = nm_doctor_kernel_esp(facts, NATMUX_FAMILY_IPV6);
	bool lacks = esp4 == NM_NO || esp6 == NM_NO;
	struct nm_doctor_row *row =
		add(report, "kernel-esp", lacks ? NM_VERDICT_WARN : NM_VERDICT_OK);
	char v4[140], v6[140];

	say_esp(facts, NATMUX_FAMILY_IPV4, v4, sizeof(v4));
	say_esp(facts, NATMUX_FAMILY_IPV6, v6, sizeof(v6));
	nm_doctor_say(row->finding, "%s, %s%s", v4, v6,
		facts->encap.works == NM_NO ? ", no UDP_ENCAP" : "");
	if (!lacks)
		return;
	nm_doctor_say(
		row->why, "an IKE daemon that lets the kernel do ESP cannot bring up a tunnel");
	if (facts->blacklisted_esp4[0] || facts->blacklisted_esp6[0])
		nm_doctor_say(row->fix, "take the lines out if they are not meant, or use "
					"strongSwan with its plugin kernel-libipsec");
	else
		nm_doctor_say(row->fix, "a kernel with INET_ESP and INET6_ESP, or strongSwan with "
					"its plugin kernel-libipsec");
}

/* What only some ways to run natmux use: told here, judged with them. */
static void judge_feature(
	struct nm_doctor_report *report, const char *name, const struct nm_doctor_probe *probe)
{
	struct nm_doctor_row *row = add(report, name, NM_VERDICT_OK);

	if (probe->works == NM_NO)
		nm_doctor_say(row->finding, "refused: %s", strerror(probe->error));
	else
		nm_doctor_say(row->finding, "%s", probe->works == NM_YES ? "works" : "not tried");
}

/* Such a list goes to one socket, whatever is in it and whatever the sockets ask for. */
static void judge_gro_lists(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	bool is_made = facts->gro_lists[0] != '\0';
	struct nm_doctor_row *row =
		add(report, "rx-gro-list", is_made ? NM_VERDICT_WARN : NM_VERDICT_OK);

	nm_doctor_say(row->finding, "%s", is_made ? facts->gro_lists : "none");
	if (!is_made)
		return;
	nm_doctor_say(row->why,
		"with attach = join and esp = kernel a STUN message behind ESP is lost "
		"where the device makes lists of datagrams");
	nm_doctor_say(row->fix, "ethtool -K DEVICE rx-gro-list off, or kernel-plane gro = yes");
}

void nm_doctor_judge(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	*report = (struct nm_doctor_report){0};
	judge_kernel(facts, report);
	judge_rights(facts, report);
	judge_port(facts, report, NATMUX_FAMILY_IPV4);
	judge_port(facts, report, NATMUX_FAMILY_IPV6);
	judge_port_500(facts, report);
	judge_ike_daemon(facts, report);
	judge_offload(report, "udp-gro", &facts->gro, "UDP_GRO", "5.0");
	judge_offload(report, "udp-gso", &facts->gso, "UDP_SEGMENT", "4.18");
	judge_buffer(facts, report, "receive-buffer", "net.core.rmem_max", facts->rmem_max);
	judge_buffer(facts, report, "send-buffer", "net.core.wmem_max", facts->wmem_max);
	judge_tun(facts, report);
	judge_tun_offload(facts, report);
	judge_rp_filter(facts, report);
	judge_ipv6(facts, report);
	judge_bypass(facts, report);
	judge_kernel_esp(facts, report);
	judge_feature(report, "steering", &facts->steering);
	judge_gro_lists(facts, report);
	judge_feature(report, "pidfd-getfd", &facts->pidfd_getfd);
	nm_doctor_judge_modes(facts, report);
}
