/* SPDX-License-Identifier: Apache-2.0 */
/* Trains of ESP for several workers: what goes to the own plane, what to whom, and in which order. */
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "daemon/user/user_sort.h"

enum { WORKERS = 3, SIZE = 16, PARTS = 32 };

/* What came out: a worker, and the mark (the second word) of each datagram. */
static struct part {
	uint32_t home, marks[PARTS], n;
} parts[PARTS];
static size_t parts_n;

/* In the place of a plane: which worker it is. */
static uint32_t self;

static void keep(uint32_t home, const struct natmux_train *train)
{
	struct part *part = &parts[parts_n++];

	*part = (struct part){.home = home};
	for (uint32_t at = 0; at < train->len; at += SIZE)
		part->marks[part->n++] =
			train->len - at >= 8 ? nm_get32(train->data + at + 4) : UINT32_MAX;
}

uint32_t natmux_esp_home(const struct natmux_esp *esp, uint32_t spi)
{
	(void)esp;
	return spi % WORKERS;
}

void natmux_esp_input(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	(void)esp;
	assert_int_equal(now_ms, 42);
	for (size_t i = 0; i < n; i++)
		keep(self, &trains[i]);
}

static void forward(void *user, uint32_t home, const struct natmux_train *train)
{
	assert_ptr_equal(user, parts);
	assert_int_not_equal(home, self);
	keep(home, train);
}

static const struct test {
	const char *what;
	uint32_t self;
	const char *trains[4]; /* a letter for each datagram: a, b, c by worker; '.': no SPI */
	const char *parts;     /* what comes out, a word for each */
} tests[] = {
	{"ours", 0, {"aaaa"}, "aaaa"},
	{"another's", 0, {"bbbb"}, "bbbb"},
	{"one", 2, {"c"}, "c"},
	{"ours in many", 1, {"b", "bbb", "bb"}, "b bbb bb"},
	{"a rekey", 0, {"aaabb"}, "aaa bb"},
	{"a rekey, the other way", 0, {"bbaaa"}, "bb aaa"},
	{"there and back", 1, {"bbcbb"}, "bb c bb"},
	{"one each", 2, {"abcabc"}, "a b c a b c"},
	{"ours between", 0, {"aa", "b", "aa"}, "aa b aa"},
	{"theirs between and mixed", 0, {"aab", "b", "ba", "a"}, "aa b b b a a"},
	{"too short at the end", 0, {"aa."}, "aa."},
	{"too short at another's end", 0, {"bb."}, "bb ."},
	{"too short alone", 1, {"."}, "."},
};

static uint32_t make_train(const char *letters, uint32_t *mark, uint8_t *bytes)
{
	uint32_t len = 0;

	for (; *letters; letters++) {
		if (*letters == '.')
			return len + 3;
		nm_put32(bytes + len, 300 + (uint32_t)(*letters - 'a'));
		nm_put32(bytes + len + 4, (*mark)++);
		len += SIZE;
	}
	return len;
}

static void run(const struct test *test)
{
	static uint8_t bytes[4][PARTS * SIZE];
	struct natmux_train trains[4];
	struct nm_user_sort sort = {NULL, test->self, forward, parts};
	uint32_t mark = 0;
	size_t n = 0;

	self = test->self;
	parts_n = 0;
	for (; n < 4 && test->trains[n]; n++) {
		uint32_t len = make_train(test->trains[n], &mark, bytes[n]);

		trains[n] = (struct natmux_train){.data = bytes[n], .len = len, .segment = SIZE};
	}
	nm_user_sort_input(&sort, 42, trains, n);
}

static void check(const struct test *test)
{
	uint32_t mark = 0;
	size_t part = 0, at = 0;

	for (const char *c = test->parts; *c; c++) {
		if (*c == ' ') {
			assert_int_equal(parts[part++].n, at);
			at = 0;
			continue;
		}
		if (*c != '.' && parts[part].home != (uint32_t)(*c - 'a'))
			fail_msg("%s: part %zu is for %u", test->what, part, parts[part].home);
		if (parts[part].marks[at] != (*c == '.' ? UINT32_MAX : mark))
			fail_msg("%s: part %zu", test->what, part);
		mark += *c != '.';
		at++;
	}
	assert_int_equal(parts[part].n, at);
	assert_int_equal(parts_n, part + 1);
}

static void test_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		run(&tests[i]);
		check(&tests[i]);
	}
}

/* One datagram has no segment, or one that is longer. */
static void test_single_datagrams(void **state)
{
	uint8_t bytes[SIZE] = {0};
	struct natmux_train train = {.data = bytes, .len = SIZE};
	struct nm_user_sort sort = {NULL, 0, forward, parts};

	(void)state;
	self = 0;
	nm_put32(bytes, 301);
	for (uint32_t segment = 0; segment <= 2 * SIZE; segment += SIZE) {
		parts_n = 0;
		train.segment = segment;
		nm_user_sort_input(&sort, 42, &train, 1);
		assert_int_equal(parts_n, 1);
		assert_int_equal(parts[0].home, 1);
	}
}

int main(void)
{
	const struct CMUnitTest cmocka_tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_single_datagrams),
	};

	return cmocka_run_group_tests(cmocka_tests, NULL, NULL);
}
