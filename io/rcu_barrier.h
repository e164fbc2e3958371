/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for what the kernel has begun. */
#ifndef NM_IO_RCU_BARRIER_H
#define NM_IO_RCU_BARRIER_H

#include <stdbool.h>

#include "io/sys.h"

enum { NM_RCU_BARRIER_WAIT_MS = 20 };

/*
 * Returns when the kernel is through with all that it had begun between rcu_read_lock() and
 * rcu_read_unlock(), such as taking in a packet (membarrier(2)). Where it cannot be asked (nohz_full=,
 * a system call filter) that takes NM_RCU_BARRIER_WAIT_MS: long for a packet, and no proof. False then.
 */
bool nm_rcu_barrier(const struct nm_sys *sys);

#endif
