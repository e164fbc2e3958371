/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of messages about states that events have, too. */
#ifndef NM_XFRM_STATE_BODY_H
#define NM_XFRM_STATE_BODY_H

#include "xfrm/attribute.h"

/* What the fixed part says. NATMUX_EMALFORMED. */
int nm_xfrm_state_info_get(const struct xfrm_usersa_info *in, struct nm_xfrm_state *state);

/* What the attributes add; call it after the fixed part. NATMUX_ETRUNCATED, NATMUX_EMALFORMED. */
int nm_xfrm_state_extra_get(
	const struct nm_xfrm_attributes *attributes, struct nm_xfrm_state *state);

int nm_xfrm_state_id_get(const struct xfrm_usersa_id *in, struct nm_xfrm_state_id *id);

/* XFRMA_REPLAY_VAL or XFRMA_REPLAY_ESN_VAL. NATMUX_ETRUNCATED, NATMUX_EMALFORMED. */
int nm_xfrm_replay_get(const struct nm_xfrm_attributes *attributes, struct nm_xfrm_replay *replay);

#endif
