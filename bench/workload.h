/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plane with many SAs and policies, and traffic for it in memory: inner packets that it seals, and
 * sealed trains that it opens. Nothing of it leaves the process.
 */
#ifndef NM_WORKLOAD_H
#define NM_WORKLOAD_H

#include <natmux/esp.h>
#include <natmux/inner.h>
#include "bench/sealing.h"

enum {
	NM_WORKLOAD_PACKETS = 320, /* of one pass: what fits into a second-level cache */
	NM_WORKLOAD_TRAIN_MAX = 40,
};

struct nm_workload_config {
	const char *engine; /* NULL: the plane's own choice */
	enum natmux_suite suite;
	uint32_t len;      /* of inner packets, IP header included; 44 and more */
	uint32_t train;    /* packets of one super-packet or train: 1 to NM_WORKLOAD_TRAIN_MAX */
	uint32_t sas;      /* each way */
	uint32_t policies; /* of which the first `sas` lead to an SA of their own */
	bool is_random;    /* SAs in random order, not one behind the other */
};

struct nm_workload {
	struct nm_workload_config config;
	struct natmux_esp *esp;
	uint64_t sent, delivered, dropped; /* packets so far */
	uint64_t now_ms;

	/* Out. */
	uint8_t *inner; /* one packet or super-packet for each train of a pass */
	struct natmux_inner packets[NM_WORKLOAD_PACKETS];
	/* In. */
	uint8_t *sealed;
	struct natmux_train trains[NM_WORKLOAD_PACKETS];
	struct nm_sealing sealing; /* its SA seals in the name of all */
	uint32_t *sequences;       /* last number of each SA */

	uint32_t trains_len; /* of a pass */
	uint32_t *order;     /* of SAs: which one has its turn */
	uint32_t order_len, at;
	uint64_t sa_bytes; /* of resident memory that one SA took, its replay window left out */
};

/* NATMUX_ENOMEM, NATMUX_ERANGE, and what the plane says. */
int nm_workload_init(struct nm_workload *workload, const struct nm_workload_config *config);
void nm_workload_done(struct nm_workload *workload);

/* Packets of one pass. */
uint32_t nm_workload_packets(const struct nm_workload *workload);

/* Which SAs have their turn, and inner packets for them. To be called before each output. */
void nm_workload_prepare_output(struct nm_workload *workload);
void nm_workload_output(struct nm_workload *workload);

/* Seals trains anew. To be called before each input. */
void nm_workload_prepare_input(struct nm_workload *workload);
void nm_workload_input(struct nm_workload *workload);

#endif
