/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a selector: refused, or one whose own text means the same and stays as it is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "daemon/config/config_selector.h"
#include "daemon/config/key_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void want(int condition)
{
	if (!condition)
		abort();
}

static void try_selector(const char *text)
{
	struct natmux_selector selector, again;
	char formatted[NM_SELECTOR_TEXT], reformatted[NM_SELECTOR_TEXT];

	memset(&selector, 0, sizeof(selector));
	memset(&again, 0, sizeof(again));
	if (nm_selector_parse(text, &selector) < 0)
		return;
	want(selector.source.base.family == selector.destination.base.family);
	want(selector.source_ports.min <= selector.source_ports.max);
	want(selector.destination_ports.min <= selector.destination_ports.max);
	nm_selector_format(&selector, formatted);
	want(nm_selector_parse(formatted, &again) == 0);
	want(strcmp(nm_selector_format(&again, reformatted), formatted) == 0);
}

/* The same bytes as a key file: what is taken has the length that was asked for. */
static void try_key(const uint8_t *data, size_t size)
{
	uint8_t *key = malloc(20);

	want(key != NULL);
	nm_key_decode(data, size, key, 20);
	free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	want(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try_selector(text);
	try_key(data, size);
	free(text);
	return 0;
}
