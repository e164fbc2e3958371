/* SPDX-License-Identifier: Apache-2.0 */
/* The table of "tunnel". Its columns depend on the baseline: plain veth, or the kernel's own ESP. */
#ifndef NM_TUNNEL_REPORT_H
#define NM_TUNNEL_REPORT_H

#include "bench/report.h"
#include "bench/tunnel.h"

/* nm_report_open() for what `bench` wants. */
struct nm_report *nm_tunnel_report_open(const struct nm_tunnel_bench *bench,
	const struct nm_run_options *run, int argc, char **argv);

/* A row for each tunnel and traffic that was measured, and what was not. */
void nm_tunnel_report_rows(struct nm_report *report, const struct nm_tunnel_bench *bench);

#endif
