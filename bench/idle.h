/* SPDX-License-Identifier: Apache-2.0 */
/* A natmuxd that does nothing, and the memory it holds. */
#ifndef NM_IDLE_H
#define NM_IDLE_H

#include <stdint.h>

/* KiB, from /proc: status and smaps_rollup. */
struct nm_idle_memory {
	uint64_t resident;  /* VmRSS: pages shared with other programs count in full */
	uint64_t anonymous; /* RssAnon: its own */
	uint64_t share;     /* Pss: shared pages counted by the number of their users */
};

/*
 * Starts natmuxd (a path, or a name to look for) with a configuration of its own in a temporary
 * folder: a port on loopback, the Unix handoff, everything else as it comes. Waits until it is
 * ready, lets it rest for `rest_ms`, reads its memory and ends it. NATMUX_ESYSTEM, said on stderr.
 */
int nm_idle_measure(const char *natmuxd, unsigned int rest_ms, struct nm_idle_memory *memory);

#endif
