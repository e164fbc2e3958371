/* SPDX-License-Identifier: Apache-2.0 */
/* Where an inbound SA goes on: its number and its window, shown and taken. */
#include "control_sas_test.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_replay, setup),
		cmocka_unit_test_setup(test_bad_replays, setup),
		cmocka_unit_test_setup(test_widest_replay, setup),
	};

	return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
