/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Netlink messages about states. Building writes one whole message, aligned to 4, of at most
 * NM_XFRM_MESSAGE_MAX octets and returns its length, or NATMUX_ENOSPACE, NATMUX_EINVAL; sequence
 * number and port id are filled in by the session. A message with keys is wiped by who owns it.
 */
#ifndef NM_XFRM_STATE_MESSAGE_H
#define NM_XFRM_STATE_MESSAGE_H

#include "xfrm/state.h"

struct nlmsghdr;

enum { NM_XFRM_MESSAGE_MAX = 2048 };

/* Room for one message, aligned for the kernel's structures. */
struct nm_xfrm_message {
	_Alignas(8) uint8_t bytes[NM_XFRM_MESSAGE_MAX];
};

/* NEWSA: refused when it is there. UPDSA: refused when it is not, but for one of ALLOCSPI's. */
int nm_xfrm_state_add(const struct nm_xfrm_state *state, struct nm_xfrm_message *message);
int nm_xfrm_state_update(const struct nm_xfrm_state *state, struct nm_xfrm_message *message);

int nm_xfrm_state_delete(const struct nm_xfrm_state_id *id, struct nm_xfrm_message *message);
int nm_xfrm_state_get(const struct nm_xfrm_state_id *id, struct nm_xfrm_message *message);

/* All of one protocol. 0: of every protocol. */
int nm_xfrm_state_dump(uint8_t protocol, struct nm_xfrm_message *message);
int nm_xfrm_state_flush(uint8_t protocol, struct nm_xfrm_message *message);

/*
 * Lets the kernel choose an SPI of [min, max] (host byte order) for packets to `destination`; the
 * answer is a state. It stays reserved for 30 s or so (net.core.xfrm_acq_expires), until UPDSA.
 */
int nm_xfrm_state_alloc_spi(const struct nm_xfrm_state *state, uint32_t min, uint32_t max,
	struct nm_xfrm_message *message);

/* The numbers alone. NEWAE sets `replay` of a state that is there, in the form it already has. */
int nm_xfrm_replay_query(const struct nm_xfrm_state_id *id, struct nm_xfrm_message *message);
int nm_xfrm_replay_set(const struct nm_xfrm_state_id *id, const struct nm_xfrm_replay *replay,
	struct nm_xfrm_message *message);

/*
 * Reads NEWSA or UPDSA (answers, dumps, events); names and keys borrow from the message.
 * NATMUX_ETRUNCATED, NATMUX_EMALFORMED. Unknown attributes are passed over.
 */
int nm_xfrm_state_decode(const struct nlmsghdr *message, struct nm_xfrm_state *state);

#endif
