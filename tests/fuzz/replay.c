/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target over files, without libFuzzer: each argument is a file or a folder of files.
 * Fails when there was nothing to run, for a corpus that went missing proves nothing.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX_BYTES = 1 << 20 };

/* Reads into a block of the exact size, so that a sanitizer sees the first byte too many. */
static int run_file(const char *path)
{
	uint8_t *data = malloc(INPUT_MAX_BYTES), *exact;
	FILE *file = fopen(path, "rb");
	size_t len;

	if (!file || !data) {
		perror(path);
		exit(1);
	}
	len = fread(data, 1, INPUT_MAX_BYTES, file);
	fclose(file);
	exact = realloc(data, len > 0 ? len : 1);
	if (!exact)
		exit(1);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
	return 1;
}

static int run_folder(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort), ran = 0;

	for (int i = 0; i < n; i++) {
		char name[4096];

		if (entries[i]->d_name[0] != '.') {
			snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
			ran += run_file(name);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return ran;
}

int main(int argc, char **argv)
{
	int ran = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			ran += run_folder(argv[i]);
		else
			ran += run_file(argv[i]);
	}
	printf("%d inputs\n", ran);
	return ran > 0 ? 0 : 1;
}
