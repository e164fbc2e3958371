/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of two sockets on one port gets a datagram, decided by the kernel: the words of the program
 * that a reuseport group runs. [0] is the owner of IKE and ESP (the IKE daemon's socket, or one of
 * ours with UDP_ENCAP), [1] is natmux's, for STUN.
 */
#ifndef NM_STEERING_H
#define NM_STEERING_H

#include <stddef.h>
#include "base/filter.h"

enum {
	NM_STEERING_OWNER = 0,  /* of IKE and ESP */
	NM_STEERING_NATMUX = 1, /* STUN, and ESP that looks like it */
	NM_STEERING_STEPS = 6   /* at most */
};

/*
 * Writes the program; returns its length. What came in by the interface `tun` goes to the owner
 * whatever it is: natmux put it there because it is the owner's. 0: there is no such interface.
 */
size_t nm_steering_program(uint32_t tun, struct nm_filter_step steps[static NM_STEERING_STEPS]);

#endif
