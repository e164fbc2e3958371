/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel tells of its own accord, one struct for all of it. */
#ifndef NM_XFRM_EVENT_H
#define NM_XFRM_EVENT_H

#include "xfrm/policy.h"
#include "xfrm/state.h"

struct nlmsghdr;

#define NM_XFRM_EVENT_MAP(X)                                                                       \
	X(STATE_ADDED, "state-added")                                                              \
	X(STATE_UPDATED, "state-updated")                                                          \
	X(STATE_DELETED, "state-deleted") /* `state` is what it was at last, replay included */    \
	X(STATE_EXPIRED, "state-expired") /* `is_hard`: it is gone */                              \
	X(STATES_FLUSHED, "states-flushed")                                                        \
	X(STATE_REPLAY, "state-replay") /* XFRM_MSG_NEWAE: numbers moved on */                     \
	X(POLICY_ADDED, "policy-added")                                                            \
	X(POLICY_UPDATED, "policy-updated")                                                        \
	X(POLICY_DELETED, "policy-deleted")                                                        \
	X(POLICY_EXPIRED, "policy-expired")                                                        \
	X(POLICIES_FLUSHED, "policies-flushed")                                                    \
	X(ACQUIRE, "acquire") /* a policy wants a state that is not there */                       \
	X(MAPPING, "mapping") /* authentic packets of a state come from another address or port */

enum nm_xfrm_event_type {
#define X(name, text) NM_XFRM_EVENT_##name,
	NM_XFRM_EVENT_MAP(X)
#undef X
		NM_XFRM_EVENT_COUNT
};

/* Borrowed for the call; so is the message that names and keys point into. */
struct nm_xfrm_event {
	enum nm_xfrm_event_type type;
	uint32_t sequence, portid;  /* of the request that caused it; 0: the kernel itself */
	bool is_hard;               /* STATE_EXPIRED, POLICY_EXPIRED */
	bool has_state;             /* STATE_DELETED: false when only the id is known */
	struct nm_xfrm_state_id id; /* STATE_DELETED, STATE_REPLAY, MAPPING */
	/*
	 * STATE_ADDED, _UPDATED, _DELETED, _EXPIRED: what the message says. STATE_REPLAY: `source`,
	 * `reqid`, `replay` and `usage` of it. ACQUIRE: source, destination, protocol, reqid of the
	 * state wanted and `sequence` to answer it with; `selector` is the packet's.
	 */
	struct nm_xfrm_state state;
	struct nm_xfrm_policy policy; /* POLICY_..., ACQUIRE: whose wish it is */
	/* MAPPING: the source of the state's packets, with the ports. */
	struct natmux_addr before, now;
	uint32_t reqid;    /* MAPPING */
	uint8_t protocol;  /* STATES_FLUSHED: 0 or 255: all */
	uint32_t ae_flags; /* STATE_REPLAY: XFRM_AE_... why it was sent */
};

/* The word for a type, such as "state-expired"; NULL for a number that is none. */
const char *nm_xfrm_event_name(enum nm_xfrm_event_type type);

/*
 * Reads one netlink message, whose own length was checked and which stands aligned to 4.
 * NATMUX_ENOTFOUND: of a type that tells nothing (or nothing known); NATMUX_ETRUNCATED,
 * NATMUX_EMALFORMED.
 */
int nm_xfrm_event_decode(const struct nlmsghdr *message, struct nm_xfrm_event *event);

#endif
