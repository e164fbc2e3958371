/* SPDX-License-Identifier: Apache-2.0 */
/* Processor time and memory, of one process and of the whole machine, as /proc has them. */
#ifndef NM_USAGE_H
#define NM_USAGE_H

#include <stdint.h>
#include <sys/types.h>

/* Seconds of processor time that a process with all its threads has had; 0: unknown. */
double nm_usage_process_s(pid_t pid);

/* Bytes; 0: unknown. */
uint64_t nm_usage_resident(pid_t pid);

/* Seconds that all processors together have been busy, interrupts among them; 0: unknown. */
double nm_usage_machine_s(void);

/*
 * The same of the first line of /proc/stat, in clock ticks: what is idle, waits for a disk or was
 * taken by another machine is left out, and guests are in the users' time already. 0: no such line.
 */
uint64_t nm_usage_busy_ticks(const char *line);

#endif
