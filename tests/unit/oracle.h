/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Test data that nobody in the project wrote, in the folder $NATMUX_ORACLES (its README says whose
 * it is). It is not part of the project: where it is missing, its tests say so and are skipped.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include "test.h"

struct oracle_bytes {
	uint8_t *data; /* a block of exactly `len` bytes, to be freed */
	size_t len;
};

/* Path of a file or folder of the oracles; ends the test as skipped where there are none. */
static inline const char *oracle_path(const char *name)
{
	static char path[4096];
	const char *folder = getenv("NATMUX_ORACLES"), *source = getenv("NATMUX_SOURCE");
	FILE *file;

	if (folder)
		snprintf(path, sizeof(path), "%s/%s", folder, name);
	else
		snprintf(
			path, sizeof(path), "%s/../shared/oracles/%s", source ? source : ".", name);
	file = fopen(path, "rb");
	if (!file) {
		print_message("skipped: no oracle data (%s)\n", path);
		skip();
	}
	fclose(file);
	return path;
}

static inline struct oracle_bytes oracle_read(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct oracle_bytes bytes;
	long len = 0;

	if (!file || fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) < 0)
		fail_msg("cannot read %s", path);
	rewind(file);
	bytes.len = (size_t)len;
	bytes.data = malloc(bytes.len > 0 ? bytes.len : 1);
	if (!bytes.data || fread(bytes.data, 1, bytes.len, file) != bytes.len)
		fail_msg("cannot read %s", path);
	fclose(file);
	return bytes;
}

/* Calls `each` for every file of a folder whose name ends in `ending`; returns how many. */
static inline size_t oracle_each(const char *folder, const char *ending,
	void (*each)(const char *name, const uint8_t *data, size_t len))
{
	const char *found = oracle_path(folder);
	char path[8192], base[4096];
	struct dirent **entries;
	size_t ran = 0;
	int n;

	snprintf(base, sizeof(base), "%s", found);
	n = scandir(base, &entries, NULL, alphasort);
	assert_true(n >= 0);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		size_t len = strlen(name), tail = strlen(ending);

		if (len > tail && strcmp(name + len - tail, ending) == 0) {
			struct oracle_bytes bytes;

			snprintf(path, sizeof(path), "%s/%s", base, name);
			bytes = oracle_read(path);
			each(name, bytes.data, bytes.len);
			free(bytes.data);
			ran++;
		}
		free(entries[i]);
	}
	free(entries);
	return ran;
}

#endif
