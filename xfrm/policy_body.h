/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of messages about policies that events have, too; as state_body.h. */
#ifndef NM_XFRM_POLICY_BODY_H
#define NM_XFRM_POLICY_BODY_H

#include "xfrm/attribute.h"
#include "xfrm/policy.h"

int nm_xfrm_policy_info_get(const struct xfrm_userpolicy_info *in, struct nm_xfrm_policy *policy);
int nm_xfrm_policy_id_get(const struct xfrm_userpolicy_id *in, struct nm_xfrm_policy *policy);

/* Templates, mark and the like; call it after the fixed part, whose family they may need. */
int nm_xfrm_policy_extra_get(
	const struct nm_xfrm_attributes *attributes, struct nm_xfrm_policy *policy);

#endif
