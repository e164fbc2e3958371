/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the kernel which UDP sockets there are on a port of this network namespace (sock_diag(7)).
 * Needs no capability, and CONFIG_INET_UDP_DIAG in the kernel.
 */
#ifndef NM_SOCK_DIAG_H
#define NM_SOCK_DIAG_H

#include <stddef.h>
#include "base/port_socket.h"
#include "io/sys.h"

enum {
	NM_SOCK_DIAG_REQUEST = 72, /* bytes: struct nlmsghdr, struct inet_diag_req_v2 */
	NM_SOCK_DIAG_REPLY =
		32768 /* of one datagram of the answer: what the kernel makes at most */
};

/* What is asked; bytes as they go over the socket. */
void nm_sock_diag_encode(
	uint8_t family, uint16_t port, uint32_t sequence, uint8_t request[NM_SOCK_DIAG_REQUEST]);

/*
 * Takes in one datagram of the answer: adds the sockets on the port that are not connected to the
 * `*n` that are in `sockets`, `max` at most; `uid`: only that user's, NULL: whosoever. 1: this was
 * the last; 0: there are more. Negative: NATMUX_EFULL, NATMUX_EINVAL (not the answer to this
 * request), NATMUX_EUNSUPPORTED (the kernel does not know the request), NATMUX_ESYSTEM with errno,
 * which is EINTR when sockets came or went meanwhile.
 */
int nm_sock_diag_decode(const void *reply, size_t len, uint16_t port, uint32_t sequence,
	const uint32_t *uid, struct nm_port_socket *sockets, size_t max, size_t *n);

/*
 * Lists the user's sockets of both families or, where he has none, the first `max` of anybody's: what
 * other users bind must not stand in his way. `*n` is left alone on failure: errors as above,
 * NATMUX_ESYSTEM with errno also when the kernel cannot be talked to or does not answer within a
 * second.
 */
int nm_sock_diag_list(const struct nm_sys *sys, uint16_t port, uint32_t uid,
	struct nm_port_socket *sockets, size_t max, size_t *n);

#endif
