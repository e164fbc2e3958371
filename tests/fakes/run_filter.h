/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a program of base/filter.h as the kernel would, so that a table of payloads can judge it. */
#ifndef RUN_FILTER_H
#define RUN_FILTER_H

#include <stddef.h>
#include <stdint.h>
#include "base/filter.h"

#define RUN_FILTER_BAD UINT32_MAX

/*
 * What the program returns for a payload that came in by `interface`. RUN_FILTER_BAD: a program that
 * the kernel would refuse, because it knows a step not, jumps or runs beyond its end or divides by 0.
 */
uint32_t run_filter(const struct nm_filter_step *steps, size_t n, const void *payload, size_t len,
	uint32_t interface);

#endif
