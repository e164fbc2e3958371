/* SPDX-License-Identifier: Apache-2.0 */
/* Reads /proc. What it does not find counts as nothing. */
#include "bench/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The first line of a file, "" without one. */
static void read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "r");

	if (!file || !fgets(line, size, file))
		line[0] = '\0';
	if (file)
		fclose(file);
}

double nm_usage_process_s(pid_t pid)
{
	unsigned long long user = 0, system = 0;
	char path[64], line[1024];
	const char *after;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	read_line(path, line, sizeof(line));
	/* The second field, a name in brackets, may contain anything. */
	after = strrchr(line, ')');
	if (!after || sscanf(after, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
			      &user, &system) != 2)
		return 0;
	return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

uint64_t nm_usage_resident(pid_t pid)
{
	unsigned long long pages = 0;
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	read_line(path, line, sizeof(line));
	return sscanf(line, "%*u %llu", &pages) == 1 ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

uint64_t nm_usage_busy_ticks(const char *line)
{
	uint64_t user, nice, system, interrupts, softirqs;

	/* "cpu0" is one processor. */
	if (strncmp(line, "cpu ", 4) != 0 ||
		sscanf(line + 4, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %" SCNu64 " %" SCNu64,
			&user, &nice, &system, &interrupts, &softirqs) != 5)
		return 0;
	return user + nice + system + interrupts + softirqs;
}

double nm_usage_machine_s(void)
{
	char line[512];

	read_line("/proc/stat", line, sizeof(line));
	return (double)nm_usage_busy_ticks(line) / (double)sysconf(_SC_CLK_TCK);
}
