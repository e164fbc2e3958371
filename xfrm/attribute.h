/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes of a netlink message, read and written within bounds. Messages stand aligned to 4, as
 * netlink has it, so the structures of attributes do too; what is wider is copied out.
 */
#ifndef NM_XFRM_ATTRIBUTE_H
#define NM_XFRM_ATTRIBUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <natmux/addr.h>
#include "xfrm/kernel.h"
#include "xfrm/state_message.h"

/* Of each type the last one, or NULL. */
struct nm_xfrm_attributes {
	const struct nlattr *of[NM_XFRMA_END];
};

/*
 * Takes the next message off `*bytes`, of which `*left` octets were received; NULL at their end, or
 * (with `*left` not 0) when what is left is no message. Not mnl_nlmsg_ok(), which takes a length of
 * 2^31 and above for a negative one, and lets it pass.
 */
const struct nlmsghdr *nm_xfrm_message_take(const void **bytes, size_t *left);

/* Copies the fixed part of a message. NATMUX_ETRUNCATED. */
int nm_xfrm_fixed_get(const struct nlmsghdr *message, void *fixed, size_t len);

/*
 * Finds the attributes behind a fixed part of `fixed_len` octets. NATMUX_ETRUNCATED: one is longer
 * than the message, or the rest is too short to be one.
 */
int nm_xfrm_attributes_find(
	const struct nlmsghdr *message, size_t fixed_len, struct nm_xfrm_attributes *attributes);

/*
 * Copies the first `len` octets of an attribute; the rest is of kernels newer than this. 0 and no
 * change without the attribute; NATMUX_ETRUNCATED when it is shorter.
 */
int nm_xfrm_attribute_get(
	const struct nm_xfrm_attributes *attributes, uint16_t type, void *value, size_t len);

/* A message being built. What does not fit, and all that follows, is left out: asked at the end. */
struct nm_xfrm_builder {
	struct nlmsghdr *header;
	bool failed;
};

/* Begins a message in zeroed room. `flags` are added to NLM_F_REQUEST. */
struct nm_xfrm_builder nm_xfrm_build(
	struct nm_xfrm_message *message, uint16_t type, uint16_t flags);

/* The fixed part, zeroed; aligned to 8. */
void *nm_xfrm_put_fixed(struct nm_xfrm_builder *builder, size_t len);

/* An attribute whose value the caller fills in, zeroed and aligned to 4; NULL once failed. */
void *nm_xfrm_put_room(struct nm_xfrm_builder *builder, uint16_t type, size_t len);
void nm_xfrm_put(struct nm_xfrm_builder *builder, uint16_t type, const void *value, size_t len);
void nm_xfrm_put_u32(struct nm_xfrm_builder *builder, uint16_t type, uint32_t value);

/* The message's length, or NATMUX_ENOSPACE. */
int nm_xfrm_build_end(const struct nm_xfrm_builder *builder);

/* Addresses. The kernel's "any" (zeros) and no family are natmux's family 0. */
uint16_t nm_xfrm_family(const struct natmux_addr *addr); /* NM_AF_... or 0 */
void nm_xfrm_addr_put(const struct natmux_addr *addr, xfrm_address_t *out);
int nm_xfrm_addr_get(const xfrm_address_t *in, uint16_t family, struct natmux_addr *addr);

/* Things that states and policies have alike. */
void nm_xfrm_limits_put(const struct nm_xfrm_limits *limits, struct xfrm_lifetime_cfg *out);
void nm_xfrm_limits_get(const struct xfrm_lifetime_cfg *in, struct nm_xfrm_limits *limits);
void nm_xfrm_usage_get(const struct xfrm_lifetime_cur *in, struct nm_xfrm_usage *usage);
void nm_xfrm_mark_put(struct nm_xfrm_builder *builder, const struct nm_xfrm_mark *mark);
int nm_xfrm_mark_get(const struct nm_xfrm_attributes *attributes, struct nm_xfrm_mark *mark);

#endif
