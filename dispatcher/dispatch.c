/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a train: cut into runs of one class, each run to the owner of its class. Decides
 * which IKE opens a flow; leaves what STUN means to stun_port.c and what is in the rest to the sinks.
 */
#include <string.h>
#include <natmux/error.h>

#include "base/bytes.h"
#include "base/export.h"
#include "dispatcher/mux.h"
#include "stun/check.h"
#include "wire/ike.h"

/* A source that nobody can answer: spoofed, or broken. */
static bool is_martian(const struct natmux_addr *addr)
{
	static const uint8_t zero[16];

	if (addr->port == 0)
		return true;
	switch (addr->family) {
	case NATMUX_FAMILY_IPV4: /* RFC 1122 3.2.1.3: this network, multicast, reserved, broadcast */
		return addr->ip[0] == 0 || addr->ip[0] >= 224;
	case NATMUX_FAMILY_IPV6: return addr->ip[0] == 0xff || memcmp(addr->ip, zero, 16) == 0;
	default: return true;
	}
}

static void flush_class(struct natmux_mux *mux, uint64_t now_ms, enum natmux_class cls)
{
	struct nm_runs *runs = &mux->runs[cls];
	uint32_t count = runs->count;

	if (count == 0)
		return;
	/* Before the call: a sink that ends up here again must not see the same trains twice. */
	runs->count = 0;
	if (runs->ops) {
		runs->ops->input(runs->self, now_ms, runs->trains, count);
		return;
	}
	/* The sink of another class, which came first, took this one's away. */
	for (uint32_t i = 0; i < count; i++)
		natmux_mux_drop(mux, NATMUX_DROP_NO_SINK, natmux_train_count(&runs->trains[i]));
}

void nm_dispatch_flush(struct natmux_mux *mux, uint64_t now_ms)
{
	flush_class(mux, now_ms, NATMUX_CLASS_IKE);
	flush_class(mux, now_ms, NATMUX_CLASS_ESP);
	flush_class(mux, now_ms, NATMUX_CLASS_STUN);
}

static void queue_run(struct natmux_mux *mux, uint64_t now_ms, enum natmux_class cls,
	const struct natmux_train *run)
{
	struct nm_runs *runs = &mux->runs[cls];

	if (!runs->ops) {
		natmux_mux_drop(mux, NATMUX_DROP_NO_SINK, natmux_train_count(run));
		return;
	}
	runs->trains[runs->count++] = *run;
	if (runs->count == NM_RUNS_MAX)
		flush_class(mux, now_ms, cls);
}

static uint32_t first_len(const struct natmux_train *run)
{
	return run->segment > 0 && run->segment < run->len ? run->segment : run->len;
}

/* Opens the flow of an IKE datagram, or counts why not. */
static uint32_t open_flow(struct natmux_mux *mux, uint64_t now_ms, const struct natmux_train *run)
{
	uint32_t flow;

	if (nm_ike_check(run->data, first_len(run)) < 0 || !nm_ike_opens(run->data)) {
		natmux_mux_drop(mux, NATMUX_DROP_IKE_HEADER, 1);
		return NATMUX_FLOW_NONE;
	}
	if (!nm_mux_admit(mux, now_ms, NATMUX_CLASS_IKE, &run->path.remote))
		return NATMUX_FLOW_NONE;
	if (!nm_flow_has_share(&mux->flows, &run->path.remote)) {
		natmux_mux_drop(mux, NATMUX_DROP_FLOWS_PREFIX, 1);
		return NATMUX_FLOW_NONE;
	}
	if (nm_flow_open(&mux->flows, now_ms, &run->path, &flow) < 0) {
		natmux_mux_drop(mux, NATMUX_DROP_FLOWS_FULL, 1);
		return NATMUX_FLOW_NONE;
	}
	nm_mux_event(mux, &(struct natmux_event){
				  .type = NATMUX_EVENT_FLOW_OPENED,
				  .path = run->path,
			  });
	return flow;
}

static void count_flow(struct natmux_mux *mux, uint64_t now_ms, enum natmux_class cls,
	const struct natmux_train *run)
{
	struct nm_flow *flow = nm_flow_get(&mux->flows, run->flow);

	if (!flow)
		return;
	nm_mux_count(&flow->rx[cls], natmux_train_count(run), run->len);
	flow->rx_ms = now_ms;
}

/* IKE always has a flow: datagrams in front of the one that opens it are dropped. */
static void input_ike(struct natmux_mux *mux, uint64_t now_ms, struct natmux_train *run)
{
	while (run->flow == NATMUX_FLOW_NONE) {
		uint32_t len = first_len(run);

		run->flow = open_flow(mux, now_ms, run);
		if (run->flow != NATMUX_FLOW_NONE)
			break;
		if (len == run->len)
			return;
		run->data += len;
		run->len -= len;
	}
	count_flow(mux, now_ms, NATMUX_CLASS_IKE, run);
	queue_run(mux, now_ms, NATMUX_CLASS_IKE, run);
}

/* Each message of a run by itself: what STUN means is decided one by one. */
static void input_stun(struct natmux_mux *mux, uint64_t now_ms, const struct natmux_train *run)
{
	struct natmux_train one = *run;
	uint32_t left = run->len;

	do {
		one.len = run->segment > 0 && run->segment < left ? run->segment : left;
		one.segment = one.len;
		nm_stun_port_input(mux, now_ms, &one);
		one.data += one.len;
		left -= one.len;
	} while (left > 0);
}

static void input_run(
	struct natmux_mux *mux, uint64_t now_ms, enum natmux_class cls, struct natmux_train *run)
{
	uint64_t datagrams = natmux_train_count(run);

	if (mux->stray && (cls == NATMUX_CLASS_IKE || cls == NATMUX_CLASS_STUN)) {
		mux->stray(mux->stray_user, run);
		return;
	}
	nm_mux_count(&mux->stats.rx[cls], datagrams, run->len);
	nm_mux_tap(mux, cls, false, run);
	if (cls != NATMUX_CLASS_IKE)
		count_flow(mux, now_ms, cls, run);
	switch (cls) {
	case NATMUX_CLASS_RUNT: natmux_mux_drop(mux, NATMUX_DROP_RUNT, datagrams); break;
	case NATMUX_CLASS_IKE: input_ike(mux, now_ms, run); break;
	case NATMUX_CLASS_STUN: input_stun(mux, now_ms, run); break;
	case NATMUX_CLASS_ESP: queue_run(mux, now_ms, NATMUX_CLASS_ESP, run); break;
	case NATMUX_CLASS_KEEPALIVE: /* RFC 3948 2.3: ignored */
	case NATMUX_CLASS_COUNT: break;
	}
}

void nm_mux_set_stray(struct natmux_mux *mux,
	void (*stray)(void *user, const struct natmux_train *run), void *user)
{
	mux->stray = stray;
	mux->stray_user = user;
}

/* The class of one datagram on this port, the exceptions of docs/wire.md included. */
static enum natmux_class class_here(
	struct natmux_mux *mux, const struct natmux_path *path, const uint8_t *data, size_t len)
{
	enum natmux_class cls;

	/* Nearly every datagram of a busy port: steps 3 and 4 of the rule say no, so it is ESP. */
	if (len >= 8 && nm_get32(data) != 0 && !nm_stun_has_cookie(data, len))
		return NATMUX_CLASS_ESP;
	cls = natmux_classify(data, len);
	if (cls == NATMUX_CLASS_ESP && nm_stun_has_cookie(data, len)) {
		if (nm_stun_port_claims(mux, path, data, len))
			return NATMUX_CLASS_STUN;
		mux->stats.stun_lookalikes++;
	}
	return cls;
}

/* Cuts a train where the class changes. `flow` of the train is set. */
static void input_train(struct natmux_mux *mux, uint64_t now_ms, struct natmux_train *train)
{
	uint32_t segment = train->segment > 0 ? train->segment : train->len;
	struct natmux_train run = *train;
	enum natmux_class run_cls = class_here(mux, &train->path, train->data, first_len(train));
	uint32_t start = 0;

	run.segment = segment;
	for (uint32_t at = segment; at < train->len; at += segment) {
		uint32_t len = train->len - at < segment ? train->len - at : segment;
		enum natmux_class cls = class_here(mux, &train->path, train->data + at, len);

		if (cls == run_cls)
			continue;
		run.data = train->data + start;
		run.len = at - start;
		input_run(mux, now_ms, run_cls, &run);
		train->flow = run.flow = nm_flow_find(&mux->flows, &train->path);
		start = at;
		run_cls = cls;
	}
	run.data = train->data + start;
	run.len = train->len - start;
	input_run(mux, now_ms, run_cls, &run);
}

NM_EXPORT void natmux_mux_input(
	struct natmux_mux *mux, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct natmux_train train = trains[i];

		mux->stats.rx_trains++;
		if (is_martian(&train.path.remote)) {
			natmux_mux_drop(mux, NATMUX_DROP_MARTIAN, natmux_train_count(&train));
			continue;
		}
		/* An empty datagram may come without memory, and NULL is no place to count from. */
		if (!train.data)
			train.data = (const uint8_t *)"";
		train.flow = nm_flow_find(&mux->flows, &train.path);
		input_train(mux, now_ms, &train);
	}
	nm_dispatch_flush(mux, now_ms);
	nm_drops_report(&mux->drop_report, &mux->stats, &mux->config.log, now_ms);
}

/* Keys are in use: only a peer that really lives at the address can have come so far. */
static bool proves_peer(enum natmux_class cls, const struct natmux_train *train)
{
	if (cls == NATMUX_CLASS_ESP)
		return true;
	return cls == NATMUX_CLASS_IKE && nm_ike_is_encrypted(train->data, first_len(train));
}

static void sent_train(struct natmux_mux *mux, uint64_t now_ms, const struct natmux_train *train)
{
	enum natmux_class cls = natmux_classify(train->data, first_len(train));
	uint64_t datagrams = natmux_train_count(train);
	uint32_t number = train->flow;
	struct nm_flow *flow;

	nm_mux_count(&mux->stats.tx[cls], datagrams, train->len);
	nm_mux_tap(mux, cls, true, train);
	if (!nm_flow_get(&mux->flows, number))
		number = nm_flow_find(&mux->flows, &train->path);
	if (number == NATMUX_FLOW_NONE &&
		(cls != NATMUX_CLASS_IKE ||
			nm_flow_open(&mux->flows, now_ms, &train->path, &number) < 0))
		return;
	flow = nm_flow_get(&mux->flows, number);
	nm_mux_count(&flow->tx, datagrams, train->len);
	if (nm_flow_sent(&mux->flows, now_ms, number, proves_peer(cls, train)))
		nm_mux_event(mux, &(struct natmux_event){
					  .type = NATMUX_EVENT_FLOW_ESTABLISHED,
					  .path = flow->path,
					  .name = flow->is_peer ? flow->name : NULL,
				  });
}

NM_EXPORT void natmux_mux_sent(
	struct natmux_mux *mux, uint64_t now_ms, const struct natmux_train *trains, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sent_train(mux, now_ms, &trains[i]);
}
