/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of a natmuxd that is running. */
#ifndef NM_SECCOMP_H
#define NM_SECCOMP_H

#include <natmux/log.h>

/*
 * From here on the process has the system calls that a running natmuxd makes, and no others; there
 * is no way back. What it must not do fails with EPERM and is in the kernel's log; what only an
 * intruder would do (run a program, look into another process) ends it. To be called last of all,
 * after nm_privileges_drop(). Returns 0 as well, with a line in the log, where this build or the
 * kernel has no such filter; NATMUX_ENOMEM or NATMUX_ESYSTEM when it could not be made.
 */
int nm_seccomp_apply(const struct natmux_log *log);

/* The same for the process of attach = join (joiner.h), which makes others. */
int nm_seccomp_apply_joining(const struct natmux_log *log);

#endif
