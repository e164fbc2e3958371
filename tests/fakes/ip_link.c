/* SPDX-License-Identifier: Apache-2.0 */
/* ip(8), run without a shell. */
#include "tests/fakes/ip_link.h"

#include <sys/wait.h>
#include <unistd.h>

bool ip_link_delete(const char *name)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		execlp("ip", "ip", "link", "delete", name, (char *)NULL);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}
