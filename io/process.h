/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes have a socket open, by what /proc says. */
#ifndef NM_PROCESS_H
#define NM_PROCESS_H

#include <stddef.h>
#include "base/port_socket.h"

struct nm_process_search {
	const char *proc; /* where the kernel's files are: "/proc" */
	const struct nm_port_socket *sockets;
	size_t sockets_n;
	struct nm_port_holder *holders; /* room for what is found */
	size_t max;
	/* results */
	size_t n;
	unsigned int closed; /* processes that could not be looked into, for want of rights */
	bool is_full;        /* there are more holders than room */
};

/*
 * Looks into every process; each descriptor of one of the sockets is a holder. -1 and errno when
 * there is no such folder as `proc`; processes that go away meanwhile are no error.
 */
int nm_process_find(struct nm_process_search *search);

/*
 * The first process with one of these names that lives in another network namespace than we do;
 * 0: none is to be seen. `names` ends with NULL; `found` is the one it has.
 */
int nm_process_elsewhere(const char *proc, const char *const *names, const char **found);

#endif
