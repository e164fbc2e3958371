/* SPDX-License-Identifier: Apache-2.0 */
/* Token buckets with time as an argument; who is asked to pay is the caller's decision. */
#include "base/rate.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 4, TOKEN = 1000 };

_Static_assert(NM_RATE_KEY_BYTES == crypto_shorthash_KEYBYTES, "siphash key");

struct entry {
	uint64_t prefix_hash; /* 0: empty */
	struct nm_bucket bucket;
};

struct nm_rate_table {
	uint8_t key[NM_RATE_KEY_BYTES];
	uint32_t mask;
	struct entry sets[][WAYS];
};

void nm_bucket_init(struct nm_bucket *bucket, uint32_t burst, uint64_t now_ms)
{
	bucket->milli = (uint64_t)burst * TOKEN;
	bucket->filled_ms = now_ms;
}

/* What the bucket holds at `now_ms`. */
static uint64_t level(
	const struct nm_bucket *bucket, uint32_t per_s, uint32_t burst, uint64_t now_ms)
{
	uint64_t full = (uint64_t)burst * TOKEN;
	uint64_t elapsed = now_ms > bucket->filled_ms ? now_ms - bucket->filled_ms : 0;

	if (per_s > 0 && elapsed > full / per_s)
		return full;
	return bucket->milli + elapsed * per_s < full ? bucket->milli + elapsed * per_s : full;
}

bool nm_bucket_take(struct nm_bucket *bucket, uint32_t per_s, uint32_t burst, uint64_t now_ms)
{
	uint64_t milli = level(bucket, per_s, burst, now_ms);
	bool has_one = per_s > 0 && milli >= TOKEN;

	bucket->milli = has_one ? milli - TOKEN : milli;
	if (now_ms > bucket->filled_ms)
		bucket->filled_ms = now_ms;
	return has_one;
}

struct nm_rate_table *nm_rate_table_new(uint32_t sets, const uint8_t key[NM_RATE_KEY_BYTES])
{
	struct nm_rate_table *table = calloc(1, sizeof(*table) + sets * sizeof(table->sets[0]));

	if (!table)
		return NULL;
	memcpy(table->key, key, NM_RATE_KEY_BYTES);
	table->mask = sets - 1;
	return table;
}

void nm_rate_table_free(struct nm_rate_table *table)
{
	free(table);
}

uint64_t nm_prefix_hash(const struct natmux_addr *addr, uint8_t bits4, uint8_t bits6,
	const uint8_t key[NM_RATE_KEY_BYTES])
{
	unsigned int bits = addr->family == NATMUX_FAMILY_IPV4 ? bits4 : bits6;
	uint8_t prefix[17] = {0}, out[crypto_shorthash_BYTES];
	uint64_t hash;

	memcpy(prefix, addr->ip, bits / 8);
	if (bits % 8)
		prefix[bits / 8] = (uint8_t)(addr->ip[bits / 8] & 0xff00 >> bits % 8);
	prefix[16] = addr->family;
	crypto_shorthash(out, prefix, sizeof(prefix), key);
	memcpy(&hash, out, sizeof(hash));
	return hash ? hash : 1;
}

/* The bucket of this prefix; a full one in place of the fullest when it has none. */
static struct nm_bucket *find_bucket(
	struct entry *set, uint64_t hash, const struct nm_rate_prefix *rate, uint64_t now_ms)
{
	struct entry *fullest = &set[0];
	uint64_t most = 0;

	for (unsigned int i = 0; i < WAYS; i++) {
		uint64_t tokens = UINT64_MAX;

		if (set[i].prefix_hash == hash)
			return &set[i].bucket;
		if (set[i].prefix_hash)
			tokens = level(&set[i].bucket, rate->per_s, rate->burst, now_ms);
		if (tokens > most) {
			most = tokens;
			fullest = &set[i];
		}
	}
	fullest->prefix_hash = hash;
	nm_bucket_init(&fullest->bucket, rate->burst, now_ms);
	return &fullest->bucket;
}

bool nm_rate_table_take(struct nm_rate_table *table, const struct nm_rate_prefix *rate,
	const struct natmux_addr *addr, uint64_t now_ms)
{
	uint64_t hash = nm_prefix_hash(addr, rate->bits4, rate->bits6, table->key);
	struct entry *set = table->sets[hash & table->mask];

	return nm_bucket_take(
		find_bucket(set, hash, rate, now_ms), rate->per_s, rate->burst, now_ms);
}
