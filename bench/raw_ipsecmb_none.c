/* SPDX-License-Identifier: Apache-2.0 */
/* In place of raw_ipsecmb.c where this build has no intel-ipsec-mb. */
#include "bench/raw_aead.h"

static void *open_key(enum natmux_suite suite, const uint8_t *keymat)
{
	(void)suite;
	(void)keymat;
	return NULL;
}

const struct nm_raw_aead nm_raw_ipsecmb = {.engine = "ipsec-mb", .open_key = open_key};
