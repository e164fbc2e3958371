/* SPDX-License-Identifier: Apache-2.0 */
/* Configurations with SAs and policies, and the keys of their files. */
#ifndef SA_PLANE_TEST_H
#define SA_PLANE_TEST_H

#include "config_test.h"

#include <stdio.h>

/* The key of a file is its name, again and again. */
static inline int read_key(const char *path, uint8_t *key, size_t len, char *message, size_t size)
{
	(void)message;
	(void)size;
	for (size_t i = 0; i < len; i++)
		key[i] = (uint8_t)(path[1 + i % (strlen(path) - 1)] ^ i);
	return 0;
}

static inline struct nm_config *parse_sas(const char *text)
{
	static const struct nm_config_world world = {.read_key = read_key};
	char whole[4096];

	snprintf(whole, sizeof(whole), "esp = user\nhandoff = none\n%s", text);
	return parse_in(&world, whole);
}

#define IN(name, spi, more)                                                                        \
	"sa " name " { direction = in\nsuite = aes128gcm16\nkey-file = \"/k\"\nspi = " #spi        \
	"\n" more "}\n"
#define OUT(name, spi, remote, more)                                                               \
	"sa " name                                                                                 \
	" { direction = out\nsuite = aes128gcm16\nkey-file = \"/k\"\nreqid = 7\nspi = " #spi       \
	"\nremote = \"" remote "\"\n" more "}\n"
#define POLICY(name, priority, bits, more)                                                         \
	"policy " name " { priority = " #priority "\nselector = \"dst 10.0.0.0/" #bits "\"\n" more \
	"}\n"

#endif
