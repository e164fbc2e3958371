/* SPDX-License-Identifier: Apache-2.0 */
/* Making a configuration, for the reader only. */
#ifndef NM_CONFIG_NEW_H
#define NM_CONFIG_NEW_H

#include "daemon/config.h"

/* All defaults, no peers, no servers; `name` is copied. NULL: out of memory. */
struct nm_config *nm_config_new(const char *name);

#endif
