/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a mux, shared by the files of dispatcher/ that are its parts. */
#ifndef NM_MUX_H
#define NM_MUX_H

#include <natmux/mux.h>
#include "base/rate.h"
#include "dispatcher/drops.h"
#include "dispatcher/flow.h"
#include "dispatcher/txq.h"

struct nm_stun_client;

enum { NM_RUNS_MAX = 64 };

/* Trains of one class that wait for their sink until the vector is full or the input ends. */
struct nm_runs {
	const struct natmux_sink_ops *ops; /* NULL: no owner */
	void *self;
	uint32_t count;
	struct natmux_train trains[NM_RUNS_MAX];
};

struct natmux_mux {
	struct natmux_mux_config config;
	struct natmux_stats stats;
	struct nm_drop_report drop_report;
	struct nm_flow_table flows;
	struct nm_stun_client *stun;
	struct nm_rate_table *ike_prefixes, *stun_prefixes;
	struct nm_bucket ike_all, stun_all;
	struct nm_runs runs[NATMUX_CLASS_COUNT]; /* RUNT and KEEPALIVE have none */

	void (*event)(void *user, const struct natmux_event *event);
	void *event_user;

	uint32_t tap_mask; /* 1 << class */
	void (*tap)(
		void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train);
	void *tap_user;

	/* Of a worker's mux: whoever has IKE and STUN of the whole port. NULL: this one. */
	void (*stray)(void *user, const struct natmux_train *run);
	void *stray_user;

	struct nm_txq txq;
};

/*
 * dispatch.c: makes it the mux of a worker that owns ESP only. What else its socket gets (the end of
 * a train whose beginning was ESP) is not counted and goes to `stray`, in runs of one class.
 */
void nm_mux_set_stray(struct natmux_mux *mux,
	void (*stray)(void *user, const struct natmux_train *run), void *user);

/* dispatch.c: the way of received and sent trains. */
void nm_dispatch_flush(struct natmux_mux *mux, uint64_t now_ms);

/* stun_port.c: what STUN on the shared port means. */

/* One STUN message, or what natmux_classify() calls ESP but nm_stun_port_claims() claimed. */
void nm_stun_port_input(
	struct natmux_mux *mux, uint64_t now_ms, const struct natmux_train *message);

/* The two exceptions of docs/wire.md for messages without a FINGERPRINT. */
bool nm_stun_port_claims(const struct natmux_mux *mux, const struct natmux_path *path,
	const uint8_t *data, size_t len);

/* Queues the requests to STUN servers that are due. */
void nm_stun_port_timeout(struct natmux_mux *mux, uint64_t now_ms);

/* Takes a token of the source's prefix, then one of those for all; else counts the drop. */
bool nm_mux_admit(struct natmux_mux *mux, uint64_t now_ms, enum natmux_class cls,
	const struct natmux_addr *source);

static inline void nm_mux_count(struct natmux_count *count, uint64_t datagrams, uint64_t bytes)
{
	count->datagrams += datagrams;
	count->bytes += bytes;
}

static inline void nm_mux_tap(struct natmux_mux *mux, enum natmux_class cls, bool is_sent,
	const struct natmux_train *train)
{
	if (mux->tap_mask & 1u << cls)
		mux->tap(mux->tap_user, cls, is_sent, train);
}

static inline void nm_mux_event(struct natmux_mux *mux, const struct natmux_event *event)
{
	if (mux->event)
		mux->event(mux->event_user, event);
}

#endif
