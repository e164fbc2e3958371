/* SPDX-License-Identifier: Apache-2.0 */
/* What a request about SAs may narrow them by. */
#ifndef NM_CONTROL_SA_FILTER_H
#define NM_CONTROL_SA_FILTER_H

#include "daemon/control/control_request.h"
#include "daemon/planes/sa_plane.h"

struct nm_sa_filter {
	bool has_direction, has_spi, has_reqid, has_remote;
	enum natmux_sa_direction direction;
	uint32_t spi;
	uint64_t reqid;
	struct natmux_addr remote; /* when the SA was added; its port does not count */
};

/* The request's "direction", "spi", "reqid" and "remote". NATMUX_EINVAL, and the call has failed. */
int nm_sa_filter_get(struct nm_control_call *call, struct nm_sa_filter *filter);

bool nm_sa_filter_matches(const struct nm_sa_filter *filter, const struct natmux_sa_info *info);

#endif
