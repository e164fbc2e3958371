/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The port of esp = kernel: two sockets for each address, one with UDP_ENCAP, whose ESP the kernel
 * keeps, and a plain one, to which it steers STUN. Where it does not steer, one plain socket each, and
 * all ESP goes back through the door (kernel_door.h), whose own sockets take it.
 */
#ifndef NM_KERNEL_PORT_H
#define NM_KERNEL_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <natmux/log.h>
#include <natmux/uv.h>
#include "io/reuseport_proof.h"

struct nm_config;

struct nm_kernel_port {
	bool is_steered;
	char why[NM_REUSEPORT_WHY]; /* not steered: what the trial has shown */
	bool has_esp_gro;           /* ESP is opened in GRO, where a module for it is loaded */
	char esp_gro_why[80];       /* why not */
	int fds[NATMUX_UV_FDS_MAX]; /* for natmux_uv_new, which takes them over */
	bool is_narrow[NATMUX_UV_FDS_MAX]; /* hears nothing yet: nm_kernel_port_widen() */
	size_t fds_n;
};

/*
 * Proves the steering, opens the sockets. `tun`: the interface of the door. Nothing is open after a failure, which is logged:
 * NATMUX_EEXISTS (port in use), NATMUX_EUNSUPPORTED, NATMUX_ESYSTEM.
 */
int nm_kernel_port_open(const struct nm_config *config, uint32_t tun, const struct natmux_log *log,
	struct nm_kernel_port *port);

/*
 * To be called when the door listens: from then on the port does, too, at all interfaces. The file
 * descriptors may have been taken over. NATMUX_ESYSTEM, which is logged.
 */
int nm_kernel_port_widen(const struct nm_kernel_port *port, const struct natmux_log *log);

#endif
