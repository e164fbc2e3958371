/* SPDX-License-Identifier: Apache-2.0 */
/* Traffic from side A of a lab to side B, made and counted by iperf3. */
#ifndef NM_LOAD_H
#define NM_LOAD_H

#include "bench/lab.h"

struct nm_load {
	const char *target; /* an address of side B, where nm_load_serve() runs */
	bool is_udp;
	unsigned int streams; /* of TCP */
	unsigned int size;    /* bytes of a UDP payload */
	unsigned int seconds;
	const char *congestion; /* control of TCP; NULL: the system's default */
};

struct nm_load_result {
	double bits;    /* that arrived in a second: payload of TCP or UDP */
	double packets; /* UDP: datagrams that arrived in a second; else 0 */
	double loss;    /* UDP: of 1 */
	double seconds;
};

/* Why iperf3 cannot be run, or NULL. */
const char *nm_load_missing(void);

/* Starts the server on side B, a child of the lab. */
int nm_load_serve(struct nm_lab *lab);

/* NATMUX_ESYSTEM, said on stderr. */
int nm_load_run(struct nm_lab *lab, const struct nm_load *load, struct nm_load_result *result);

/* Reads what `iperf3 -J` printed. NATMUX_EMALFORMED: something else, or the error it reports. */
int nm_load_parse(const char *json, bool is_udp, struct nm_load_result *result);

/* Whether a program can be found in PATH. */
bool nm_load_has_program(const char *name);

#endif
