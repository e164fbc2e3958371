/* SPDX-License-Identifier: Apache-2.0 */
/* The barrier that the kernel has, and the time that is waited where it has none. */
#include "io/rcu_barrier.h"

#include <stddef.h>
#include <linux/membarrier.h>

bool nm_rcu_barrier(const struct nm_sys *sys)
{
	if (sys->membarrier(MEMBARRIER_CMD_GLOBAL) == 0)
		return true;
	sys->poll(NULL, 0, NM_RCU_BARRIER_WAIT_MS);
	return false;
}
