/* SPDX-License-Identifier: Apache-2.0 */
/* Making a configuration, for the reader only. */
#ifndef NM_CONFIG_NEW_H
#define NM_CONFIG_NEW_H

#include "daemon/config/config_keys.h"

/* All defaults, no sections with titles; `name` is copied. NULL: out of memory. */
struct nm_config *nm_config_new(const char *name);

/* Sets a key of the section's struct at `base` to its default. */
void nm_config_set_default(const struct nm_config_key *key, void *base);

#endif
