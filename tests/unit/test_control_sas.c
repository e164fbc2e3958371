/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about SAs and policies, with a real plane behind them; and that keys stay inside. */
#include "test.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <natmux/error.h>
#include "daemon/control/control_request.h"
#include "tests/fakes/fake_sa_plane.h"
#include "tests/fakes/fake_server.h"
#include "golden.h"

static struct fake_server fake;
static struct nm_control_events events;

static json_t *ask(const char *line)
{
	struct nm_control_call call = {.server = fake_server_of(&fake), .events = &events};
	json_t *reply = nm_control_answer(&call, line, strlen(line));

	assert_non_null(reply);
	return reply;
}

static json_t *result_of(json_t *reply)
{
	json_t *result = json_incref(json_object_get(reply, "result"));

	if (!json_is_true(json_object_get(reply, "ok")))
		fail_msg("%s", json_string_value(json_object_get(
				       json_object_get(reply, "error"), "message")));
	assert_non_null(result);
	json_decref(reply);
	return result;
}

static void expect_error(const char *line, const char *code, const char *part)
{
	json_t *reply = ask(line);
	const char *got_code, *message;

	if (json_unpack(reply, "{s:{s:s,s:s}}", "error", "code", &got_code, "message", &message) <
		0)
		fail_msg("accepted: %s", line);
	assert_string_equal(got_code, code);
	if (!strstr(message, part))
		fail_msg("\"%s\" lacks \"%s\"", message, part);
	/* Whatever the mistake is: the key that came with it is not repeated. */
	assert_null(strstr(message, "00010203"));
	assert_null(strstr(message, "AAECAw"));
	json_decref(reply);
}

static int setup(void **state)
{
	(void)state;
	fake_server_init(&fake, NULL);
	fake_server_add_plane(&fake);
	memset(&events, 0, sizeof(events));
	return 0;
}

static int setup_without(void **state)
{
	(void)state;
	fake_server_init(&fake, NULL);
	return 0;
}

static int setup_export(void **state)
{
	(void)state;
	fake_server_init(&fake, NULL);
	fake.config.user_plane.export_keys = true;
	fake_server_add_plane(&fake);
	return 0;
}

static void expect_golden_result(const char *name, const char *line)
{
	json_t *result = result_of(ask(line));
	char *text;

	if (json_object_get(result, "pid"))
		json_object_set_new(result, "pid", json_integer(4242));
	text = json_dumps(result, JSON_INDENT(1));
	expect_golden(name, text);
	free(text);
	json_decref(result);
}

static void test_results_are_golden(void **state)
{
	struct natmux_esp_event event = {.type = NATMUX_ESP_EVENT_SOFT,
		.spi = 0x1001,
		.reqid = 7,
		.direction = NATMUX_SA_OUT,
		.path = {fake_addr("192.0.2.1:4500"), fake_addr("198.51.100.7:1027")}};

	(void)state;
	expect_golden_result("sas.json", "{\"command\":\"sa-list\"}");
	expect_golden_result("policies.json", "{\"command\":\"policy-list\"}");
	expect_golden_result("status-user.json", "{\"command\":\"status\"}");
	nm_control_events_push_esp(&events, 1790000000123, &event, "branch-out");
	event.type = NATMUX_ESP_EVENT_HARD;
	nm_control_events_push_esp(&events, 1790000000124, &event, NULL);
	event.type = NATMUX_ESP_EVENT_MOVED;
	event.direction = NATMUX_SA_IN;
	event.path_before = event.path;
	event.path.remote.port = 61000;
	nm_control_events_push_esp(&events, 1790000000125, &event, "branch-in");
	event = (struct natmux_esp_event){.type = NATMUX_ESP_EVENT_ACQUIRE, .reqid = 9};
	nm_control_events_push_esp(&events, 1790000000126, &event, NULL);
	event = (struct natmux_esp_event){.type = NATMUX_ESP_EVENT_AUDIT,
		.drop = NATMUX_DROP_ESP_ICV,
		.spi = 0x1001,
		.sequence = 4000000000,
		.path = {fake_addr("192.0.2.1:4500"), fake_addr("203.0.113.66:4500")}};
	nm_control_events_push_esp(&events, 1790000000127, &event, "branch-in");
	expect_golden_result("events-esp.json", "{\"command\":\"events\"}");
}

static void test_metrics_are_golden(void **state)
{
	json_t *result = result_of(ask("{\"command\":\"metrics\"}"));
	const char *text = json_string_value(json_object_get(result, "text"));

	(void)state;
	text = strstr(text, "# HELP natmux_sas ");
	assert_non_null(text);
	expect_golden("metrics-sas.prom", text);
	json_decref(result);
}

static void test_without_plane(void **state)
{
	static const char *const lines[] = {"{\"command\":\"sa-list\"}",
		"{\"command\":\"sa-flush\"}", "{\"command\":\"sa-export\"}",
		"{\"command\":\"sa-add\",\"sa\":{}}",
		"{\"command\":\"sa-delete\",\"direction\":\"in\",\"spi\":\"256\"}",
		"{\"command\":\"policy-list\"}", "{\"command\":\"policy-flush\"}",
		"{\"command\":\"policy-add\",\"policy\":{}}",
		"{\"command\":\"policy-delete\",\"policy\":{}}"};
	json_t *result;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		expect_error(lines[i], "failed", "esp = user");
	result = result_of(ask("{\"command\":\"status\"}"));
	assert_true(json_is_null(json_object_get(result, "user_plane")));
	json_decref(result);
}

#define KEY20 "\"000102030405060708090a0b0c0d0e0f10111213\""

static json_int_t total(const char *line)
{
	json_t *result = result_of(ask(line));
	json_int_t n = json_integer_value(json_object_get(result, "total"));

	json_decref(result);
	return n;
}

static json_int_t sas(void)
{
	return total("{\"command\":\"sa-list\"}");
}

static void test_add(void **state)
{
	static const char *const lines[] = {"{\"command\":\"sa-add\",\"key\":" KEY20
					    ",\"sa\":{\"direction\":\"in\",\"spi\":256,"
					    "\"suite\":\"aes128gcm16\"}}",
		"{\"command\":\"sa-add\",\"key\":\"AAECAwQFBgcICQoLDA0ODxAREhM=\","
		"\"sa\":{\"direction\":\"in\",\"spi\":\"0x101\",\"suite\":\"aes128gcm16\","
		"\"esn\":true,\"replay_window\":64,\"roam\":\"port-only\",\"remote\":\"192.0.2.9\","
		"\"selectors\":[\"src 10.0.0.0/8\",\"dst 10.0.0.0/8 proto udp dport 5\"]}}",
		"{\"command\":\"sa-add\",\"key\":\"0x"
		"000102030405060708090a0b0c0d0e0f10111213\","
		"\"sa\":{\"direction\":\"out\",\"spi\":256,\"suite\":\"aes128gcm16\","
		"\"remote\":\"192.0.2.9:61000\",\"reqid\":\"9\",\"dscp\":\"copy\",\"tfc_pad\":1400,"
		"\"soft_bytes\":1000,\"hard_bytes\":2000,\"ecn\":\"no\"}}"};
	json_t *result;
	const json_t *sa;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		json_decref(result_of(ask(lines[i])));
		assert_int_equal(sas(), 4 + i);
		assert_int_equal(fake.plane_changes, 1 + i);
	}
	/* The same again takes the place of the first. */
	json_decref(result_of(ask(lines[0])));
	assert_int_equal(sas(), 6);

	result = result_of(ask("{\"command\":\"sa-list\",\"spi\":\"0x101\"}"));
	assert_int_equal(json_integer_value(json_object_get(result, "total")), 1);
	sa = json_array_get(json_object_get(result, "sas"), 0);
	assert_true(json_is_null(json_object_get(sa, "name")));
	assert_true(json_is_true(json_object_get(sa, "esn")));
	assert_string_equal(json_string_value(json_object_get(sa, "remote")), "192.0.2.9:4500");
	assert_string_equal(json_string_value(json_array_get(json_object_get(sa, "selectors"), 1)),
		"src 0.0.0.0/0 dst 10.0.0.0/8 proto udp dport 5");
	json_decref(result);
	assert_int_equal(total("{\"command\":\"sa-list\",\"direction\":\"out\"}"), 3);
	assert_int_equal(total("{\"command\":\"sa-list\",\"reqid\":9}"), 1);
	assert_int_equal(total("{\"command\":\"sa-list\",\"remote\":\"192.0.2.9\"}"), 2);
	assert_int_equal(total("{\"command\":\"sa-list\",\"limit\":1}"), 6);
}

/* Nothing of a bad request is done, and an SA that it would have replaced is untouched. */
static void test_bad_adds(void **state)
{
#define ADD(key, more) "{\"command\":\"sa-add\"," key "\"sa\":{" more "}}"
#define IN             "\"direction\":\"in\",\"spi\":\"0x1001\",\"suite\":\"aes128gcm16\""
#define OUT                                                                                        \
	"\"direction\":\"out\",\"spi\":\"0x1001\",\"suite\":\"aes128gcm16\",\"reqid\":7,"          \
	"\"remote\":\"198.51.100.7\""
#define GOOD "\"key\":" KEY20 ","
	static const struct {
		const char *line, *part;
	} cases[] = {
		{"{\"command\":\"sa-add\"}", "\"sa\" must be an object"},
		{"{\"command\":\"sa-add\",\"sa\":[]}", "\"sa\" must be an object"},
		{ADD(GOOD, ""), "direction: found nothing, allowed is in or out"},
		{ADD("", IN), "\"key\" is missing, allowed are the 20 octets of aes128gcm16"},
		{ADD("\"key\":7,", IN), "\"key\" must be a text"},
		{ADD("\"key\":\"\",", IN), "\"key\" is none of that suite"},
		{ADD("\"key\":\"000102030405060708090a0b0c0d0e0f101112\",", IN),
			"\"key\" is none of that suite"},
		{ADD("\"key\":\"000102030405060708090a0b0c0d0e0f1011121314\",", IN),
			"\"key\" is none of that suite"},
		{ADD("\"key\":\"AAECAwQFBgcICQoLDA0ODxAREg==\",", IN),
			"\"key\" is none of that suite"},
		{ADD("\"key\":\"00010203 in words, not hex\",", IN), "nothing was changed"},
		{ADD(GOOD, IN ",\"key_file\":\"/etc/shadow\""), "does not know \"key_file\""},
		{ADD(GOOD, IN ",\"key-file\":\"/etc/shadow\""), "does not know \"key-file\""},
		{ADD(GOOD, IN ",\"key\":" KEY20), "does not know \"key\""},
		{ADD(GOOD, IN ",\"replay-window\":64"), "does not know \"replay-window\""},
		{ADD(GOOD, IN ",\"replay_window\":8193"), "replay-window: found \"8193\", allowed "
							  "is a number of packets from 0 to 8192"},
		{ADD(GOOD, IN ",\"replay_window\":1.5"), "replay-window: must be"},
		{ADD(GOOD, IN ",\"replay_window\":null"), "replay-window: must be"},
		{ADD(GOOD, IN ",\"replay_window\":{}"), "replay-window: must be"},
		{ADD(GOOD, IN ",\"selectors\":\"src ::/0\""), "must be a list"},
		{ADD(GOOD, IN ",\"selectors\":[\"src ::/0\",\"any\"]"), "selectors: found \"any\""},
		{ADD(GOOD, IN ",\"selectors\":[[]]"), "selectors: must be"},
		{ADD(GOOD, IN ",\"selectors\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]"),
			"found 17 selectors, allowed is at most 16"},
		{ADD(GOOD, IN ",\"esn\":\"maybe\""), "esn: found \"maybe\", allowed is yes or no"},
		{ADD(GOOD, IN ",\"mode\":\"beet\""), "mode: found \"beet\""},
		{ADD(GOOD, IN ",\"tfc_pad\":5"), "sa-add: sa.tfc-pad: found 5"},
		{ADD(GOOD, OUT ",\"soft_bytes\":2,\"hard_bytes\":1"), "less than hard-bytes"},
		{ADD(GOOD,
			 "\"direction\":\"out\",\"spi\":256,\"suite\":\"aes128gcm16\",\"reqid\":1"),
			"sa-add: sa.remote: found \"\""},
		{ADD(GOOD, "\"direction\":\"in\",\"spi\":255,\"suite\":\"aes128gcm16\""),
			"spi: found \"255\""},
		{ADD(GOOD, "\"direction\":\"in\",\"spi\":-1,\"suite\":\"aes128gcm16\""),
			"spi: found \"-1\""},
		{ADD(GOOD, "\"direction\":\"in\",\"spi\":256,\"suite\":\"null\""),
			"suite: found \"null\""},
		{"{\"command\":\"sa-add\",\"sa\":{" IN "},\"Key\":" KEY20 "}",
			"does not know \"Key\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_error(cases[i].line, "bad-argument", cases[i].part);
	assert_int_equal(sas(), 3);
	assert_int_equal(fake.plane_changes, 0);
	expect_golden_result("sas.json", "{\"command\":\"sa-list\"}");
}

/* Where an SA goes on that was elsewhere: what the list shows is what is taken. */
static void test_replay(void **state)
{
	static const struct {
		const char *sequence, *replay, *shown;
	} cases[] = {
		{"0", "8:00", "64:0000000000000000"}, /* nothing has come */
		{"9", "64:ff80000000000000", "64:ff80000000000000"},
		{"5", "64:d800000000000000", "64:d800000000000000"},
		{"1000", "64:ffffffffffffffff", "64:ffffffffffffffff"},
		{"1000", "61:fffffffffffffff8", "64:ffffffffffffffff"},
		{"1000", "32:80000001", "64:80000001ffffffff"},
		{"1000", "0:", "64:ffffffffffffffff"},
		{"1000", "68:8000000000000000f", "64:8000000000000000"},
		{"4294967295", "4:9", "64:9fffffffffffffff"},
	};
	const json_t *sa;
	json_t *result;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char line[600];

		snprintf(line, sizeof(line),
			"{\"command\":\"sa-add\"," GOOD "\"sequence\":%s,\"replay\":\"%s\",\"sa\":{"
			"\"direction\":\"in\",\"spi\":\"0x123\",\"suite\":\"aes128gcm16\","
			"\"replay_window\":64}}",
			cases[i].sequence, cases[i].replay);
		json_decref(result_of(ask("{\"command\":\"sa-flush\",\"spi\":\"0x123\"}")));
		json_decref(result_of(ask(line)));
		result = result_of(ask("{\"command\":\"sa-list\",\"spi\":\"0x123\"}"));
		sa = json_array_get(json_object_get(result, "sas"), 0);
		assert_string_equal(
			json_string_value(json_object_get(sa, "replay")), cases[i].shown);
		assert_int_equal(json_integer_value(json_object_get(sa, "sequence")),
			strtoll(cases[i].sequence, NULL, 10));
		json_decref(result);
	}
	/* Added again it has both pasts; an outbound one has none. */
	json_decref(result_of(ask("{\"command\":\"sa-add\"," GOOD
				  "\"sequence\":4294967292,\"replay\":\"4:d\",\"sa\":{"
				  "\"direction\":\"in\",\"spi\":\"0x123\","
				  "\"suite\":\"aes128gcm16\",\"replay_window\":8}}")));
	result = result_of(ask("{\"command\":\"sa-list\",\"spi\":\"0x123\"}"));
	sa = json_array_get(json_object_get(result, "sas"), 0);
	assert_string_equal(json_string_value(json_object_get(sa, "replay")), "8:9f");
	json_decref(result);
	json_decref(result_of(ask("{\"command\":\"sa-add\"," GOOD
				  "\"sequence\":77,\"sa\":{\"direction\":\"out\",\"spi\":\"0x456\","
				  "\"suite\":\"aes128gcm16\",\"reqid\":9,"
				  "\"remote\":\"192.0.2.66\"}}")));
	result = result_of(ask("{\"command\":\"sa-list\",\"reqid\":9}"));
	sa = json_array_get(json_object_get(result, "sas"), 0);
	assert_int_equal(json_integer_value(json_object_get(sa, "sequence")), 77);
	assert_true(json_is_null(json_object_get(sa, "replay")));
	json_decref(result);
}

/* Nothing of it is done, and nothing read that is not there. */
static void test_bad_replays(void **state)
{
#define REPLAY(sequence, text)                                                                     \
	"{\"command\":\"sa-add\"," GOOD "\"sequence\":" sequence ",\"replay\":" text               \
	",\"sa\":{" IN "}}"
	static const struct {
		const char *line, *part;
	} cases[] = {
		{REPLAY("-1", "\"4:8\""),
			"\"sequence\" must be a whole number from 0 to 4294967295"},
		{REPLAY("4294967296", "\"4:8\""), "\"sequence\" must be"},
		{REPLAY("1.5", "\"4:8\""), "\"sequence\" must be"},
		{REPLAY("\"9\"", "\"4:8\""), "\"sequence\" must be"},
		{REPLAY("null", "\"4:8\""), "\"sequence\" must be"},
		{REPLAY("9", "null"), "\"replay\" must be a text"},
		{REPLAY("9", "8"), "\"replay\" must be a text"},
		{REPLAY("9", "{}"), "\"replay\" must be a text"},
		{REPLAY("9", "\"\""), "\"replay\" is no window"},
		{REPLAY("9", "\":\""), "is no window"},
		{REPLAY("9", "\"8\""), "is no window"},
		{REPLAY("9", "\":80\""), "is no window"},
		{REPLAY("9", "\"8:\""), "is no window"},
		{REPLAY("9", "\"8:8\""), "is no window"},
		{REPLAY("9", "\"8:800\""), "is no window"},
		{REPLAY("9", "\"08:80\""), "is no window"},
		{REPLAY("9", "\"+8:80\""), "is no window"},
		{REPLAY("9", "\" 8:80\""), "is no window"},
		{REPLAY("9", "\"8: 80\""), "is no window"},
		{REPLAY("9", "\"8:80 \""), "is no window"},
		{REPLAY("9", "\"8:0x80\""), "is no window"},
		{REPLAY("9", "\"-8:80\""), "is no window"},
		{REPLAY("9", "\"8:8g\""), "is no window"},
		{REPLAY("9", "\"8:8A\""), "is no window"},
		{REPLAY("9", "\"8:8\\u00e9\""), "is no window"},
		{REPLAY("9", "\"8:00\""), "is no window"},   /* the highest is missing */
		{REPLAY("9", "\"8:7f\""), "is no window"},   /* the same */
		{REPLAY("9", "\"12:ffe\""), "is no window"}, /* numbers 0 and -1 */
		{REPLAY("0", "\"8:80\""), "is no window"},   /* there is no highest */
		{REPLAY("9", "\"6:82\""), "is no window"},   /* outside the window */
		{REPLAY("9", "\"5:81\""), "is no window"},   /* outside the window */
		{REPLAY("9", "\"0:8\""), "is no window"},
		{REPLAY("9", "\"00:\""), "is no window"},
		{REPLAY("9", "\"8193:80\""), "is no window"},
		{REPLAY("9", "\"99999999999999999999:80\""), "is no window"},
		{"{\"command\":\"sa-add\"," GOOD "\"replay\":\"8:80\",\"sa\":{" IN "}}",
			"is no window"},
		{"{\"command\":\"sa-add\"," GOOD "\"sequence\":9,\"replay\":\"8:80\",\"sa\":{" OUT
		 "}}",
			"an outbound SA has none"},
		{ADD(GOOD, IN ",\"replay\":\"8:80\""), "does not know \"replay\""},
		{ADD(GOOD, IN ",\"sequence\":9"), "does not know \"sequence\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_error(cases[i].line, "bad-argument", cases[i].part);
	assert_int_equal(sas(), 3);
	assert_int_equal(fake.plane_changes, 0);
	expect_golden_result("sas.json", "{\"command\":\"sa-list\"}");
}

/* The longest window that there can be, and one digit more. */
static void test_widest_replay(void **state)
{
	static const char head[] = "{\"command\":\"sa-add\"," GOOD
				   "\"sequence\":1000000,\"sa\":{\"direction\":\"in\",\"spi\":300,"
				   "\"suite\":\"aes128gcm16\",\"replay_window\":8192},"
				   "\"replay\":\"8192:";
	static char line[sizeof(head) + 2048 + 8];
	json_t *result;
	const char *shown;

	(void)state;
	memset(line, 'a', sizeof(line) - 1);
	memcpy(line, head, sizeof(head) - 1);
	strcpy(line + sizeof(head) - 1 + 2049, "\"}");
	expect_error(line, "bad-argument", "is no window");
	strcpy(line + sizeof(head) - 1 + 2048, "\"}");
	json_decref(result_of(ask(line)));
	result = result_of(ask("{\"command\":\"sa-list\",\"spi\":\"0x12c\"}"));
	shown = json_string_value(
		json_object_get(json_array_get(json_object_get(result, "sas"), 0), "replay"));
	assert_int_equal(strlen(shown), 5 + 2048);
	assert_int_equal(strspn(shown + 5, "a"), 2048);
	json_decref(result);
}

static void test_full(void **state)
{
	char line[300];

	(void)state;
	for (int i = 0; i < 5; i++) {
		snprintf(line, sizeof(line),
			ADD(GOOD, "\"direction\":\"in\",\"spi\":%d,\"suite\":\"aes128gcm16\""),
			300 + i);
		json_decref(result_of(ask(line)));
	}
	expect_error(ADD(GOOD, "\"direction\":\"in\",\"spi\":400,\"suite\":\"aes128gcm16\""),
		"failed", "full: nothing was changed");
	/* One that is there may be replaced all the same. */
	json_decref(result_of(ask(ADD(GOOD, IN))));
	assert_int_equal(sas(), 8);
}

static void test_delete(void **state)
{
	(void)state;
	expect_error("{\"command\":\"sa-delete\"}", "bad-argument", "named by");
	expect_error(
		"{\"command\":\"sa-delete\",\"direction\":\"in\"}", "bad-argument", "named by");
	expect_error("{\"command\":\"sa-delete\",\"spi\":\"256\"}", "bad-argument", "named by");
	expect_error("{\"command\":\"sa-delete\",\"direction\":\"out\",\"spi\":\"0x1001\"}",
		"bad-argument", "its \"remote\" as well");
	expect_error("{\"command\":\"sa-delete\",\"direction\":\"in\",\"spi\":\"0x1001\","
		     "\"remote\":\"192.0.2.1\"}",
		"bad-argument", "named by");
	expect_error("{\"command\":\"sa-delete\",\"direction\":\"up\",\"spi\":\"0x1001\"}",
		"bad-argument", "direction: allowed is in or out");
	expect_error("{\"command\":\"sa-delete\",\"direction\":\"in\",\"spi\":\"0x9999\"}",
		"failed", "no such SA");
	expect_error("{\"command\":\"sa-delete\",\"direction\":\"out\",\"spi\":\"0x1001\","
		     "\"remote\":\"198.51.100.8\"}",
		"failed", "no such SA");
	assert_int_equal(sas(), 3);
	json_decref(result_of(
		ask("{\"command\":\"sa-delete\",\"direction\":\"in\",\"spi\":\"0x1001\"}")));
	/* Whatever port the peer has. */
	json_decref(result_of(ask("{\"command\":\"sa-delete\",\"direction\":\"out\","
				  "\"spi\":\"4097\",\"remote\":\"198.51.100.7:9\"}")));
	assert_int_equal(sas(), 1);
}

static json_int_t flush(const char *line)
{
	json_t *result = result_of(ask(line));
	json_int_t n = json_integer_value(json_object_get(result, "deleted"));

	json_decref(result);
	return n;
}

static void test_flush(void **state)
{
	(void)state;
	expect_error("{\"command\":\"sa-flush\",\"reqid\":-1}", "bad-argument", "reqid");
	assert_int_equal(flush("{\"command\":\"sa-flush\",\"reqid\":99}"), 0);
	assert_int_equal(flush("{\"command\":\"sa-flush\",\"reqid\":8}"), 1);
	assert_int_equal(flush("{\"command\":\"sa-flush\",\"direction\":\"in\"}"), 1);
	assert_int_equal(flush("{\"command\":\"sa-flush\"}"), 1);
	assert_int_equal(flush("{\"command\":\"sa-flush\"}"), 0);
	assert_int_equal(sas(), 0);
	assert_int_equal(flush("{\"command\":\"policy-flush\"}"), 2);
	assert_int_equal(total("{\"command\":\"policy-list\"}"), 0);
}

static void test_policies(void **state)
{
	static const char add[] = "{\"command\":\"policy-add\",\"policy\":{\"priority\":5,"
				  "\"reqid\":9,\"selector\":\"dst 10.9.0.0/16\"}}";
	json_t *result;

	(void)state;
	result = result_of(ask(add));
	assert_true(json_is_false(json_object_get(result, "replaced")));
	json_decref(result);
	result = result_of(ask("{\"command\":\"policy-add\",\"policy\":{\"priority\":5,"
			       "\"action\":\"bypass\",\"selector\":\"src 0.0.0.0/0 dst "
			       "10.9.0.0/16\"}}"));
	assert_true(json_is_true(json_object_get(result, "replaced")));
	json_decref(result);
	result = result_of(ask("{\"command\":\"policy-list\",\"limit\":1}"));
	assert_int_equal(json_integer_value(json_object_get(result, "total")), 3);
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(result, "policies"), 0), "action")),
		"bypass");
	json_decref(result);
	expect_error("{\"command\":\"policy-add\",\"policy\":{\"selector\":\"dst 10.9.0.0/16\"}}",
		"bad-argument", "policy-add: policy.reqid: found 0");
	expect_error("{\"command\":\"policy-add\",\"policy\":{\"reqid\":1}}", "bad-argument",
		"selector: found nothing");
	expect_error("{\"command\":\"policy-add\",\"policy\":{\"selector\":\"any\"}}",
		"bad-argument", "selector: found \"any\"");
	expect_error("{\"command\":\"policy-add\",\"policy\":{\"selector\":[\"src ::/0\"]}}",
		"bad-argument", "selector: must be");
	expect_error("{\"command\":\"policy-delete\",\"policy\":{\"priority\":6,"
		     "\"selector\":\"dst 10.9.0.0/16\"}}",
		"failed", "no policy");
	json_decref(result_of(ask("{\"command\":\"policy-delete\",\"policy\":{\"priority\":5,"
				  "\"selector\":\"dst 10.9.0.0/16\"}}")));
	assert_int_equal(total("{\"command\":\"policy-list\"}"), 2);
}

enum { MANY_SAS = NM_CONTROL_SAS_MAX + 10 };

static void each_of_many(void *self, nm_sa_each *each, void *user)
{
	static const struct nm_sa_kernel none;
	static const uint8_t key[20] = {1};
	const struct nm_sa_seen seen = {"user", self, &none};
	struct natmux_sa_info *info = self;

	info->suite = NATMUX_SUITE_AES128GCM16;
	info->key = key;
	info->key_len = sizeof(key);
	for (info->spi = 256; info->spi < 256 + MANY_SAS; info->spi++)
		each(user, &seen);
}

/* A user plane with more SAs than one answer takes. */
static struct nm_sa_plane many_sas(struct natmux_sa_info *info)
{
	static const struct nm_sa_plane_ops ops = {.name = "user", .sas = each_of_many};

	return (struct nm_sa_plane){&ops, info};
}

static void test_export_is_off(void **state)
{
	(void)state;
	expect_error("{\"command\":\"sa-export\"}", "failed", "export-keys = yes");
	expect_error("{\"command\":\"sa-export\",\"format\":\"text\"}", "bad-argument",
		"must be wireshark");
}

static void test_export(void **state)
{
	static const char *const suites[] = {"aes192gcm12", "aes256gcm8", "aes128-sha1",
		"aes192-sha384", "null-sha256", "chacha20poly1305", "aes128gmac"};

	(void)state;
	assert_int_equal(flush("{\"command\":\"sa-flush\",\"reqid\":8}"), 1);
	for (size_t i = 0; i < 6; i++) {
		enum natmux_suite suite;
		char line[600], key[2 * NATMUX_SUITE_KEY_MAX + 1] = "";

		assert_int_equal(natmux_suite_parse(suites[i == 5 ? 6 : i], &suite), 0);
		for (size_t k = 0; k < natmux_suite_key_len(suite); k++)
			sprintf(key + 2 * k, "%02x", (unsigned int)(k + 1));
		snprintf(line, sizeof(line),
			"{\"command\":\"sa-add\",\"key\":\"%s\",\"sa\":{\"direction\":\"in\","
			"\"spi\":%zu,\"suite\":\"%s\",\"remote\":\"%s\"}}",
			key, 300 + i, suites[i == 5 ? 6 : i], i % 2 ? "2001:db8::9" : "");
		json_decref(result_of(ask(line)));
	}
	expect_golden_result("export.json", "{\"command\":\"sa-export\"}");
}

static size_t lines_of(const char *line, uint64_t *shown_total)
{
	json_t *result = result_of(ask(line));
	size_t lines = json_array_size(json_object_get(result, "lines"));

	*shown_total = (uint64_t)json_integer_value(json_object_get(result, "total"));
	json_decref(result);
	return lines;
}

/* One answer is bounded, and asked for in parts. */
static void test_export_in_parts(void **state)
{
	static struct natmux_sa_info info = {.direction = NATMUX_SA_IN, .reqid = 7};
	uint64_t shown;

	(void)state;
	assert_int_equal(lines_of("{\"command\":\"sa-export\",\"reqid\":8}", &shown), 1);
	assert_int_equal(shown, 1);
	assert_int_equal(lines_of("{\"command\":\"sa-export\",\"reqid\":99}", &shown), 0);
	assert_int_equal(shown, 0);
	expect_error("{\"command\":\"sa-export\",\"direction\":\"up\"}", "bad-argument",
		"direction: allowed is");
	fake.sa_plane = many_sas(&info);
	assert_int_equal(lines_of("{\"command\":\"sa-export\"}", &shown), NM_CONTROL_SAS_MAX);
	assert_int_equal(shown, MANY_SAS);
}

/* The plane that has the SAs now says whether keys are shown, not the one where they began. */
static void test_export_of_another_plane(void **state)
{
	static struct natmux_sa_info info = {.direction = NATMUX_SA_IN};
	uint64_t shown;

	(void)state;
	fake.sa_plane = many_sas(&info);
	fake.config.esp = NM_ESP_KERNEL;
	fake.config.kernel_plane.export_keys = true;
	fake.config.user_plane.export_keys = false;
	expect_error("{\"command\":\"sa-export\"}", "failed", "has not kept the keys");
	fake.config.kernel_plane.export_keys = false;
	fake.config.user_plane.export_keys = true;
	assert_true(lines_of("{\"command\":\"sa-export\"}", &shown) > 0);
}

/* No other answer than sa-export has a key in it, in any form. */
static void test_keys_stay_inside(void **state)
{
	static const char *const lines[] = {"{\"command\":\"sa-list\"}", "{\"command\":\"status\"}",
		"{\"command\":\"metrics\"}", "{\"command\":\"policy-list\"}",
		"{\"command\":\"events\"}"};

	(void)state;
	json_decref(result_of(ask(ADD(GOOD, IN))));
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		json_t *reply = ask(lines[i]);
		char *text = json_dumps(reply, 0);

		assert_null(strstr(text, "00010203"));
		assert_null(strstr(text, "AAECAw"));
		assert_null(strstr(text, "deadbeef"));
		free(text);
		json_decref(reply);
	}
}

/* With esp = kernel: what only the kernel has, why it refuses, and what it has dropped. */
static void test_kernel_plane(void **state)
{
	struct nm_xfrm_features features = {.has = {true, true, true, true}};
	struct nm_kernel_plane_status status = {.features = &features,
		.sas = 1,
		.sas_max = 1024,
		.policies = 1,
		.policies_max = 1024,
		.events = 12,
		.losses = 1,
		.has_stat = true};
	struct fake_sa_plane plane = {.sas_len = 0};
	json_t *result;

	(void)state;
	status.stat.value[NM_XFRM_COUNTER_InNoStates] = 5;
	status.stat.value[NM_XFRM_COUNTER_OutNoStates] = 2;
	status.stat.has = (UINT64_C(1) << NM_XFRM_COUNTER_AcquireError) - 1;
	fake.kernel_status = &status;
	fake.steering = (struct nm_server_steering){.is_steered = true,
		.tun = "natmux2",
		.esp_gro_why = "switched off by kernel-plane.gro"};
	fake.sa_plane = fake_sa_plane(&plane);
	fake.config.esp = NM_ESP_KERNEL;
	fake.config.listen[0] = fake_addr("0.0.0.0:4500");
	fake.config.listen_len = 1;
	expect_error(ADD(GOOD, IN), "bad-argument", "sa.local: found \"\", allowed is an address");
	expect_error(ADD(GOOD, IN ",\"local\":\"192.0.2.1\",\"df\":\"set\""), "bad-argument",
		"one with direction = out only");
	expect_error(ADD(GOOD, IN ",\"remote\":\"192.0.2.9\",\"replay_window\":4097"),
		"bad-argument", "at most 4096 with esp = kernel");
	fake.config.kernel_plane.gro = true;
	expect_error(ADD(GOOD, "\"direction\":\"in\",\"spi\":\"0x10008\",\"suite\":\"aes128gcm16\","
			       "\"remote\":\"192.0.2.9\""),
		"bad-argument",
		"sa.spi: found 0x00010008, allowed is one with kernel-plane.gro = yes that is not "
		"how a STUN message begins");
	json_decref(result_of(ask(ADD(GOOD, IN
		",\"remote\":\"192.0.2.9\",\"mark\":\"0x2a/0xff\",\"output_mark\":42,\"if_id\":7,"
		"\"offload\":\"eth0\""))));
	assert_int_equal(plane.sas_len, 1);
	assert_int_equal(plane.sas[0].kernel.mark.value, 0x2a);
	json_decref(result_of(ask("{\"command\":\"policy-add\",\"policy\":{\"reqid\":7,"
				  "\"selector\":\"dst 10.2.0.0/16\",\"mark\":1,\"if_id\":7}}")));
	plane.fail_at = plane.calls + 1;
	plane.fail_with = NATMUX_EUNSUPPORTED;
	plane.fail_why = "this kernel has no ESP (CONFIG_INET_ESP); use esp = user";
	expect_error(ADD(GOOD, IN ",\"remote\":\"192.0.2.9\""), "failed",
		"this kernel has no ESP (CONFIG_INET_ESP); use esp = user: nothing was changed");
	expect_golden_result("sas-kernel.json", "{\"command\":\"sa-list\"}");
	expect_golden_result("policies-kernel.json", "{\"command\":\"policy-list\"}");
	expect_golden_result("status-kernel.json", "{\"command\":\"status\"}");
	result = result_of(ask("{\"command\":\"metrics\"}"));
	assert_non_null(strstr(json_string_value(json_object_get(result, "text")),
		"\nnatmux_xfrm_dropped_packets_total{counter=\"XfrmInNoStates\"} 5\n"));
	assert_null(strstr(json_string_value(json_object_get(result, "text")), "XfrmAcquireError"));
	json_decref(result);
	expect_error("{\"command\":\"sa-export\"}", "failed", "has not kept the keys");
	assert_int_equal(sas(), 1);
	expect_error("{\"command\":\"sa-move\"}", "bad-argument", "must be user or kernel");
	expect_error("{\"command\":\"sa-move\",\"plane\":\"daemon\"}", "bad-argument",
		"must be user or kernel");
	expect_error("{\"command\":\"sa-move\",\"plane\":\"user\"}", "failed",
		"there is one plane: nothing was changed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_results_are_golden, setup),
		cmocka_unit_test_setup(test_metrics_are_golden, setup),
		cmocka_unit_test_setup(test_without_plane, setup_without),
		cmocka_unit_test_setup(test_add, setup),
		cmocka_unit_test_setup(test_bad_adds, setup),
		cmocka_unit_test_setup(test_replay, setup),
		cmocka_unit_test_setup(test_bad_replays, setup),
		cmocka_unit_test_setup(test_widest_replay, setup),
		cmocka_unit_test_setup(test_full, setup),
		cmocka_unit_test_setup(test_kernel_plane, setup_without),
		cmocka_unit_test_setup(test_delete, setup),
		cmocka_unit_test_setup(test_flush, setup),
		cmocka_unit_test_setup(test_policies, setup),
		cmocka_unit_test_setup(test_export_is_off, setup),
		cmocka_unit_test_setup(test_export, setup_export),
		cmocka_unit_test_setup(test_export_in_parts, setup_export),
		cmocka_unit_test_setup(test_export_of_another_plane, setup_export),
		cmocka_unit_test_setup(test_keys_stay_inside, setup_export),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
