/* SPDX-License-Identifier: Apache-2.0 */
/* Requests and their answers, with a made-up daemon behind them. */
#include "test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>
#include "daemon/control/control_json.h"
#include "daemon/control/control_line.h"
#include "daemon/control/control_request.h"
#include "tests/fakes/fake_server.h"
#include "golden.h"

static struct fake_server fake;
static struct nm_control_events events;

static struct nm_control_call new_call(void)
{
	return (struct nm_control_call){.server = fake_server_of(&fake), .events = &events};
}

static json_t *ask_bytes(struct nm_control_call *call, const char *line, size_t len)
{
	/* An exact block, so that a sanitizer sees the first byte too many. */
	char *copy = malloc(len > 0 ? len : 1);
	json_t *reply;

	memcpy(copy, line, len);
	reply = nm_control_answer(call, copy, len);
	free(copy);
	assert_non_null(reply);
	assert_null(call->result);
	return reply;
}

static json_t *ask(const char *line)
{
	struct nm_control_call call = new_call();

	return ask_bytes(&call, line, strlen(line));
}

/* Takes the result out of an answer that must be a good one. */
static json_t *result_of(json_t *reply)
{
	json_t *result = json_incref(json_object_get(reply, "result"));

	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_null(json_object_get(reply, "error"));
	assert_non_null(result);
	json_decref(reply);
	return result;
}

static void expect_error(json_t *reply, const char *code, const char *part)
{
	const char *got_code, *message;

	assert_true(json_is_false(json_object_get(reply, "ok")));
	assert_null(json_object_get(reply, "result"));
	assert_int_equal(json_unpack(reply, "{s:{s:s,s:s}}", "error", "code", &got_code, "message",
				 &message),
		0);
	assert_string_equal(got_code, code);
	if (part && !strstr(message, part))
		fail_msg("\"%s\" does not hold \"%s\"", message, part);
	json_decref(reply);
}

static void push_events(void)
{
	struct natmux_event event = {.type = NATMUX_EVENT_FLOW_OPENED,
		.path = {fake_addr("192.0.2.1:4500"), fake_addr("198.51.100.7:1027")}};

	nm_control_events_push(&events, 1790000000123, &event);
	event = (struct natmux_event){.type = NATMUX_EVENT_MAPPED_CHANGED,
		.path = {fake_addr("0.0.0.0:4500"), fake_addr("203.0.113.3:3478")},
		.mapped = fake_addr("198.51.100.1:4500"),
		.mapped_before = fake_addr("198.51.100.1:61000"),
		.name = "a"};
	nm_control_events_push(&events, 1790000001456, &event);
}

static int setup(void **state)
{
	(void)state;
	fake_server_init(&fake, NULL);
	memset(&events, 0, sizeof(events));
	return 0;
}

/* What each command says, byte for byte: natmuxctl's own tests print these files. */
static void test_results_are_golden(void **state)
{
	static const char *const cases[][2] = {
		{"status.json", "{\"command\":\"status\"}"},
		{"flows.json", "{\"command\":\"flows\"}"},
		{"stats.json", "{\"command\":\"stats\"}"},
		{"drops.json", "{\"command\":\"drops\"}"},
		{"servers.json", "{\"command\":\"servers\"}"},
		{"aliases.json", "{\"command\":\"aliases\"}"},
		{"events.json", "{\"command\":\"events\"}"},
		{"version.json", "{\"command\":\"version\"}"},
	};

	(void)state;
	push_events();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *result = result_of(ask(cases[i][1]));
		char *text;

		if (json_object_get(result, "pid"))
			json_object_set_new(result, "pid", json_integer(4242));
		text = json_dumps(result, JSON_INDENT(1));
		expect_golden(cases[i][0], text);
		free(text);
		json_decref(result);
	}
}

static void expect_join_golden(const char *name)
{
	json_t *result = result_of(ask("{\"command\":\"status\"}"));
	char *text;

	json_object_set_new(result, "pid", json_integer(4242));
	text = json_dumps(result, JSON_INDENT(1));
	expect_golden(name, text);
	free(text);
	json_decref(result);
}

/* attach = join, beside a daemon and without one. */
static void test_join_is_golden(void **state)
{
	(void)state;
	fake.joins = true;
	fake.config.attach = NM_ATTACH_JOIN;
	fake.config.handoff = NM_HANDOFF_INJECT;
	fake.join = (struct nm_join_status){.is_joined = true,
		.pid = 815,
		.uid = 0,
		.name = "charon",
		.why = "",
		.joins = 3,
		.since_ms = fake.now_ms - 61000};
	expect_join_golden("status-join.json");
	fake.sockets_n = 0;
	fake.join = (struct nm_join_status){
		.name = "", .why = "nobody has UDP port 4500", .since_ms = fake.now_ms - 2500};
	expect_join_golden("status-waits.json");
}

/* The list of reasons grows; what stands still is that all are there, each with its text. */
static void test_all_drops(void **state)
{
	json_t *result = result_of(ask("{\"command\":\"drops\",\"all\":true}"));
	const json_t *drops = json_object_get(result, "drops");

	(void)state;
	assert_int_equal(json_array_size(drops), NATMUX_DROP_COUNT);
	for (size_t i = 0; i < NATMUX_DROP_COUNT; i++) {
		const json_t *drop = json_array_get(drops, i);

		assert_string_equal(json_string_value(json_object_get(drop, "reason")),
			natmux_drop_name((enum natmux_drop)i));
		assert_string_equal(json_string_value(json_object_get(drop, "text")),
			natmux_drop_text((enum natmux_drop)i));
		assert_true((uint64_t)json_integer_value(json_object_get(drop, "count")) ==
			    fake.stats.drops[i]);
	}
	json_decref(result);
}

/* Drop reasons that count nothing are left out of the comparison: their list grows. */
static void test_metrics_are_golden(void **state)
{
	json_t *result = result_of(ask("{\"command\":\"metrics\"}"));
	char *text = strdup(json_string_value(json_object_get(result, "text"))), *kept, *line;
	char *rest = text;
	size_t reasons = 0;

	(void)state;
	kept = calloc(1, strlen(text) + 1);
	while ((line = strsep(&rest, "\n")) && rest) {
		bool is_reason = strncmp(line, "natmux_dropped_datagrams_total{", 31) == 0;

		reasons += is_reason;
		if (!is_reason || strcmp(line + strlen(line) - 2, " 0") != 0)
			strcat(strcat(kept, line), "\n");
	}
	assert_int_equal(reasons, NATMUX_DROP_COUNT);
	expect_golden("metrics.prom", kept);
	free(kept);
	free(text);
	json_decref(result);
}

static void test_refuses_what_is_no_request(void **state)
{
	static const struct {
		const char *line, *code, *part;
	} cases[] = {
		{"", "bad-request", "not JSON"},
		{" ", "bad-request", "not JSON"},
		{"status", "bad-request", "not JSON"},
		{"{", "bad-request", "not JSON"},
		{"}", "bad-request", "not JSON"},
		{"{}", "bad-request", "\"command\" is missing"},
		{"[]", "bad-request", "object"},
		{"[{\"command\":\"version\"}]", "bad-request", "object"},
		{"\"version\"", "bad-request", "not JSON"},
		{"null", "bad-request", "not JSON"},
		{"{\"command\":\"version\"}{}", "bad-request", "not JSON"},
		{"{\"command\":\"version\"} x", "bad-request", "not JSON"},
		{"{\"command\":\"version\",}", "bad-request", "not JSON"},
		{"{'command':'version'}", "bad-request", "not JSON"},
		{"{\"command\":\"version\",\"command\":\"status\"}", "bad-request", "duplicate"},
		{"{\"command\":\"ver\xffsion\"}", "bad-request", "not JSON"},
		{"{\"command\":\"\xed\xa0\x80\"}", "bad-request", "not JSON"},
		{"{\"command\":\"\\u0000\"}", "bad-request", "not JSON"},
		{"{\"command\":\"\\ud800\"}", "bad-request", "not JSON"},
		{"{\"command\":1e999}", "bad-request", "not JSON"},
		{"{\"command\":99999999999999999999}", "bad-request", "not JSON"},
		{"{\"command\":1}", "bad-argument", "\"command\" must be a text"},
		{"{\"command\":null}", "bad-argument", "must be a text"},
		{"{\"command\":{}}", "bad-argument", "must be a text"},
		{"{\"command\":\"\"}", "unknown-command", "help"},
		{"{\"command\":\"Version\"}", "unknown-command", "no command \"Version\""},
		{"{\"command\":\"versio\"}", "unknown-command", NULL},
		{"{\"Command\":\"version\"}", "bad-request", "missing"},
		{"{\"command\":\"version\",\"x\":1}", "bad-argument", "does not know \"x\""},
		{"{\"command\":\"stats\",\"all\":true}", "bad-argument", "does not know \"all\""},
		{"{\"command\":\"version\",\"\":1}", "bad-argument", "does not know \"\""},
		{"[[[[[[[[[]]]]]]]]]", "bad-request", "more than 8 levels"},
		{"{\"command\":\"version\",\"a\":[[[[[[[[1]]]]]]]]}", "bad-request",
			"more than 8 levels"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_error(ask(cases[i].line), cases[i].code, cases[i].part);
}

static void test_refuses_arguments(void **state)
{
	static const struct {
		const char *line, *part;
	} cases[] = {
		{"{\"command\":\"drops\",\"all\":1}", "true or false"},
		{"{\"command\":\"drops\",\"all\":null}", "true or false"},
		{"{\"command\":\"drops\",\"all\":\"true\"}", "true or false"},
		{"{\"command\":\"events\",\"follow\":[]}", "true or false"},
		{"{\"command\":\"flows\",\"limit\":0}", "from 1 to 4096"},
		{"{\"command\":\"flows\",\"limit\":4097}", "from 1 to 4096"},
		{"{\"command\":\"flows\",\"limit\":-1}", "from 1 to 4096"},
		{"{\"command\":\"flows\",\"limit\":1.0}", "whole number"},
		{"{\"command\":\"flows\",\"limit\":\"1\"}", "whole number"},
		{"{\"command\":\"flows\",\"limit\":9223372036854775807}", "from 1 to 4096"},
		{"{\"command\":\"capture\",\"classes\":[]}", "at least one"},
		{"{\"command\":\"capture\",\"classes\":\"ike\"}", "at least one"},
		{"{\"command\":\"capture\",\"classes\":{}}", "at least one"},
		{"{\"command\":\"capture\",\"classes\":[\"all\"]}", "no class \"all\""},
		{"{\"command\":\"capture\",\"classes\":[\"ike\",7]}", "no class"},
		{"{\"command\":\"capture\",\"classes\":[\"ike\",\"ESP\"]}", "no class \"ESP\""},
		{"{\"command\":\"capture\",\"direction\":\"up\"}", "in, out or both"},
		{"{\"command\":\"capture\",\"direction\":true}", "text"},
		{"{\"command\":\"capture\",\"snaplen\":0}", "from 1 to 65535"},
		{"{\"command\":\"capture\",\"snaplen\":65536}", "from 1 to 65535"},
		{"{\"command\":\"capture\",\"count\":-1}", "from 0"},
		{"{\"command\":\"capture\",\"count\":true}", "whole number"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_control_call call = new_call();

		expect_error(ask_bytes(&call, cases[i].line, strlen(cases[i].line)), "bad-argument",
			cases[i].part);
		assert_int_equal(call.stream, NM_CONTROL_STREAM_NONE);
	}
}

/* Depth is counted before the parser runs, and brackets in strings do not count. */
static void test_depth(void **state)
{
	static char deep[NM_CONTROL_LINE_MAX];
	struct nm_control_call call = new_call();

	(void)state;
	memset(deep, '[', sizeof(deep));
	expect_error(ask_bytes(&call, deep, sizeof(deep)), "bad-request", "levels");
	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = "{\"a\":"[i % 5];
	call = new_call();
	expect_error(ask_bytes(&call, deep, sizeof(deep)), "bad-request", "levels");
	expect_error(ask("{\"command\":\"[[[[[[[[[[{{{{{{{{{{\"}"), "unknown-command", NULL);
	expect_error(ask("{\"command\":\"\\\"[[[[[[[[[[\"}"), "unknown-command", NULL);
	expect_error(ask("]]]]]]]]]]"), "bad-request", "not JSON");
}

static void test_bytes_that_are_no_text(void **state)
{
	static const char nul[] = "{\"command\":\"version\"}\0";
	static const char inside[] = "{\"command\":\"ver\0sion\"}";
	struct nm_control_call call = new_call();

	(void)state;
	expect_error(ask_bytes(&call, nul, sizeof(nul) - 1), "bad-request", "not JSON");
	call = new_call();
	expect_error(ask_bytes(&call, inside, sizeof(inside) - 1), "bad-request", "not JSON");
}

/* A long unknown word is quoted in part, cut within a character even, and the reply is JSON. */
static void test_quotes_with_care(void **state)
{
	char line[256] = "{\"command\":\"";
	json_t *reply;

	(void)state;
	for (int i = 0; i < 33; i++)
		strcat(line, i == 0 ? "x" : "\xc3\xa9");
	strcat(line, "\"}");
	reply = ask(line);
	expect_error(reply, "unknown-command", "no command \"x");
}

static void test_flows_limit(void **state)
{
	json_t *result;

	(void)state;
	fake.flows_n = 5000;
	result = result_of(ask("{\"command\":\"flows\"}"));
	assert_int_equal(json_array_size(json_object_get(result, "flows")), 4096);
	assert_int_equal(json_integer_value(json_object_get(result, "total")), 5000);
	json_decref(result);
	result = result_of(ask("{\"command\":\"flows\",\"limit\":2}"));
	assert_int_equal(json_array_size(json_object_get(result, "flows")), 2);
	/* The latest activity is what a short list is for. */
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(json_object_get(result, "flows"), 1), "flow")),
		4999);
	json_decref(result);
	fake.flows_n = 0;
	result = result_of(ask("{\"command\":\"flows\",\"limit\":1}"));
	assert_int_equal(json_array_size(json_object_get(result, "flows")), 0);
	json_decref(result);
}

static void test_reload(void **state)
{
	json_t *result;

	(void)state;
	fake.reload_message = "nothing has changed";
	result = result_of(ask("{\"command\":\"reload\"}"));
	assert_string_equal(
		json_string_value(json_object_get(result, "message")), "nothing has changed");
	json_decref(result);
	fake.reload_result = NATMUX_EINVAL;
	fake.reload_message = "natmux.conf:3: port: found \"\xff\", allowed are 1 to 65535";
	expect_error(ask("{\"command\":\"reload\"}"), "failed",
		"natmux.conf:3: port: found \"?\", allowed are 1 to 65535");
	fake.reload_message = NULL;
	expect_error(ask("{\"command\":\"reload\"}"), "failed", "invalid argument");
	assert_int_equal(fake.reloads, 3);
	expect_error(ask("{\"command\":\"reload\",\"x\":0}"), "bad-argument", NULL);
	assert_int_equal(fake.reloads, 3);
}

static void test_help_names_all(void **state)
{
	json_t *result = result_of(ask("{\"command\":\"help\"}"));
	const json_t *list = json_object_get(result, "commands");
	size_t n = 0;

	(void)state;
	for (; nm_control_commands[n].name; n++)
		assert_non_null(json_object_get(list, nm_control_commands[n].name));
	assert_int_equal(json_object_size(list), n);
	json_decref(result);
}

static void test_streams(void **state)
{
	static const char follow[] = "{\"command\":\"events\",\"follow\":true}";
	static const char capture[] = "{\"command\":\"capture\",\"classes\":[\"ike\",\"stun\"],"
				      "\"direction\":\"in\",\"snaplen\":64,\"count\":5}";
	struct nm_control_call call = new_call();

	(void)state;
	push_events();
	json_decref(result_of(ask_bytes(&call, follow, strlen(follow))));
	assert_int_equal(call.stream, NM_CONTROL_STREAM_EVENTS);
	assert_int_equal(call.next_event, 1);

	call = new_call();
	json_decref(result_of(ask_bytes(&call, capture, strlen(capture))));
	assert_int_equal(call.stream, NM_CONTROL_STREAM_CAPTURE);
	assert_int_equal(call.filter.classes, 1 << NATMUX_CLASS_IKE | 1 << NATMUX_CLASS_STUN);
	assert_true(call.filter.received && !call.filter.sent);
	assert_int_equal(call.filter.snaplen, 64);
	assert_int_equal(call.filter.count, 5);

	call = new_call();
	json_decref(result_of(ask_bytes(&call, "{\"command\":\"capture\"}", 21)));
	assert_int_equal(call.filter.classes, (1 << NATMUX_CLASS_COUNT) - 1);
	assert_true(call.filter.received && call.filter.sent);
	assert_int_equal(call.filter.snaplen, 65535);
	assert_int_equal(call.filter.count, 0);

	call = new_call();
	call.is_capture_taken = true;
	expect_error(ask_bytes(&call, capture, strlen(capture)), "busy", "one");
	assert_int_equal(call.stream, NM_CONTROL_STREAM_NONE);
}

static void test_metrics_escape_labels(void **state)
{
	json_t *result;
	const char *text;

	(void)state;
	fake.servers[0].name = "q\"b\\n\n";
	result = result_of(ask("{\"command\":\"metrics\"}"));
	text = json_string_value(json_object_get(result, "text"));
	assert_non_null(strstr(text, "server=\"q\\\"b\\\\n\\n\",local="));
	json_decref(result);
}

static void test_json_values(void **state)
{
	struct natmux_addr none = {0};
	json_t *json;

	(void)state;
	json = nm_json_addr(&none);
	assert_true(json_is_null(json));
	json_decref(json);
	json = nm_json_count(UINT64_MAX);
	assert_true(json_integer_value(json) == INT64_MAX);
	json_decref(json);
	json = nm_json_text("a\xc3(");
	assert_string_equal(json_string_value(json), "a?(");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_results_are_golden, setup),
		cmocka_unit_test_setup(test_join_is_golden, setup),
		cmocka_unit_test_setup(test_all_drops, setup),
		cmocka_unit_test_setup(test_metrics_are_golden, setup),
		cmocka_unit_test_setup(test_refuses_what_is_no_request, setup),
		cmocka_unit_test_setup(test_refuses_arguments, setup),
		cmocka_unit_test_setup(test_depth, setup),
		cmocka_unit_test_setup(test_bytes_that_are_no_text, setup),
		cmocka_unit_test_setup(test_quotes_with_care, setup),
		cmocka_unit_test_setup(test_flows_limit, setup),
		cmocka_unit_test_setup(test_reload, setup),
		cmocka_unit_test_setup(test_help_names_all, setup),
		cmocka_unit_test_setup(test_streams, setup),
		cmocka_unit_test_setup(test_metrics_escape_labels, setup),
		cmocka_unit_test_setup(test_json_values, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
