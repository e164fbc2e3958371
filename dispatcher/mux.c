/* SPDX-License-Identifier: Apache-2.0 */
/* The mux's life, its configuration and its clock. How datagrams travel is dispatch.c's. */
#include "dispatcher/mux.h"

#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

#include "base/export.h"
#include "stun/client.h"
#include "wire/natt.h"

enum { RATE_SETS = 1024, MS_MAX = 7 * 24 * 3600 * 1000 };

/* Programs older than the library know only the first fields; 0.1 is the first release. */
enum { CONFIG_SIZE_MIN = sizeof(struct natmux_mux_config) };

NM_EXPORT void natmux_mux_config_defaults(struct natmux_mux_config *config, size_t size)
{
	const struct natmux_mux_config defaults = {
		.size = size,
		.flows_max = 4096,
		.flow_new_ms = 30000,
		.flow_answered_ms = 60000,
		.flow_idle_ms = 3600000,
		.ike_prefix = {10, 50},
		.ike_all = {200, 1000},
		.stun_prefix = {20, 100},
		.stun_all = {1000, 2000},
		.prefix4_bits = 32,
		.prefix6_bits = 56,
		.responder = NATMUX_RESPONDER_STRICT,
		.keepalive = NATMUX_KEEPALIVE_AUTO,
		.keepalive_ms = NM_NATT_KEEPALIVE_MS,
		.stun_refresh_ms = 25000,
	};

	memcpy(config, &defaults, size < sizeof(defaults) ? size : sizeof(defaults));
}

/* The caller's configuration, with defaults for what it does not know. */
static int complete_config(
	const struct natmux_mux_config *config, struct natmux_mux_config *complete)
{
	if (config->size < CONFIG_SIZE_MIN || config->size > sizeof(*complete))
		return NATMUX_EINVAL;
	natmux_mux_config_init(complete);
	memcpy(complete, config, config->size);
	complete->size = sizeof(*complete);
	return 0;
}

static bool rate_is_valid(const struct natmux_rate *rate)
{
	return rate->per_s <= NM_RATE_PER_S_MAX && rate->burst <= NM_RATE_BURST_MAX &&
	       (rate->per_s == 0 || rate->burst > 0);
}

static bool ms_is_valid(uint32_t ms)
{
	return ms >= 1000 && ms <= MS_MAX;
}

static int check_config(const struct natmux_mux_config *config)
{
	if (config->flows_max < 1 || config->flows_max > 1048576 ||
		!ms_is_valid(config->flow_new_ms) || !ms_is_valid(config->flow_answered_ms) ||
		!ms_is_valid(config->flow_idle_ms) || !ms_is_valid(config->keepalive_ms) ||
		!ms_is_valid(config->stun_refresh_ms) || !rate_is_valid(&config->ike_prefix) ||
		!rate_is_valid(&config->ike_all) || !rate_is_valid(&config->stun_prefix) ||
		!rate_is_valid(&config->stun_all) || config->prefix4_bits > 32 ||
		config->prefix6_bits > 128 || config->responder > NATMUX_RESPONDER_OPEN ||
		config->keepalive > NATMUX_KEEPALIVE_ALL)
		return NATMUX_ERANGE;
	return 0;
}

static struct nm_flow_limits flow_limits(const struct natmux_mux_config *config)
{
	return (struct nm_flow_limits){
		.lifetime_ms = {config->flow_new_ms, config->flow_answered_ms,
			config->flow_idle_ms},
		.keepalive_ms = config->keepalive_ms,
		.prefix4_bits = config->prefix4_bits,
		.prefix6_bits = config->prefix6_bits,
	};
}

static void on_flow_closed(void *user, uint32_t number)
{
	struct natmux_mux *mux = user;
	const struct nm_flow *flow = nm_flow_get(&mux->flows, number);

	/* Trains that wait for a sink may name the flow: they go first. */
	for (unsigned int i = 0; i < NATMUX_CLASS_COUNT; i++) {
		struct nm_runs *runs = &mux->runs[i];

		for (uint32_t j = 0; j < runs->count; j++)
			if (runs->trains[j].flow == number)
				runs->trains[j].flow = NATMUX_FLOW_NONE;
		if (runs->ops && runs->ops->flow_closed)
			runs->ops->flow_closed(runs->self, number, &flow->path);
	}
	nm_mux_event(mux, &(struct natmux_event){
				  .type = NATMUX_EVENT_FLOW_CLOSED,
				  .path = flow->path,
				  .name = flow->is_peer ? flow->name : NULL,
			  });
}

NM_EXPORT int natmux_mux_new(const struct natmux_mux_config *given,
	const struct natmux_random *random, struct natmux_mux **result)
{
	struct natmux_mux_config complete, *config = &complete;
	uint8_t key[NM_RATE_KEY_BYTES];
	struct nm_flow_limits limits;
	struct natmux_mux *mux;
	int err = complete_config(given, config);

	if (err == 0)
		err = check_config(config);
	if (err < 0)
		return err;
	limits = flow_limits(config);
	/* calloc: the queue's buffers cost no memory before they are used. */
	mux = calloc(1, sizeof(*mux));
	if (!mux)
		return NATMUX_ENOMEM;
	mux->config = *config;
	random->fill(random->user, key, sizeof(key));
	err = nm_flow_table_init(&mux->flows, config->flows_max, key, &limits);
	if (err < 0)
		goto fail_flows;
	mux->flows.closed = on_flow_closed;
	mux->flows.user = mux;
	mux->ike_prefixes = nm_rate_table_new(RATE_SETS, key);
	mux->stun_prefixes = nm_rate_table_new(RATE_SETS, key);
	err = NATMUX_ENOMEM;
	if (!mux->ike_prefixes || !mux->stun_prefixes)
		goto fail_tables;
	err = nm_stun_client_new(random, config->stun_refresh_ms, &mux->stun);
	if (err < 0)
		goto fail_tables;
	nm_bucket_init(&mux->ike_all, config->ike_all.burst, 0);
	nm_bucket_init(&mux->stun_all, config->stun_all.burst, 0);
	*result = mux;
	return 0;

fail_tables:
	nm_rate_table_free(mux->ike_prefixes);
	nm_rate_table_free(mux->stun_prefixes);
	nm_flow_table_done(&mux->flows);
fail_flows:
	free(mux);
	return err;
}

NM_EXPORT void natmux_mux_free(struct natmux_mux *mux)
{
	if (!mux)
		return;
	nm_flow_table_done(&mux->flows);
	nm_stun_client_free(mux->stun);
	nm_rate_table_free(mux->ike_prefixes);
	nm_rate_table_free(mux->stun_prefixes);
	free(mux);
}

NM_EXPORT int natmux_mux_reconfigure(struct natmux_mux *mux, const struct natmux_mux_config *given)
{
	struct natmux_mux_config complete, *config = &complete;
	int err = complete_config(given, config);

	if (err == 0)
		err = check_config(config);
	if (err < 0)
		return err;
	if (config->flows_max != mux->config.flows_max)
		return NATMUX_EINVAL;
	mux->config = *config;
	mux->flows.limits = flow_limits(config);
	nm_stun_client_set_refresh(mux->stun, config->stun_refresh_ms);
	return 0;
}

NM_EXPORT int natmux_mux_set_sink(struct natmux_mux *mux, enum natmux_class cls,
	const struct natmux_sink_ops *ops, void *self)
{
	if (cls != NATMUX_CLASS_IKE && cls != NATMUX_CLASS_ESP && cls != NATMUX_CLASS_STUN)
		return NATMUX_EINVAL;
	mux->runs[cls].ops = ops;
	mux->runs[cls].self = self;
	return 0;
}

NM_EXPORT void natmux_mux_set_event_handler(struct natmux_mux *mux,
	void (*handler)(void *user, const struct natmux_event *event), void *user)
{
	mux->event = handler;
	mux->event_user = user;
}

NM_EXPORT void natmux_mux_set_tap(struct natmux_mux *mux, uint32_t mask,
	void (*tap)(
		void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train),
	void *user)
{
	mux->tap_mask = tap ? mask : 0;
	mux->tap = tap;
	mux->tap_user = user;
}

NM_EXPORT void natmux_mux_drop(struct natmux_mux *mux, enum natmux_drop drop, uint64_t datagrams)
{
	mux->stats.drops[drop] += datagrams;
	mux->drop_report.total += datagrams;
}

NM_EXPORT const struct natmux_stats *natmux_mux_stats(const struct natmux_mux *mux)
{
	return &mux->stats;
}

bool nm_mux_admit(struct natmux_mux *mux, uint64_t now_ms, enum natmux_class cls,
	const struct natmux_addr *source)
{
	const struct natmux_mux_config *config = &mux->config;
	bool is_ike = cls == NATMUX_CLASS_IKE;
	const struct natmux_rate *one = is_ike ? &config->ike_prefix : &config->stun_prefix;
	const struct natmux_rate *all = is_ike ? &config->ike_all : &config->stun_all;
	struct nm_rate_prefix prefix = {
		one->per_s, one->burst, config->prefix4_bits, config->prefix6_bits};

	/* The prefix pays first: one source that asks too often must not empty the bucket for all. */
	if (!nm_rate_table_take(
		    is_ike ? mux->ike_prefixes : mux->stun_prefixes, &prefix, source, now_ms)) {
		natmux_mux_drop(mux, is_ike ? NATMUX_DROP_IKE_RATE : NATMUX_DROP_STUN_RATE, 1);
		return false;
	}
	if (!nm_bucket_take(
		    is_ike ? &mux->ike_all : &mux->stun_all, all->per_s, all->burst, now_ms)) {
		natmux_mux_drop(
			mux, is_ike ? NATMUX_DROP_IKE_RATE_ALL : NATMUX_DROP_STUN_RATE_ALL, 1);
		return false;
	}
	return true;
}

/* AUTO: only when every server that answered on this local address sees it untranslated. */
static bool needs_keepalive(const struct natmux_mux *mux, const struct nm_flow *flow)
{
	switch (mux->config.keepalive) {
	case NATMUX_KEEPALIVE_OFF: return false;
	case NATMUX_KEEPALIVE_ALL: return true;
	case NATMUX_KEEPALIVE_AUTO: break;
	}
	return nm_stun_client_nat(mux->stun, &flow->path.local) != NM_STUN_NAT_NONE;
}

static void send_keepalives(struct natmux_mux *mux, uint64_t now_ms)
{
	uint32_t number;

	while ((number = nm_flow_next_silent(&mux->flows, now_ms)) != NATMUX_FLOW_NONE) {
		struct nm_flow *flow = nm_flow_get(&mux->flows, number);

		if (needs_keepalive(mux, flow)) {
			uint8_t *buf = nm_txq_reserve(&mux->txq);

			/* Queue full: the deadline stays, the caller drains and comes again. */
			if (!buf)
				return;
			buf[0] = NM_NATT_KEEPALIVE_OCTET;
			nm_txq_commit(&mux->txq, NM_NATT_KEEPALIVE_LEN, &flow->path);
			flow->keepalives_tx++;
			nm_mux_count(
				&mux->stats.tx[NATMUX_CLASS_KEEPALIVE], 1, NM_NATT_KEEPALIVE_LEN);
		}
		nm_flow_kept_alive(&mux->flows, now_ms, number);
	}
}

NM_EXPORT uint64_t natmux_mux_next_deadline(const struct natmux_mux *mux)
{
	uint64_t next = nm_flow_next_expiry(&mux->flows);
	uint64_t silence = nm_flow_next_silence(&mux->flows);
	uint64_t stun = nm_stun_client_next_deadline(mux->stun);

	next = silence < next ? silence : next;
	return stun < next ? stun : next;
}

NM_EXPORT void natmux_mux_timeout(struct natmux_mux *mux, uint64_t now_ms)
{
	nm_flow_expire(&mux->flows, now_ms);
	send_keepalives(mux, now_ms);
	nm_stun_port_timeout(mux, now_ms);
	nm_drops_report(&mux->drop_report, &mux->stats, &mux->config.log, now_ms);
}

NM_EXPORT size_t natmux_mux_output(struct natmux_mux *mux, struct natmux_train *trains, size_t max)
{
	size_t n = nm_txq_take(&mux->txq, trains, max);

	for (size_t i = 0; mux->tap_mask && i < n; i++)
		nm_mux_tap(mux, natmux_classify(trains[i].data, trains[i].len), true, &trains[i]);
	return n;
}
