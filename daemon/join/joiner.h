/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process that joins for natmuxd. Copying a daemon's sockets takes CAP_SYS_PTRACE, again each
 * time the daemon has been restarted: a right that a program which strangers send datagrams to must
 * not have. So a child keeps it, which sees no datagram and answers three questions.
 */
#ifndef NM_JOINER_H
#define NM_JOINER_H

#include "daemon/join/joining.h"

struct nm_joiner;

enum nm_joiner_request { NM_JOINER_JOIN, NM_JOINER_CHECK, NM_JOINER_LEAVE };

/*
 * Starts it; to be called before there are threads and before rights are given up. `config` is
 * copied with the process. NATMUX_ESYSTEM, logged.
 */
int nm_joiner_start(
	const struct nm_config *config, const struct natmux_log *log, struct nm_joiner **joiner);

/* Readable when there is an answer. */
int nm_joiner_fd(const struct nm_joiner *joiner);

/* Asks; each question has one answer. NATMUX_ESYSTEM: the process is gone. */
int nm_joiner_ask(struct nm_joiner *joiner, enum nm_joiner_request request, uint32_t tun);

/*
 * Takes the answer, without waiting: 1, or 0 when there is none yet. The descriptors of JOINED are
 * the caller's. NATMUX_ESYSTEM: the process is gone.
 */
int nm_joiner_answer(
	struct nm_joiner *joiner, struct nm_joining_answer *answer, struct nm_joining_fds *fds);

/*
 * Ends the process. With `leaves` it first puts the daemon's sockets back to what they were, which
 * is waited for, half a second at most. NULL is fine.
 */
void nm_joiner_stop(struct nm_joiner *joiner, bool leaves);

#endif
