/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes attributes and the small structures in them; what they mean is not asked here. */
#include "xfrm/attribute.h"

#include <limits.h>
#include <string.h>
#include <libmnl/libmnl.h>
#include <natmux/error.h>

const struct nlmsghdr *nm_xfrm_message_take(const void **bytes, size_t *left)
{
	const struct nlmsghdr *message = *bytes;
	size_t padded;

	if (*left < sizeof(*message) || message->nlmsg_len < sizeof(*message) ||
		message->nlmsg_len > *left)
		return NULL;
	padded = MNL_ALIGN((size_t)message->nlmsg_len);
	if (padded > *left)
		padded = *left; /* the last one may be without its padding */
	*bytes = (const uint8_t *)*bytes + padded;
	*left -= padded;
	return message;
}

int nm_xfrm_fixed_get(const struct nlmsghdr *message, void *fixed, size_t len)
{
	if (message->nlmsg_len < MNL_NLMSG_HDRLEN + len)
		return NATMUX_ETRUNCATED;
	memcpy(fixed, mnl_nlmsg_get_payload(message), len);
	return 0;
}

/* Not mnl_attr_for_each: it rounds the message's length up, beyond what was received. */
int nm_xfrm_attributes_find(
	const struct nlmsghdr *message, size_t fixed_len, struct nm_xfrm_attributes *attributes)
{
	struct nm_xfrm_attributes found = {0};
	size_t at = MNL_NLMSG_HDRLEN + MNL_ALIGN(fixed_len);

	if (message->nlmsg_len < MNL_NLMSG_HDRLEN + fixed_len)
		return NATMUX_ETRUNCATED;
	while (at < message->nlmsg_len) {
		const struct nlattr *attr = (const void *)((const char *)message + at);
		size_t left = message->nlmsg_len - at;

		if (left > INT_MAX || !mnl_attr_ok(attr, (int)left))
			return NATMUX_ETRUNCATED;
		if (mnl_attr_get_type(attr) < NM_XFRMA_END)
			found.of[mnl_attr_get_type(attr)] = attr;
		at += MNL_ALIGN(attr->nla_len);
	}
	*attributes = found;
	return 0;
}

int nm_xfrm_attribute_get(
	const struct nm_xfrm_attributes *attributes, uint16_t type, void *value, size_t len)
{
	const struct nlattr *attr = attributes->of[type];

	if (!attr)
		return 0;
	if (mnl_attr_get_payload_len(attr) < len)
		return NATMUX_ETRUNCATED;
	memcpy(value, mnl_attr_get_payload(attr), len);
	return 0;
}

struct nm_xfrm_builder nm_xfrm_build(struct nm_xfrm_message *message, uint16_t type, uint16_t flags)
{
	struct nm_xfrm_builder builder = {0};

	memset(message, 0, sizeof(*message));
	builder.header = mnl_nlmsg_put_header(message->bytes);
	builder.header->nlmsg_type = type;
	builder.header->nlmsg_flags = NLM_F_REQUEST | flags;
	return builder;
}

void *nm_xfrm_put_fixed(struct nm_xfrm_builder *builder, size_t len)
{
	return mnl_nlmsg_put_extra_header(builder->header, len);
}

void *nm_xfrm_put_room(struct nm_xfrm_builder *builder, uint16_t type, size_t len)
{
	struct nlattr *attr = mnl_nlmsg_get_payload_tail(builder->header);
	size_t room = NM_XFRM_MESSAGE_MAX - builder->header->nlmsg_len;

	if (builder->failed || len > room || MNL_ATTR_HDRLEN + MNL_ALIGN(len) > room) {
		builder->failed = true;
		return NULL;
	}
	attr->nla_type = type;
	attr->nla_len = (uint16_t)(MNL_ATTR_HDRLEN + len);
	builder->header->nlmsg_len += (uint32_t)(MNL_ATTR_HDRLEN + MNL_ALIGN(len));
	return mnl_attr_get_payload(attr);
}

void nm_xfrm_put(struct nm_xfrm_builder *builder, uint16_t type, const void *value, size_t len)
{
	void *room = nm_xfrm_put_room(builder, type, len);

	if (room)
		memcpy(room, value, len);
}

void nm_xfrm_put_u32(struct nm_xfrm_builder *builder, uint16_t type, uint32_t value)
{
	nm_xfrm_put(builder, type, &value, sizeof(value));
}

int nm_xfrm_build_end(const struct nm_xfrm_builder *builder)
{
	return builder->failed ? NATMUX_ENOSPACE : (int)builder->header->nlmsg_len;
}

uint16_t nm_xfrm_family(const struct natmux_addr *addr)
{
	if (addr->family == NATMUX_FAMILY_IPV4)
		return NM_AF_INET;
	return addr->family == NATMUX_FAMILY_IPV6 ? NM_AF_INET6 : 0;
}

void nm_xfrm_addr_put(const struct natmux_addr *addr, xfrm_address_t *out)
{
	_Static_assert(sizeof(*out) == sizeof(addr->ip), "one size of addresses");
	memcpy(out, addr->ip, sizeof(*out));
}

int nm_xfrm_addr_get(const xfrm_address_t *in, uint16_t family, struct natmux_addr *addr)
{
	static const uint8_t any[16];
	struct natmux_addr got = {0};
	size_t len = family == NM_AF_INET ? 4 : 16;

	if (family != NM_AF_INET && family != NM_AF_INET6 && family != 0)
		return NATMUX_EMALFORMED;
	/* Behind an IPv4 address there may be anything, old stack memory of the kernel included. */
	if (family != 0 && memcmp(in, any, len) != 0) {
		memcpy(got.ip, in, len);
		got.family = family == NM_AF_INET ? NATMUX_FAMILY_IPV4 : NATMUX_FAMILY_IPV6;
	}
	*addr = got;
	return 0;
}

static uint64_t amount_put(uint64_t limit)
{
	return limit == 0 ? XFRM_INF : limit;
}

static uint64_t amount_get(uint64_t limit)
{
	return limit == XFRM_INF ? 0 : limit;
}

void nm_xfrm_limits_put(const struct nm_xfrm_limits *limits, struct xfrm_lifetime_cfg *out)
{
	*out = (struct xfrm_lifetime_cfg){
		.soft_byte_limit = amount_put(limits->soft_bytes),
		.hard_byte_limit = amount_put(limits->hard_bytes),
		.soft_packet_limit = amount_put(limits->soft_packets),
		.hard_packet_limit = amount_put(limits->hard_packets),
		.soft_add_expires_seconds = limits->soft_seconds,
		.hard_add_expires_seconds = limits->hard_seconds,
		.soft_use_expires_seconds = limits->soft_used_seconds,
		.hard_use_expires_seconds = limits->hard_used_seconds,
	};
}

void nm_xfrm_limits_get(const struct xfrm_lifetime_cfg *in, struct nm_xfrm_limits *limits)
{
	*limits = (struct nm_xfrm_limits){
		.soft_bytes = amount_get(in->soft_byte_limit),
		.hard_bytes = amount_get(in->hard_byte_limit),
		.soft_packets = amount_get(in->soft_packet_limit),
		.hard_packets = amount_get(in->hard_packet_limit),
		.soft_seconds = in->soft_add_expires_seconds,
		.hard_seconds = in->hard_add_expires_seconds,
		.soft_used_seconds = in->soft_use_expires_seconds,
		.hard_used_seconds = in->hard_use_expires_seconds,
	};
}

void nm_xfrm_usage_get(const struct xfrm_lifetime_cur *in, struct nm_xfrm_usage *usage)
{
	*usage = (struct nm_xfrm_usage){
		.bytes = in->bytes,
		.packets = in->packets,
		.added_at = in->add_time,
		.used_at = in->use_time,
	};
}

void nm_xfrm_mark_put(struct nm_xfrm_builder *builder, const struct nm_xfrm_mark *mark)
{
	const struct xfrm_mark value = {.v = mark->value, .m = mark->mask};

	if (mark->mask != 0)
		nm_xfrm_put(builder, XFRMA_MARK, &value, sizeof(value));
}

int nm_xfrm_mark_get(const struct nm_xfrm_attributes *attributes, struct nm_xfrm_mark *mark)
{
	struct xfrm_mark value = {0};
	int err = nm_xfrm_attribute_get(attributes, XFRMA_MARK, &value, sizeof(value));

	if (err < 0)
		return err;
	mark->value = value.v;
	mark->mask = value.m;
	return 0;
}
