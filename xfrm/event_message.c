/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what the kernel tells of its own accord. What follows from it others decide. */
#include <string.h>
#include <natmux/error.h>
#include "base/bytes.h"
#include "xfrm/event.h"
#include "xfrm/policy_body.h"
#include "xfrm/policy_message.h"
#include "xfrm/state_body.h"

typedef int decode_function(const struct nlmsghdr *message, struct nm_xfrm_event *event);

static int decode_state(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	int err = nm_xfrm_state_decode(message, &event->state);

	event->has_state = true;
	event->id = nm_xfrm_state_id_of(&event->state);
	return err;
}

/* The id, and the state as an attribute among its own. */
static int decode_deleted(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	struct nm_xfrm_attributes attributes = {0};
	struct xfrm_usersa_id id;
	struct xfrm_usersa_info info;
	int err = nm_xfrm_fixed_get(message, &id, sizeof(id));

	if (err == 0)
		err = nm_xfrm_attributes_find(message, sizeof(id), &attributes);
	if (err == 0)
		err = nm_xfrm_state_id_get(&id, &event->id);
	if (err == 0)
		err = nm_xfrm_attribute_get(&attributes, XFRMA_SA, &info, sizeof(info));
	if (err == 0)
		err = nm_xfrm_mark_get(&attributes, &event->id.mark);
	if (err < 0 || !attributes.of[XFRMA_SA])
		return err;
	event->has_state = true;
	err = nm_xfrm_state_info_get(&info, &event->state);
	if (err == 0)
		err = nm_xfrm_state_extra_get(&attributes, &event->state);
	return err;
}

static int decode_expired(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	struct nm_xfrm_attributes attributes;
	struct xfrm_user_expire expire;
	int err = nm_xfrm_fixed_get(message, &expire, sizeof(expire));

	if (err == 0)
		err = nm_xfrm_attributes_find(message, sizeof(expire), &attributes);
	if (err == 0)
		err = nm_xfrm_state_info_get(&expire.state, &event->state);
	if (err == 0)
		err = nm_xfrm_state_extra_get(&attributes, &event->state);
	if (err < 0)
		return err;
	event->has_state = true;
	event->id = nm_xfrm_state_id_of(&event->state);
	event->is_hard = expire.hard != 0;
	return 0;
}

static int decode_states_flushed(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	struct xfrm_usersa_flush flush;
	int err = nm_xfrm_fixed_get(message, &flush, sizeof(flush));

	if (err == 0)
		event->protocol = flush.proto;
	return err;
}

static int decode_numbers(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	struct nm_xfrm_attributes attributes;
	struct xfrm_aevent_id id;
	struct xfrm_lifetime_cur usage = {0};
	int err = nm_xfrm_fixed_get(message, &id, sizeof(id));

	if (err == 0)
		err = nm_xfrm_attributes_find(message, sizeof(id), &attributes);
	if (err == 0)
		err = nm_xfrm_state_id_get(&id.sa_id, &event->id);
	if (err == 0)
		err = nm_xfrm_addr_get(&id.saddr, id.sa_id.family, &event->state.source);
	if (err == 0)
		err = nm_xfrm_replay_get(&attributes, &event->state.replay);
	if (err == 0)
		err = nm_xfrm_attribute_get(&attributes, XFRMA_LTIME_VAL, &usage, sizeof(usage));
	if (err == 0)
		err = nm_xfrm_mark_get(&attributes, &event->id.mark);
	if (err < 0)
		return err;
	nm_xfrm_usage_get(&usage, &event->state.usage);
	event->state.destination = event->id.destination;
	event->state.spi = event->id.spi;
	event->state.protocol = event->id.protocol;
	event->state.mark = event->id.mark;
	event->state.reqid = id.reqid;
	event->ae_flags = id.flags;
	return 0;
}

static int decode_policy(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	return nm_xfrm_policy_decode(message, &event->policy);
}

static int decode_policy_deleted(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	struct nm_xfrm_attributes attributes = {0};
	struct xfrm_userpolicy_id id;
	struct xfrm_userpolicy_info info;
	int err = nm_xfrm_fixed_get(message, &id, sizeof(id));

	if (err == 0)
		err = nm_xfrm_attributes_find(message, sizeof(id), &attributes);
	if (err == 0)
		err = nm_xfrm_attribute_get(&attributes, XFRMA_POLICY, &info, sizeof(info));
	if (err < 0)
		return err;
	if (attributes.of[XFRMA_POLICY])
		err = nm_xfrm_policy_info_get(&info, &event->policy);
	else
		err = nm_xfrm_policy_id_get(&id, &event->policy);
	if (err == 0)
		err = nm_xfrm_policy_extra_get(&attributes, &event->policy);
	return err;
}

static int decode_policy_expired(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	struct nm_xfrm_attributes attributes;
	struct xfrm_user_polexpire expire;
	int err = nm_xfrm_fixed_get(message, &expire, sizeof(expire));

	if (err == 0)
		err = nm_xfrm_attributes_find(message, sizeof(expire), &attributes);
	if (err == 0)
		err = nm_xfrm_policy_info_get(&expire.pol, &event->policy);
	if (err == 0)
		err = nm_xfrm_policy_extra_get(&attributes, &event->policy);
	event->is_hard = err == 0 && expire.hard != 0;
	return err;
}

static int decode_policies_flushed(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	struct nm_xfrm_attributes attributes;
	int err = nm_xfrm_attributes_find(message, 0, &attributes);

	if (err == 0)
		err = nm_xfrm_attribute_get(&attributes, XFRMA_POLICY_TYPE, &event->policy.type, 1);
	return err;
}

/* The family of the state's addresses is not said; the template has the same. */
static int decode_acquire(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	struct nm_xfrm_attributes attributes;
	struct nm_xfrm_state *state = &event->state;
	struct xfrm_user_acquire acquire;
	struct xfrm_user_tmpl template = {0};
	uint16_t family;
	int err = nm_xfrm_fixed_get(message, &acquire, sizeof(acquire));

	if (err == 0)
		err = nm_xfrm_attributes_find(message, sizeof(acquire), &attributes);
	if (err == 0)
		err = nm_xfrm_policy_info_get(&acquire.policy, &event->policy);
	if (err == 0)
		err = nm_xfrm_policy_extra_get(&attributes, &event->policy);
	if (err == 0)
		err = nm_xfrm_selector_get(&acquire.sel, &state->selector);
	if (err == 0)
		err = nm_xfrm_attribute_get(&attributes, XFRMA_TMPL, &template, sizeof(template));
	if (err < 0)
		return err;
	family = template.family != 0 ? template.family : acquire.sel.family;
	err = nm_xfrm_addr_get(&acquire.id.daddr, family, &state->destination);
	if (err == 0)
		err = nm_xfrm_addr_get(&acquire.saddr, family, &state->source);
	state->protocol = acquire.id.proto;
	state->sequence = acquire.seq;
	state->mode = template.mode;
	state->reqid = template.reqid;
	state->mark = event->policy.mark;
	state->if_id = event->policy.if_id;
	return err;
}

static int decode_mapping(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	struct xfrm_user_mapping mapping;
	uint8_t port[2];
	int err = nm_xfrm_fixed_get(message, &mapping, sizeof(mapping));

	if (err == 0)
		err = nm_xfrm_state_id_get(&mapping.id, &event->id);
	if (err == 0)
		err = nm_xfrm_addr_get(&mapping.old_saddr, mapping.id.family, &event->before);
	if (err == 0)
		err = nm_xfrm_addr_get(&mapping.new_saddr, mapping.id.family, &event->now);
	if (err < 0)
		return err;
	memcpy(port, &mapping.old_sport, sizeof(port));
	event->before.port = nm_get16(port);
	memcpy(port, &mapping.new_sport, sizeof(port));
	event->now.port = nm_get16(port);
	event->reqid = mapping.reqid;
	return 0;
}

static const struct {
	uint16_t type;
	enum nm_xfrm_event_type event;
	decode_function *decode;
} kinds[] = {
	{XFRM_MSG_NEWSA, NM_XFRM_EVENT_STATE_ADDED, decode_state},
	{XFRM_MSG_UPDSA, NM_XFRM_EVENT_STATE_UPDATED, decode_state},
	{XFRM_MSG_DELSA, NM_XFRM_EVENT_STATE_DELETED, decode_deleted},
	{XFRM_MSG_EXPIRE, NM_XFRM_EVENT_STATE_EXPIRED, decode_expired},
	{XFRM_MSG_FLUSHSA, NM_XFRM_EVENT_STATES_FLUSHED, decode_states_flushed},
	{XFRM_MSG_NEWAE, NM_XFRM_EVENT_STATE_REPLAY, decode_numbers},
	{XFRM_MSG_NEWPOLICY, NM_XFRM_EVENT_POLICY_ADDED, decode_policy},
	{XFRM_MSG_UPDPOLICY, NM_XFRM_EVENT_POLICY_UPDATED, decode_policy},
	{XFRM_MSG_DELPOLICY, NM_XFRM_EVENT_POLICY_DELETED, decode_policy_deleted},
	{XFRM_MSG_POLEXPIRE, NM_XFRM_EVENT_POLICY_EXPIRED, decode_policy_expired},
	{XFRM_MSG_FLUSHPOLICY, NM_XFRM_EVENT_POLICIES_FLUSHED, decode_policies_flushed},
	{XFRM_MSG_ACQUIRE, NM_XFRM_EVENT_ACQUIRE, decode_acquire},
	{XFRM_MSG_MAPPING, NM_XFRM_EVENT_MAPPING, decode_mapping},
};

int nm_xfrm_event_decode(const struct nlmsghdr *message, struct nm_xfrm_event *event)
{
	struct nm_xfrm_event got = {.sequence = message->nlmsg_seq, .portid = message->nlmsg_pid};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int err;

		if (kinds[i].type != message->nlmsg_type)
			continue;
		got.type = kinds[i].event;
		err = kinds[i].decode(message, &got);
		if (err == 0)
			*event = got;
		return err;
	}
	return NATMUX_ENOTFOUND;
}

const char *nm_xfrm_event_name(enum nm_xfrm_event_type type)
{
	static const char *const names[] = {
#define X(name, text) [NM_XFRM_EVENT_##name] = (text),
		NM_XFRM_EVENT_MAP(X)
#undef X
	};

	return (unsigned int)type < NM_XFRM_EVENT_COUNT ? names[type] : NULL;
}
