/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxctl's tables from the results that the control server's tests keep; hostile texts too. */
#include "test.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>
#include "ctl/commands.h"
#include "ctl/print.h"
#include "golden.h"

static char *text;
static size_t len;

static struct nm_ctl open_ctl(void)
{
	return (struct nm_ctl){.out = open_memstream(&text, &len)};
}

static json_t *golden_json(const char *name)
{
	char *file = golden_read(name);
	json_t *json = json_loads(file, 0, NULL);

	assert_non_null(json);
	free(file);
	return json;
}

/* Each event on its line, as natmuxctl prints those that are kept. */
static void print_events(struct nm_ctl *ctl, const json_t *result)
{
	const json_t *list = json_object_get(result, "events");

	for (size_t i = 0; i < json_array_size(list); i++)
		nm_ctl_print_event(ctl, json_array_get(list, i));
}

static const struct {
	const char *json, *text;
	void (*print)(struct nm_ctl *ctl, const json_t *result);
} cases[] = {
	{"status.json", "status.txt", nm_ctl_print_status},
	{"flows.json", "flows.txt", nm_ctl_print_flows},
	{"stats.json", "stats.txt", nm_ctl_print_stats},
	{"drops.json", "drops.txt", nm_ctl_print_drops},
	{"servers.json", "servers.txt", nm_ctl_print_servers},
	{"aliases.json", "aliases.txt", nm_ctl_print_aliases},
	{"events.json", "events.txt", print_events},
	{"status-user.json", "status-user.txt", nm_ctl_print_status},
	{"status-join.json", "status-join.txt", nm_ctl_print_status},
	{"status-waits.json", "status-waits.txt", nm_ctl_print_status},
	{"sas.json", "sas.txt", nm_ctl_print_sas},
	{"sas.json", "sas-full.txt", nm_ctl_print_sas_in_full},
	{"policies.json", "policies.txt", nm_ctl_print_policies},
	{"status-kernel.json", "status-kernel.txt", nm_ctl_print_status},
	{"sas-kernel.json", "sas-kernel.txt", nm_ctl_print_sas},
	{"sas-kernel.json", "sas-kernel-full.txt", nm_ctl_print_sas_in_full},
	{"export.json", "export.txt", nm_ctl_print_export},
	{"events-esp.json", "events-esp.txt", print_events},
};

static void test_tables_are_golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *result = golden_json(cases[i].json);
		struct nm_ctl ctl = open_ctl();

		cases[i].print(&ctl, result);
		fclose(ctl.out);
		expect_golden(cases[i].text, text);
		free(text);
		json_decref(result);
	}
}

/* The same shape, each value text that would steer a terminal, or (NULL) another type. */
static json_t *wrong_copy(const json_t *json, const char *wrong)
{
	json_t *copy = json_is_array(json) ? json_array() : json_object();
	json_t *object = (json_t *)(uintptr_t)json;

	if (!json_is_array(json) && !json_is_object(json)) {
		json_decref(copy);
		return wrong ? json_string(wrong) : json_real(-1.5);
	}
	for (size_t i = 0; i < json_array_size(json); i++)
		json_array_append_new(copy, wrong_copy(json_array_get(json, i), wrong));
	for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i))
		json_object_set_new(copy, json_object_iter_key(i),
			wrong_copy(json_object_iter_value(i), wrong));
	return copy;
}

static void test_hostile_daemon(void **state)
{
	static const char *const wrongs[] = {
		NULL, "", "\033[2J\033]0;title\007\r\b\x7f\xc2\x9b", "\n\n\n", "%s%n%d"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t w = 0; w < ARRAY_SIZE(wrongs); w++) {
			json_t *good = golden_json(cases[i].json);
			json_t *result = wrong_copy(good, wrongs[w]);
			struct nm_ctl ctl = open_ctl();

			cases[i].print(&ctl, result);
			fclose(ctl.out);
			for (size_t c = 0; c < len; c++)
				assert_true(text[c] == '\n' || (unsigned char)text[c] >= 0x20);
			assert_null(strstr(text, "\xc2\x9b"));
			free(text);
			json_decref(result);
			json_decref(good);
		}
}

static void test_nothing_at_all(void **state)
{
	json_t *empty = json_object();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nm_ctl ctl = open_ctl();

		cases[i].print(&ctl, empty);
		cases[i].print(&ctl, NULL);
		fclose(ctl.out);
		free(text);
	}
	json_decref(empty);
}

static void test_rates(void **state)
{
	json_t *before = golden_json("stats.json"), *after = json_deep_copy(before);
	json_t *esp = json_object_get(json_object_get(after, "rx"), "esp");
	struct nm_ctl ctl = open_ctl();

	(void)state;
	json_object_set_new(after, "now_ms", json_integer(1002000));
	json_object_set_new(esp, "datagrams", json_integer(123456789 + 200000));
	json_object_set_new(esp, "bytes", json_integer(170123456789 + 285600000));
	json_object_set_new(after, "drops", json_integer(5));
	nm_ctl_print_rates(&ctl, before, after);
	/* The daemon began anew: counters went down, the clock too. */
	fputc('\n', ctl.out);
	nm_ctl_print_rates(&ctl, after, before);
	fclose(ctl.out);
	expect_golden("rates.txt", text);
	free(text);
	json_decref(before);
	json_decref(after);
}

static void test_numbers_for_people(void **state)
{
	static const struct {
		uint64_t value;
		const char *bytes, *duration;
	} values[] = {
		{0, "0 B", "0 ms"},
		{999, "999 B", "999 ms"},
		{1000, "1000 B", "1.0 s"},
		{1023, "1023 B", "1.0 s"},
		{1024, "1.0 KiB", "1.0 s"},
		{9999, "9.8 KiB", "9.9 s"},
		{10000, "9.8 KiB", "10 s"},
		{119999, "117.2 KiB", "119 s"},
		{120000, "117.2 KiB", "2 min"},
		{7200000, "6.9 MiB", "2 h"},
		{172800000, "164.8 MiB", "2 d"},
		{1048524, "1023.9 KiB", "17 min"},
		{1048575, "1.0 MiB", "17 min"},
		{UINT64_MAX, "16.0 EiB", "213503982334 d"},
	};
	static const struct {
		double value;
		const char *text;
	} scaled[] = {{0, "0"}, {999, "999"}, {999.96, "1.0k"}, {1000, "1.0k"}, {1234567, "1.2M"},
		{1e12, "1.0T"}, {1e21, "1000.0E"}};
	char got[NM_PRINT_TEXT];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		assert_string_equal(nm_print_bytes(values[i].value, got), values[i].bytes);
		assert_string_equal(nm_print_duration(values[i].value, got), values[i].duration);
	}
	for (size_t i = 0; i < ARRAY_SIZE(scaled); i++)
		assert_string_equal(nm_print_scaled(scaled[i].value, got), scaled[i].text);
}

static void test_table(void **state)
{
	static const char *const heads[] = {"A", ">NUMBER", "C", NULL};
	struct nm_ctl ctl = open_ctl();
	struct nm_table table;

	(void)state;
	nm_table_init(&table, heads);
	nm_table_done(&table, &ctl);
	nm_table_init(&table, heads);
	nm_table_add(&table, "%s", "h\xc3\xa9t");
	nm_table_add(&table, "%d", 7);
	nm_table_add(&table, "%s", "x");
	nm_table_add(&table, "%s", "longer");
	nm_table_add(&table, "%d", 12345678);
	nm_table_add(&table, "%s", "a\tb");
	nm_table_done(&table, &ctl);
	ctl.has_colour = true;
	nm_table_init(&table, heads);
	for (int i = 0; i < 3; i++)
		nm_table_add(&table, "-");
	nm_table_done(&table, &ctl);
	fclose(ctl.out);
	assert_string_equal(text, "A         NUMBER  C\n"
				  "h\xc3\xa9t            7  x\n"
				  "longer  12345678  a?b\n"
				  "\033[1mA  NUMBER  C\n\033[0m-       -  -\n");
	free(text);
}

static void test_help_of_all(void **state)
{
	const struct nm_ctl_command *command;

	(void)state;
	for (command = nm_ctl_commands; command->name; command++) {
		struct nm_ctl ctl = open_ctl();

		assert_ptr_equal(nm_ctl_find_command(command->name), command);
		nm_ctl_print_help(&ctl, command);
		fclose(ctl.out);
		assert_non_null(strstr(text, "Usage: natmuxctl"));
		assert_non_null(strstr(text, command->name));
		free(text);
	}
	assert_null(nm_ctl_find_command("statu"));
	assert_null(nm_ctl_find_command(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables_are_golden),
		cmocka_unit_test(test_hostile_daemon),
		cmocka_unit_test(test_nothing_at_all),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_numbers_for_people),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_help_of_all),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
