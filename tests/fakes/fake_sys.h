/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that fail on demand. Every call goes to the kernel unless a fault was asked for; all
 * faults and counts of calls belong to one test and end with fake_sys_reset().
 */
#ifndef FAKE_SYS_H
#define FAKE_SYS_H

#include "io/sys.h"

#define FAKE_CALL_MAP(X)                                                                           \
	X(SOCKET)                                                                                  \
	X(BIND)                                                                                    \
	X(CONNECT)                                                                                 \
	X(LISTEN)                                                                                  \
	X(ACCEPT)                                                                                  \
	X(GETSOCKNAME)                                                                             \
	X(SETSOCKOPT)                                                                              \
	X(GETSOCKOPT)                                                                              \
	X(RECVMMSG)                                                                                \
	X(SENDMMSG)                                                                                \
	X(RECVMSG)                                                                                 \
	X(SENDMSG)                                                                                 \
	X(OPEN)                                                                                    \
	X(READ)                                                                                    \
	X(WRITEV)                                                                                  \
	X(IOCTL)                                                                                   \
	X(POLL)                                                                                    \
	X(FCHMOD)                                                                                  \
	X(FCHOWN)                                                                                  \
	X(FSTAT)                                                                                   \
	X(PIDFD_OPEN)                                                                              \
	X(PIDFD_GETFD)                                                                             \
	X(MEMBARRIER)                                                                              \
	X(CHMOD)                                                                                   \
	X(LSTAT)                                                                                   \
	X(UNLINK)                                                                                  \
	X(MAP)

enum fake_call {
#define X(name) FAKE_##name,
	FAKE_CALL_MAP(X)
#undef X
		FAKE_CALLS
};

extern const struct nm_sys fake_sys;

/* No faults; counters of calls zero. What is open or mapped stays counted. */
void fake_sys_reset(void);

/* The next calls go well `skip` times, then `times` of them fail with `error`. */
void fake_sys_fail(enum fake_call call, unsigned int skip, unsigned int times, int error);

/* setsockopt or getsockopt of this option fails, always; up to 8 options. */
void fake_sys_fail_option(int level, int name, int error);

/* ioctl of this request fails, always. */
void fake_sys_fail_ioctl(unsigned long request, int error);

/*
 * sendmmsg asks `judge` about each message: 0 lets it pass, an errno stops the call there, as the
 * kernel does: what came before is sent. NULL: no judge.
 */
void fake_sys_judge_sent(int (*judge)(const struct msghdr *msg));

/* recvmmsg hands each received message to `edit` before it returns. NULL: no edit. */
void fake_sys_edit_received(void (*edit)(struct mmsghdr *msg));

/* sendmmsg takes at most so many messages at once; 0: all. */
void fake_sys_limit_sent(unsigned int limit);

unsigned int fake_sys_calls(enum fake_call call); /* failed ones included */
unsigned int fake_sys_messages_sent(void);        /* that sendmmsg gave to the kernel */
int fake_sys_open_fds(void);                      /* opened and not closed */
int fake_sys_maps(void);                          /* mapped and not unmapped */

#endif
