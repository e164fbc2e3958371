/* SPDX-License-Identifier: Apache-2.0 */
/* The control server: natmuxctl's other end, on a Unix socket. docs/control-protocol.md */
#ifndef NM_CONTROL_H
#define NM_CONTROL_H

#include <stddef.h>

struct natmux_esp_event;
struct natmux_event;
struct nm_control;
struct nm_server;

/*
 * Listens at `path` (copied) on the server's loop; answers about `server`, which is borrowed until
 * the control server is gone. The process ignores SIGPIPE from here on. Returns 0, or what
 * nm_control_socket_open says, or NATMUX_ENOMEM, with one line for people in `message`.
 */
int nm_control_new(struct nm_server *server, const char *path, struct nm_control **control,
	char *message, size_t size);

/*
 * Ends every connection, a capture included, and removes the socket. The loop has to go on until
 * the handles are closed; then `closed` (or nobody, when NULL) is told and the memory is gone. NULL
 * `control` is fine: `closed` is called at once.
 */
void nm_control_free(struct nm_control *control, void (*closed)(void *user), void *user);

/* An event of the mux: kept for later, told to those who follow. NULL `control` is fine. */
void nm_control_event(struct nm_control *control, const struct natmux_event *event);

/* The same of the user ESP plane. */
void nm_control_esp_event(struct nm_control *control, const struct natmux_esp_event *event);

#endif
