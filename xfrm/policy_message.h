/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink messages about policies; as those about states. */
#ifndef NM_XFRM_POLICY_MESSAGE_H
#define NM_XFRM_POLICY_MESSAGE_H

#include "xfrm/policy.h"
#include "xfrm/state_message.h"

/* NEWPOLICY: refused when one with this selector is there. UPDPOLICY: adds or replaces. */
int nm_xfrm_policy_add(const struct nm_xfrm_policy *policy, struct nm_xfrm_message *message);
int nm_xfrm_policy_update(const struct nm_xfrm_policy *policy, struct nm_xfrm_message *message);

int nm_xfrm_policy_delete(const struct nm_xfrm_policy_id *id, struct nm_xfrm_message *message);
int nm_xfrm_policy_get(const struct nm_xfrm_policy_id *id, struct nm_xfrm_message *message);
int nm_xfrm_policy_dump(struct nm_xfrm_message *message);
int nm_xfrm_policy_flush(struct nm_xfrm_message *message); /* of the main type; all of them */

/*
 * Reads NEWPOLICY or UPDPOLICY. NATMUX_ENOTFOUND: the policy of a socket (IP_XFRM_POLICY), which a
 * dump tells too and nobody can delete; NATMUX_ETRUNCATED, NATMUX_EMALFORMED.
 */
int nm_xfrm_policy_decode(const struct nlmsghdr *message, struct nm_xfrm_policy *policy);

#endif
