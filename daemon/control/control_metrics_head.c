/* SPDX-License-Identifier: Apache-2.0 */
/* What stands before the samples of every metric. */
#include "daemon/control/control_metrics.h"

void nm_metrics_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP natmux_%s %s\n# TYPE natmux_%s %s\n", name, help, name, type);
}
