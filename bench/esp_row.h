/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the scenario "esp", and what fills them. */
#ifndef NM_ESP_ROW_H
#define NM_ESP_ROW_H

#include "bench/report.h"

enum {
	NM_ESP_WHAT,
	NM_ESP_ENGINE,
	NM_ESP_SUITE,
	NM_ESP_SIZE,
	NM_ESP_TRAIN,
	NM_ESP_SAS,
	NM_ESP_POLICIES,
	NM_ESP_ORDER,
	NM_ESP_TIME,
	NM_ESP_OF_RAW,
	NM_ESP_OF_ONE,
	NM_ESP_SA_BYTES,
	NM_ESP_ALLOCATIONS,
	NM_ESP_GOAL,
	NM_ESP_GOAL_ALLOCATIONS,
	NM_ESP_COLUMNS
};

extern const struct nm_column nm_esp_columns[NM_ESP_COLUMNS];

enum { NM_ESP_BULK = 1420, NM_ESP_SMALL = 64 /* octets of inner packets */ };

/* A row's samples, and what they are held against. */
struct nm_esp_row {
	struct nm_field fields[NM_ESP_COLUMNS];
	double ns[NM_OPTION_REPEAT_MAX], base_ns[NM_OPTION_REPEAT_MAX];
};

/* Sample by sample. */
struct nm_spread nm_esp_ratios(const double *above, const double *below, size_t n);

/* Reports a row of `n` samples; none: there is no row. */
void nm_esp_row_report(
	struct nm_report *report, struct nm_esp_row *row, size_t n, uint64_t allocations);

/* esp_sealing.c: nm_seal() and nm_open() beside the bare AEAD call, engine by engine. */
int nm_esp_run_sealing(struct nm_report *report, unsigned int repeat);

/* esp_planes.c: planes with many SAs beside one with a single SA, and what an SA weighs. */
int nm_esp_run_planes(struct nm_report *report, const char *engine, unsigned int repeat);

#endif
