/* SPDX-License-Identifier: Apache-2.0 */
/* A build without libsystemd: there is no service manager to tell. */
#include "daemon/process/service.h"

void nm_service_ready(void)
{
}

void nm_service_reloading(void)
{
}

void nm_service_stopping(void)
{
}

void nm_service_status(const char *text)
{
	(void)text;
}

void nm_service_watchdog(void)
{
}

uint64_t nm_service_watchdog_ms(void)
{
	return 0;
}
