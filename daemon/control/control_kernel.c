/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel can, and what it has dropped and why, in the words of xfrm/. */
#include "daemon/control/control_kernel.h"

#include <inttypes.h>

#include "daemon/control/control_json.h"
#include "daemon/control/control_metrics.h"
#include "daemon/kernel/kernel_plane.h"
#include "daemon/server.h"

static json_t *features_json(const struct nm_xfrm_features *features, bool has)
{
	json_t *list = json_array();

	for (int i = 0; i < NM_XFRM_FEATURE_COUNT; i++)
		if (features->has[i] == has)
			json_array_append_new(
				list, json_string(nm_xfrm_feature_word((enum nm_xfrm_feature)i)));
	return list;
}

json_t *nm_json_kernel_plane(struct nm_server *server)
{
	struct nm_kernel_plane *plane = nm_server_kernel_plane(server);
	struct nm_kernel_plane_status status;

	if (!plane)
		return json_null();
	nm_kernel_plane_get_status(plane, &status);
	return json_pack("{s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:o}", "sas",
		(json_int_t)status.sas, "sas_max", (json_int_t)status.sas_max, "policies",
		(json_int_t)status.policies, "policies_max", (json_int_t)status.policies_max,
		"keep", (int)status.keeps, "events", nm_json_count(status.events), "losses",
		nm_json_count(status.losses), "features", features_json(status.features, true),
		"missing", features_json(status.features, false));
}

json_t *nm_json_xfrm_stat(struct nm_server *server)
{
	struct nm_kernel_plane *plane = nm_server_kernel_plane(server);
	struct nm_kernel_plane_status status;
	json_t *list;

	if (!plane)
		return NULL;
	nm_kernel_plane_get_status(plane, &status);
	list = json_array();
	for (int i = 0; i < NM_XFRM_COUNTER_COUNT && status.has_stat; i++)
		if (status.stat.value[i] > 0)
			json_array_append_new(
				list, json_pack("{s:s, s:o, s:s}", "counter",
					      nm_xfrm_counter_name((enum nm_xfrm_counter)i),
					      "count", nm_json_count(status.stat.value[i]), "why",
					      nm_xfrm_counter_text((enum nm_xfrm_counter)i)));
	return list;
}

void nm_metrics_print_xfrm_stat(FILE *out, struct nm_server *server)
{
	struct nm_kernel_plane *plane = nm_server_kernel_plane(server);
	struct nm_kernel_plane_status status;

	if (!plane)
		return;
	nm_kernel_plane_get_status(plane, &status);
	if (!status.has_stat)
		return;
	nm_metrics_head(out, "xfrm_dropped_packets_total", "counter",
		"Packets that the kernel's XFRM has dropped since natmuxd started, by its "
		"counter.");
	for (int i = 0; i < NM_XFRM_COUNTER_COUNT; i++)
		if (status.stat.has >> i & 1)
			fprintf(out,
				"natmux_xfrm_dropped_packets_total{counter=\"%s\"} %" PRIu64 "\n",
				nm_xfrm_counter_name((enum nm_xfrm_counter)i),
				status.stat.value[i]);
}
