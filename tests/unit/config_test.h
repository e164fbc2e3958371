/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration that has to be good. */
#ifndef CONFIG_TEST_H
#define CONFIG_TEST_H

#include "test.h"

#include "daemon/config/config.h"

static inline struct nm_config *parse_in(const struct nm_config_world *world, const char *text)
{
	struct nm_config *config = NULL;
	char message[NM_CONFIG_MESSAGE_SIZE];

	if (nm_config_parse("natmux.conf", text, strlen(text), world, &config, message,
		    sizeof(message)) < 0)
		fail_msg("%s", message);
	assert_string_equal(message, "");
	return config;
}

static inline struct nm_config *parse(const char *text)
{
	return parse_in(NULL, text);
}

#endif
