/* SPDX-License-Identifier: Apache-2.0 */
/* What natmuxd may do: which capabilities its configuration needs at start, and none after it. */
#ifndef NM_PRIVILEGES_H
#define NM_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <natmux/log.h>

struct nm_config;

struct nm_privilege {
	const char *capability; /* "CAP_NET_ADMIN" */
	const char *why;        /* "to make the TUN device" */
	bool is_required;       /* else natmuxd goes on without, and says so */
};

enum { NM_PRIVILEGES_MAX = 12 };

/* What a start with this configuration uses; all of it is given up right after. */
size_t nm_privileges_needed(
	const struct nm_config *config, struct nm_privilege needed[static NM_PRIVILEGES_MAX]);

/* The capability that stays after the start, or NULL: none. */
const char *nm_privileges_kept(const struct nm_config *config);

/*
 * To be called when sockets and devices are open. Changes to the configured user and its groups,
 * gives up every capability but the one kept, and makes sure that none comes back (no_new_privs) and that no other
 * process of the user reads our memory (not dumpable). A natmuxd without privileges does the
 * latter two only. NATMUX_ESYSTEM, logged with what to do, when anything of it did not work: going
 * on with more rights than said is not an option.
 */
int nm_privileges_drop(const struct nm_config *config, const struct natmux_log *log);

/*
 * attach = join: whether this process may start one that joins. NATMUX_ESYSTEM, logged with what
 * to do, without CAP_SYS_PTRACE.
 */
int nm_privileges_check_joining(const struct natmux_log *log);

/*
 * For that process: keeps what joining takes, of what there is, and gives up the rest as
 * nm_privileges_drop() does; the user stays.
 */
int nm_privileges_keep_for_joining(const struct natmux_log *log);

/* The capabilities in force now: "cap_net_admin, cap_net_raw" or "none". Returns `text`. */
const char *nm_privileges_text(char *text, size_t size);

#endif
