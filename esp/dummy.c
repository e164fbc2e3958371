/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dummy packets (RFC 4303 2.6) of SAs that are to send them: whoever watches the path shall not see
 * when nothing is said. In silence only, and at most ten rounds a second whatever is configured.
 */
#include "base/bytes.h"
#include "esp/plane.h"

enum { ROUND_MS = 100, INNER_MIN = 20 };

struct round {
	struct natmux_esp *esp;
	uint64_t now_ms, next_ms;
};

static uint32_t random_below(const struct natmux_esp *esp, uint32_t limit)
{
	uint8_t bytes[4];

	esp->config.random.fill(esp->config.random.user, bytes, sizeof(bytes));
	return nm_get32(bytes) % limit;
}

/* From half to one and a half of what is configured: a clock's regularity would tell them apart. */
static void draw_wait(const struct natmux_esp *esp, struct nm_sa *sa)
{
	uint32_t mean_ms = sa->dummy_seconds * UINT32_C(1000);

	sa->dummy_wait_ms = mean_ms / 2 + random_below(esp, mean_ms);
}

/* Octets of the packet that it pretends to be, as long as those of traffic may be. */
static uint32_t draw_len(struct natmux_esp *esp, struct nm_sa *sa, uint64_t now_ms)
{
	uint32_t most = nm_plane_inner_max(esp, sa, now_ms);

	/* Nothing waits: natmux_esp_output() leaves no vector behind. */
	sa->tfc_pad = nm_sa_padding_within(sa, most);
	return most <= INNER_MIN ? most : INNER_MIN + random_below(esp, most - INNER_MIN + 1);
}

static void send_dummy(struct natmux_esp *esp, struct nm_sa *sa, uint64_t now_ms)
{
	struct nm_seal_item item = {.packet = esp->out, .next_header = NM_ESP_NO_NEXT_HEADER};
	struct natmux_train train = {
		.data = esp->out,
		.flow = NATMUX_FLOW_NONE,
		.tos = sa->tos,
		.dont_fragment = sa->has_df,
		.path = sa->path,
	};

	item.len = draw_len(esp, sa, now_ms);
	train.len = train.segment = nm_sa_sealed_len(sa, item.len);
	/* With NULL ciphers everybody can read them. */
	esp->config.random.fill(esp->config.random.user, nm_seal_inner(sa, item.packet), item.len);
	if (!nm_seal(sa, &esp->ivs, &item, 1))
		return;
	esp->config.send(esp->config.user, &train, 1);
	sa->dummied_ms = sa->kept_ms = now_ms;
	draw_wait(esp, sa);
	nm_lifetime_count(esp, sa, 1, item.len);
}

static void look_at(void *user, struct nm_sa *sa)
{
	struct round *round = user;
	uint64_t silent_ms = nm_usage_last_ms(sa->usage);

	if (sa->dummy_seconds == 0 || sa->direction != NATMUX_SA_OUT ||
		nm_plane_is_copy(round->esp, sa) || nm_usage_is_dead(sa->usage) ||
		sa->path.remote.family == NATMUX_FAMILY_NONE ||
		nm_sad_find_reqid(&round->esp->sad, sa->reqid) != sa)
		return;
	if (sa->dummy_wait_ms == 0)
		draw_wait(round->esp, sa);
	silent_ms = silent_ms > sa->dummied_ms ? silent_ms : sa->dummied_ms;
	silent_ms = silent_ms > sa->added_ms ? silent_ms : sa->added_ms;
	if (silent_ms + sa->dummy_wait_ms <= round->now_ms) {
		send_dummy(round->esp, sa, round->now_ms);
		silent_ms = round->now_ms;
	}
	if (silent_ms + sa->dummy_wait_ms < round->next_ms)
		round->next_ms = silent_ms + sa->dummy_wait_ms;
}

uint64_t nm_plane_dummies(struct natmux_esp *esp, uint64_t now_ms)
{
	struct round round = {.esp = esp, .now_ms = now_ms, .next_ms = UINT64_MAX};

	nm_sad_each(&esp->sad, look_at, &round);
	return round.next_ms < now_ms + ROUND_MS ? now_ms + ROUND_MS : round.next_ms;
}
