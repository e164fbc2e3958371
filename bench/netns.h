/* SPDX-License-Identifier: Apache-2.0 */
/* Two network namespaces and a veth pair between them, gone when both processes are. */
#ifndef NM_NETNS_H
#define NM_NETNS_H

#include <stdbool.h>
#include <sys/types.h>
#include <natmux/addr.h>

/*
 * Moves the calling thread into a fresh network namespace and connects it by a veth pair with that
 * of process `peer`. Writes our address, port 0. NATMUX_ESYSTEM, said on stderr: needs root and
 * ip(8).
 */
int nm_netns_connect(pid_t peer, bool is_ipv6, struct natmux_addr *local);

#endif
