/* SPDX-License-Identifier: Apache-2.0 */
/* Several sockets on one port (SO_REUSEPORT): who of them gets a datagram, as a program says. */
#ifndef NM_REUSEPORT_H
#define NM_REUSEPORT_H

#include <stddef.h>
#include "base/filter.h"
#include "io/sys.h"

enum { NM_REUSEPORT_STEPS_MAX = 64 };

/*
 * Gives the program to the group that the bound socket `fd` is in, in the place of one that it has.
 * It stays with the group until its last socket is closed. -1 and errno as
 * setsockopt(SO_ATTACH_REUSEPORT_CBPF): EINVAL where the socket is in no group or the kernel does
 * not like the program.
 */
int nm_reuseport_attach(
	const struct nm_sys *sys, int fd, const struct nm_filter_step *steps, size_t n);

#endif
