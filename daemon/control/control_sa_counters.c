/* SPDX-License-Identifier: Apache-2.0 */
/* The counters of an SA in one list, for `sa list` and for the metrics. */
#include <stddef.h>
#include <string.h>

#include "daemon/control/control_json.h"

static const struct {
	const char *name;
	size_t offset;
} counters[NM_SA_COUNTERS] = {
#define X(name) {#name, offsetof(struct natmux_sa_counters, name)},
	NM_SA_COUNTER_MAP(X)
#undef X
};

const char *nm_sa_counter_name(size_t i)
{
	return counters[i].name;
}

uint64_t nm_sa_counter(const struct natmux_sa_counters *of, size_t i)
{
	uint64_t value;

	memcpy(&value, (const char *)of + counters[i].offset, sizeof(value));
	return value;
}
