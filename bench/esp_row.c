/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of the scenario "esp". */
#include "bench/esp_row.h"

const struct nm_column nm_esp_columns[NM_ESP_COLUMNS] = {
	[NM_ESP_WHAT] = {"what", "what", NM_FIELD_TEXT, 0},
	[NM_ESP_ENGINE] = {"engine", "engine", NM_FIELD_TEXT, 0},
	[NM_ESP_SUITE] = {"suite", "suite", NM_FIELD_TEXT, 0},
	[NM_ESP_SIZE] = {"bytes", "bytes", NM_FIELD_COUNT, 0},
	[NM_ESP_TRAIN] = {"train", "train", NM_FIELD_COUNT, 0},
	[NM_ESP_SAS] = {"sas", "SAs", NM_FIELD_COUNT, 0},
	[NM_ESP_POLICIES] = {"policies", "policies", NM_FIELD_COUNT, 0},
	[NM_ESP_ORDER] = {"order", "order", NM_FIELD_TEXT, 0},
	[NM_ESP_TIME] = {"ns", "ns each", NM_FIELD_SPREAD, 0},
	[NM_ESP_OF_RAW] = {"of_raw", "of bare", NM_FIELD_SPREAD, 2},
	[NM_ESP_OF_ONE] = {"times_one_sa", "times one SA", NM_FIELD_SPREAD, 2},
	[NM_ESP_SA_BYTES] = {"sa_bytes", "bytes an SA", NM_FIELD_REAL, 0},
	[NM_ESP_ALLOCATIONS] = {"allocations", "allocs", NM_FIELD_COUNT, 0},
	[NM_ESP_GOAL] = {"goal", "goal", NM_FIELD_GOAL, 0},
	[NM_ESP_GOAL_ALLOCATIONS] = {"goal_allocations", "goal, allocs", NM_FIELD_GOAL, 0},
};

struct nm_spread nm_esp_ratios(const double *above, const double *below, size_t n)
{
	double values[NM_OPTION_REPEAT_MAX];

	for (size_t i = 0; i < n; i++)
		values[i] = above[i] / below[i];
	return nm_spread_of(values, n);
}

void nm_esp_row_report(
	struct nm_report *report, struct nm_esp_row *row, size_t n, uint64_t allocations)
{
	if (n == 0)
		return;
	row->fields[NM_ESP_TIME].spread = nm_spread_of(row->ns, n);
	row->fields[NM_ESP_ALLOCATIONS].count = allocations;
	row->fields[NM_ESP_GOAL_ALLOCATIONS].goal =
		(struct nm_goal){NM_GOAL_AT_MOST, 0, (double)allocations};
	nm_report_row(report, row->fields);
}
