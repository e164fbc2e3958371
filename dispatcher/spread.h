/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of many workers' sockets on one port gets a datagram, decided by the kernel: the words of the
 * program that their reuseport group runs. The first worker has all that is not plainly ESP, and each
 * the SAs that are at home with it (natmux_esp_home).
 */
#ifndef NM_SPREAD_H
#define NM_SPREAD_H

#include <stddef.h>
#include "base/filter.h"

enum {
	NM_SPREAD_STEPS = 8,
	NM_SPREAD_SAMPLES = 24,     /* at most */
	NM_SPREAD_SAMPLE_BYTES = 12 /* of each */
};

/* Writes the program for 1 worker or more; returns its length. */
size_t nm_spread_program(uint32_t workers, struct nm_filter_step steps[static NM_SPREAD_STEPS]);

/* A payload, and who is to get it: what shows whether a kernel does as the program says. */
struct nm_spread_sample {
	const char *what;
	uint8_t payload[NM_SPREAD_SAMPLE_BYTES];
	uint8_t len;
	uint32_t worker;
};

/* Writes samples of every kind, for every worker as far as there is room; returns how many. */
size_t nm_spread_samples(
	uint32_t workers, struct nm_spread_sample samples[static NM_SPREAD_SAMPLES]);

#endif
