/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel said to a request: an errno and, with NETLINK_EXT_ACK, a sentence. */
#ifndef NM_XFRM_ACK_H
#define NM_XFRM_ACK_H

#include <stdbool.h>
#include <stdint.h>

struct nlmsghdr;

enum { NM_XFRM_ANSWER_TEXT = 160 };

/* What a kernel without ESP is told by, everywhere. */
#define NM_XFRM_NO_ESP "this kernel has no ESP (CONFIG_INET_ESP); use esp = user"

struct nm_xfrm_answer {
	int error;          /* 0 or NATMUX_E... */
	int os_error;       /* 0, or the positive errno it comes from; ETIMEDOUT: no answer came */
	uint16_t attribute; /* type of the attribute that is missing, XFRMA_...; 0: not said */
	uint32_t offset;    /* of the bad attribute in the request; 0: not said */
	/*
	 * For the user: what the kernel said ("Invalid ALG_AEAD: key length"), or what its errno
	 * means here ("no such state", "needs CAP_NET_ADMIN", "this kernel has no ESP
	 * (CONFIG_INET_ESP); use esp = user"). Printable, NUL-terminated; "" on success.
	 */
	char text[NM_XFRM_ANSWER_TEXT];
};

/* What an errno means in answer to a request of type `request` (XFRM_MSG_...), as error and text. */
void nm_xfrm_answer_set(struct nm_xfrm_answer *answer, uint16_t request, int os_error);

/*
 * Reads NLMSG_ERROR or NLMSG_DONE. `request`: the type of what it answers. NATMUX_ETRUNCATED,
 * NATMUX_EMALFORMED.
 */
int nm_xfrm_ack_decode(
	const struct nlmsghdr *message, uint16_t request, struct nm_xfrm_answer *answer);

#endif
