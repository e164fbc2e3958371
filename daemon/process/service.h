/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service manager is told: sd_notify(3). Without one ($NOTIFY_SOCKET is not set), or in a
 * build without libsystemd, all of this does nothing.
 */
#ifndef NM_SERVICE_H
#define NM_SERVICE_H

#include <stdint.h>

/* The port is open; after nm_service_reloading(): the reload is over, whichever way it went. */
void nm_service_ready(void);
void nm_service_reloading(void);
void nm_service_stopping(void);

/* One line for `systemctl status`. */
void nm_service_status(const char *text);

/* Says that the loop still turns; to be called every nm_service_watchdog_ms(). */
void nm_service_watchdog(void);

/* Half of the time after which we are taken for dead, at least 1; 0: nobody watches. */
uint64_t nm_service_watchdog_ms(void);

#endif
