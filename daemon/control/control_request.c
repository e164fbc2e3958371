/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a request, finds its command, wraps the answer. Nothing here trusts the client but for
 * the length of the line, which control_line.c has bounded.
 */
#include "daemon/control/control_request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include "daemon/control/control_commands.h"
#include "daemon/control/control_json.h"
#include "daemon/server.h"

const struct nm_control_command nm_control_commands[] = {
	{"status", {NULL}, nm_control_status, "what runs, on which sockets, since when"},
	{"flows", {"limit"}, nm_control_flows, "peers and what they sent, latest activity last"},
	{"stats", {NULL}, nm_control_stats, "datagrams and bytes by class"},
	{"drops", {"all"}, nm_control_drops, "datagrams that went no further, by reason"},
	{"servers", {NULL}, nm_control_servers, "STUN servers and our addresses as they see them"},
	{"aliases", {NULL}, nm_control_aliases, "alias addresses that the relay has given out"},
	{"events", {"follow"}, nm_control_list_events, "the last events; with follow, all to come"},
	{"sa-list", {"direction", "spi", "reqid", "remote", "limit"}, nm_control_sa_list,
		"SAs of esp = user and what went through them"},
	{"sa-add", {"sa", "key", "sequence", "replay"}, nm_control_sa_add,
		"adds an SA, or replaces it at once"},
	{"sa-delete", {"direction", "spi", "remote"}, nm_control_sa_delete, "deletes one SA"},
	{"sa-flush", {"direction", "spi", "reqid", "remote"}, nm_control_sa_flush,
		"deletes all SAs, or those named"},
	{"sa-export", {"format", "direction", "spi", "reqid", "remote"}, nm_control_sa_export,
		"the keys for other programs, where export-keys = yes"},
	{"sa-move", {"plane"}, nm_control_sa_move,
		"takes all SAs to the other plane, where both-planes = yes"},
	{"policy-list", {"limit"}, nm_control_policy_list, "policies of esp = user, by priority"},
	{"policy-add", {"policy"}, nm_control_policy_add, "adds a policy, or replaces it"},
	{"policy-delete", {"policy"}, nm_control_policy_delete,
		"deletes the policy of a priority and selector"},
	{"policy-flush", {NULL}, nm_control_policy_flush, "deletes all policies"},
	{"metrics", {NULL}, nm_control_metrics, "all counters as Prometheus text"},
	{"reload", {NULL}, nm_control_reload, "reads the configuration file again"},
	{"capture", {"classes", "direction", "snaplen", "count"}, nm_control_begin_capture,
		"copies of datagrams as they pass"},
	{"version", {NULL}, nm_control_version, "version of natmuxd and of the library"},
	{"help", {NULL}, nm_control_help, "this list"},
	{0},
};

int nm_control_fail(struct nm_control_call *call, const char *code, const char *format, ...)
{
	va_list args;

	call->code = code;
	va_start(args, format);
	vsnprintf(call->message, sizeof(call->message), format, args);
	va_end(args);
	return NATMUX_EINVAL;
}

int nm_control_get_bool(struct nm_control_call *call, const char *key, bool *value)
{
	const json_t *json = json_object_get(call->request, key);

	if (!json)
		return 0;
	if (!json_is_boolean(json))
		return nm_control_fail(call, "bad-argument", "\"%s\" must be true or false", key);
	*value = json_is_true(json);
	return 0;
}

int nm_control_get_number(
	struct nm_control_call *call, const char *key, uint64_t min, uint64_t max, uint64_t *value)
{
	const json_t *json = json_object_get(call->request, key);
	json_int_t number = json_integer_value(json);

	if (!json)
		return 0;
	if (!json_is_integer(json) || number < 0 || (uint64_t)number < min ||
		(uint64_t)number > max)
		return nm_control_fail(call, "bad-argument",
			"\"%s\" must be a whole number from %llu to %llu", key,
			(unsigned long long)min, (unsigned long long)max);
	*value = (uint64_t)number;
	return 0;
}

int nm_control_get_text(struct nm_control_call *call, const char *key, const char **value)
{
	const json_t *json = json_object_get(call->request, key);

	if (!json)
		return 0;
	if (!json_is_string(json))
		return nm_control_fail(call, "bad-argument", "\"%s\" must be a text", key);
	*value = json_string_value(json);
	return 0;
}

/*
 * How deep brackets nest, at least: strings are skipped, but nothing else is checked. Asked before
 * the parser runs, so that its recursion is bounded by us and not by how it was built.
 */
static size_t nesting(const char *text, size_t len)
{
	size_t depth = 0, deepest = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string && c == '\\')
			i++;
		else if (c == '"')
			in_string = !in_string;
		else if (!in_string && (c == '{' || c == '['))
			deepest = ++depth > deepest ? depth : deepest;
		else if (!in_string && (c == '}' || c == ']') && depth > 0)
			depth--;
	}
	return deepest;
}

static json_t *parse(struct nm_control_call *call, const char *line, size_t len)
{
	json_error_t error;
	json_t *request;

	if (nesting(line, len) > NM_CONTROL_DEPTH_MAX) {
		nm_control_fail(call, "bad-request", "more than %d levels of nesting",
			NM_CONTROL_DEPTH_MAX);
		return NULL;
	}
	request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (!request) {
		nm_control_fail(
			call, "bad-request", "not JSON: %s at column %d", error.text, error.column);
		return NULL;
	}
	if (!json_is_object(request)) {
		nm_control_fail(call, "bad-request", "a request is an object: {\"command\":…}");
		json_decref(request);
		return NULL;
	}
	return request;
}

static const struct nm_control_command *find_command(struct nm_control_call *call)
{
	const struct nm_control_command *command;
	const char *name = NULL;

	if (nm_control_get_text(call, "command", &name) < 0)
		return NULL;
	if (!name) {
		nm_control_fail(call, "bad-request", "\"command\" is missing");
		return NULL;
	}
	for (command = nm_control_commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	nm_control_fail(call, "unknown-command",
		"no command \"%.32s\"; \"help\" lists those there are", name);
	return NULL;
}

static bool takes_key(const struct nm_control_command *command, const char *key)
{
	if (strcmp(key, "command") == 0)
		return true;
	for (size_t i = 0; i < NM_CONTROL_KEYS && command->keys[i]; i++)
		if (strcmp(command->keys[i], key) == 0)
			return true;
	return false;
}

/* A misspelt argument must not be taken for its default. */
static int check_keys(struct nm_control_call *call, const struct nm_control_command *command)
{
	json_t *request = (json_t *)(uintptr_t)call->request; /* iterators want it writable */

	for (void *i = json_object_iter(request); i; i = json_object_iter_next(request, i)) {
		const char *key = json_object_iter_key(i);

		if (!takes_key(command, key))
			return nm_control_fail(call, "bad-argument",
				"\"%s\" does not know \"%.32s\"", command->name, key);
	}
	return 0;
}

static void run(struct nm_control_call *call)
{
	const struct nm_control_command *command = find_command(call);
	int err;

	if (!command || check_keys(call, command) < 0)
		return;
	nm_server_pause(call->server);
	err = command->run(call);
	nm_server_resume(call->server);
	if (err == 0 && !call->result)
		nm_control_fail(call, "no-memory", "the daemon has no memory for the answer");
}

json_t *nm_control_error(const char *code, const char *message)
{
	return json_pack("{s:b, s:{s:s, s:o}}", "ok", 0, "error", "code", code, "message",
		nm_json_text(message));
}

json_t *nm_control_answer(struct nm_control_call *call, const char *line, size_t len)
{
	json_t *request = parse(call, line, len), *result;

	call->request = request;
	if (request)
		run(call);
	json_decref(request);
	call->request = NULL;
	result = call->result;
	call->result = NULL;
	if (!call->code)
		return json_pack("{s:b, s:o}", "ok", 1, "result", result);
	json_decref(result);
	call->stream = NM_CONTROL_STREAM_NONE;
	return nm_control_error(call->code, call->message);
}

char *nm_control_text(const json_t *json, size_t *len)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (!text)
		return NULL;
	/* The newline takes the place of the NUL: whoever writes it knows the length. */
	*len = strlen(text) + 1;
	text[*len - 1] = '\n';
	return text;
}
