/* SPDX-License-Identifier: Apache-2.0 */
/* NAT keepalives (RFC 3948 4) to the peers of SAs that no IKE daemon looks after. */
#include "esp/plane.h"

struct round {
	struct natmux_esp *esp;
	uint64_t now_ms, next_ms;
};

static void send_keepalive(struct natmux_esp *esp, const struct nm_sa *sa)
{
	static const uint8_t octet = 0xff; /* RFC 3948 2.3 */
	struct natmux_train train = {
		.data = &octet,
		.len = 1,
		.segment = 1,
		.flow = NATMUX_FLOW_NONE,
		.path = sa->path,
	};

	esp->config.send(esp->config.user, &train, 1);
}

static void look_at(void *user, struct nm_sa *sa)
{
	struct round *round = user;
	struct natmux_esp *esp = round->esp;
	/* Of all workers together: only the leader's plane sends keepalives. */
	uint64_t used_ms = nm_usage_last_ms(sa->usage);
	uint64_t silent_ms = used_ms > sa->kept_ms ? used_ms : sa->kept_ms;

	/* Only the SA in use of each reqid: the one it replaced has the same peer. */
	if (sa->direction != NATMUX_SA_OUT || nm_usage_is_dead(sa->usage) ||
		sa->path.remote.family == NATMUX_FAMILY_NONE ||
		nm_sad_find_reqid(&esp->sad, sa->reqid) != sa)
		return;
	if (silent_ms + esp->config.keepalive_ms <= round->now_ms) {
		send_keepalive(esp, sa);
		silent_ms = sa->kept_ms = round->now_ms;
	}
	if (silent_ms + esp->config.keepalive_ms < round->next_ms)
		round->next_ms = silent_ms + esp->config.keepalive_ms;
}

uint64_t nm_plane_keepalives(struct natmux_esp *esp, uint64_t now_ms)
{
	struct round round = {.esp = esp, .now_ms = now_ms, .next_ms = UINT64_MAX};

	if (esp->config.keepalive_ms > 0)
		nm_sad_each(&esp->sad, look_at, &round);
	return round.next_ms;
}
