/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads messages about policies. */
#include "xfrm/policy_message.h"

#include <string.h>
#include <libmnl/libmnl.h>
#include <natmux/error.h>
#include "base/bytes.h"
#include "xfrm/policy_body.h"

static void put_template(
	const struct nm_xfrm_template *template, uint16_t family, struct xfrm_user_tmpl *out)
{
	uint8_t spi[4];

	nm_put32(spi, template->spi);
	memcpy(&out->id.spi, spi, sizeof(spi));
	nm_xfrm_addr_put(&template->destination, &out->id.daddr);
	nm_xfrm_addr_put(&template->source, &out->saddr);
	out->id.proto = template->protocol;
	out->family = nm_xfrm_family(&template->destination);
	if (out->family == 0)
		out->family = family;
	out->reqid = template->reqid;
	out->mode = template->mode;
	out->optional = template->is_optional;
	/* Which algorithms is settled by the state: any. */
	out->aalgos = out->ealgos = out->calgos = UINT32_MAX;
}

static void put_templates(struct nm_xfrm_builder *builder, const struct nm_xfrm_policy *policy)
{
	struct xfrm_user_tmpl *out;

	if (policy->templates_len == 0)
		return;
	out = nm_xfrm_put_room(builder, XFRMA_TMPL, policy->templates_len * sizeof(*out));
	for (size_t i = 0; out && i < policy->templates_len; i++)
		put_template(&policy->templates[i],
			nm_xfrm_family(&policy->selector.destination.base), &out[i]);
}

static void put_more(struct nm_xfrm_builder *builder, uint8_t type, const struct nm_xfrm_mark *mark,
	uint32_t if_id)
{
	const struct xfrm_userpolicy_type policy_type = {.type = type};

	if (type != XFRM_POLICY_TYPE_MAIN)
		nm_xfrm_put(builder, XFRMA_POLICY_TYPE, &policy_type, sizeof(policy_type));
	nm_xfrm_mark_put(builder, mark);
	if (if_id != 0)
		nm_xfrm_put_u32(builder, XFRMA_IF_ID, if_id);
}

static int build_policy(
	const struct nm_xfrm_policy *policy, uint16_t type, struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder = nm_xfrm_build(message, type, NLM_F_ACK);
	struct xfrm_userpolicy_info *out = nm_xfrm_put_fixed(&builder, sizeof(*out));

	if (policy->templates_len > NM_XFRM_TEMPLATES)
		return NATMUX_EINVAL;
	nm_xfrm_selector_put(&policy->selector, &out->sel);
	nm_xfrm_limits_put(&policy->limits, &out->lft);
	out->priority = policy->priority;
	out->index = policy->index;
	out->dir = (uint8_t)policy->direction;
	out->action = policy->is_block ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
	out->flags = policy->flags;
	put_templates(&builder, policy);
	put_more(&builder, policy->type, &policy->mark, policy->if_id);
	return nm_xfrm_build_end(&builder);
}

int nm_xfrm_policy_add(const struct nm_xfrm_policy *policy, struct nm_xfrm_message *message)
{
	return build_policy(policy, XFRM_MSG_NEWPOLICY, message);
}

int nm_xfrm_policy_update(const struct nm_xfrm_policy *policy, struct nm_xfrm_message *message)
{
	return build_policy(policy, XFRM_MSG_UPDPOLICY, message);
}

static int build_id(
	const struct nm_xfrm_policy_id *id, uint16_t type, struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder = nm_xfrm_build(message, type, NLM_F_ACK);
	struct xfrm_userpolicy_id *out = nm_xfrm_put_fixed(&builder, sizeof(*out));

	nm_xfrm_selector_put(&id->selector, &out->sel);
	out->index = id->index;
	out->dir = (uint8_t)id->direction;
	put_more(&builder, id->type, &id->mark, id->if_id);
	return nm_xfrm_build_end(&builder);
}

int nm_xfrm_policy_delete(const struct nm_xfrm_policy_id *id, struct nm_xfrm_message *message)
{
	return build_id(id, XFRM_MSG_DELPOLICY, message);
}

int nm_xfrm_policy_get(const struct nm_xfrm_policy_id *id, struct nm_xfrm_message *message)
{
	return build_id(id, XFRM_MSG_GETPOLICY, message);
}

int nm_xfrm_policy_dump(struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder = nm_xfrm_build(message, XFRM_MSG_GETPOLICY, NLM_F_DUMP);

	return nm_xfrm_build_end(&builder);
}

int nm_xfrm_policy_flush(struct nm_xfrm_message *message)
{
	struct nm_xfrm_builder builder = nm_xfrm_build(message, XFRM_MSG_FLUSHPOLICY, NLM_F_ACK);

	return nm_xfrm_build_end(&builder);
}

/* Sockets have policies of their own, in two more directions that nobody else can name. */
static int get_direction(uint8_t in, enum nm_xfrm_direction *direction)
{
	if (in > XFRM_POLICY_FWD)
		return NATMUX_ENOTFOUND;
	*direction = (enum nm_xfrm_direction)in;
	return 0;
}

int nm_xfrm_policy_info_get(const struct xfrm_userpolicy_info *in, struct nm_xfrm_policy *policy)
{
	int err = get_direction(in->dir, &policy->direction);

	if (err == 0)
		err = nm_xfrm_selector_get(&in->sel, &policy->selector);
	if (err < 0)
		return err;
	nm_xfrm_limits_get(&in->lft, &policy->limits);
	nm_xfrm_usage_get(&in->curlft, &policy->usage);
	policy->priority = in->priority;
	policy->index = in->index;
	policy->is_block = in->action != XFRM_POLICY_ALLOW;
	policy->flags = in->flags;
	return 0;
}

int nm_xfrm_policy_id_get(const struct xfrm_userpolicy_id *in, struct nm_xfrm_policy *policy)
{
	int err = get_direction(in->dir, &policy->direction);

	if (err == 0)
		err = nm_xfrm_selector_get(&in->sel, &policy->selector);
	if (err == 0)
		policy->index = in->index;
	return err;
}

/* `family` stands in for a template that says none. */
static int get_template(
	const struct xfrm_user_tmpl *in, uint16_t family, struct nm_xfrm_template *template)
{
	uint16_t its = in->family != 0 ? in->family : family;
	struct nm_xfrm_template got = {
		.protocol = in->id.proto,
		.mode = in->mode,
		.reqid = in->reqid,
		.is_optional = in->optional != 0,
	};
	uint8_t spi[4];
	int err = nm_xfrm_addr_get(&in->id.daddr, its, &got.destination);

	if (err == 0)
		err = nm_xfrm_addr_get(&in->saddr, its, &got.source);
	if (err < 0)
		return err;
	memcpy(spi, &in->id.spi, sizeof(spi));
	got.spi = nm_get32(spi);
	*template = got;
	return 0;
}

static int get_templates(const struct nm_xfrm_attributes *attributes, struct nm_xfrm_policy *policy)
{
	const struct nlattr *attr = attributes->of[XFRMA_TMPL];
	uint16_t family = nm_xfrm_family(&policy->selector.destination.base);
	struct xfrm_user_tmpl fixed;
	size_t n;

	if (!attr)
		return 0;
	n = mnl_attr_get_payload_len(attr) / sizeof(fixed);
	if (n > NM_XFRM_TEMPLATES || mnl_attr_get_payload_len(attr) % sizeof(fixed) != 0)
		return NATMUX_EMALFORMED;
	for (size_t i = 0; i < n; i++) {
		int err;

		memcpy(&fixed, (const uint8_t *)mnl_attr_get_payload(attr) + i * sizeof(fixed),
			sizeof(fixed));
		err = get_template(&fixed, family, &policy->templates[i]);
		if (err < 0)
			return err;
	}
	policy->templates_len = n;
	return 0;
}

int nm_xfrm_policy_extra_get(
	const struct nm_xfrm_attributes *attributes, struct nm_xfrm_policy *policy)
{
	struct xfrm_userpolicy_type type = {0};
	int err = get_templates(attributes, policy);

	if (err == 0)
		err = nm_xfrm_attribute_get(
			attributes, XFRMA_POLICY_TYPE, &type.type, sizeof(type.type));
	if (err == 0)
		err = nm_xfrm_mark_get(attributes, &policy->mark);
	if (err == 0)
		err = nm_xfrm_attribute_get(attributes, XFRMA_IF_ID, &policy->if_id, 4);
	if (err == 0)
		policy->type = type.type;
	return err;
}

int nm_xfrm_policy_decode(const struct nlmsghdr *message, struct nm_xfrm_policy *policy)
{
	struct nm_xfrm_policy got = {0};
	struct nm_xfrm_attributes attributes;
	struct xfrm_userpolicy_info info;
	int err = nm_xfrm_fixed_get(message, &info, sizeof(info));

	if (err == 0)
		err = nm_xfrm_attributes_find(message, sizeof(info), &attributes);
	if (err == 0)
		err = nm_xfrm_policy_info_get(&info, &got);
	if (err == 0)
		err = nm_xfrm_policy_extra_get(&attributes, &got);
	if (err == 0)
		*policy = got;
	return err;
}
