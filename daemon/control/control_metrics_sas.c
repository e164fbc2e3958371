/* SPDX-License-Identifier: Apache-2.0 */
/* The user ESP plane in the Prometheus text format: its device, and each SA's counters. */
#include "daemon/control/control_metrics.h"

#include <inttypes.h>
#include <string.h>

#include "daemon/config/config.h"
#include "daemon/control/control_json.h"
#include "daemon/control/control_kernel.h"
#include "daemon/control/control_request.h"
#include "daemon/planes/sa_plane.h"
#include "daemon/server.h"
#include "daemon/user/user_plane.h"

/* One metric of every SA: the text format wants them together. */
struct column {
	FILE *out;
	const struct nm_config *config;
	const char *name;
	uint32_t left; /* SAs that may yet be shown */
	void (*print)(const struct column *column, const struct natmux_sa_info *info);
	size_t counter;
};

static void sample(const struct column *column, const struct natmux_sa_info *info,
	const char *label, const char *value_of_label, uint64_t value)
{
	const struct nm_config_sa *sa =
		nm_config_sa_find(column->config, info->direction, info->spi, &info->added_remote);
	char remote[NATMUX_ADDR_TEXT];

	fprintf(column->out,
		"natmux_sa_%s{direction=\"%s\",spi=\"0x%08" PRIx32 "\",name=\"%s\",peer=\"%s\"",
		column->name, nm_json_direction(info->direction), info->spi, sa ? sa->name : "",
		natmux_addr_format(&info->added_remote, remote));
	if (label)
		fprintf(column->out, ",%s=\"%s\"", label, value_of_label);
	fprintf(column->out, "} %" PRIu64 "\n", value);
}

static void print_counter(const struct column *column, const struct natmux_sa_info *info)
{
	sample(column, info, NULL, NULL, nm_sa_counter(&info->counters, column->counter));
}

/* Why packets of an SA went no further. */
static void print_drops(const struct column *column, const struct natmux_sa_info *info)
{
	static const enum nm_sa_counter reasons[] = {NM_SA_COUNTER_late, NM_SA_COUNTER_duplicate,
		NM_SA_COUNTER_replayed, NM_SA_COUNTER_bad_icv, NM_SA_COUNTER_bad_padding,
		NM_SA_COUNTER_selector, NM_SA_COUNTER_too_short, NM_SA_COUNTER_exhausted};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		sample(column, info, "reason", nm_sa_counter_name(reasons[i]),
			nm_sa_counter(&info->counters, reasons[i]));
}

/* Packets by how many numbers they came behind the newest: 1, 2-3, 4-7 and so on. */
static void print_reorder(const struct column *column, const struct natmux_sa_info *info)
{
	for (unsigned int i = 0; i < NATMUX_REORDER_BUCKETS; i++) {
		char depth[24];

		if (info->direction != NATMUX_SA_IN)
			return;
		snprintf(depth, sizeof(depth), "%u", 1U << i);
		sample(column, info, "behind", depth, info->counters.reorder[i]);
	}
}

static void print_sequence(const struct column *column, const struct natmux_sa_info *info)
{
	sample(column, info, NULL, NULL, info->sequence);
}

static void print_dead(const struct column *column, const struct natmux_sa_info *info)
{
	sample(column, info, NULL, NULL, info->is_dead);
}

static void print_sa(void *user, const struct nm_sa_seen *sa)
{
	struct column *column = user;

	if (column->left == 0)
		return;
	column->left--;
	column->print(column, sa->info);
}

static void print_sas(FILE *out, const struct nm_config *config, const struct nm_sa_plane *plane)
{
	static const struct {
		const char *name, *type, *help;
		void (*print)(const struct column *column, const struct natmux_sa_info *info);
		enum nm_sa_counter counter;
	} columns[] = {
		{"packets_total", "counter", "Inner packets delivered or sent.", print_counter,
			NM_SA_COUNTER_packets},
		{"bytes_total", "counter", "Octets of these.", print_counter, NM_SA_COUNTER_bytes},
		{"lost_total", "counter", "Sequence numbers that never came.", print_counter,
			NM_SA_COUNTER_lost},
		{"dummies_total", "counter", "Dummy packets (RFC 4303 2.6).", print_counter,
			NM_SA_COUNTER_dummy},
		{"dropped_packets_total", "counter", "Packets that went no further.", print_drops,
			0},
		{"reordered_packets_total", "counter",
			"Packets behind the newest, by at least so many numbers.", print_reorder,
			0},
		{"sequence", "gauge", "Highest number seen, or last number used.", print_sequence,
			0},
		{"dead", "gauge", "Whether a hard limit was reached.", print_dead, 0},
	};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		struct column column = {out, config, columns[i].name, NM_CONTROL_SA_METRICS,
			columns[i].print, columns[i].counter};
		char name[64];

		snprintf(name, sizeof(name), "sa_%s", columns[i].name);
		nm_metrics_head(out, name, columns[i].type, columns[i].help);
		nm_sa_plane_each(plane, print_sa, &column);
	}
}

static void print_gauge(FILE *out, const char *name, const char *help, uint64_t value)
{
	nm_metrics_head(out, name, "gauge", help);
	fprintf(out, "natmux_%s %" PRIu64 "\n", name, value);
}

static void print_device(FILE *out, const struct nm_user_plane_status *status)
{
	const struct {
		const char *name;
		const struct nm_user_plane_count *count;
	} ways[] = {{"read", &status->read}, {"written", &status->written}};

	nm_metrics_head(out, "inner_packets_total", "counter",
		"Packets and super-packets of the user plane's device.");
	for (size_t i = 0; i < 2; i++)
		fprintf(out, "natmux_inner_packets_total{way=\"%s\"} %" PRIu64 "\n", ways[i].name,
			ways[i].count->packets + ways[i].count->super_packets);
	nm_metrics_head(out, "inner_bytes_total", "counter", "Octets of these.");
	for (size_t i = 0; i < 2; i++)
		fprintf(out, "natmux_inner_bytes_total{way=\"%s\"} %" PRIu64 "\n", ways[i].name,
			ways[i].count->bytes);
}

void nm_metrics_print_sas(FILE *out, struct nm_server *server)
{
	const struct nm_sa_plane *plane = nm_server_sa_plane(server);
	struct nm_user_plane *user_plane = nm_server_user_plane(server);
	struct nm_user_plane_status status;

	if (!plane)
		return;
	print_gauge(out, "sas", "SAs of natmuxd.", nm_sa_plane_count(plane));
	print_gauge(out, "policies", "Policies of natmuxd.", nm_sa_plane_policy_count(plane));
	if (user_plane) {
		nm_user_plane_get_status(user_plane, &status);
		print_device(out, &status);
	}
	print_sas(out, nm_server_config(server), plane);
	nm_metrics_print_xfrm_stat(out, server);
}
