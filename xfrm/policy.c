/* SPDX-License-Identifier: Apache-2.0 */
/* Says natmux's policies in the kernel's words. */
#include "xfrm/policy.h"

#include <natmux/error.h>
#include "xfrm/kernel.h"

struct nm_xfrm_policy_id nm_xfrm_policy_id_of(const struct nm_xfrm_policy *policy)
{
	return (struct nm_xfrm_policy_id){
		.direction = policy->direction,
		.type = policy->type,
		.selector = policy->selector,
		.mark = policy->mark,
		.if_id = policy->if_id,
	};
}

static void turn_selector(struct nm_xfrm_selector *selector)
{
	const struct nm_xfrm_selector was = *selector;

	selector->source = was.destination;
	selector->destination = was.source;
	selector->source_port = was.destination_port;
	selector->source_mask = was.destination_mask;
	selector->destination_port = was.source_port;
	selector->destination_mask = was.source_mask;
}

/* Transport mode takes the packet's own addresses (RFC 4301 4.4.1.2). */
static struct nm_xfrm_template make_template(const struct natmux_policy *policy, bool is_out,
	enum natmux_sa_mode mode, const struct natmux_path *path)
{
	struct nm_xfrm_template template = {
		.protocol = NM_XFRM_PROTO_ESP,
		.mode = XFRM_MODE_TRANSPORT,
		.reqid = policy->reqid,
	};

	if (mode == NATMUX_SA_TRANSPORT)
		return template;
	template.mode = XFRM_MODE_TUNNEL;
	template.source = is_out ? path->local : path->remote;
	template.destination = is_out ? path->remote : path->local;
	template.source.port = template.destination.port = 0;
	return template;
}

int nm_xfrm_policy_from(const struct natmux_policy *policy, enum nm_xfrm_direction direction,
	enum natmux_sa_mode mode, const struct natmux_path *path, struct nm_xfrm_policy *kernel)
{
	bool is_out = direction == NM_XFRM_OUT;
	struct nm_xfrm_policy made = {
		.direction = direction,
		.priority = policy->priority,
		.is_block = policy->action == NATMUX_POLICY_DISCARD,
	};
	int err = nm_xfrm_selector_from(&policy->selector, &made.selector);

	if (err < 0)
		return err;
	if (made.selector.destination.base.family == NATMUX_FAMILY_NONE)
		return NATMUX_EINVAL;
	if (!is_out)
		turn_selector(&made.selector);
	if (policy->action == NATMUX_POLICY_PROTECT) {
		made.templates[0] = make_template(policy, is_out, mode, path);
		made.templates_len = 1;
	}
	*kernel = made;
	return 0;
}
