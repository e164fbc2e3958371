/* SPDX-License-Identifier: Apache-2.0 */
/* In place of engine_ipsecmb.c where this build has no intel-ipsec-mb: no suite, never chosen. */
#include <stddef.h>

#include "esp/engine.h"

static bool has_suite(enum natmux_suite suite)
{
	(void)suite;
	return false;
}

const struct nm_engine nm_engine_ipsecmb = {.name = "ipsec-mb", .has_suite = has_suite};
