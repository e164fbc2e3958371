/* SPDX-License-Identifier: Apache-2.0 */
/* Order statistics of a few samples. */
#include "bench/spread.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

struct nm_spread nm_spread_of(double *samples, size_t n)
{
	struct nm_spread spread = {.n = n};

	if (n == 0)
		return spread;
	qsort(samples, n, sizeof(*samples), compare);
	spread.min = samples[0];
	spread.max = samples[n - 1];
	spread.median = (samples[(n - 1) / 2] + samples[n / 2]) / 2;
	return spread;
}
