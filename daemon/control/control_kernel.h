/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's plane in answers, for the commands that show it. */
#ifndef NM_CONTROL_KERNEL_H
#define NM_CONTROL_KERNEL_H

#include <jansson.h>
#include <stdio.h>

struct nm_server;

/* For status; null unless esp = kernel. A new reference. */
json_t *nm_json_kernel_plane(struct nm_server *server);

/*
 * What XFRM has dropped since natmuxd started, each counter that is not 0 with its explanation; NULL
 * unless esp = kernel. A new reference.
 */
json_t *nm_json_xfrm_stat(struct nm_server *server);

/* The same as metrics, all counters that the kernel has. */
void nm_metrics_print_xfrm_stat(FILE *out, struct nm_server *server);

#endif
