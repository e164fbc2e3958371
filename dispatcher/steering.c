/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program that keeps ESP and IKE away from natmux. It sees less than natmux_classify(): what it
 * takes for STUN is looked at again, and goes back through the TUN device if it is none.
 */
#include "dispatcher/steering.h"

#include "stun/proto.h"

size_t nm_steering_program(uint32_t tun, struct nm_filter_step steps[static NM_STEERING_STEPS])
{
	size_t n = 0;

	if (tun > 0) {
		steps[n++] =
			(struct nm_filter_step){NM_FILTER_LOAD_WORD, 0, 0, NM_FILTER_AT_INTERFACE};
		/* To the last step. */
		steps[n++] = (struct nm_filter_step){NM_FILTER_JUMP_EQUAL, 3, 0, tun};
	}
	/*
	 * RFC 8489 5: no STUN message without the cookie. For an ESP packet these are the bits of
	 * its sequence number (RFC 4303 2.2), in an IKE message after the marker those of an SPI.
	 * Eight bytes that are not there are neither.
	 */
	steps[n++] = (struct nm_filter_step){NM_FILTER_LOAD_WORD, 0, 0, NM_STUN_COOKIE_AT};
	steps[n++] = (struct nm_filter_step){NM_FILTER_JUMP_EQUAL, 0, 1, NM_STUN_COOKIE};
	steps[n++] = (struct nm_filter_step){NM_FILTER_RETURN, 0, 0, NM_STEERING_NATMUX};
	steps[n++] = (struct nm_filter_step){NM_FILTER_RETURN, 0, 0, NM_STEERING_OWNER};
	return n;
}
