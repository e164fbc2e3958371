/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the metrics, for the files that print them. */
#ifndef NM_CONTROL_METRICS_H
#define NM_CONTROL_METRICS_H

#include <stdio.h>

struct nm_server;

/* The two lines before a metric's samples; `name` without "natmux_" in front. */
void nm_metrics_head(FILE *out, const char *name, const char *type, const char *help);

/* What the user ESP plane has; nothing without one. Of its SAs the first NM_CONTROL_SA_METRICS. */
void nm_metrics_print_sas(FILE *out, struct nm_server *server);

#endif
