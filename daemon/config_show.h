/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxd --check and --print. */
#ifndef NM_CONFIG_SHOW_H
#define NM_CONFIG_SHOW_H

#include <stdbool.h>
#include <stdio.h>

#include "daemon/process/options.h"

/*
 * Reads the configuration at `path` and says on `out` that it is good and what a start with it
 * needs, or, `is_print`, what it is in full. What is wrong goes to `err`, one line.
 */
enum nm_exit nm_config_show(const char *path, bool is_print, FILE *out, FILE *err);

#endif
