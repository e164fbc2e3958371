/* SPDX-License-Identifier: Apache-2.0 */
/* Which inner packets a state or policy is for, as the kernel writes it: ports have masks. */
#ifndef NM_XFRM_SELECTOR_H
#define NM_XFRM_SELECTOR_H

#include <natmux/sa.h>

struct xfrm_selector;

/* All zero: any packet of any family. */
struct nm_xfrm_selector {
	struct natmux_prefix source, destination; /* of one family, or both 0: any family */
	uint8_t protocol;                         /* 0: any */
	uint16_t source_port, source_mask;        /* mask 0: any port */
	uint16_t destination_port, destination_mask;
	uint32_t ifindex; /* 0: any interface */
	uint32_t user;
};

/*
 * From and to natmux's. Of ports only what a mask describes can be said: all, one, or a block such
 * as 1024-2047; else NATMUX_EUNSUPPORTED. A mask with holes is no range: NATMUX_EUNSUPPORTED.
 */
int nm_xfrm_selector_from(const struct natmux_selector *selector, struct nm_xfrm_selector *kernel);
int nm_xfrm_selector_to(const struct nm_xfrm_selector *kernel, struct natmux_selector *selector);

/* The kernel's bytes. NATMUX_EMALFORMED for a prefix or family that is none. */
void nm_xfrm_selector_put(const struct nm_xfrm_selector *selector, struct xfrm_selector *out);
int nm_xfrm_selector_get(const struct xfrm_selector *in, struct nm_xfrm_selector *selector);

#endif
