/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as natmux.conf: one line of message, or a configuration that prints and reads again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(int condition)
{
	if (!condition)
		abort();
}

static struct nm_config *parse(const char *text, size_t len)
{
	struct nm_config *config = NULL;
	char message[NM_CONFIG_MESSAGE_SIZE];
	int err = nm_config_parse("f", text, len, NULL, &config, message, sizeof(message));

	want((err == 0) == (message[0] == '\0'));
	want((err == 0) == (config != NULL));
	want(err == 0 || strncmp(message, "f:", 2) == 0);
	for (const char *c = message; *c; c++)
		want(*c >= 0x20 && *c <= 0x7e);
	return config;
}

static char *print(const struct nm_config *config)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	if (!file)
		abort();
	nm_config_print(config, file);
	fclose(file);
	return text;
}

static void no_change(void *user, const struct nm_config_change *change)
{
	(void)user;
	(void)change;
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nm_config *config = parse((const char *)data, size), *again;
	char *text, *text_again;

	if (!config)
		return 0;
	text = print(config);
	again = parse(text, strlen(text));
	want(again != NULL);
	text_again = print(again);
	want(strcmp(text, text_again) == 0);
	nm_config_difference(config, again, no_change, NULL);
	free(text);
	free(text_again);
	nm_config_free(config);
	nm_config_free(again);
	return 0;
}
