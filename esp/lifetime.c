/* SPDX-License-Identifier: Apache-2.0 */
/* When an SA has done enough (RFC 4301 4.4.2.1): soft limits are told once, hard ones end it. */
#include "esp/plane.h"

/* Of 2^32 numbers without ESN so many are left when a new SA is asked for. */
#define NUMBERS_SOFT (UINT64_C(1) << 28)

static void tell(struct natmux_esp *esp, const struct nm_sa *sa, enum natmux_esp_event_type type)
{
	nm_plane_event(esp, &(struct natmux_esp_event){
				    .type = type,
				    .spi = sa->spi,
				    .direction = (enum natmux_sa_direction)sa->direction,
				    .reqid = sa->reqid,
				    .path = sa->path,
			    });
}

static void end(struct natmux_esp *esp, struct nm_sa *sa)
{
	if (nm_usage_end(sa->usage))
		tell(esp, sa, NATMUX_ESP_EVENT_HARD);
}

static void warn(struct natmux_esp *esp, struct nm_sa *sa)
{
	if (nm_usage_warn(sa->usage))
		tell(esp, sa, NATMUX_ESP_EVENT_SOFT);
}

static bool is_reached(uint64_t limit, uint64_t count)
{
	return limit > 0 && count >= limit;
}

static bool numbers_run_out(const struct nm_sa *sa)
{
	return sa->sequence && nm_sequence_last(sa->sequence) >= sa->sequence->limit - NUMBERS_SOFT;
}

void nm_lifetime_count(struct natmux_esp *esp, struct nm_sa *sa, uint64_t packets, uint64_t bytes)
{
	uint64_t sums[2];

	nm_usage_add(sa->usage, packets, bytes, sums);
	if (is_reached(sa->hard.packets, sums[0]) || is_reached(sa->hard.bytes, sums[1]))
		end(esp, sa);
	else if (is_reached(sa->soft.packets, sums[0]) || is_reached(sa->soft.bytes, sums[1]) ||
		 numbers_run_out(sa))
		warn(esp, sa);
}

struct expiry {
	struct natmux_esp *esp;
	uint64_t now_ms, next_ms;
};

static void sooner(struct expiry *expiry, uint64_t at_ms)
{
	if (at_ms < expiry->next_ms)
		expiry->next_ms = at_ms;
}

static void expire_one(void *user, struct nm_sa *sa)
{
	struct expiry *expiry = user;
	uint64_t soft_ms = sa->added_ms + UINT64_C(1000) * sa->soft.seconds;
	uint64_t hard_ms = sa->added_ms + UINT64_C(1000) * sa->hard.seconds;

	if (nm_usage_is_dead(sa->usage) || nm_plane_is_copy(expiry->esp, sa))
		return;
	if (sa->soft.seconds > 0 && !atomic_load(&sa->usage->is_soft_told)) {
		if (expiry->now_ms >= soft_ms)
			warn(expiry->esp, sa);
		else
			sooner(expiry, soft_ms);
	}
	if (sa->hard.seconds > 0) {
		if (expiry->now_ms >= hard_ms)
			end(expiry->esp, sa);
		else
			sooner(expiry, hard_ms);
	}
}

uint64_t nm_lifetime_expire(struct natmux_esp *esp, uint64_t now_ms)
{
	struct expiry expiry = {.esp = esp, .now_ms = now_ms, .next_ms = UINT64_MAX};

	nm_sad_each(&esp->sad, expire_one, &expiry);
	return expiry.next_ms;
}

void nm_lifetime_end(struct natmux_esp *esp, struct nm_sa *sa)
{
	end(esp, sa);
}
