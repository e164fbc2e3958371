/* SPDX-License-Identifier: Apache-2.0 */
/* The inner doors of the uv driver: system calls that fail for a test, sockets for who shares them. */
#ifndef NM_UV_DRIVER_H
#define NM_UV_DRIVER_H

#include <natmux/uv.h>
#include "io/sys.h"

/* natmux_uv_new with system calls of the caller's choice. */
int nm_uv_new(uv_loop_t *loop, struct natmux_mux *mux, const struct natmux_uv_config *config,
	const struct nm_sys *sys, struct natmux_uv **uv);

/* The descriptor of socket `i`, in the order of natmux_uv_sockets(); -1: there are not so many. */
int nm_uv_fd(const struct natmux_uv *uv, size_t i);

#endif
