/* SPDX-License-Identifier: Apache-2.0 */
/* The steering program on real sockets: attached, and proved before it is trusted. */
#ifndef NM_DAEMON_STEERING_H
#define NM_DAEMON_STEERING_H

#include <stdint.h>
#include "io/reuseport_proof.h"

/*
 * Gives the group that `fd` is in the program of dispatcher/steering.h. `tun` is the interface that
 * natmux injects through, or 0. -1 and errno.
 */
int nm_steering_attach(const struct nm_sys *sys, int fd, uint32_t tun);

/*
 * Proves on throw-away sockets that this kernel steers as the program says. 0; or
 * NATMUX_EUNSUPPORTED with one line for people in `why`.
 */
int nm_steering_prove(const struct nm_sys *sys, char why[static NM_REUSEPORT_WHY]);

#endif
