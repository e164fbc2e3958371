/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way back into the kernel for ESP that came to natmux: a TUN device through which packets enter
 * with their own addresses, and a socket with UDP_ENCAP to receive them.
 */
#ifndef NM_KERNEL_DOOR_H
#define NM_KERNEL_DOOR_H

#include <stdbool.h>
#include <uv.h>
#include <natmux/mux.h>

struct nm_config;
struct nm_kernel_door;

struct nm_kernel_door_setup {
	uv_loop_t *loop;
	const struct nm_config *config; /* borrowed for the call */
	struct natmux_mux *mux;
	struct natmux_log log;
	void (*failed)(void *user); /* somebody deleted the device, and the log says so */
	void *user;
};

/* Makes the device; needs CAP_NET_ADMIN. NATMUX_E…, logged. */
int nm_kernel_door_open(const struct nm_kernel_door_setup *setup, struct nm_kernel_door **door);

/*
 * Opens sockets with UDP_ENCAP that are bound to our device, where what is injected would not come to
 * the port's own: it is bound to another device (config->device), or is not steered. Else the port's
 * steering program tells injected packets by nm_kernel_door_interface(). To be called when the port is
 * open. NATMUX_E…, logged.
 */
int nm_kernel_door_listen(
	struct nm_kernel_door *door, const struct nm_config *config, bool is_steered);
uint32_t nm_kernel_door_interface(const struct nm_kernel_door *door);

/* Becomes the owner of ESP in the mux: after the handoff, which would have it otherwise. */
void nm_kernel_door_take_esp(struct nm_kernel_door *door);

const char *nm_kernel_door_tun(const struct nm_kernel_door *door);

/* Begins to close; the loop must run until it is empty before nm_kernel_door_free. NULL is fine. */
void nm_kernel_door_close(struct nm_kernel_door *door);
void nm_kernel_door_free(struct nm_kernel_door *door);

#endif
