/* SPDX-License-Identifier: Apache-2.0 */
/* The service manager by libsystemd. A message that does not arrive is nothing to stop for. */
#include "daemon/process/service.h"

#include <inttypes.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void nm_service_ready(void)
{
	sd_notify(0, "READY=1");
}

/* systemd 253 and later want the time with it (Type=notify-reload); earlier ones ignore it. */
void nm_service_reloading(void)
{
	struct timespec now;
	uint64_t now_us;

	clock_gettime(CLOCK_MONOTONIC, &now);
	now_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_us);
}

void nm_service_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void nm_service_status(const char *text)
{
	sd_notifyf(0, "STATUS=%s", text);
}

void nm_service_watchdog(void)
{
	sd_notify(0, "WATCHDOG=1");
}

uint64_t nm_service_watchdog_ms(void)
{
	uint64_t usec;

	if (sd_watchdog_enabled(0, &usec) <= 0)
		return 0;
	return usec / 2000 > 0 ? usec / 2000 : 1;
}
