/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes one sysctl. Whether a value is in the way is dispatcher/handoff_inject.c's word. */
#include "daemon/port/rp_filter.h"

#include <stdio.h>

static FILE *open_sysctl(const char *device, const char *mode)
{
	char path[80];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", device);
	return fopen(path, mode);
}

int nm_rp_filter_read(const char *device)
{
	FILE *file = open_sysctl(device, "re");
	int value = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

void nm_rp_filter_loosen(const char *device)
{
	FILE *file = open_sysctl(device, "we");

	if (!file)
		return;
	fputs("2", file);
	fclose(file);
}
