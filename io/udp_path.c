/* SPDX-License-Identifier: Apache-2.0 */
/* Which of several sockets a path goes by. */
#include "io/udp_batch.h"

#include <string.h>

static bool has_ip(const struct natmux_addr *addr)
{
	static const uint8_t zeros[16];

	return memcmp(addr->ip, zeros, sizeof(zeros)) != 0;
}

int nm_udp_suits(const struct nm_udp *udp, const struct natmux_path *path)
{
	const struct natmux_addr *bound = &udp->local, *local = &path->local;
	bool is_same_port = local->port == 0 || local->port == bound->port;

	if (bound->family != path->remote.family || !is_same_port)
		return 0;
	if (udp->is_wildcard)
		return 2;
	if (!has_ip(local))
		return 1;
	if (memcmp(bound->ip, local->ip, sizeof(bound->ip)) != 0)
		return 0;
	return bound->scope_id == local->scope_id || !bound->scope_id || !local->scope_id ? 3 : 0;
}
