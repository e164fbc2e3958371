/* SPDX-License-Identifier: Apache-2.0 */
/* What repeated measurements of one thing say: a median, and how far to trust it. */
#ifndef NM_SPREAD_H
#define NM_SPREAD_H

#include <stddef.h>

struct nm_spread {
	double min, median, max;
	size_t n; /* measurements; 0: none, the others are 0 */
};

/* Sorts `samples` in place. The median of an even number is the mean of the two in the middle. */
struct nm_spread nm_spread_of(double *samples, size_t n);

#endif
