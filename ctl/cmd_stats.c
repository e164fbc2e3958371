/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl stats: counters by class, once or again and again with rates. */
#include "ctl/commands.h"

#include <getopt.h>
#include <time.h>
#include "ctl/client.h"
#include "ctl/print.h"

/* The order that people care for. */
static const char *const classes[] = {"ike", "esp", "stun", "keepalive", "runt"};

enum { CLASSES = sizeof(classes) / sizeof(classes[0]) };

static const json_t *class_of(const json_t *result, const char *direction, const char *name)
{
	return json_object_get(json_object_get(result, direction), name);
}

static void print_rest(struct nm_ctl *ctl, const json_t *result)
{
	uint64_t datagrams = 0, trains = nm_get_count(result, "rx_trains");

	for (size_t i = 0; i < CLASSES; i++)
		datagrams += nm_get_count(class_of(result, "rx", classes[i]), "datagrams");
	nm_print(ctl, "\n%llu trains received", (unsigned long long)trains);
	if (trains > 0)
		nm_print(ctl, ", %.1f datagrams each", (double)datagrams / (double)trains);
	nm_print(ctl, "; %llu dropped, %llu lost in the kernel; %llu look-alikes of STUN\n",
		(unsigned long long)nm_get_count(result, "drops"),
		(unsigned long long)nm_get_count(result, "kernel_drops"),
		(unsigned long long)nm_get_count(result, "stun_lookalikes"));
}

static void add_total(struct nm_table *table, const json_t *count)
{
	char bytes[NM_PRINT_TEXT];

	nm_table_add(table, "%llu", (unsigned long long)nm_get_count(count, "datagrams"));
	nm_table_add(table, "%s", nm_print_bytes(nm_get_count(count, "bytes"), bytes));
}

void nm_ctl_print_stats(struct nm_ctl *ctl, const json_t *result)
{
	static const char *const heads[] = {
		"CLASS", ">RECEIVED", ">BYTES", ">SENT", ">BYTES", NULL};
	struct nm_table table;

	nm_table_init(&table, heads);
	for (size_t i = 0; i < CLASSES; i++) {
		nm_table_add(&table, "%s", classes[i]);
		add_total(&table, class_of(result, "rx", classes[i]));
		add_total(&table, class_of(result, "tx", classes[i]));
	}
	nm_table_done(&table, ctl);
	print_rest(ctl, result);
}

/* Per second; 0 when the daemon has started afresh and its counters with it. */
static double rate(const json_t *before, const json_t *after, const char *key, double seconds)
{
	uint64_t from = nm_get_count(before, key), to = nm_get_count(after, key);

	return to >= from && seconds > 0 ? (double)(to - from) / seconds : 0;
}

static void add_rates(struct nm_table *table, const json_t *before, const json_t *after,
	const char *direction, const char *name, double seconds)
{
	const json_t *from = class_of(before, direction, name);
	const json_t *to = class_of(after, direction, name);
	char text[NM_PRINT_TEXT];

	nm_table_add(table, "%llu", (unsigned long long)nm_get_count(to, "datagrams"));
	nm_table_add(table, "%s", nm_print_scaled(rate(from, to, "datagrams", seconds), text));
	nm_table_add(table, "%s", nm_print_scaled(8 * rate(from, to, "bytes", seconds), text));
}

void nm_ctl_print_rates(struct nm_ctl *ctl, const json_t *before, const json_t *result)
{
	static const char *const heads[] = {
		"CLASS", ">RECEIVED", ">/S", ">BIT/S", ">SENT", ">/S", ">BIT/S", NULL};
	uint64_t from_ms = nm_get_count(before, "now_ms"), to_ms = nm_get_count(result, "now_ms");
	double seconds = to_ms > from_ms ? (double)(to_ms - from_ms) / 1000 : 0;
	struct nm_table table;

	nm_table_init(&table, heads);
	for (size_t i = 0; i < CLASSES; i++) {
		nm_table_add(&table, "%s", classes[i]);
		add_rates(&table, before, result, "rx", classes[i], seconds);
		add_rates(&table, before, result, "tx", classes[i], seconds);
	}
	nm_table_done(&table, ctl);
	print_rest(ctl, result);
	nm_print(ctl, "%.0f drops/s, %.0f lost in the kernel/s\n",
		rate(before, result, "drops", seconds),
		rate(before, result, "kernel_drops", seconds));
}

static enum nm_ctl_exit fetch(struct nm_ctl *ctl, json_t **result)
{
	struct nm_client client;
	enum nm_ctl_exit code = nm_client_open(&client, ctl->socket);

	if (code != NM_CTL_OK)
		return code;
	code = nm_client_ask(&client, json_pack("{s:s}", "command", "stats"), result);
	nm_client_close(&client);
	return code;
}

/* A terminal shows one table that changes; a file or pipe gets one after the other. */
static void show(struct nm_ctl *ctl, const json_t *before, const json_t *result)
{
	if (ctl->is_json) {
		nm_ctl_print_json(ctl, result);
		return;
	}
	fputs(ctl->is_terminal ? "\033[H\033[J" : before ? "\n" : "", ctl->out);
	nm_ctl_print_rates(ctl, before ? before : result, result);
}

static enum nm_ctl_exit watch(struct nm_ctl *ctl, int64_t seconds)
{
	struct timespec pause = {.tv_sec = seconds};
	json_t *before = NULL, *result = NULL;
	enum nm_ctl_exit code;

	while ((code = fetch(ctl, &result)) == NM_CTL_OK) {
		show(ctl, before, result);
		json_decref(before);
		before = result;
		if (fflush(ctl->out) != 0)
			break;
		nanosleep(&pause, NULL);
	}
	json_decref(before);
	return code;
}

enum nm_ctl_exit nm_ctl_stats(struct nm_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"watch", optional_argument, NULL, 'w'},
		{0},
	};
	const char *seconds_text = NULL;
	int64_t seconds = 1;
	bool watches = false;
	int c;

	while ((c = getopt_long(argc, argv, "w::", options, NULL)) >= 0) {
		if (c != 'w')
			return nm_ctl_bad_option(argv);
		watches = true;
		seconds_text = optarg;
	}
	/* getopt takes an optional argument only when it is glued: --watch=5. Also take the next. */
	if (watches && !seconds_text && optind < argc)
		seconds_text = argv[optind++];
	if (seconds_text && !nm_ctl_number(argv[0], "--watch", seconds_text, 1, 86400, &seconds))
		return NM_CTL_USAGE;
	if (nm_ctl_no_arguments(argc, argv, optind) != NM_CTL_OK)
		return NM_CTL_USAGE;
	if (watches)
		return watch(ctl, seconds);
	return nm_ctl_ask_and_print(
		ctl, json_pack("{s:s}", "command", "stats"), nm_ctl_print_stats);
}
