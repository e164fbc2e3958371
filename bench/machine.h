/* SPDX-License-Identifier: Apache-2.0 */
/* Where and with what a figure was measured: without it a figure says nothing. */
#ifndef NM_MACHINE_H
#define NM_MACHINE_H

struct nm_machine {
	char cpu[96];       /* model name, or "unknown" */
	unsigned int cores; /* processors this process may use */
	char kernel[96];    /* "Linux 6.1.0 x86_64" */
	char date[24];      /* "2026-11-05T12:30:00Z", UTC */
};

struct nm_build {
	const char *version;  /* "0.1.0" */
	const char *revision; /* git describe, or the version where there was no git */
	const char *compiler; /* "gcc 12.2.0" */
	const char *flags;    /* build type, optimisation, further flags */
};

void nm_machine_read(struct nm_machine *machine);

/* The model name in the text of /proc/cpuinfo; "unknown" if it has none. */
void nm_machine_cpu_model(const char *cpuinfo, char *model, unsigned int size);

extern const struct nm_build nm_build;

#endif
