/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which address of this machine packets to somewhere come from: the routing table's answer, by
 * sockets that are connected and never send.
 */
#ifndef NM_SOURCE_ADDR_H
#define NM_SOURCE_ADDR_H

#include <natmux/addr.h>
#include <natmux/log.h>
#include "io/sys.h"

struct nm_source_addr {
	const struct nm_sys *sys;
	int fd4, fd6; /* -1: the kernel has no such family */
};

/* Opens a socket for each family there is, so that asking needs no rights any more. */
void nm_source_addr_open(
	struct nm_source_addr *source, const struct nm_sys *sys, const char *device);
void nm_source_addr_close(struct nm_source_addr *source);

/*
 * Our address towards `remote`, whose port does not matter; port 0. NATMUX_EUNSUPPORTED: no such
 * family; NATMUX_ENOTFOUND: no route.
 */
int nm_source_addr_find(const struct nm_source_addr *source, const struct natmux_addr *remote,
	struct natmux_addr *local);

#endif
