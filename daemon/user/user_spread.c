/* SPDX-License-Identifier: Apache-2.0 */
/* Makes reuseport groups of workers' sockets. Which of them gets what is dispatcher/spread.h's. */
#include "daemon/user/user_spread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <natmux/error.h>

#include "base/log.h"
#include "dispatcher/spread.h"
#include "io/reuseport_proof.h"
#include "io/uv_driver.h"

bool nm_user_spread_prove(uint32_t workers, char *why, size_t size)
{
	struct nm_spread_sample samples[NM_SPREAD_SAMPLES];
	struct nm_reuseport_probe probes[NM_SPREAD_SAMPLES];
	struct nm_filter_step steps[NM_SPREAD_STEPS];
	size_t steps_n = nm_spread_program(workers, steps);
	size_t n = nm_spread_samples(workers, samples);
	char reason[NM_REUSEPORT_WHY] = "";

	for (size_t i = 0; i < n; i++)
		probes[i] = (struct nm_reuseport_probe){
			samples[i].what, samples[i].payload, samples[i].len, samples[i].worker};
	if (nm_reuseport_prove(&nm_sys_real, workers, steps, steps_n, probes, n, reason) == 0)
		return true;
	snprintf(why, size, "%s", reason);
	return false;
}

static int refused(const struct natmux_log *log, const char *call)
{
	nm_log(log, NATMUX_LOG_ERROR, "workers: %s: %s", call, strerror(errno));
	return NATMUX_ESYSTEM;
}

int nm_user_spread_share(const struct natmux_uv *first, const struct natmux_log *log)
{
	int fd, on = 1;

	for (size_t i = 0; (fd = nm_uv_fd(first, i)) >= 0; i++)
		if (nm_sys_real.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
			return refused(log, "setsockopt(SO_REUSEPORT)");
	return 0;
}

int nm_user_spread_begin(
	const struct natmux_uv *first, uint32_t workers, const struct natmux_log *log)
{
	struct nm_filter_step steps[NM_SPREAD_STEPS];
	size_t n = nm_spread_program(workers, steps);
	int fd;

	for (size_t i = 0; (fd = nm_uv_fd(first, i)) >= 0; i++)
		if (nm_reuseport_attach(&nm_sys_real, fd, steps, n) < 0)
			return refused(log, "setsockopt(SO_ATTACH_REUSEPORT_CBPF)");
	return 0;
}
