/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a peer is. It moves on its newest authentic packet and on nothing else (RFC 7296 2.23, rows
 * I6 and I8), as far as the SA's policy lets it, and at most once a second.
 */
#include <string.h>

#include "esp/plane.h"

static bool is_same_ip(const struct natmux_addr *a, const struct natmux_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* Whether the SA's policy lets a peer go from one place to another. */
static bool may_move(
	const struct nm_sa *sa, const struct natmux_addr *from, const struct natmux_addr *to)
{
	switch ((enum natmux_roam)sa->roam) {
	case NATMUX_ROAM_NO: return false;
	case NATMUX_ROAM_PORT: return is_same_ip(from, to);
	case NATMUX_ROAM_YES: return true;
	}
	return false;
}

static void tell(struct natmux_esp *esp, const struct nm_sa *sa, const struct natmux_path *before)
{
	nm_plane_event(esp, &(struct natmux_esp_event){
				    .type = NATMUX_ESP_EVENT_MOVED,
				    .spi = sa->spi,
				    .direction = (enum natmux_sa_direction)sa->direction,
				    .reqid = sa->reqid,
				    .path = sa->path,
				    .path_before = *before,
			    });
}

/*
 * What goes out to the peer follows what came in from it. An inbound SA that waited for anybody has
 * moved without being asked whether it may: its pair, which knows where the peer is, learns from that
 * which port a NAT has given it, but no address that its policy does not allow.
 */
static void move_pair(struct natmux_esp *esp, const struct nm_sa *sa)
{
	struct nm_sa *pair = sa->reqid > 0 ? nm_sad_find_reqid(&esp->sad, sa->reqid) : NULL;

	if (!pair || (!is_same_ip(&pair->path.remote, &sa->path.remote) &&
			     !may_move(sa, &pair->path.remote, &sa->path.remote)))
		return;
	pair->path = sa->path;
	pair->path_ms = sa->path_ms;
}

/*
 * The peer is where it was, but what goes out to it may not know: an outbound SA that came later,
 * with the peer's place as somebody has written it down. Looked at once a second.
 */
static void lead_pair(struct natmux_esp *esp, struct nm_sa *sa, uint64_t now_ms)
{
	struct natmux_path before;
	struct nm_sa *pair;

	if (sa->reqid == 0 || now_ms < sa->led_ms + NM_PLANE_MOVE_MS)
		return;
	sa->led_ms = now_ms;
	pair = nm_sad_find_reqid(&esp->sad, sa->reqid);
	if (!pair || natmux_addr_equal(&pair->path.remote, &sa->path.remote) ||
		!may_move(sa, &pair->path.remote, &sa->path.remote))
		return;
	before = pair->path;
	pair->path = sa->path;
	pair->path_ms = now_ms;
	tell(esp, pair, &before);
}

void nm_path_seen(
	struct natmux_esp *esp, struct nm_sa *sa, uint64_t now_ms, const struct natmux_path *path)
{
	struct natmux_path before = sa->path;

	if (natmux_addr_equal(&sa->path.remote, &path->remote)) {
		lead_pair(esp, sa, now_ms);
		return;
	}
	/* The first packet of an SA that waits for anybody says where its peer is. */
	if (before.remote.family != NATMUX_FAMILY_NONE &&
		(!may_move(sa, &sa->path.remote, &path->remote) ||
			now_ms < sa->path_ms + NM_PLANE_MOVE_MS))
		return;
	sa->path = *path;
	sa->path_ms = now_ms;
	move_pair(esp, sa);
	tell(esp, sa, &before);
}
