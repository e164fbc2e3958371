/* SPDX-License-Identifier: Apache-2.0 */
/* What the doctor says to the kernel's IPsec: a bypass policy, and one ESP state to see if it can. */
#ifndef NM_CTL_DOCTOR_XFRM_H
#define NM_CTL_DOCTOR_XFRM_H

#include <stddef.h>
#include <natmux/addr.h>

/* The policy natmux puts on its own sockets, as IP_XFRM_POLICY wants it. */
extern const void *const nm_doctor_bypass;
extern const unsigned int nm_doctor_bypass_size;

/*
 * Adds an ESP-in-UDP state with AES-GCM between documentation addresses to the network namespace
 * that the caller is in. Returns 0 or a positive errno.
 */
int nm_doctor_add_esp_state(enum natmux_family family);

#endif
