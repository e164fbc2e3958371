/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tools for judges in other languages have in common: a command a line on standard input,
 * its arguments as words, bytes as hexadecimal digits ("-": none). Whatever is wrong ends the tool
 * with status 2.
 */
#ifndef WORD_LINES_H
#define WORD_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_MAX = 65535, WORDS_MAX = 10 };

struct word_command {
	const char *name;
	size_t words; /* the name among them */
	void (*run)(char **words);
};

static inline size_t unhex(const char *text, uint8_t *bytes, size_t room)
{
	size_t len = strcmp(text, "-") == 0 ? 0 : strlen(text) / 2;

	if (len > room)
		exit(2);
	for (size_t i = 0; i < len; i++) {
		unsigned int v;

		if (sscanf(text + 2 * i, "%2x", &v) != 1)
			exit(2);
		bytes[i] = (uint8_t)v;
	}
	return len;
}

static inline void run_line(const struct word_command *commands, size_t n, char *line)
{
	char *words[WORDS_MAX], *rest = NULL;
	size_t len = 0;

	for (char *word = strtok_r(line, " \n", &rest); word && len < WORDS_MAX;
		word = strtok_r(NULL, " \n", &rest))
		words[len++] = word;
	for (size_t i = 0; len > 0 && i < n; i++) {
		if (strcmp(words[0], commands[i].name) != 0 || len != commands[i].words)
			continue;
		commands[i].run(words);
		fflush(stdout);
		return;
	}
	fprintf(stderr, "not a command\n");
	exit(2);
}

static inline void run_lines(const struct word_command *commands, size_t n)
{
	static char line[2 * BYTES_MAX + 1024];

	while (fgets(line, sizeof(line), stdin))
		run_line(commands, n, line);
}

#endif
