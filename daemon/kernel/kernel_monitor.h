/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel tells of its own accord, and all there is when some of it was lost: on the loop. */
#ifndef NM_KERNEL_MONITOR_H
#define NM_KERNEL_MONITOR_H

#include <uv.h>
#include <natmux/log.h>
#include "xfrm/session.h"

struct nm_kernel;
struct nm_kernel_monitor;

/*
 * Tells `kernel`, which is borrowed until nm_kernel_monitor_close(), from now on. Also after a failure
 * it is to be closed and freed, unless *monitor is NULL. NATMUX_ENOMEM, NATMUX_EUNSUPPORTED (no XFRM),
 * NATMUX_ESYSTEM.
 */
int nm_kernel_monitor_open(uv_loop_t *loop, const struct natmux_log *log, struct nm_kernel *kernel,
	struct nm_kernel_monitor **monitor);

/* Begins to close: the loop must run until it is empty before nm_kernel_monitor_free. NULL is fine. */
void nm_kernel_monitor_close(struct nm_kernel_monitor *monitor);
void nm_kernel_monitor_free(struct nm_kernel_monitor *monitor);

const struct nm_xfrm_session_status *nm_kernel_monitor_status(
	const struct nm_kernel_monitor *monitor);

#endif
