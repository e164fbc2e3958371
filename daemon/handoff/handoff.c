/* SPDX-License-Identifier: Apache-2.0 */
/* Which handoff there is; what each does is in the file of its name. */
#include "daemon/handoff/handoff.h"

#include <natmux/error.h>

#include "daemon/config/config.h"
#include "dispatcher/alias.h"

/* NULL where there is nobody to hand anything to. */
static const struct nm_handoff_kind *kind_of(const struct nm_config *config)
{
	switch (config->handoff) {
	case NM_HANDOFF_RELAY: return &nm_handoff_relay;
	case NM_HANDOFF_INJECT: return &nm_handoff_inject;
	case NM_HANDOFF_UNIX: return &nm_handoff_unix;
	case NM_HANDOFF_NONE: break;
	}
	return NULL;
}

int nm_handoff_open(const struct nm_handoff_setup *setup, struct nm_handoff_link **handoff)
{
	const struct nm_handoff_kind *kind = kind_of(setup->config);
	int err;

	*handoff = NULL;
	if (!kind)
		return 0;
	err = kind->open(setup, handoff);
	if (err < 0)
		return err;
	(*handoff)->kind = kind;
	(*handoff)->setup = *setup;
	(*handoff)->setup.config = NULL;
	return 0;
}

void nm_handoff_close(struct nm_handoff_link *handoff)
{
	if (!handoff)
		return;
	natmux_mux_set_sink(handoff->setup.mux, NATMUX_CLASS_IKE, NULL, NULL);
	natmux_mux_set_sink(handoff->setup.mux, NATMUX_CLASS_ESP, NULL, NULL);
	handoff->kind->close(handoff);
}

void nm_handoff_free(struct nm_handoff_link *handoff)
{
	if (handoff)
		handoff->kind->free(handoff);
}

int nm_handoff_alias_reserve(
	struct nm_handoff_link *handoff, uint32_t flow, const struct natmux_addr *alias)
{
	if (!handoff || !handoff->kind->alias_reserve)
		return NATMUX_EUNSUPPORTED;
	return handoff->kind->alias_reserve(handoff, flow, alias);
}

void nm_handoff_aliases(struct nm_handoff_link *handoff,
	void (*each)(void *user, const struct nm_server_alias *alias), void *user)
{
	if (handoff && handoff->kind->aliases)
		handoff->kind->aliases(handoff, each, user);
}

uint32_t nm_handoff_interface(struct nm_handoff_link *handoff)
{
	return handoff && handoff->kind->interface ? handoff->kind->interface(handoff) : 0;
}

uint32_t nm_handoff_flows_max(const struct nm_config *config)
{
	const struct nm_config_relay *relay = &config->relay;
	struct nm_alias_pool_config ipv4 = {relay->daemon4, relay->pool4};
	struct nm_alias_pool_config ipv6 = {relay->daemon6, relay->pool6};

	if (config->handoff != NM_HANDOFF_RELAY)
		return UINT32_MAX;
	return nm_alias_capacity(&ipv4) + nm_alias_capacity(&ipv6);
}
