/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks of the system, and pinning. */
#include "bench/stopwatch.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

static uint64_t read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

uint64_t nm_stopwatch_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t nm_stopwatch_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

double nm_stopwatch_per_item(
	void (*pass)(void *user), void *user, uint64_t items, uint64_t budget_ns)
{
	uint64_t start = nm_stopwatch_now_ns(), passes = 0, elapsed;

	do {
		pass(user);
		passes++;
		elapsed = nm_stopwatch_now_ns() - start;
	} while (elapsed < budget_ns);
	return (double)elapsed / (double)(passes * items);
}

double nm_stopwatch_load(void)
{
	double load;

	return getloadavg(&load, 1) == 1 ? load : 0;
}

int nm_stopwatch_pin(unsigned int index)
{
	cpu_set_t allowed, one;
	int cpu = -1;

	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0 || CPU_COUNT(&allowed) == 0)
		return -1;
	index %= (unsigned int)CPU_COUNT(&allowed);
	for (unsigned int seen = 0; seen <= index; cpu++)
		if (CPU_ISSET(cpu + 1, &allowed))
			seen++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) < 0 ? -1 : cpu;
}
