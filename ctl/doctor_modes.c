/* SPDX-License-Identifier: Apache-2.0 */
/* Which ways to run natmux will work on this machine: attach modes, handoffs, ESP planes. */
#include "ctl/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/capability.h>
#include "dispatcher/handoff_inject.h"

#define SEE_TUN     "no TUN device can be made, see tun above"
#define NO_STEERING "SO_ATTACH_REUSEPORT_CBPF is refused here"

static struct nm_doctor_mode *add(
	struct nm_doctor_report *report, const char *kind, const char *name)
{
	struct nm_doctor_mode *mode = &report->modes[report->modes_n++];

	*mode = (struct nm_doctor_mode){.kind = kind, .machine_allows = true};
	snprintf(mode->row.name, sizeof(mode->row.name), "%s", name);
	return mode;
}

/* The machine stands in the way. */
static void forbid(struct nm_doctor_mode *mode, const char *why, const char *fix)
{
	mode->machine_allows = false;
	mode->row.verdict = NM_VERDICT_NO;
	nm_doctor_say(mode->row.why, "%s", why);
	nm_doctor_say(mode->row.fix, "%s", fix);
}

/* The last word on a mode that nothing was said of. */
static void conclude(struct nm_doctor_mode *mode)
{
	if (!mode->row.finding[0])
		nm_doctor_say(
			mode->row.finding, "%s", mode->machine_allows ? "works" : "will not work");
}

static void judge_own(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	struct nm_doctor_mode *mode = add(report, "attach", "own");
	bool v4 = nm_doctor_port_is_ours(facts, NATMUX_FAMILY_IPV4);
	bool v6 = nm_doctor_port_is_ours(facts, NATMUX_FAMILY_IPV6);

	if (!v4 && !v6) {
		forbid(mode, "the port is taken, see above", "");
	} else if (!v4 || !v6) {
		mode->row.verdict = NM_VERDICT_WARN;
		nm_doctor_say(mode->row.finding, "works for IPv%d only", v4 ? 4 : 6);
		nm_doctor_say(
			mode->row.why, "the port cannot be had for IPv%d, see above", v4 ? 6 : 4);
		nm_doctor_say(
			mode->row.fix, "listen = { \"%s\" } in natmux.conf", v4 ? "0.0.0.0" : "::");
	}
	conclude(mode);
}

/* Nothing stands in the way but, maybe, that the daemon is not there yet: it is waited for. */
static void describe_join(const struct nm_doctor_facts *facts, struct nm_doctor_row *row)
{
	const struct nm_doctor_daemon *daemon = nm_doctor_ike_daemon(facts);

	if (!daemon)
		nm_doctor_say(row->finding, "works once there is an IKE daemon");
	else if (daemon->pid == 0)
		nm_doctor_say(row->finding, "works once %s runs", daemon->name);
	else if (!nm_doctor_has_port(facts, daemon->pid))
		nm_doctor_say(row->finding, "works once %s (process %d) has UDP port %u",
			daemon->name, daemon->pid, facts->port);
	else
		nm_doctor_say(row->finding,
			"recommended: %s (process %d) keeps its port, and nothing changes in its "
			"configuration",
			daemon->name, daemon->pid);
}

static void judge_join(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	struct nm_doctor_mode *mode = add(report, "attach", "join");

	if (facts->pidfd_getfd.works == NM_NO) {
		forbid(mode, "pidfd_getfd is refused here",
			"Linux 5.6 or later; a container's seccomp filter may forbid it");
	} else if (facts->steering.works == NM_NO) {
		forbid(mode, NO_STEERING, "Linux 4.5 or later");
	} else if (!nm_doctor_may(facts, CAP_SYS_PTRACE)) { /* pidfd_getfd(2) */
		mode->row.verdict = NM_VERDICT_WARN;
		nm_doctor_say(mode->row.finding, "not known: copying a socket was not tried");
		nm_doctor_say(mode->row.fix, "run natmuxctl doctor as root");
	} else {
		describe_join(facts, &mode->row);
	}
	conclude(mode);
}

/* What all that need a device have in common; false when there is no more to say. */
static bool has_tun(const struct nm_doctor_facts *facts, struct nm_doctor_mode *mode)
{
	switch (nm_doctor_can_tun(facts)) {
	case NM_YES: return true;
	case NM_NO: forbid(mode, SEE_TUN, ""); return false;
	case NM_UNKNOWN: break;
	}
	mode->row.verdict = NM_VERDICT_WARN;
	nm_doctor_say(mode->row.finding, "not known: the TUN device was not tried");
	nm_doctor_say(mode->row.fix, "run natmuxctl doctor as root");
	return false;
}

static void judge_relay(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	struct nm_doctor_mode *mode = add(report, "handoff", "relay");

	has_tun(facts, mode);
	conclude(mode);
}

/* Taken for given: the key device, which no look at the machine can tell. */
static void judge_inject_filter(const struct nm_doctor_facts *facts, struct nm_doctor_mode *mode)
{
	/* A device that is made later begins with the default's value. */
	int of_tun = facts->rp_filter_tun >= 0 ? facts->rp_filter_tun : facts->rp_filter_default;
	struct nm_inject_facts inject = {
		.tun = facts->tun,
		.listens4 = true,
		.has_device = true,
		.tun_has_v4_address = true, /* natmuxd gives it one */
		.rp_filter_all = facts->rp_filter_all,
		.rp_filter_tun = of_tun,
	};
	char message[NM_INJECT_MESSAGE], *fix;

	if (nm_inject_check(&inject, message, sizeof(message)) == 0)
		return;
	fix = strstr(message, ": sysctl");
	if (fix)
		*fix = '\0';
	forbid(mode, message, fix ? fix + 2 : "handoff = relay");
	if (facts->rp_filter_tun < 0)
		nm_doctor_say(mode->row.fix, "sysctl -w net.ipv4.conf.default.rp_filter=2 (and "
					     "all, unless it is 0) before natmuxd starts");
}

static void judge_inject(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	struct nm_doctor_mode *mode = add(report, "handoff", "inject");

	if (has_tun(facts, mode))
		judge_inject_filter(facts, mode);
	if (mode->row.verdict == NM_VERDICT_OK) {
		mode->row.verdict = NM_VERDICT_WARN;
		nm_doctor_say(mode->row.finding,
			"works with an IKE daemon that shares the port, and with device set");
		nm_doctor_say(mode->row.why, "charon since 5.9.8 does not share its port");
		nm_doctor_say(mode->row.fix, "with charon: attach = join, or handoff = relay");
	}
	conclude(mode);
}

static void judge_unix(struct nm_doctor_report *report)
{
	struct nm_doctor_mode *mode = add(report, "handoff", "unix");

	nm_doctor_say(mode->row.finding, "works, for programs that speak its framing");
	conclude(mode);
}

/* Nobody to hand anything to is fine where ESP stays here. */
static void judge_none(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	struct nm_doctor_mode *mode = add(report, "handoff", "none");

	if (has_tun(facts, mode))
		nm_doctor_say(mode->row.finding,
			"works, with esp = user or kernel, without an IKE daemon");
	conclude(mode);
}

static void judge_esp_daemon(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	struct nm_doctor_mode *mode = add(report, "esp", "daemon");

	if (!nm_doctor_ike_daemon(facts)) {
		mode->row.verdict = NM_VERDICT_WARN;
		nm_doctor_say(mode->row.finding, "works as soon as there is an IKE daemon");
	} else if (nm_doctor_kernel_esp(facts, NATMUX_FAMILY_IPV4) == NM_NO) {
		mode->row.verdict = NM_VERDICT_WARN;
		nm_doctor_say(mode->row.finding, "works with a daemon that does ESP itself");
		nm_doctor_say(mode->row.why, "the kernel has no ESP, see kernel-esp above");
		nm_doctor_say(mode->row.fix, "strongSwan with its plugin kernel-libipsec");
	}
	conclude(mode);
}

static void judge_esp_user(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	struct nm_doctor_mode *mode = add(report, "esp", "user");

	if (has_tun(facts, mode))
		nm_doctor_say(mode->row.finding, "works, with SAs from natmux.conf and natmuxctl; "
						 "needs no ESP in the kernel");
	conclude(mode);
}

/* What natmuxd and natmuxd --check say, word for word, where the kernel has been asked. */
static void forbid_esp_kernel(const struct nm_doctor_facts *facts, struct nm_doctor_mode *mode)
{
	if (facts->esp4.works == NM_NO && facts->esp4.error == EPROTONOSUPPORT)
		forbid(mode, "this kernel has no ESP (CONFIG_INET_ESP); use esp = user", "");
	else
		forbid(mode, "the kernel's ESP does not work, see kernel-esp above",
			"esp = user needs none");
}

static void judge_esp_kernel(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	struct nm_doctor_mode *mode = add(report, "esp", "kernel");

	switch (nm_doctor_kernel_esp(facts, NATMUX_FAMILY_IPV4)) {
	case NM_YES:
		nm_doctor_say(mode->row.finding,
			"works, with SAs from natmux.conf and natmuxctl, or beside handoff = "
			"inject with the IKE daemon's");
		break;
	case NM_NO: forbid_esp_kernel(facts, mode); break;
	case NM_UNKNOWN:
		mode->row.verdict = NM_VERDICT_WARN;
		nm_doctor_say(mode->row.finding, "whether the kernel has ESP was not tried");
		nm_doctor_say(mode->row.fix, "natmuxctl doctor as root finds out");
		break;
	}
	conclude(mode);
}

static bool has_working(const struct nm_doctor_report *report, const char *kind)
{
	for (size_t i = 0; i < report->modes_n; i++)
		if (strcmp(report->modes[i].kind, kind) == 0 &&
			report->modes[i].row.verdict != NM_VERDICT_NO)
			return true;
	return false;
}

void nm_doctor_judge_modes(const struct nm_doctor_facts *facts, struct nm_doctor_report *report)
{
	judge_own(facts, report);
	judge_join(facts, report);
	judge_relay(facts, report);
	judge_inject(facts, report);
	judge_unix(report);
	judge_none(facts, report);
	judge_esp_daemon(facts, report);
	judge_esp_user(facts, report);
	judge_esp_kernel(facts, report);
	report->works = has_working(report, "attach") && has_working(report, "handoff") &&
			has_working(report, "esp");
}
