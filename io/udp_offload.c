/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UDP_GRO and UDP_SEGMENT of a socket: on where they are wanted, there and proved (udp_proof.c), and why
 * not elsewhere.
 */
#include "io/udp_batch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"

/* Turns UDP_GRO on, or asks for UDP_SEGMENT: whether the kernel has it. */
static bool set_offload(struct nm_udp *udp, bool is_wanted, int name, int value, const char *proof,
	char why[static 80])
{
	const char *call = name == UDP_GRO ? "setsockopt(UDP_GRO)" : "setsockopt(UDP_SEGMENT)";

	why[0] = '\0';
	if (!is_wanted) {
		snprintf(why, 80, "switched off by configuration");
		return false;
	}
	if (proof[0]) {
		snprintf(why, 80, "%.79s", proof);
		return false;
	}
	if (nm_udp_set_int(udp, IPPROTO_UDP, name, value))
		return true;
	snprintf(why, 80, "%s: %.48s", call, strerror(errno));
	nm_udp_tell_refused(udp, NATMUX_LOG_WARNING, call);
	return false;
}

void nm_udp_set_offloads(struct nm_udp *udp, bool use_gro, bool use_gso)
{
	struct nm_udp_status *status = &udp->status;

	if ((!use_gro || udp->gro_proof[0]) && status->has_gro)
		(void)nm_udp_set_int(udp, IPPROTO_UDP, UDP_GRO, 0);
	udp->gso_refusals = 0;
	status->has_gro = set_offload(udp, use_gro, UDP_GRO, 1, udp->gro_proof, status->gro_why);
	status->has_gso =
		set_offload(udp, use_gso, UDP_SEGMENT, 0, udp->gso_proof, status->gso_why);
}

void nm_udp_stop_gro(struct nm_udp *udp)
{
	char text[NATMUX_ADDR_TEXT];

	if (!udp->status.has_gro)
		return;
	snprintf(udp->gro_proof, sizeof(udp->gro_proof), "a train of datagrams arrived broken");
	snprintf(udp->status.gro_why, sizeof(udp->status.gro_why), "%.79s", udp->gro_proof);
	udp->status.has_gro = false;
	(void)nm_udp_set_int(udp, IPPROTO_UDP, UDP_GRO, 0);
	nm_log(&udp->log, NATMUX_LOG_WARNING, "UDP %s: UDP_GRO off, %s",
		natmux_addr_format(&udp->local, text), udp->gro_proof);
}
