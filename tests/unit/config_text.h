/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations as text. */
#ifndef CONFIG_TEXT_H
#define CONFIG_TEXT_H

#include "config_test.h"

#include <stdio.h>
#include "daemon/config/config_value.h"

static inline char *print(const struct nm_config *config)
{
	char *text = NULL;
	size_t len;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	nm_config_print(config, file);
	fclose(file);
	return text;
}

static inline void assert_addr(const struct natmux_addr *addr, const char *text)
{
	char got[NATMUX_ADDR_TEXT];

	assert_string_equal(natmux_addr_format(addr, got), text);
}

#endif
