/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about the facts that more than one row or mode asks, and how sentences are written. */
#include "ctl/doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <linux/capability.h>

void nm_doctor_say(char text[NM_DOCTOR_TEXT], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, NM_DOCTOR_TEXT, format, args);
	va_end(args);
}

const char *nm_verdict_name(enum nm_verdict verdict)
{
	switch (verdict) {
	case NM_VERDICT_OK: return "ok";
	case NM_VERDICT_WARN: return "warn";
	case NM_VERDICT_NO: return "no";
	}
	return "?";
}

bool nm_doctor_may(const struct nm_doctor_facts *facts, int capability)
{
	return facts->capabilities >> capability & 1;
}

static bool is_natmuxd(const struct nm_doctor_holder *holder)
{
	return strcmp(holder->name, "natmuxd") == 0;
}

const struct nm_doctor_holder *nm_doctor_holder(
	const struct nm_doctor_facts *facts, uint16_t port, enum natmux_family family)
{
	const struct nm_doctor_holder *found = NULL;

	for (size_t i = 0; i < facts->holders_n; i++) {
		const struct nm_doctor_holder *holder = &facts->holders[i];

		if (holder->local.port == port && holder->local.family == family &&
			(!found || is_natmuxd(found)))
			found = holder;
	}
	return found;
}

bool nm_doctor_port_is_ours(const struct nm_doctor_facts *facts, enum natmux_family family)
{
	const struct nm_doctor_holder *holder = nm_doctor_holder(facts, facts->port, family);
	enum nm_known bind = (family == NATMUX_FAMILY_IPV4 ? facts->bind4 : facts->bind6).works;

	return holder ? is_natmuxd(holder) : bind != NM_NO;
}

bool nm_doctor_has_port(const struct nm_doctor_facts *facts, int pid)
{
	for (size_t i = 0; i < facts->holders_n; i++)
		if (facts->holders[i].pid == pid && facts->holders[i].local.port == facts->port)
			return true;
	return false;
}

const struct nm_doctor_daemon *nm_doctor_ike_daemon(const struct nm_doctor_facts *facts)
{
	const struct nm_doctor_daemon *runs = NULL, *installed = NULL;

	for (size_t i = NM_DOCTOR_CHARON; i < NM_DOCTOR_DAEMONS; i++) {
		const struct nm_doctor_daemon *daemon = &facts->daemons[i];

		if (daemon->pid > 0 && nm_doctor_has_port(facts, daemon->pid))
			return daemon;
		if (daemon->pid > 0 && !runs)
			runs = daemon;
		if (daemon->path && !installed)
			installed = daemon;
	}
	return runs ? runs : installed;
}

enum nm_known nm_doctor_kernel_esp(const struct nm_doctor_facts *facts, enum natmux_family family)
{
	bool is_v4 = family == NATMUX_FAMILY_IPV4;

	if (facts->encap.works == NM_NO ||
		(is_v4 ? facts->blacklisted_esp4 : facts->blacklisted_esp6)[0])
		return NM_NO;
	return (is_v4 ? facts->esp4 : facts->esp6).works;
}

enum nm_known nm_doctor_can_tun(const struct nm_doctor_facts *facts)
{
	int error = facts->tun_open.error;

	if (facts->tun_open.works == NM_NO && (error == EPERM || error == EACCES) &&
		!nm_doctor_may(facts, CAP_NET_ADMIN))
		return NM_UNKNOWN;
	return facts->tun_open.works;
}
