/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes into lines: in any portions, of any content, up to the limit and one byte beyond. */
#include "test.h"

#include <stdlib.h>
#include "daemon/control/control_line.h"

static struct nm_control_line line;

static int setup(void **state)
{
	(void)state;
	line = (struct nm_control_line){.buf = malloc(NM_CONTROL_LINE_MAX + 1)};
	return line.buf ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(line.buf);
	return 0;
}

static void feed(const char *text, size_t len)
{
	char *room;

	assert_true(nm_control_line_room(&line, &room) >= len);
	memcpy(room, text, len);
	nm_control_line_commit(&line, len);
}

static void expect_line(const char *wanted)
{
	char *text = NULL;
	size_t len = 0;

	assert_int_equal(nm_control_line_next(&line, &text, &len), NM_CONTROL_LINE_READY);
	assert_int_equal(len, strlen(wanted));
	assert_memory_equal(text, wanted, len);
}

static void expect(enum nm_control_line_verdict verdict)
{
	char *text;
	size_t len;

	assert_int_equal(nm_control_line_next(&line, &text, &len), verdict);
}

static void test_any_portion(void **state)
{
	static const char text[] = "one\n\r\n\n\ntwo\r\nthree\n\r\n";

	(void)state;
	for (size_t portion = 1; portion < sizeof(text); portion++) {
		char got[64] = "";

		for (size_t at = 0; at < sizeof(text) - 1; at += portion) {
			size_t left = sizeof(text) - 1 - at;
			char *found;
			size_t len;

			feed(text + at, portion < left ? portion : left);
			while (nm_control_line_next(&line, &found, &len) == NM_CONTROL_LINE_READY) {
				strncat(got, found, len);
				strcat(got, "|");
			}
		}
		assert_string_equal(got, "one|two|three|");
	}
}

static void test_partial_line_waits(void **state)
{
	(void)state;
	feed("half", 4);
	expect(NM_CONTROL_LINE_NONE);
	expect(NM_CONTROL_LINE_NONE);
	feed("way\nrest", 8);
	expect_line("halfway");
	expect(NM_CONTROL_LINE_NONE);
	feed("\n", 1);
	expect_line("rest");
}

static void test_thousands_of_newlines(void **state)
{
	char *room;
	size_t n = nm_control_line_room(&line, &room);

	(void)state;
	assert_int_equal(n, NM_CONTROL_LINE_MAX + 1);
	memset(room, '\n', n);
	nm_control_line_commit(&line, n);
	expect(NM_CONTROL_LINE_NONE);
	assert_int_equal(nm_control_line_room(&line, &room), NM_CONTROL_LINE_MAX + 1);
	feed("x\n", 2);
	expect_line("x");
}

static void test_longest_line_and_one_more(void **state)
{
	char *text;
	char *room;
	size_t len;

	(void)state;
	memset(line.buf, 'x', NM_CONTROL_LINE_MAX);
	line.buf[NM_CONTROL_LINE_MAX] = '\n';
	nm_control_line_room(&line, &room);
	nm_control_line_commit(&line, NM_CONTROL_LINE_MAX);
	expect(NM_CONTROL_LINE_NONE);
	nm_control_line_commit(&line, 1);
	assert_int_equal(nm_control_line_next(&line, &text, &len), NM_CONTROL_LINE_READY);
	assert_int_equal(len, NM_CONTROL_LINE_MAX);
	expect(NM_CONTROL_LINE_NONE);

	assert_int_equal(nm_control_line_room(&line, &room), NM_CONTROL_LINE_MAX + 1);
	memset(room, 'x', NM_CONTROL_LINE_MAX + 1);
	nm_control_line_commit(&line, NM_CONTROL_LINE_MAX + 1);
	expect(NM_CONTROL_LINE_TOO_LONG);
	expect(NM_CONTROL_LINE_TOO_LONG);
	assert_int_equal(nm_control_line_room(&line, &room), 0);
}

static void test_bytes_are_kept(void **state)
{
	char *text;
	size_t len;

	(void)state;
	feed("a\0b\xff\n", 5);
	assert_int_equal(nm_control_line_next(&line, &text, &len), NM_CONTROL_LINE_READY);
	assert_int_equal(len, 4);
	assert_memory_equal(text, "a\0b\xff", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_any_portion, setup, teardown),
		cmocka_unit_test_setup_teardown(test_partial_line_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thousands_of_newlines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest_line_and_one_more, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes_are_kept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
