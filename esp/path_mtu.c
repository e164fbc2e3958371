/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the paths to peers are known to take, per SA and for a while (RFC 4301 8.2.1, 8.2.2). Who has
 * found it out is the owner's business: the kernel, mostly, from an ICMP message.
 */
#include <string.h>

#include "base/export.h"
#include "esp/plane.h"

enum {
	LEAST4 =
		576, /* what every host takes (RFC 791 3.1); less is nobody's link, but an attack */
	LEAST6 = 1280,
	AGE_MS = 10 * 60 * 1000, /* RFC 1191 6.3 */
	ROUND_MS = 1000,         /* what is learnt bit by bit is forgotten in one go */
};

uint32_t nm_path_mtu(const struct natmux_esp *esp, struct nm_sa *sa, uint64_t now_ms)
{
	if (sa->path_mtu > 0 && now_ms >= sa->path_mtu_ms)
		sa->path_mtu = 0;
	return sa->path_mtu > 0 && sa->path_mtu < esp->config.path_mtu ? sa->path_mtu
								       : esp->config.path_mtu;
}

struct news {
	const struct natmux_addr *remote;
	uint64_t until_ms;
	uint16_t mtu;
};

static void tell(void *user, struct nm_sa *sa)
{
	const struct news *news = user;

	if (sa->direction != NATMUX_SA_OUT || sa->path.remote.family != news->remote->family ||
		memcmp(sa->path.remote.ip, news->remote->ip, sizeof(news->remote->ip)) != 0)
		return;
	sa->path_mtu = news->mtu;
	sa->path_mtu_ms = news->until_ms;
}

NM_EXPORT void natmux_esp_set_path_mtu(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_addr *remote, uint32_t mtu)
{
	uint32_t least = remote->family == NATMUX_FAMILY_IPV6 ? LEAST6 : LEAST4;
	struct news news = {.remote = remote, .until_ms = now_ms + AGE_MS};

	mtu = mtu < least ? least : mtu;
	news.mtu = mtu < UINT16_MAX ? (uint16_t)mtu : UINT16_MAX;
	if (news.until_ms < esp->mtu_ms)
		esp->mtu_ms = news.until_ms;
	nm_sad_each(&esp->sad, tell, &news);
}

struct round {
	uint64_t now_ms, next_ms;
};

static void expire_one(void *user, struct nm_sa *sa)
{
	struct round *round = user;

	if (sa->path_mtu > 0 && round->now_ms >= sa->path_mtu_ms)
		sa->path_mtu = 0;
	if (sa->path_mtu > 0 && sa->path_mtu_ms < round->next_ms)
		round->next_ms = sa->path_mtu_ms;
}

uint64_t nm_path_mtu_expire(struct natmux_esp *esp, uint64_t now_ms)
{
	struct round round = {now_ms, UINT64_MAX};

	nm_sad_each(&esp->sad, expire_one, &round);
	return round.next_ms > now_ms + ROUND_MS ? round.next_ms : now_ms + ROUND_MS;
}
