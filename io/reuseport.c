/* SPDX-License-Identifier: Apache-2.0 */
/* Translates a program into the kernel's words and attaches it. What it decides is not looked at. */
#include "io/reuseport.h"

#include <errno.h>
#include <linux/filter.h>

int nm_reuseport_attach(
	const struct nm_sys *sys, int fd, const struct nm_filter_step *steps, size_t n)
{
	struct sock_filter filter[NM_REUSEPORT_STEPS_MAX];
	struct sock_fprog program = {.len = (unsigned short)n, .filter = filter};

	if (n == 0 || n > NM_REUSEPORT_STEPS_MAX) {
		errno = EINVAL;
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		filter[i] = (struct sock_filter){
			steps[i].code, steps[i].jump_true, steps[i].jump_false, steps[i].k};
	return sys->setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program));
}
