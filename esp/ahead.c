/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at a few packets before they are handled, so that the SAs which they are for come from
 * memory at the same time. It decides nothing: what it is wrong about is only slower.
 */
#include <string.h>

#include "esp/plane.h"

/* Packets between the same two hosts are mostly for the same SA. */
static bool is_same_pair(const struct nm_inner_info *a, const struct nm_inner_info *b)
{
	size_t addr_len = a->family == NATMUX_FAMILY_IPV4 ? 4 : 16;

	return a->family == b->family && memcmp(a->source, b->source, addr_len) == 0 &&
	       memcmp(a->destination, b->destination, addr_len) == 0;
}

/* False: the packet needs no SA that is not being fetched for the one before it. */
static bool find_reqid(const struct natmux_esp *esp, const struct natmux_inner *packet,
	struct nm_inner_info *before, uint32_t *reqid)
{
	const struct natmux_policy *policy;
	struct nm_inner_info info;

	if (!nm_inner_read(packet->data, packet->len, &info) ||
		(before->source && is_same_pair(&info, before)))
		return false;
	*before = info;
	policy = nm_spd_find(&esp->spd, &info);
	if (!policy || policy->action != NATMUX_POLICY_PROTECT)
		return false;
	*reqid = policy->reqid;
	return true;
}

size_t nm_plane_look_ahead(
	const struct natmux_esp *esp, const struct natmux_inner *packets, size_t n)
{
	struct nm_inner_info before = {0};
	uint32_t reqids[NM_SAD_PREFETCH];
	size_t used = 0;

	if (esp->sad.count < NM_SAD_MANY || n == 1)
		return n;
	if (n > NM_SAD_PREFETCH)
		n = NM_SAD_PREFETCH;
	for (size_t i = 0; i < n; i++)
		used += find_reqid(esp, &packets[i], &before, &reqids[used]);
	if (used > 1)
		nm_sad_prefetch_out(&esp->sad, reqids, used);
	return n;
}
