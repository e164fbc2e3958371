/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl events: one line for each thing that happened, or happens. */
#include "ctl/commands.h"

#include <getopt.h>
#include <string.h>
#include <time.h>
#include "ctl/client.h"
#include "ctl/print.h"

static void print_time(struct nm_ctl *ctl, uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm local;
	char text[32];

	if (!localtime_r(&seconds, &local) ||
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) == 0)
		strcpy(text, "-");
	nm_print(ctl, "%s.%03u  ", text, (unsigned int)(ms % 1000));
}

/* "SA in 0x00001000 (branch-in)"; of a packet that may be no SA's: "ESP in …" */
static void print_sa(struct nm_ctl *ctl, const char *type, const json_t *event)
{
	nm_print(ctl, "%s %s %s", strcmp(type, "sa-audit") == 0 ? "ESP" : "SA",
		nm_get_text(event, "direction"), nm_get_text(event, "spi"));
	if (!nm_is_null(event, "name"))
		nm_print(ctl, " (%s)", nm_get_text(event, "name"));
}

static void print_esp_event(struct nm_ctl *ctl, const char *type, const json_t *event)
{
	unsigned long long reqid = (unsigned long long)nm_get_count(event, "reqid");

	if (strcmp(type, "sa-acquire") == 0) {
		nm_print(ctl, "a policy wants an SA with reqid %llu\n", reqid);
		return;
	}
	print_sa(ctl, type, event);
	if (strcmp(type, "sa-audit") == 0)
		nm_print(ctl, ": %s, sequence %llu from %s\n", nm_get_text(event, "drop"),
			(unsigned long long)nm_get_count(event, "sequence"),
			nm_get_text(event, "remote"));
	else if (strcmp(type, "sa-moved") == 0)
		nm_print(ctl, ", reqid %llu: peer at %s, before at %s\n", reqid,
			nm_get_text(event, "remote"), nm_get_text(event, "remote_before"));
	else if (strcmp(type, "sa-hard") == 0)
		nm_print(ctl, ", reqid %llu: a hard limit is reached, it is dead\n", reqid);
	else
		nm_print(ctl, ", reqid %llu: a soft limit is reached\n", reqid);
}

void nm_ctl_print_event(struct nm_ctl *ctl, const json_t *event)
{
	const char *type = nm_get_text(event, "type"), *name = nm_get_text(event, "name");
	const char *local = nm_get_text(event, "local"), *remote = nm_get_text(event, "remote");

	print_time(ctl, nm_get_count(event, "time_ms"));
	nm_print(ctl, "%-16s  ", type);
	if (strncmp(type, "sa-", 3) == 0)
		print_esp_event(ctl, type, event);
	else if (strcmp(type, "mapped-changed") == 0 && nm_is_null(event, "mapped_before"))
		nm_print(ctl, "%s sees %s as %s\n", name, local, nm_get_text(event, "mapped"));
	else if (strcmp(type, "mapped-changed") == 0)
		nm_print(ctl, "%s sees %s as %s, before as %s\n", name, local,
			nm_get_text(event, "mapped"), nm_get_text(event, "mapped_before"));
	else if (strcmp(type, "server-lost") == 0)
		nm_print(ctl, "%s (%s) answers %s no more\n", name, remote, local);
	else if (nm_is_null(event, "name"))
		nm_print(ctl, "%s at %s\n", remote, local);
	else
		nm_print(ctl, "%s at %s, peer %s\n", remote, local, name);
}

static void print_kept(struct nm_ctl *ctl, const json_t *result)
{
	const json_t *list = json_object_get(result, "events");

	for (size_t i = 0; i < json_array_size(list); i++)
		nm_ctl_print_event(ctl, json_array_get(list, i));
	if (json_array_size(list) == 0)
		nm_print(ctl, "nothing has happened yet\n");
}

/* A line of the stream. */
static void show(struct nm_ctl *ctl, const json_t *line)
{
	const json_t *event = json_object_get(line, "event");
	const json_t *lost = json_object_get(line, "lost");

	if (event && ctl->is_json)
		nm_ctl_print_json(ctl, event);
	else if (event)
		nm_ctl_print_event(ctl, event);
	if (lost)
		nm_ctl_complain("%llu events were lost: this reader is too slow",
			(unsigned long long)nm_get_count(lost, "events"));
}

static enum nm_ctl_exit follow_stream(struct nm_ctl *ctl, struct nm_client *client)
{
	json_t *line;

	for (;;) {
		switch (nm_client_next(client, -1, &line)) {
		case NM_CLIENT_LINE: break;
		case NM_CLIENT_END:
			nm_ctl_complain("natmuxd has ended the stream");
			return NM_CTL_UNREACHABLE;
		case NM_CLIENT_INTERRUPTED:
		case NM_CLIENT_FAILED: return NM_CTL_UNREACHABLE;
		}
		show(ctl, line);
		json_decref(line);
		if (fflush(ctl->out) != 0)
			return NM_CTL_REFUSED;
	}
}

static enum nm_ctl_exit follow(struct nm_ctl *ctl)
{
	struct nm_client client;
	json_t *result = NULL;
	enum nm_ctl_exit code = nm_client_open(&client, ctl->socket);

	if (code != NM_CTL_OK)
		return code;
	code = nm_client_ask(
		&client, json_pack("{s:s, s:b}", "command", "events", "follow", 1), &result);
	json_decref(result);
	if (code == NM_CTL_OK)
		code = follow_stream(ctl, &client);
	nm_client_close(&client);
	return code;
}

enum nm_ctl_exit nm_ctl_events(struct nm_ctl *ctl, int argc, char **argv)
{
	static const struct option options[] = {
		{"follow", no_argument, NULL, 'f'},
		{0},
	};
	bool follows = false;
	int c;

	while ((c = getopt_long(argc, argv, "f", options, NULL)) >= 0) {
		if (c != 'f')
			return nm_ctl_bad_option(argv);
		follows = true;
	}
	if (nm_ctl_no_arguments(argc, argv, optind) != NM_CTL_OK)
		return NM_CTL_USAGE;
	if (follows)
		return follow(ctl);
	return nm_ctl_ask_and_print(ctl, json_pack("{s:s}", "command", "events"), print_kept);
}
