/* SPDX-License-Identifier: Apache-2.0 */
/* A build without libseccomp, or with a sanitizer, whose runtime needs system calls of its own. */
#include "daemon/process/seccomp.h"

#include "base/log.h"

int nm_seccomp_apply(const struct natmux_log *log)
{
	nm_log(log, NATMUX_LOG_WARNING, "seccomp: natmuxd was built without; going on without");
	return 0;
}

/* Its parent has said so. */
int nm_seccomp_apply_joining(const struct natmux_log *log)
{
	(void)log;
	return 0;
}
