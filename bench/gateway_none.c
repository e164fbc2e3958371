/* SPDX-License-Identifier: Apache-2.0 */
/* In place of gateway.c where this build has no libuv. */
#include "bench/gateway.h"

#include <stdlib.h>

const char *nm_gateway_missing(void)
{
	return "built without libuv";
}

int nm_gateway_run(const struct nm_gateway_config *config)
{
	(void)config;
	return EXIT_FAILURE;
}
