/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks and the processor one runs on. */
#ifndef NM_STOPWATCH_H
#define NM_STOPWATCH_H

#include <stdint.h>

uint64_t nm_stopwatch_now_ns(void);
uint64_t nm_stopwatch_cpu_ns(void); /* processor time of the calling thread */

/*
 * Calls `pass`, which handles `items` things, until `budget_ns` has gone by (once at least).
 * Nanoseconds for one thing.
 */
double nm_stopwatch_per_item(
	void (*pass)(void *user), void *user, uint64_t items, uint64_t budget_ns);

double nm_stopwatch_load(void); /* the system's load average over a minute; 0: unknown */

/*
 * Ties the calling thread to the `index`th processor it may use, counted modulo their number.
 * Returns that processor, or -1 where the system refuses.
 */
int nm_stopwatch_pin(unsigned int index);

#endif
