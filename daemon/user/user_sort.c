/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at SPIs and at nothing else. Whose they are is natmux_esp_home()'s rule. */
#include "daemon/user/user_sort.h"

#include "base/bytes.h"

enum { SPI_BYTES = 4 };

/* What is too short for an SPI stays here: the plane counts it. */
static uint32_t home_of(const struct nm_user_sort *sort, const uint8_t *datagram, uint32_t len)
{
	return len < SPI_BYTES ? sort->index : natmux_esp_home(sort->esp, nm_get32(datagram));
}

/* The bytes of the datagrams, from the first, that are at home together. */
static uint32_t same_home(
	const struct nm_user_sort *sort, const struct natmux_train *train, uint32_t *home)
{
	uint32_t segment = train->segment > 0 ? train->segment : train->len, at = segment;

	*home = home_of(sort, train->data, train->len);
	while (at < train->len && home_of(sort, train->data + at, train->len - at) == *home)
		at += segment;
	return at < train->len ? at : train->len;
}

static void sort_train(
	const struct nm_user_sort *sort, uint64_t now_ms, const struct natmux_train *train)
{
	struct natmux_train part = *train;
	uint32_t left = train->len;

	while (left > 0) {
		uint32_t home;

		part.len = left;
		part.len = same_home(sort, &part, &home);
		if (home == sort->index)
			natmux_esp_input(sort->esp, now_ms, &part, 1);
		else
			sort->forward(sort->user, home, &part);
		part.data += part.len;
		left -= part.len;
	}
}

/* How many of the trains, from the first, are wholly ours. */
static size_t count_ours(
	const struct nm_user_sort *sort, const struct natmux_train *trains, size_t n)
{
	size_t i = 0;
	uint32_t home;

	while (i < n && same_home(sort, &trains[i], &home) == trains[i].len && home == sort->index)
		i++;
	return i;
}

void nm_user_sort_input(const struct nm_user_sort *sort, uint64_t now_ms,
	const struct natmux_train *trains, size_t n)
{
	for (size_t at = 0; at < n;) {
		size_t ours = count_ours(sort, trains + at, n - at);

		if (ours > 0)
			natmux_esp_input(sort->esp, now_ms, trains + at, ours);
		at += ours;
		if (at < n)
			sort_train(sort, now_ms, &trains[at++]);
	}
}
