/* SPDX-License-Identifier: Apache-2.0 */
/* Finding SAs. */
#include "esp/sad.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>

enum { CACHE_LINE = 64 };

int nm_sad_init(struct nm_sad *sad, uint32_t max, const uint8_t key[16])
{
	memset(sad, 0, sizeof(*sad));
	if (nm_htab_init(&sad->by_spi, max) < 0 || nm_htab_init(&sad->by_reqid, max) < 0)
		goto fail;
	sad->sas = calloc(max, sizeof(struct nm_sa *));
	sad->free = malloc(max * sizeof(*sad->free));
	if (!sad->sas || !sad->free)
		goto fail;
	sad->max = max;
	for (uint32_t i = 0; i < max; i++)
		sad->free[i] = max - 1 - i;
	memcpy(sad->key, key, sizeof(sad->key));
	return 0;
fail:
	nm_sad_done(sad);
	return NATMUX_ENOMEM;
}

void nm_sad_done(struct nm_sad *sad)
{
	for (uint32_t i = 0; sad->sas && i < sad->max; i++)
		nm_sa_free(sad->sas[i]);
	free(sad->sas);
	free(sad->free);
	nm_htab_done(&sad->by_spi);
	nm_htab_done(&sad->by_reqid);
	memset(sad, 0, sizeof(*sad));
}

/* What an SA is found by: an outbound SPI is the peer's, so two peers may have chosen the same. */
struct spi_key {
	uint32_t spi;
	uint8_t direction, family;
	uint8_t zero[2];
	uint8_t ip[16];
};

static struct spi_key key_in(uint32_t spi)
{
	return (struct spi_key){.spi = spi, .direction = NATMUX_SA_IN};
}

static struct spi_key key_out(uint32_t spi, const struct natmux_addr *remote)
{
	struct spi_key key = {.spi = spi, .direction = NATMUX_SA_OUT, .family = remote->family};

	memcpy(key.ip, remote->ip, sizeof(key.ip));
	return key;
}

static uint32_t hash_bytes(const struct nm_sad *sad, const void *data, size_t len)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint32_t hash;

	crypto_shorthash(out, data, len, sad->key);
	memcpy(&hash, out, sizeof(hash));
	return hash;
}

static bool key_is(const void *owner, uint32_t number, const void *key)
{
	const struct nm_sa *sa = ((const struct nm_sad *)owner)->sas[number];
	struct spi_key own = sa->direction == NATMUX_SA_IN ? key_in(sa->spi)
							   : key_out(sa->spi, &sa->filed_remote);

	return memcmp(&own, key, sizeof(own)) == 0;
}

static uint32_t find_number(const struct nm_sad *sad, const struct spi_key *key)
{
	return nm_htab_find(&sad->by_spi, hash_bytes(sad, key, sizeof(*key)), key_is, sad, key);
}

static struct nm_sa *sa_of(const struct nm_sad *sad, uint32_t number)
{
	return number == NM_HTAB_NONE ? NULL : sad->sas[number];
}

struct nm_sa *nm_sad_find(struct nm_sad *sad, uint32_t spi)
{
	struct spi_key key = key_in(spi);

	/* Trains of one SA come in runs. */
	if (sad->last && sad->last_spi == spi)
		return sad->last;
	sad->last = sa_of(sad, find_number(sad, &key));
	sad->last_spi = spi;
	return sad->last;
}

static void prefetch(const void *memory, size_t len)
{
	for (size_t at = 0; at < len; at += CACHE_LINE)
		__builtin_prefetch((const uint8_t *)memory + at);
}

static void prefetch_rest(const struct nm_sa *sa)
{
	const struct nm_replay *replay = &sa->replay;

	prefetch(sa->key, sa->key_bytes);
	if (sa->sequence)
		__builtin_prefetch(sa->sequence);
	if (replay->size > 0)
		__builtin_prefetch(&replay->ring[replay->top / NM_REPLAY_BITS & replay->mask]);
}

/* Each step for all of them, so that their memory is waited for once a step. */
static void prefetch_hashed(
	const struct nm_sad *sad, const struct nm_htab *index, const uint32_t *hashes, size_t n)
{
	uint32_t numbers[NM_SAD_PREFETCH];
	const struct nm_sa *sas[NM_SAD_PREFETCH];

	for (size_t i = 0; i < n; i++)
		nm_htab_prefetch(index, hashes[i]);
	for (size_t i = 0; i < n; i++) {
		numbers[i] = nm_htab_guess(index, hashes[i]);
		if (numbers[i] != NM_HTAB_NONE)
			__builtin_prefetch(&sad->sas[numbers[i]]);
	}
	for (size_t i = 0; i < n; i++) {
		sas[i] = sa_of(sad, numbers[i]);
		if (sas[i])
			prefetch(sas[i], sizeof(*sas[i]));
	}
	for (size_t i = 0; i < n; i++)
		if (sas[i])
			prefetch_rest(sas[i]);
}

void nm_sad_prefetch(const struct nm_sad *sad, const uint32_t *spis, size_t n)
{
	uint32_t hashes[NM_SAD_PREFETCH];

	for (size_t i = 0; i < n; i++) {
		struct spi_key key = key_in(spis[i]);

		hashes[i] = hash_bytes(sad, &key, sizeof(key));
	}
	prefetch_hashed(sad, &sad->by_spi, hashes, n);
}

void nm_sad_prefetch_out(const struct nm_sad *sad, const uint32_t *reqids, size_t n)
{
	uint32_t hashes[NM_SAD_PREFETCH];

	for (size_t i = 0; i < n; i++)
		hashes[i] = hash_bytes(sad, &reqids[i], sizeof(reqids[i]));
	prefetch_hashed(sad, &sad->by_reqid, hashes, n);
}

struct nm_sa *nm_sad_find_out(
	const struct nm_sad *sad, uint32_t spi, const struct natmux_addr *remote)
{
	struct spi_key key = key_out(spi, remote);

	return sa_of(sad, find_number(sad, &key));
}

static bool reqid_is(const void *owner, uint32_t number, const void *key)
{
	return ((const struct nm_sad *)owner)->sas[number]->reqid == *(const uint32_t *)key;
}

static uint32_t find_reqid(const struct nm_sad *sad, uint32_t reqid)
{
	return nm_htab_find(
		&sad->by_reqid, hash_bytes(sad, &reqid, sizeof(reqid)), reqid_is, sad, &reqid);
}

struct nm_sa *nm_sad_find_reqid(const struct nm_sad *sad, uint32_t reqid)
{
	struct nm_sa *newest = sa_of(sad, find_reqid(sad, reqid));

	for (struct nm_sa *sa = newest; sa; sa = sa->older)
		if (!nm_usage_is_dead(sa->usage))
			return sa;
	return newest;
}

/* The newest of a reqid gives way to another, of which `number` is the place; or to none. */
static void file_reqid(struct nm_sad *sad, uint32_t reqid, uint32_t number)
{
	uint32_t hash = hash_bytes(sad, &reqid, sizeof(reqid));
	uint32_t before = find_reqid(sad, reqid);

	if (before != NM_HTAB_NONE)
		nm_htab_remove(&sad->by_reqid, hash, before);
	if (number != NM_HTAB_NONE)
		nm_htab_add(&sad->by_reqid, hash, number);
}

/* An outbound SA that was just added is the newest of its reqid. */
static void link_reqid(struct nm_sad *sad, struct nm_sa *sa)
{
	sa->older = sa_of(sad, find_reqid(sad, sa->reqid));
	if (sa->older)
		sa->older->newer = sa;
	file_reqid(sad, sa->reqid, sa->number);
}

static void unlink_reqid(struct nm_sad *sad, struct nm_sa *sa)
{
	if (sa->older)
		sa->older->newer = sa->newer;
	if (sa->newer)
		sa->newer->older = sa->older;
	else
		file_reqid(sad, sa->reqid, sa->older ? sa->older->number : NM_HTAB_NONE);
}

static void remove_number(struct nm_sad *sad, uint32_t number)
{
	struct nm_sa *sa = sad->sas[number];
	struct spi_key key = sa->direction == NATMUX_SA_IN ? key_in(sa->spi)
							   : key_out(sa->spi, &sa->filed_remote);

	if (sa->direction == NATMUX_SA_OUT)
		unlink_reqid(sad, sa);
	nm_htab_remove(&sad->by_spi, hash_bytes(sad, &key, sizeof(key)), number);
	sad->last = NULL;
	sad->sas[number] = NULL;
	sad->free[sad->max - sad->count--] = number;
	nm_sa_free(sa);
}

int nm_sad_add(struct nm_sad *sad, struct nm_sa *sa)
{
	struct spi_key key;
	uint32_t before, number;

	sa->filed_remote = sa->path.remote;
	key = sa->direction == NATMUX_SA_IN ? key_in(sa->spi) : key_out(sa->spi, &sa->filed_remote);
	before = find_number(sad, &key);
	if (before == NM_HTAB_NONE && sad->count == sad->max)
		return NATMUX_EFULL;
	if (before != NM_HTAB_NONE)
		remove_number(sad, before);
	number = sad->free[sad->max - ++sad->count];
	sa->number = number;
	sad->sas[number] = sa;
	sad->last = NULL;
	nm_htab_add(&sad->by_spi, hash_bytes(sad, &key, sizeof(key)), number);
	if (sa->direction == NATMUX_SA_OUT)
		link_reqid(sad, sa);
	return 0;
}

int nm_sad_delete(struct nm_sad *sad, enum natmux_sa_direction direction, uint32_t spi,
	const struct natmux_addr *remote)
{
	struct spi_key key = direction == NATMUX_SA_IN ? key_in(spi) : key_out(spi, remote);
	uint32_t number = find_number(sad, &key);

	if (number == NM_HTAB_NONE)
		return NATMUX_ENOTFOUND;
	remove_number(sad, number);
	return 0;
}

void nm_sad_each(const struct nm_sad *sad, void (*each)(void *user, struct nm_sa *sa), void *user)
{
	for (uint32_t i = 0; i < sad->max; i++)
		if (sad->sas[i])
			each(user, sad->sas[i]);
}
