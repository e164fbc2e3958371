/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/fake_xfrm.h"

#include <errno.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <natmux/error.h>
#include "xfrm/attribute.h"
#include "xfrm/policy_body.h"
#include "xfrm/policy_message.h"

void fake_xfrm_init(struct fake_xfrm *kernel)
{
	memset(kernel, 0, sizeof(*kernel));
	kernel->attributes_end = NM_XFRMA_END;
	kernel->has_group = true;
}

static struct nlmsghdr *header_of(const struct nm_xfrm_message *message)
{
	return (void *)(uintptr_t)message->bytes;
}

static struct nlmsghdr *answer(
	struct fake_xfrm *kernel, const void *message, const struct nlmsghdr *request)
{
	const struct nlmsghdr *from = message;
	struct nlmsghdr *to = (void *)(kernel->out + kernel->out_len);

	if (sizeof(kernel->out) - kernel->out_len < MNL_ALIGN(from->nlmsg_len))
		return NULL;
	memcpy(to, from, from->nlmsg_len);
	kernel->out_len += MNL_ALIGN(from->nlmsg_len);
	to->nlmsg_flags = 0;
	to->nlmsg_seq = request ? request->nlmsg_seq : 0;
	to->nlmsg_pid = request ? FAKE_XFRM_PORTID : 0;
	return to;
}

static void acknowledge(struct fake_xfrm *kernel, const struct nlmsghdr *request, int os_error)
{
	_Alignas(8) uint8_t bytes[64] = {0};
	struct nlmsghdr *ack = (void *)bytes;
	int code = -os_error;

	ack->nlmsg_type = NLMSG_ERROR;
	ack->nlmsg_len = 36;
	memcpy(bytes + 16, &code, sizeof(code));
	memcpy(bytes + 20, request, sizeof(*request));
	answer(kernel, bytes, request)->nlmsg_flags = NLM_F_CAPPED;
}

static void finish_dump(struct fake_xfrm *kernel, const struct nlmsghdr *request)
{
	_Alignas(8) uint8_t bytes[20] = {0};
	struct nlmsghdr *done = (void *)bytes;

	done->nlmsg_type = NLMSG_DONE;
	done->nlmsg_len = sizeof(bytes);
	answer(kernel, bytes, request)->nlmsg_flags = NLM_F_MULTI;
}

static struct nm_xfrm_state decode(const struct fake_xfrm_state *entry)
{
	struct nm_xfrm_state state = {0};

	(void)nm_xfrm_state_decode(header_of(&entry->message), &state);
	return state;
}

/* As the kernel does it: by destination, SPI and protocol. */
static struct fake_xfrm_state *find(struct fake_xfrm *kernel, const struct xfrm_usersa_id *id)
{
	for (size_t i = 0; i < FAKE_XFRM_STATES; i++) {
		struct xfrm_usersa_info info;

		if (!kernel->states[i].is_used)
			continue;
		memcpy(&info, kernel->states[i].message.bytes + 16, sizeof(info));
		if (memcmp(info.id.daddr.a6, id->daddr.a6, sizeof(id->daddr.a6)) == 0 &&
			info.id.spi == id->spi && info.id.proto == id->proto &&
			info.family == id->family)
			return &kernel->states[i];
	}
	return NULL;
}

static struct xfrm_usersa_id id_in(const struct nlmsghdr *request)
{
	struct xfrm_usersa_id id = {0};
	struct xfrm_usersa_info info;

	if (request->nlmsg_type == XFRM_MSG_NEWSA || request->nlmsg_type == XFRM_MSG_UPDSA) {
		memcpy(&info, (const uint8_t *)request + 16, sizeof(info));
		id.daddr = info.id.daddr;
		id.spi = info.id.spi;
		id.proto = info.id.proto;
		id.family = info.family;
		return id;
	}
	memcpy(&id, (const uint8_t *)request + 16, sizeof(id));
	return id;
}

/* Unknown attributes are passed over; known ones have a size. */
static int check_attributes(
	const struct fake_xfrm *kernel, const struct nlmsghdr *request, size_t fixed_len)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, request,
		fixed_len) if (attr->nla_type < kernel->attributes_end &&
			       mnl_attr_get_payload_len(attr) == 0) return attr->nla_type >=
			NM_XFRMA_SA_DIR
		? EINVAL
		: ERANGE;
	return 0;
}

static int store(struct fake_xfrm *kernel, const struct nlmsghdr *request)
{
	const struct xfrm_usersa_id id = id_in(request);
	struct fake_xfrm_state *entry = find(kernel, &id);
	struct nm_xfrm_state state, old = {0};

	if (kernel->has_no_esp)
		return EPROTONOSUPPORT;
	/* The window larger than its bitmap. */
	if (nm_xfrm_state_decode(request, &state) < 0)
		return EINVAL;
	if (request->nlmsg_type == XFRM_MSG_NEWSA && entry)
		return EEXIST;
	if (request->nlmsg_type == XFRM_MSG_UPDSA && !entry)
		return ESRCH;
	for (size_t i = 0; i < FAKE_XFRM_STATES && !entry; i++)
		if (!kernel->states[i].is_used)
			entry = &kernel->states[i];
	if (!entry)
		return ENOMEM;
	if (request->nlmsg_type == XFRM_MSG_UPDSA)
		old = decode(entry);
	memset(entry, 0, sizeof(*entry));
	entry->is_used = true;
	if (request->nlmsg_type == XFRM_MSG_UPDSA) {
		/* Only the ports: numbers stay, addresses are its name. */
		state.replay = old.replay;
		state.source.family = old.source.family;
		memcpy(state.source.ip, old.source.ip, sizeof(old.source.ip));
		(void)nm_xfrm_state_add(&state, &entry->message);
		return 0;
	}
	memcpy(entry->message.bytes, request, request->nlmsg_len);
	return 0;
}

static void hide_keys(struct nlmsghdr *message)
{
	struct nlattr *attr;

	mnl_attr_for_each(attr, message,
		sizeof(struct xfrm_usersa_info)) if (attr->nla_type == XFRMA_ALG_AEAD)
		memset((uint8_t *)mnl_attr_get_payload(attr) + 72, 0,
			mnl_attr_get_payload_len(attr) - 72u);
}

static int get_state(struct fake_xfrm *kernel, const struct nlmsghdr *request)
{
	const struct xfrm_usersa_id id = id_in(request);
	struct fake_xfrm_state *entry = find(kernel, &id);
	struct nlmsghdr *message;

	if (!entry)
		return ESRCH;
	message = answer(kernel, entry->message.bytes, request);
	message->nlmsg_type = XFRM_MSG_NEWSA;
	if (kernel->hides_keys)
		hide_keys(message);
	return 0;
}

/* DELSA, with the state it was as an attribute. */
static void tell_deleted(struct fake_xfrm *kernel, const struct fake_xfrm_state *entry,
	const struct nlmsghdr *request)
{
	struct nm_xfrm_message message;
	struct nm_xfrm_builder builder = nm_xfrm_build(&message, XFRM_MSG_DELSA, 0);
	const struct nlmsghdr *state = header_of(&entry->message);
	const struct xfrm_usersa_id id = id_in(request);
	const struct nlattr *attr;

	memcpy(nm_xfrm_put_fixed(&builder, sizeof(id)), &id, sizeof(id));
	nm_xfrm_put(&builder, XFRMA_SA, entry->message.bytes + 16, sizeof(struct xfrm_usersa_info));
	mnl_attr_for_each(attr, state, sizeof(struct xfrm_usersa_info)) nm_xfrm_put(&builder,
		attr->nla_type, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
	answer(kernel, message.bytes, request);
}

static int delete_state(struct fake_xfrm *kernel, const struct nlmsghdr *request)
{
	const struct xfrm_usersa_id id = id_in(request);
	struct fake_xfrm_state *entry = find(kernel, &id);
	struct fake_xfrm_state before; /* whose names and key the state borrows */
	struct nm_xfrm_state state;

	if (!entry)
		return ESRCH;
	before = *entry;
	state = decode(&before);
	for (uint64_t i = 0; i < kernel->traffic; i++)
		nm_xfrm_replay_mark(&state.replay, state.replay.in + 1);
	state.replay.out += kernel->traffic;
	(void)nm_xfrm_state_add(&state, &entry->message);
	entry->is_used = false;
	if (kernel->has_group)
		tell_deleted(kernel, entry, request);
	return 0;
}

static void dump_states(struct fake_xfrm *kernel, const struct nlmsghdr *request)
{
	for (size_t i = 0; i < FAKE_XFRM_STATES; i++) {
		struct nlmsghdr *message;

		if (!kernel->states[i].is_used)
			continue;
		message = answer(kernel, kernel->states[i].message.bytes, request);
		message->nlmsg_type = XFRM_MSG_NEWSA;
		message->nlmsg_flags = NLM_F_MULTI;
	}
	finish_dump(kernel, request);
}

static void dump_policies(struct fake_xfrm *kernel, const struct nlmsghdr *request)
{
	for (size_t i = 0; i < FAKE_XFRM_POLICIES; i++)
		if (header_of(&kernel->policies[i])->nlmsg_len > 0) {
			struct nlmsghdr *message =
				answer(kernel, kernel->policies[i].bytes, request);

			message->nlmsg_type = XFRM_MSG_NEWPOLICY;
			message->nlmsg_flags = NLM_F_MULTI;
		}
	finish_dump(kernel, request);
}

static struct nm_xfrm_policy decode_policy(const struct nlmsghdr *message)
{
	struct nm_xfrm_policy policy = {0};

	(void)nm_xfrm_policy_decode(message, &policy);
	policy.mark.value &= policy.mark.mask;
	return policy;
}

/* As the kernel does it: by selector, direction, mark and interface, whatever the priority. */
static struct nm_xfrm_message *find_policy(
	struct fake_xfrm *kernel, const void *selector, const struct nm_xfrm_policy *policy)
{
	for (size_t i = 0; i < FAKE_XFRM_POLICIES; i++) {
		struct nm_xfrm_message *message = &kernel->policies[i];
		struct nm_xfrm_policy other;

		if (header_of(message)->nlmsg_len == 0 ||
			memcmp(message->bytes + 16, selector, sizeof(struct xfrm_selector)) != 0)
			continue;
		other = decode_policy(header_of(message));
		if (other.direction == policy->direction && other.if_id == policy->if_id &&
			other.mark.value == policy->mark.value &&
			other.mark.mask == policy->mark.mask)
			return message;
	}
	return NULL;
}

static int store_policy(struct fake_xfrm *kernel, const struct nlmsghdr *request)
{
	const struct nm_xfrm_policy policy = decode_policy(request);
	struct nm_xfrm_message *place = find_policy(kernel, (const uint8_t *)request + 16, &policy);

	if (place && request->nlmsg_type == XFRM_MSG_NEWPOLICY)
		return EEXIST;
	for (size_t i = 0; i < FAKE_XFRM_POLICIES && !place; i++)
		if (header_of(&kernel->policies[i])->nlmsg_len == 0)
			place = &kernel->policies[i];
	if (!place)
		return ENOMEM;
	memset(place, 0, sizeof(*place));
	memcpy(place->bytes, request, request->nlmsg_len);
	return 0;
}

static int delete_policy(struct fake_xfrm *kernel, const struct nlmsghdr *request)
{
	struct nm_xfrm_policy policy = {.direction = NM_XFRM_IN};
	struct nm_xfrm_attributes attributes;
	struct xfrm_userpolicy_id id;
	struct nm_xfrm_message *place;

	if (nm_xfrm_fixed_get(request, &id, sizeof(id)) < 0 ||
		nm_xfrm_attributes_find(request, sizeof(id), &attributes) < 0 ||
		nm_xfrm_policy_id_get(&id, &policy) < 0 ||
		nm_xfrm_policy_extra_get(&attributes, &policy) < 0)
		return EINVAL;
	place = find_policy(kernel, (const uint8_t *)request + 16, &policy);
	if (!place)
		return ENOENT;
	memset(place, 0, sizeof(*place));
	return 0;
}

static int work(struct fake_xfrm *kernel, const struct nlmsghdr *request)
{
	switch (request->nlmsg_type) {
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA: return store(kernel, request);
	case XFRM_MSG_DELSA: return delete_state(kernel, request);
	case XFRM_MSG_GETSA: {
		int error = check_attributes(kernel, request, sizeof(struct xfrm_usersa_id));

		return error != 0 ? error : get_state(kernel, request);
	}
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_UPDPOLICY: return store_policy(kernel, request);
	case XFRM_MSG_DELPOLICY: return delete_policy(kernel, request);
	}
	return EOPNOTSUPP;
}

static bool shall_fail(struct fake_xfrm *kernel, uint16_t type)
{
	if (kernel->fail_error == 0 || (kernel->fail_type != 0 && kernel->fail_type != type))
		return false;
	return kernel->fail_skip-- == 0;
}

int fake_xfrm_send(void *user, const void *message, size_t len, int *os_error)
{
	struct fake_xfrm *kernel = user;
	const struct nlmsghdr *request = message;
	int error;

	if (kernel->send_error != 0) {
		int err = kernel->send_error;

		kernel->send_error = 0;
		*os_error = ENOBUFS;
		return err;
	}
	if (len != request->nlmsg_len || request->nlmsg_pid != FAKE_XFRM_PORTID)
		return NATMUX_EINVAL;
	kernel->requests[(request->nlmsg_type - XFRM_MSG_BASE) & 63]++;
	if (kernel->is_silent)
		return 0;
	if (shall_fail(kernel, request->nlmsg_type)) {
		error = kernel->fail_error;
		kernel->fail_skip = 0;
		if (kernel->fail_more == 0)
			kernel->fail_error = 0;
		else
			kernel->fail_more--;
		acknowledge(kernel, request, error);
	} else if ((request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP &&
		   request->nlmsg_type == XFRM_MSG_GETSA) {
		dump_states(kernel, request);
	} else if ((request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP) {
		dump_policies(kernel, request);
	} else {
		acknowledge(kernel, request, work(kernel, request));
	}
	if (kernel->watch)
		kernel->watch(kernel->watch_user);
	return 0;
}

bool fake_xfrm_deliver(struct fake_xfrm *kernel, struct nm_xfrm_session *session, uint64_t now_ms)
{
	static _Alignas(8) uint8_t bytes[sizeof(kernel->out)];
	size_t len = kernel->out_len;

	memcpy(bytes, kernel->out, len);
	kernel->out_len = 0;
	if (len > 0)
		nm_xfrm_session_input(session, bytes, len, now_ms);
	return len > 0;
}

void fake_xfrm_tell(struct fake_xfrm *kernel, const void *message)
{
	answer(kernel, message, NULL);
}

static const struct fake_xfrm_state *find_by(const struct fake_xfrm *kernel,
	const char *destination, uint32_t spi, struct nm_xfrm_state *state)
{
	struct natmux_addr addr;

	if (natmux_addr_parse(destination, 0, &addr) < 0)
		return NULL;
	for (size_t i = 0; i < FAKE_XFRM_STATES; i++) {
		if (!kernel->states[i].is_used)
			continue;
		*state = decode(&kernel->states[i]);
		if (state->spi == spi && memcmp(state->destination.ip, addr.ip, 16) == 0)
			return &kernel->states[i];
	}
	return NULL;
}

bool fake_xfrm_find(const struct fake_xfrm *kernel, const char *destination, uint32_t spi,
	struct nm_xfrm_state *state)
{
	return find_by(kernel, destination, spi, state) != NULL;
}

bool fake_xfrm_receive(struct fake_xfrm *kernel, const char *destination, uint32_t spi, uint64_t n)
{
	struct nm_xfrm_state state;
	const struct fake_xfrm_state *found = find_by(kernel, destination, spi, &state);
	struct nm_xfrm_message before; /* whose names and key the state borrows */

	if (!found || nm_xfrm_replay_is_seen(&state.replay, n))
		return false;
	before = found->message;
	(void)nm_xfrm_state_decode(header_of(&before), &state);
	nm_xfrm_replay_mark(&state.replay, n);
	return nm_xfrm_state_add(&state, &kernel->states[found - kernel->states].message) > 0;
}

bool fake_xfrm_keeps_usage(const struct fake_xfrm *kernel, const char *destination, uint32_t spi)
{
	struct nm_xfrm_attributes attributes;
	struct nm_xfrm_state state;
	const struct fake_xfrm_state *found = find_by(kernel, destination, spi, &state);

	return found &&
	       nm_xfrm_attributes_find(header_of(&found->message), sizeof(struct xfrm_usersa_info),
		       &attributes) == 0 &&
	       attributes.of[XFRMA_LTIME_VAL];
}

unsigned int fake_xfrm_requests(const struct fake_xfrm *kernel, uint16_t type)
{
	return kernel->requests[(type - XFRM_MSG_BASE) & 63];
}
