/* SPDX-License-Identifier: Apache-2.0 */
/* What of an SA's description the kernel can do, and how it says it. */
#include "xfrm/state.h"

#include <string.h>
#include <natmux/error.h>
#include "base/replay_state.h"
#include "xfrm/kernel.h"
#include "xfrm/suite.h"

void nm_xfrm_state_init(struct nm_xfrm_state *state)
{
	*state = (struct nm_xfrm_state){
		.protocol = NM_XFRM_PROTO_ESP,
		.mode = XFRM_MODE_TUNNEL,
	};
}

struct nm_xfrm_state_id nm_xfrm_state_id_of(const struct nm_xfrm_state *state)
{
	return (struct nm_xfrm_state_id){
		.destination = state->destination,
		.spi = state->spi,
		.protocol = state->protocol,
		.mark = state->mark,
	};
}

/* What the kernel has no word for, as a sentence; NULL: it has all of them. */
static const char *find_unsupported(const struct natmux_sa_config *config)
{
	if (config->df == NATMUX_DF_SET)
		return "df = set: the kernel copies the inner packet's DF or clears it";
	if (config->dscp > 0)
		return "dscp: the kernel copies the inner packet's or sends 0";
	if (config->direction == NATMUX_SA_IN && config->replay_window > NM_XFRM_WINDOW_MAX)
		return "replay-window: the kernel's reaches 4096 packets";
	if (config->direction == NATMUX_SA_IN && config->replay_window == 0 && config->has_esn)
		return "replay-window = 0: the kernel has extended numbers with a window only";
	if (config->selectors_len > 1)
		return "selectors: the kernel has one for an SA, and policies for the rest";
	if (config->tfc_pad > 0 && config->mode == NATMUX_SA_TRANSPORT)
		return "tfc-pad: the kernel pads in tunnel mode only";
	return NULL;
}

static const char *find_invalid(const struct natmux_sa_config *config)
{
	const struct natmux_path *path = &config->path;
	const struct natmux_addr *to =
		config->direction == NATMUX_SA_OUT ? &path->remote : &path->local;
	const struct natmux_addr *from = to == &path->remote ? &path->local : &path->remote;

	if (config->spi < 256)
		return "spi: below 256, which is reserved (RFC 4303 2.1)";
	if (to->family == NATMUX_FAMILY_NONE)
		return "path: the kernel finds an SA by the address that packets go to";
	if (from->family != NATMUX_FAMILY_NONE && from->family != to->family)
		return "path: addresses of two families";
	if (config->direction == NATMUX_SA_OUT && from->family == NATMUX_FAMILY_NONE)
		return "path: the kernel needs the address that packets come from";
	if ((path->local.port == 0) != (path->remote.port == 0) &&
		path->remote.family != NATMUX_FAMILY_NONE)
		return "path: UDP encapsulation has two ports";
	if (config->dscp < -1 || config->dscp > 63)
		return "dscp: -1 to 63";
	if (!nm_replay_state_fits(config))
		return "replay: no window of an inbound SA with that sequence";
	return NULL;
}

static void set_path(const struct natmux_sa_config *config, struct nm_xfrm_state *state)
{
	bool is_out = config->direction == NATMUX_SA_OUT;

	state->source = is_out ? config->path.local : config->path.remote;
	state->destination = is_out ? config->path.remote : config->path.local;
	state->encap = config->path.local.port != 0 ? NM_XFRM_ENCAP_UDP : 0;
}

static void set_flags(const struct natmux_sa_config *config, struct nm_xfrm_state *state)
{
	/* What is about the outer header that is made; inbound, Linux 6.10 refuses it. */
	bool is_out = config->direction == NATMUX_SA_OUT;

	if (config->no_ecn)
		state->flags |= XFRM_STATE_NOECN;
	if (is_out && config->df == NATMUX_DF_CLEAR)
		state->flags |= XFRM_STATE_NOPMTUDISC;
	if (config->has_esn)
		state->flags |= XFRM_STATE_ESN;
	/* Inner packets of both families (RFC 4301 5.1.2), but where the selector says one. */
	if (config->mode == NATMUX_SA_TUNNEL && config->selectors_len == 0)
		state->flags |= XFRM_STATE_AF_UNSPEC;
	if (is_out && config->dscp == 0)
		state->extra_flags |= XFRM_SA_XFLAG_DONT_ENCAP_DSCP;
}

/* An outbound state has numbers and no window; with ESN the kernel wants one all the same. */
static int set_replay(const struct natmux_sa_config *config, struct nm_xfrm_state *state)
{
	bool is_in = config->direction == NATMUX_SA_IN;
	int err = nm_xfrm_replay_init(
		&state->replay, is_in ? config->replay_window : 0, config->has_esn);

	if (err < 0)
		return err;
	if (!config->has_esn && config->sequence > UINT32_MAX)
		return NATMUX_EINVAL;
	if (is_in && config->replay)
		nm_xfrm_replay_join(&state->replay, config->replay);
	else if (is_in)
		nm_xfrm_replay_close(&state->replay, config->sequence);
	else
		state->replay.out = config->sequence;
	return 0;
}

static void set_limits(const struct natmux_sa_config *config, struct nm_xfrm_state *state)
{
	state->limits = (struct nm_xfrm_limits){
		.soft_bytes = config->soft.bytes,
		.hard_bytes = config->hard.bytes,
		.soft_packets = config->soft.packets,
		.hard_packets = config->hard.packets,
		.soft_seconds = config->soft.seconds,
		.hard_seconds = config->hard.seconds,
	};
}

int nm_xfrm_state_from_config(
	const struct natmux_sa_config *config, struct nm_xfrm_state *state, const char **why)
{
	struct nm_xfrm_state made;
	const char *problem = find_invalid(config);
	int err = problem ? NATMUX_EINVAL : 0;

	nm_xfrm_state_init(&made);
	if (err == 0) {
		problem = find_unsupported(config);
		err = problem ? NATMUX_EUNSUPPORTED : 0;
	}
	if (err == 0 && config->selectors_len == 1) {
		problem = "selector: the kernel knows blocks of ports that a mask describes";
		err = nm_xfrm_selector_from(config->selectors, &made.selector);
	}
	if (err == 0) {
		problem = "suite: unknown, or its key has another length";
		err = nm_xfrm_suite_set(&made, config->suite, config->key, config->key_len);
	}
	if (err == 0) {
		problem = "sequence: above 32 bits without extended sequence numbers";
		err = set_replay(config, &made);
	}
	if (err < 0) {
		*why = problem;
		return err;
	}
	set_path(config, &made);
	set_flags(config, &made);
	set_limits(config, &made);
	made.spi = config->spi;
	made.reqid = config->reqid;
	made.tfc_pad = config->tfc_pad;
	if (config->mode == NATMUX_SA_TRANSPORT)
		made.mode = XFRM_MODE_TRANSPORT;
	*state = made;
	return 0;
}
