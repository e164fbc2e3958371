/* SPDX-License-Identifier: Apache-2.0 */
/* Bad configurations and the exact line each gets: tests/golden/config, and what no file shows. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>
#include <natmux/error.h>
#include "daemon/config/config.h"

enum { LINE_MAX_BYTES = 1024, TEXT_MAX = 16384 };

static struct nm_config *const untouched = (struct nm_config *)0x1;

static bool no_user_exists(const char *name)
{
	(void)name;
	return false;
}

static const struct nm_config_world world = {.user_exists = no_user_exists};

/* Parses, and wants exactly this message. */
static void expect(const char *what, const char *text, size_t len, const char *message)
{
	struct nm_config *config = untouched;
	char got[NM_CONFIG_MESSAGE_SIZE];
	int err = nm_config_parse("natmux.conf", text, len, &world, &config, got, sizeof(got));

	if (err == 0)
		fail_msg("%s: accepted", what);
	assert_int_equal(err, NATMUX_EINVAL);
	assert_ptr_equal(config, untouched);
	if (strcmp(got, message) != 0)
		fail_msg("%s:\n got: %s\nwant: %s", what, got, message);
	assert_null(strchr(got, '\n'));
}

/* One "### case", its text and ">>> message". Returns how many there were. */
static int run_golden(const char *name)
{
	char path[512], line[LINE_MAX_BYTES], what[LINE_MAX_BYTES] = "", text[TEXT_MAX];
	const char *source = getenv("NATMUX_SOURCE");
	size_t len = 0;
	int cases = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/golden/config/%s", source ? source : ".", name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("cannot open %s", path);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "### ", 4) == 0) {
			snprintf(what, sizeof(what), "%s: %s", name, line + 4);
			len = 0;
		} else if (strncmp(line, ">>> ", 4) == 0) {
			line[strcspn(line, "\n")] = '\0';
			expect(what, text, len, line + 4);
			cases++;
		} else {
			assert_true(len + strlen(line) < sizeof(text));
			memcpy(text + len, line, strlen(line));
			len += strlen(line);
		}
	}
	fclose(file);
	return cases;
}

static void test_syntax(void **state)
{
	(void)state;
	assert_true(run_golden("syntax.txt") >= 50);
}

static void test_values(void **state)
{
	(void)state;
	assert_true(run_golden("values.txt") >= 80);
}

static void test_together(void **state)
{
	(void)state;
	assert_true(run_golden("together.txt") >= 30);
}

/* Bytes that a golden file should not hold. */
static void test_bytes(void **state)
{
	static const struct {
		const char *what, *text;
		size_t len;
		const char *message;
	} cases[] = {
		{"NUL between keys", "port = 4500\n\0budget = 1\n", 24,
			"natmux.conf:2: found byte 0x00, allowed is text"},
		{"NUL in a string", "user = \"a\0b\"\n", 13,
			"natmux.conf:1: user: found byte 0x00, allowed is text"},
		{"NUL in a comment", "# a\0b\n", 6,
			"natmux.conf:1: found byte 0x00, allowed is text"},
		{"NUL alone", "\0", 1, "natmux.conf:1: found byte 0x00, allowed is text"},
		{"escape sequence of a terminal", "user = \"\033[2J\"\n", 14,
			"natmux.conf:1: user: found byte 0x1b, allowed is printable ASCII"},
		{"tab in a string", "user = \"a\tb\"\n", 13,
			"natmux.conf:1: user: found byte 0x09, allowed is printable ASCII"},
		{"return without newline", "port = 4500\rbudget = 1\n", 23,
			"natmux.conf:1: port: found byte 0x0d, allowed is a letter, a digit, a "
			"quote or one of _-.:/%[]={},"},
		{"backslash at the end", "user = \"a\\", 10,
			"natmux.conf:1: user: found a backslash in a string, allowed is one only "
			"before a backslash or that quote"},
		{"slash and asterisk at the end", "port = 1 /*", 11,
			"natmux.conf:1: port: found a comment without end, allowed is /* ... */"},
		{"user who is not there", "user = \"natmux\"\n", 16,
			"natmux.conf:1: user: found \"natmux\", allowed is \"\" or a user of this "
			"machine"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect(cases[i].what, cases[i].text, cases[i].len, cases[i].message);
}

/* Every beginning of a good text gives a message or a configuration, never anything else. */
static void test_truncations(void **state)
{
	static const char text[] =
		"listen = { \"192.0.2.1\", '::' } # c\nrelay {\n\ttun = \"t\\\\\" /* x */\n}\n"
		"peer \"a\" {\n\tremote = \"203.0.113.2:4500\"\n\talias = 100.64.0.2\n}\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		struct nm_config *config = NULL;
		char got[NM_CONFIG_MESSAGE_SIZE];
		char *exact = malloc(len + 1); /* so that a sanitizer sees a byte too many */
		int err;

		assert_non_null(exact);
		memcpy(exact, text, len);
		err = nm_config_parse("c", exact, len, NULL, &config, got, sizeof(got));
		free(exact);
		assert_true((err == 0) == (got[0] == '\0'));
		nm_config_free(config);
	}
}

/* A text of `n` times `piece` between `begin` and `end`. */
static char *repeat(const char *begin, const char *piece, size_t n, const char *end, size_t *len)
{
	size_t piece_len = strlen(piece);
	char *text = malloc(strlen(begin) + n * piece_len + strlen(end) + 1), *at = text;

	assert_non_null(text);
	at = stpcpy(at, begin);
	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, piece);
	at = stpcpy(at, end);
	*len = (size_t)(at - text);
	return text;
}

static void test_sizes(void **state)
{
	static const struct {
		const char *begin, *piece;
		size_t n;
		const char *end, *message;
	} cases[] = {
		{"", "#", (1 << 20) + 1, "",
			"natmux.conf: found 1048577 bytes, allowed is at most 1048576"},
		{"", "stun { }\n", 2049, "",
			"natmux.conf:2049: stun: found one more section, allowed is at most 2048"},
		{"", "{", 2000, "",
			"natmux.conf:1: found \"{\" without \"}\", allowed is one \"}\" for each "
			"\"{\""},
		{"port", "\n", 100000, "",
			"natmux.conf:100001: found \"\" at the end of the file, "
			"allowed is KEY = VALUE"},
		{"user = \"", "a", 100000, "\"",
			"natmux.conf:1: user: found \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\", allowed is \"\" or a user name: 1 to "
			"32 letters, digits, '.', '_' or '-'"},
		{"", "x", 100000, " = 1",
			"natmux.conf:1: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: found an unknown "
			"key, allowed is one of natmux.conf(5): the nearest is unix"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len;
		char *text = repeat(cases[i].begin, cases[i].piece, cases[i].n, cases[i].end, &len);

		expect(cases[i].begin, text, len, cases[i].message);
		free(text);
	}
}

static void test_too_many_peers(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	(void)state;
	assert_non_null(file);
	for (unsigned int i = 0; i <= NM_CONFIG_PEERS_MAX; i++)
		fprintf(file, "peer \"p%u\" { remote = \"198.51.100.1:%u\" }\n", i, 1000 + i);
	fclose(file);
	expect("peers", text, len,
		"natmux.conf:1025: peer \"p1024\": found more than 1024 sections of this name, "
		"allowed is at most 1024");
	free(text);
}

/* A small buffer cuts the message and nothing else. */
static void test_small_message(void **state)
{
	struct nm_config *config = untouched;
	char got[12];

	(void)state;
	assert_int_equal(nm_config_parse("natmux.conf", "port = 0", 8, NULL, &config, got, 12),
		NATMUX_EINVAL);
	assert_string_equal(got, "natmux.conf");
	assert_int_equal(nm_config_parse("natmux.conf", "port = 0", 8, NULL, &config, NULL, 0),
		NATMUX_EINVAL);
	assert_ptr_equal(config, untouched);
}

static void expect_unreadable(const char *path, const char *why)
{
	struct nm_config *config = untouched;
	char got[NM_CONFIG_MESSAGE_SIZE], want[NM_CONFIG_MESSAGE_SIZE];

	assert_int_equal(nm_config_read(path, &config, got, sizeof(got)), NATMUX_ESYSTEM);
	snprintf(want, sizeof(want), "%s: cannot be read: %s", path, why);
	assert_string_equal(got, want);
	assert_ptr_equal(config, untouched);
}

static void test_files(void **state)
{
	char folder[] = "/tmp/natmux-test-config-XXXXXX", path[64], link[64];
	struct nm_config *config = NULL;
	char got[NM_CONFIG_MESSAGE_SIZE];
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/fifo", folder);
	snprintf(link, sizeof(link), "%s/loop", folder);
	expect_unreadable("", "No such file or directory");
	expect_unreadable("/nonexistent/natmux.conf", "No such file or directory");
	expect_unreadable(folder, "it is not a regular file");
	expect_unreadable("/dev/null", "it is not a regular file");
	assert_int_equal(symlink(link, link), 0);
	expect_unreadable(link, "Too many levels of symbolic links");
	unlink(link);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_unreadable(path, "it is not a regular file");
	unlink(path);

	file = fopen(path, "w");
	assert_non_null(file);
	fputs("prot = 1\n", file);
	fclose(file);
	assert_int_equal(nm_config_read(path, &config, got, sizeof(got)), NATMUX_EINVAL);
	assert_memory_equal(got, path, strlen(path));
	assert_non_null(strstr(got, ":1: prot: found an unknown key"));
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_too_many_peers),
		cmocka_unit_test(test_small_message),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
