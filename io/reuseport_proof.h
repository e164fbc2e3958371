/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the kernel does what a reuseport program says: tried on throw-away loopback sockets. */
#ifndef NM_REUSEPORT_PROOF_H
#define NM_REUSEPORT_PROOF_H

#include "io/reuseport.h"

/* A payload, and the number of the socket that it has to come out at. */
struct nm_reuseport_probe {
	const char *what; /* "a STUN message" */
	const uint8_t *bytes;
	size_t len;
	unsigned int goes_to;
};

enum { NM_REUSEPORT_SOCKETS_MAX = 64, NM_REUSEPORT_WHY = 160 };

/*
 * Sends each probe over the loopback interface of this namespace to a group of `sockets` that run the
 * program, on a port that the kernel chooses; over IPv4, and over IPv6 where there is `::1`. 0; or NATMUX_EUNSUPPORTED with one line for people in
 * `why`, where a call failed or a probe came out elsewhere. Takes two seconds at most. NATMUX_EINVAL: no
 * socket, or more than NM_REUSEPORT_SOCKETS_MAX.
 */
int nm_reuseport_prove(const struct nm_sys *sys, unsigned int sockets,
	const struct nm_filter_step *steps, size_t n, const struct nm_reuseport_probe *probes,
	size_t probes_n, char why[static NM_REUSEPORT_WHY]);

#endif
