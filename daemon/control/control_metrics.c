/* SPDX-License-Identifier: Apache-2.0 */
/* All counters in the Prometheus text format 0.0.4, from the records the other commands show. */
#include "daemon/control/control_commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/mux.h>
#include <natmux/version.h>
#include "daemon/control/control_json.h"
#include "daemon/control/control_metrics.h"
#include "daemon/control/control_request.h"
#include "daemon/server.h"

/* The value of a label: backslash, quote and newline are escaped. */
static void label(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(*text, out);
	}
}

static void class_metric(FILE *out, const char *name, const char *help,
	const struct natmux_count counts[NATMUX_CLASS_COUNT], bool is_bytes)
{
	nm_metrics_head(out, name, "counter", help);
	for (int i = 0; i < NATMUX_CLASS_COUNT; i++)
		fprintf(out, "natmux_%s{class=\"%s\"} %" PRIu64 "\n", name,
			natmux_class_name((enum natmux_class)i),
			is_bytes ? counts[i].bytes : counts[i].datagrams);
}

static void print_stats(FILE *out, const struct natmux_stats *stats)
{
	class_metric(
		out, "received_datagrams_total", "Datagrams from the network.", stats->rx, false);
	class_metric(out, "received_bytes_total", "UDP payload from the network.", stats->rx, true);
	class_metric(out, "sent_datagrams_total", "Datagrams to the network.", stats->tx, false);
	class_metric(out, "sent_bytes_total", "UDP payload to the network.", stats->tx, true);
	nm_metrics_head(out, "received_trains_total", "counter",
		"Trains of datagrams (UDP_GRO) that they came in.");
	fprintf(out, "natmux_received_trains_total %" PRIu64 "\n", stats->rx_trains);
	nm_metrics_head(out, "stun_lookalikes_total", "counter",
		"ESP datagrams that carry the STUN cookie by chance or by intent.");
	fprintf(out, "natmux_stun_lookalikes_total %" PRIu64 "\n", stats->stun_lookalikes);
	nm_metrics_head(
		out, "dropped_datagrams_total", "counter", "Datagrams that went no further.");
	for (int i = 0; i < NATMUX_DROP_COUNT; i++)
		fprintf(out, "natmux_dropped_datagrams_total{reason=\"%s\"} %" PRIu64 "\n",
			natmux_drop_name((enum natmux_drop)i), stats->drops[i]);
}

static void count_flow(void *user, const struct natmux_flow_info *info)
{
	uint64_t *states = user;

	states[info->state]++;
}

static void print_flows(FILE *out, const struct natmux_mux *mux)
{
	uint64_t states[NATMUX_FLOW_ESTABLISHED + 1] = {0};

	natmux_mux_flows(mux, count_flow, states);
	nm_metrics_head(out, "flows", "gauge", "Peers that natmux keeps, by state.");
	fprintf(out, "natmux_flows{state=\"new\"} %" PRIu64 "\n", states[NATMUX_FLOW_NEW]);
	fprintf(out, "natmux_flows{state=\"answered\"} %" PRIu64 "\n",
		states[NATMUX_FLOW_ANSWERED]);
	fprintf(out, "natmux_flows{state=\"established\"} %" PRIu64 "\n",
		states[NATMUX_FLOW_ESTABLISHED]);
}

/* One metric of every socket or STUN server: the text format wants them together. */
struct column {
	FILE *out;
	const char *name;
	size_t index;
};

static void socket_value(void *user, const struct nm_server_socket *socket)
{
	const struct column *column = user;
	const uint64_t values[] = {socket->kernel_drops, socket->recv_calls, socket->send_calls,
		socket->has_gro, socket->has_gso, socket->receive_buffer};
	char local[NATMUX_ADDR_TEXT];

	fprintf(column->out, "natmux_socket_%s{local=\"%s\"", column->name,
		natmux_addr_format(&socket->local, local));
	/* Workers have sockets of the same address. */
	if (socket->worker > 0)
		fprintf(column->out, ",worker=\"%" PRIu32 "\"", socket->worker);
	fprintf(column->out, "} %" PRIu64 "\n", values[column->index]);
}

static void print_sockets(FILE *out, struct nm_server *server)
{
	static const char *const columns[][3] = {
		{"kernel_drops_total", "counter", "Datagrams the full receive queue lost."},
		{"receive_calls_total", "counter", "System calls that received."},
		{"send_calls_total", "counter", "System calls that sent."},
		{"gro", "gauge", "Whether UDP_GRO is in use."},
		{"gso", "gauge", "Whether UDP_SEGMENT is in use."},
		{"receive_buffer_bytes", "gauge", "Receive buffer granted by the kernel."},
	};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		struct column column = {out, columns[i][0], i};
		char name[64];

		snprintf(name, sizeof(name), "socket_%s", columns[i][0]);
		nm_metrics_head(out, name, columns[i][1], columns[i][2]);
		nm_server_sockets(server, socket_value, &column);
	}
}

static void server_value(void *user, const struct natmux_server_info *info)
{
	const struct column *column = user;
	const uint64_t values[] = {
		info->is_answering, info->requests, info->answers, info->timeouts, info->changes};
	char local[NATMUX_ADDR_TEXT];

	fprintf(column->out, "natmux_stun_server_%s{server=\"", column->name);
	label(column->out, info->name);
	fprintf(column->out, "\",local=\"%s\"} %" PRIu64 "\n",
		natmux_addr_format(&info->path.local, local), values[column->index]);
}

static void print_servers(FILE *out, const struct natmux_mux *mux)
{
	static const char *const columns[][3] = {
		{"answering", "gauge", "Whether the STUN server answered last time."},
		{"requests_total", "counter", "Binding requests sent."},
		{"answers_total", "counter", "Binding responses that came."},
		{"timeouts_total", "counter", "Requests that got no answer."},
		{"changes_total", "counter", "Changes of our mapped address."},
	};

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		struct column column = {out, columns[i][0], i};
		char name[64];

		snprintf(name, sizeof(name), "stun_server_%s", columns[i][0]);
		nm_metrics_head(out, name, columns[i][1], columns[i][2]);
		natmux_mux_servers(mux, server_value, &column);
	}
}

static void print_all(FILE *out, struct nm_server *server)
{
	const struct natmux_mux *mux = nm_server_mux(server);
	uint64_t up_ms = nm_server_now_ms(server) - nm_server_started_ms(server);
	struct natmux_stats stats;

	nm_server_stats(server, &stats);
	nm_metrics_head(out, "info", "gauge", "Always 1; the version is a label.");
	fprintf(out, "natmux_info{version=\"%s\"} 1\n", natmux_version());
	nm_metrics_head(out, "uptime_seconds", "gauge", "Seconds since natmuxd started.");
	fprintf(out, "natmux_uptime_seconds %" PRIu64 ".%03d\n", up_ms / 1000, (int)(up_ms % 1000));
	print_stats(out, &stats);
	print_flows(out, mux);
	print_sockets(out, server);
	print_servers(out, mux);
	nm_metrics_print_sas(out, server);
}

int nm_control_metrics(struct nm_control_call *call)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool is_whole;

	if (!out)
		return 0;
	print_all(out, call->server);
	is_whole = !ferror(out);
	if (fclose(out) == 0 && is_whole)
		call->result = json_pack("{s:s, s:o}", "content_type", "text/plain; version=0.0.4",
			"text", nm_json_text(text));
	free(text);
	return 0;
}
