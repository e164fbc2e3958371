/* SPDX-License-Identifier: Apache-2.0 */
/* Brings together the program (dispatcher/) and the sockets (io/) that shall obey it. */
#include "daemon/port/steering.h"

#include <net/if.h>

#include "dispatcher/steering.h"

static const uint8_t stun[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 'n', 'a', 't', 'm', 'u', 'x'};
static const uint8_t esp[32] = {0xc0, 1, 2, 3, 0, 0, 0, 1};
static const uint8_t ike[32] = {0, 0, 0, 0, 1, 2, 3, 4};
static const uint8_t keepalive[1] = {0xff};

#define TO_OWNER(bytes, what)                                                                      \
	{                                                                                          \
		what, bytes, sizeof(bytes), NM_STEERING_OWNER                                      \
	}

enum { SOCKETS = 2 }; /* the owner's and ours */

static const struct nm_reuseport_probe as_received[] = {
	{"a STUN message", stun, sizeof(stun), NM_STEERING_NATMUX},
	TO_OWNER(esp, "an ESP packet"),
	TO_OWNER(ike, "an IKE message"),
	TO_OWNER(keepalive, "a keepalive"),
};

/* The loopback interface in the place of the TUN device. */
static const struct nm_reuseport_probe as_injected[] = {
	TO_OWNER(stun, "an injected packet that looks like STUN"),
	TO_OWNER(esp, "an injected packet"),
};

int nm_steering_attach(const struct nm_sys *sys, int fd, uint32_t tun)
{
	struct nm_filter_step steps[NM_STEERING_STEPS];

	return nm_reuseport_attach(sys, fd, steps, nm_steering_program(tun, steps));
}

int nm_steering_prove(const struct nm_sys *sys, char why[static NM_REUSEPORT_WHY])
{
	struct nm_filter_step steps[NM_STEERING_STEPS];
	size_t n = nm_steering_program(0, steps);
	int error = nm_reuseport_prove(sys, SOCKETS, steps, n, as_received,
		sizeof(as_received) / sizeof(as_received[0]), why);

	if (error < 0)
		return error;
	n = nm_steering_program(if_nametoindex("lo"), steps);
	return nm_reuseport_prove(sys, SOCKETS, steps, n, as_injected,
		sizeof(as_injected) / sizeof(as_injected[0]), why);
}
