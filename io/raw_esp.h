/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A raw socket for bare ESP, IP protocol 50: peers may send both forms at any time (RFC 7296 2.23).
 * It receives only; what goes out is in UDP. Nothing is allocated after nm_raw_esp_open.
 */
#ifndef NM_RAW_ESP_H
#define NM_RAW_ESP_H

#include <stdbool.h>
#include <natmux/addr.h>
#include <natmux/log.h>
#include <natmux/train.h>
#include "io/sys.h"

struct nm_raw_esp;

struct nm_raw_esp_config {
	const struct nm_sys *sys;
	struct natmux_log log;
	const char *device;      /* NULL or "": not bound to one */
	uint32_t receive_buffer; /* bytes asked for; 0: the system's default */
};

/*
 * Opens a socket for ESP to `local` (its port does not count), which may be the wildcard of its
 * family. Failures are logged, one line. NATMUX_EINVAL, NATMUX_EUNSUPPORTED (address family),
 * NATMUX_ENOMEM, NATMUX_ESYSTEM.
 */
int nm_raw_esp_open(const struct nm_raw_esp_config *config, const struct natmux_addr *local,
	struct nm_raw_esp **raw);
void nm_raw_esp_close(struct nm_raw_esp *raw); /* NULL is fine */

int nm_raw_esp_fd(const struct nm_raw_esp *raw);

/*
 * Reads up to `max` waiting packets, each a train of one from its SPI on, and returns how many. The
 * ports of their paths are 0. Their bytes are the caller's to write to until the next call.
 */
size_t nm_raw_esp_recv(struct nm_raw_esp *raw, struct natmux_train *trains, size_t max);

/* Whether the last nm_raw_esp_recv may have left packets behind. */
bool nm_raw_esp_has_more(const struct nm_raw_esp *raw);

struct nm_raw_esp_status {
	uint64_t packets, recv_calls, recv_errors;
	uint64_t truncated; /* longer than the buffer, shorter than their own header, a fragment */
};

const struct nm_raw_esp_status *nm_raw_esp_status(const struct nm_raw_esp *raw);

#endif
