/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts that are kept in tests/golden/ctl. With GOLDEN_WRITE=1 in the environment a test writes
 * them instead of comparing: read the difference before it is committed.
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "test.h"

static inline const char *golden_path(const char *name)
{
	static char path[4096];
	const char *source = getenv("NATMUX_SOURCE");

	snprintf(path, sizeof(path), "%s/tests/golden/ctl/%s", source ? source : ".", name);
	return path;
}

/* The whole file, to be freed. */
static inline char *golden_read(const char *name)
{
	FILE *file = fopen(golden_path(name), "r");
	char *text = NULL;
	size_t size = 0;

	if (!file)
		fail_msg("cannot read %s", golden_path(name));
	if (getdelim(&text, &size, '\0', file) < 0)
		fail_msg("%s is empty", golden_path(name));
	fclose(file);
	return text;
}

/* `text` is what the file holds; a newline at its end is the file's own. */
static inline void expect_golden(const char *name, const char *text)
{
	char *wanted;
	size_t len;

	if (getenv("GOLDEN_WRITE")) {
		FILE *file = fopen(golden_path(name), "w");

		if (!file)
			fail_msg("cannot write %s", golden_path(name));
		fprintf(file, "%s%s", text, text[strlen(text) - 1] == '\n' ? "" : "\n");
		fclose(file);
		return;
	}
	wanted = golden_read(name);
	len = strlen(text);
	if (strncmp(wanted, text, len) != 0 || (wanted[len] && strcmp(wanted + len, "\n") != 0))
		fail_msg("%s:\n--- is\n%s\n--- should be\n%s", name, text, wanted);
	free(wanted);
}

#endif
