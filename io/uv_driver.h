/* SPDX-License-Identifier: Apache-2.0 */
/* The inner door of the uv driver, where a test puts system calls that fail. */
#ifndef NM_UV_DRIVER_H
#define NM_UV_DRIVER_H

#include <natmux/uv.h>
#include "io/sys.h"

/* natmux_uv_new with system calls of the caller's choice. */
int nm_uv_new(uv_loop_t *loop, struct natmux_mux *mux, const struct natmux_uv_config *config,
	const struct nm_sys *sys, struct natmux_uv **uv);

#endif
