/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel has dropped of a socket's datagrams before we could take them. */
#include "io/udp_batch.h"

#include <linux/sock_diag.h>

/* The kernel's count of what found the queue full; false when it cannot be asked (before 4.12). */
static bool ask_drops(const struct nm_udp *udp, uint32_t *drops)
{
	uint32_t info[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(info);

	if (udp->sys->getsockopt(udp->fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0 ||
		len <= SK_MEMINFO_DROPS * sizeof(*info))
		return false;
	*drops = info[SK_MEMINFO_DROPS];
	return true;
}

/*
 * Both ways tell the same counter. SO_RXQ_OVFL tells it with every datagram once anything was
 * dropped, some 35 ns each when there is most to do, and not before the next datagram: so it is
 * the second choice.
 */
void nm_udp_begin_drops(struct nm_udp *udp)
{
	udp->has_meminfo = ask_drops(udp, &udp->drops_seen);
	if (!udp->has_meminfo && !nm_udp_set_int(udp, SOL_SOCKET, SO_RXQ_OVFL, 1))
		nm_udp_tell_refused(udp, NATMUX_LOG_WARNING, "setsockopt(SO_RXQ_OVFL)");
}

void nm_udp_count_overflow(struct nm_udp *udp, uint32_t drops)
{
	uint32_t more = drops - udp->drops_seen;

	/* Two processors may have queued datagrams in another order than they counted. */
	if (more > INT32_MAX)
		return;
	udp->drops_seen = drops;
	udp->status.kernel_drops += more;
}

void nm_udp_ask_drops(struct nm_udp *udp)
{
	uint32_t drops;

	if (!udp->has_meminfo || !ask_drops(udp, &drops))
		return;
	udp->status.kernel_drops += drops - udp->drops_seen;
	udp->drops_seen = drops;
}
