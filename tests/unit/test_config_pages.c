/* SPDX-License-Identifier: Apache-2.0 */
/* The example and the manual page, against the list of keys. */
#include "config_text.h"

#include <stdlib.h>

static char *read_source(const char *name)
{
	const char *source = getenv("NATMUX_SOURCE");
	char path[512], *text = calloc(1, 1 << 18);
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", source ? source : ".", name);
	file = fopen(path, "r");
	if (!file || !text)
		fail_msg("cannot read %s", path);
	assert_true(fread(text, 1, (1 << 18) - 1, file) > 0);
	fclose(file);
	return text;
}

/* daemon/natmux.conf shows the defaults, and every key of every section without title. */
static void test_example_file(void **state)
{
	char *text = read_source("daemon/natmux.conf"), *defaults, *example;
	struct nm_config *config = parse(text), *empty = parse("");

	(void)state;
	defaults = print(empty);
	example = print(config);
	assert_string_equal(example, defaults);
	for (size_t s = 0; s < nm_config_sections_len; s++) {
		const struct nm_config_section *section = &nm_config_sections[s];

		for (size_t k = 0; k < section->keys_len && !section->is_titled; k++) {
			const char *key = section->keys[k].name;
			bool is_there = nm_config_line_of(config, section->name, key) > 0;

			/* No interface of that name is everywhere: it stands in a comment. */
			if (!is_there && strcmp(key, "device") != 0)
				fail_msg("daemon/natmux.conf lacks %s.%s", section->name, key);
		}
	}
	assert_non_null(strstr(text, "# device = "));
	assert_non_null(strstr(text, "# peer \"branch\" {"));
	assert_non_null(strstr(text, "#\tremote = "));
	assert_non_null(strstr(text, "#\talias = "));
	assert_non_null(strstr(text, "# sa \"branch-in\" {"));
	assert_non_null(strstr(text, "# policy \"branch\" {"));
	assert_non_null(strstr(text, "# stun-server \"a\" {"));
	assert_non_null(strstr(text, "#\taddress = "));
	free(text);
	free(defaults);
	free(example);
	nm_config_free(config);
	nm_config_free(empty);
}

/* The examples in comments are good as well. */
static void test_example_comments(void **state)
{
	char *text = read_source("daemon/natmux.conf"), *bare = calloc(1, strlen(text) + 20);
	struct nm_config *config;
	bool is_inside = false;

	(void)state;
	assert_non_null(bare);
	strcpy(bare, "esp = user\n");
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (strstr(line, "\" {") && strncmp(line, "# ", 2) == 0)
			is_inside = true;
		if (is_inside || strncmp(line, "# device", 8) == 0)
			strcat(strcat(bare, line + 2), "\n");
		if (strncmp(line, "# }", 3) == 0)
			is_inside = false;
	}
	config = parse(bare);
	assert_string_equal(config->device, "eth0");
	assert_int_equal(config->peers_len, 1);
	assert_int_equal(config->servers_len, 1);
	assert_int_equal(config->sas_len, 2);
	assert_int_equal(config->policies_len, 1);
	nm_config_free(config);
	free(text);
	free(bare);
}

/* Whether `.It Ic KEY No = DEFAULT` stands under `.Ss SECTION`, as the table has it. */
static void want_in_page(
	const char *page, const struct nm_config_section *section, const struct nm_config_key *key)
{
	char heading[64], item[64], words[256];
	const char *at = page, *end;

	snprintf(
		heading, sizeof(heading), "\n.Ss %s\n", *section->name ? section->name : "General");
	at = strstr(page, heading);
	if (!at) {
		fail_msg("natmux.conf.5 lacks .Ss %s", section->name);
		return; /* for analyzers: fail_msg() does not come back */
	}
	end = strstr(at + 1, "\n.Ss ");
	snprintf(item, sizeof(item), "\n.It Ic %s No = ", key->name);
	at = strstr(at, item);
	if (!at || (end && at > end)) {
		fail_msg("natmux.conf.5 lacks %s in %s", key->name, section->name);
		return;
	}
	if (!key->initial || !*key->initial || key->type->is_list)
		return;
	at += strlen(item);
	snprintf(words, sizeof(words), "%.*s", (int)strcspn(at, "\n"), at);
	if (!strstr(words, key->initial))
		fail_msg(
			"natmux.conf.5: %s: default is %s, not %s", key->name, key->initial, words);
}

static void test_man_page(void **state)
{
	char *page = read_source("docs/natmux.conf.5");
	size_t items = 0, keys = 0;

	(void)state;
	for (size_t s = 0; s < nm_config_sections_len; s++)
		for (size_t k = 0; k < nm_config_sections[s].keys_len; k++, keys++)
			want_in_page(page, &nm_config_sections[s], &nm_config_sections[s].keys[k]);
	/* None that is no key. */
	for (const char *at = page; (at = strstr(at, "\n.It Ic ")) != NULL; at++)
		items++;
	assert_int_equal(items, keys);
	free(page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_example_file),
		cmocka_unit_test(test_example_comments),
		cmocka_unit_test(test_man_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
