/* SPDX-License-Identifier: Apache-2.0 */
/* An SA as natmux says it and as the kernel does: one way when it is added, the other in lists. */
#include <stdio.h>
#include <string.h>
#include <natmux/error.h>

#include "daemon/config/config_addr.h"
#include "daemon/kernel/kernel.h"
#include "xfrm/kernel.h"

static bool is_anywhere(const struct natmux_addr *addr)
{
	static const uint8_t zeros[16];

	return addr->family == NATMUX_FAMILY_NONE || memcmp(addr->ip, zeros, sizeof(zeros)) == 0;
}

int nm_kernel_find_path(const struct nm_kernel *kernel, const struct nm_sa_order *order,
	struct natmux_path *path, char why[static NM_SA_PLANE_WHY])
{
	struct natmux_path found = order->config.path;
	char remote[NATMUX_ADDR_TEXT];

	if (is_anywhere(&found.local)) {
		int err = NATMUX_EINVAL;

		if (found.remote.family != NATMUX_FAMILY_NONE)
			err = kernel->config.source(
				kernel->config.user, &found.remote, &found.local);
		if (err < 0) {
			snprintf(why, NM_SA_PLANE_WHY,
				"which address of this machine is used for %s is not known: give "
				"local",
				natmux_addr_format(&found.remote, remote));
			return err;
		}
	}
	found.local.port = kernel->config.port;
	*path = found;
	return 0;
}

static struct nm_xfrm_mark mark_of(const struct nm_sa_mark *mark)
{
	return (struct nm_xfrm_mark){mark->value, mark->mask};
}

static int set_offload(const struct nm_kernel *kernel, const struct nm_sa_order *order,
	struct nm_xfrm_state *state, char why[static NM_SA_PLANE_WHY])
{
	if (!*order->kernel.offload)
		return 0;
	state->offload_ifindex = kernel->config.ifindex(kernel->config.user, order->kernel.offload);
	if (state->offload_ifindex == 0) {
		snprintf(why, NM_SA_PLANE_WHY, "offload: there is no device %s",
			order->kernel.offload);
		return NATMUX_EINVAL;
	}
	if (order->config.direction == NATMUX_SA_IN)
		state->offload_flags |= XFRM_OFFLOAD_INBOUND;
	if (order->config.path.remote.family == NATMUX_FAMILY_IPV6)
		state->offload_flags |= XFRM_OFFLOAD_IPV6;
	return 0;
}

/* A kernel that knows directions counts packets that come to an SA the wrong way (Linux 6.10). */
static void set_direction(const struct nm_kernel *kernel, bool is_out, struct nm_xfrm_state *state)
{
	if (kernel->config.features.has[NM_XFRM_FEATURE_DIRECTION])
		state->direction = is_out ? NM_XFRM_SA_DIR_OUT : NM_XFRM_SA_DIR_IN;
}

/* A kernel that sends keepalives (6.11) sends them for outbound states that are said to be such. */
static void set_keepalive(const struct nm_kernel *kernel, struct nm_xfrm_state *state)
{
	if (!kernel->config.features.has[NM_XFRM_FEATURE_KEEPALIVE] ||
		kernel->config.keepalive_ms < 1000)
		return;
	state->keepalive_s = kernel->config.keepalive_ms / 1000;
	state->direction = NM_XFRM_SA_DIR_OUT;
}

int nm_kernel_make_state(const struct nm_kernel *kernel, const struct nm_sa_order *order,
	const struct natmux_path *path, struct nm_xfrm_state *state,
	char why[static NM_SA_PLANE_WHY])
{
	struct natmux_sa_config config = order->config;
	const char *text = NULL;
	int err;

	/* RFC 4301 5.2: a policy that names no SA would let in what any of them has opened. */
	if (config.direction == NATMUX_SA_IN && config.selectors_len > 0 && config.reqid == 0) {
		snprintf(why, NM_SA_PLANE_WHY, "selectors want a reqid with esp = kernel");
		return NATMUX_EINVAL;
	}
	config.path = *path;
	/* More than one: policies tell them apart (kernel_spd.c), an SA has one. */
	if (config.selectors_len > 1)
		config.selectors_len = 0;
	err = nm_xfrm_state_from_config(&config, state, &text);
	if (err < 0) {
		snprintf(why, NM_SA_PLANE_WHY, "%s", text);
		return err;
	}
	state->mark = mark_of(&order->kernel.mark);
	state->output_mark = mark_of(&order->kernel.output_mark);
	state->if_id = order->kernel.if_id;
	set_direction(kernel, config.direction == NATMUX_SA_OUT, state);
	if (config.direction == NATMUX_SA_OUT)
		set_keepalive(kernel, state);
	else if (kernel->config.features.has[NM_XFRM_FEATURE_MAPPING_THRESHOLD])
		state->mapping_s = NM_KERNEL_MOVE_MS / 1000;
	return set_offload(kernel, order, state, why);
}

/* Seconds since 1970 on the clock that everything else goes by; 0: never. */
static uint64_t to_ms(const struct nm_kernel *kernel, uint64_t at_s)
{
	uint64_t now_ms = kernel->config.now_ms(kernel->config.user);
	uint64_t now_s = kernel->config.now_s(kernel->config.user);
	uint64_t ago_ms = now_s > at_s ? (now_s - at_s) * 1000 : 0;

	if (at_s == 0)
		return 0;
	return ago_ms < now_ms ? now_ms - ago_ms : 1;
}

void nm_kernel_look(
	const struct nm_kernel *kernel, struct nm_kernel_sa *sa, const struct nm_xfrm_state *state)
{
	bool is_out = sa->order.config.direction == NATMUX_SA_OUT;
	uint64_t used_s = state->last_used_at > 0 ? state->last_used_at : state->usage.used_at;

	sa->sequence = is_out ? state->replay.out : state->replay.in;
	sa->used_ms = to_ms(kernel, used_s);
	sa->counters.packets = state->usage.packets;
	sa->counters.bytes = state->usage.bytes;
	sa->counters.late = state->stats.late;
	sa->counters.duplicate = state->stats.duplicate;
	sa->counters.bad_icv = state->stats.bad_icv;
}

void nm_kernel_show(const struct nm_kernel_sa *sa, const uint8_t *key, size_t key_len,
	const struct natmux_replay_state *replay, nm_sa_each *each, void *user)
{
	const struct natmux_sa_config *config = &sa->order.config;
	const struct natmux_sa_info info = {
		.direction = config->direction,
		.mode = config->mode,
		.spi = config->spi,
		.reqid = config->reqid,
		.suite = config->suite,
		.engine = "kernel",
		.path = sa->path,
		.has_esn = config->has_esn,
		.is_dead = sa->is_dead,
		.replay_window = config->replay_window,
		.sequence = sa->sequence,
		.replay = config->direction == NATMUX_SA_IN ? replay : NULL,
		.added_ms = sa->added_ms,
		.used_ms = sa->used_ms,
		.soft = config->soft,
		.hard = config->hard,
		.counters = sa->counters,
		.added_remote = config->path.remote,
		.roam = config->roam,
		.df = config->df,
		.dscp = config->dscp,
		.no_ecn = config->no_ecn,
		.tfc_pad = config->tfc_pad,
		.too_big = config->too_big,
		.no_resync = true, /* the kernel knows no such thing (RFC 4303 A3) */
		.selectors = config->selectors,
		.selectors_len = config->selectors_len,
		.key = key,
		.key_len = key_len,
	};
	const struct nm_sa_seen seen = {"kernel", &info, &sa->order.kernel};

	each(user, &seen);
}
