/* SPDX-License-Identifier: Apache-2.0 */
/* Whether this kernel does with a reuseport group's datagrams what a program says. */
#ifndef NM_REUSEPORT_PROOF_H
#define NM_REUSEPORT_PROOF_H

#include <stdint.h>
#include <natmux/addr.h>
#include "io/reuseport.h"

enum {
	NM_REUSEPORT_PROOF_SOCKETS = 64,
	NM_REUSEPORT_PROOF_WAIT_MS = 200, /* for a datagram that does not come */
	NM_REUSEPORT_PROOF_WHY = 96,      /* bytes of a reason, its NUL included */
};

/* A payload of at least one byte, and the number of the socket that is to get it. */
struct nm_reuseport_probe {
	const void *payload;
	size_t len;
	uint32_t socket;
};

/*
 * Makes a group of `sockets` sockets with the program on a free port of the loopback address of
 * `family`, sends the probes there and looks who gets them. Nothing but these sockets is touched, and
 * all of them are closed again. 0, or NATMUX_ESYSTEM with the reason in `why`; then it took
 * NM_REUSEPORT_PROOF_WAIT_MS at most.
 */
int nm_reuseport_prove(const struct nm_sys *sys, enum natmux_family family, uint32_t sockets,
	const struct nm_filter_step *steps, size_t steps_n, const struct nm_reuseport_probe *probes,
	size_t probes_n, char why[static NM_REUSEPORT_PROOF_WHY]);

#endif
