/* SPDX-License-Identifier: Apache-2.0 */
/* natmux's suites and the kernel's names of algorithms. */
#ifndef NM_XFRM_SUITE_H
#define NM_XFRM_SUITE_H

#include "xfrm/state.h"

/*
 * Sets aead, or cipher and auth, of `state` from a suite and its key material (natmux/suite.h),
 * which is borrowed. NATMUX_EINVAL: no such suite, or the key has another length.
 */
int nm_xfrm_suite_set(
	struct nm_xfrm_state *state, enum natmux_suite suite, const uint8_t *key, size_t key_len);

/* Which suite the algorithms of `state` are. NATMUX_ENOTFOUND: none that natmux has. */
int nm_xfrm_suite_find(const struct nm_xfrm_state *state, enum natmux_suite *suite);

/*
 * Writes the key material of `state` as natmux_sa_config has it, and returns its length; 0 when it
 * does not fit. All zero under kernel lockdown (confidentiality): nm_xfrm_key_is_hidden().
 */
size_t nm_xfrm_key_join(const struct nm_xfrm_state *state, uint8_t out[NATMUX_SUITE_KEY_MAX]);

/* Whether the kernel kept the key to itself: a state that is to go elsewhere needs it. */
bool nm_xfrm_key_is_hidden(const struct nm_xfrm_state *state);

#endif
