/* SPDX-License-Identifier: Apache-2.0 */
/* ESP on its way in (RFC 4303 3.4): authentic, new, well padded. What the inner packet says is not
 * judged here. */
#include "esp/open.h"

#include <string.h>

#include "base/bytes.h"

enum { RESYNC_PACKET_MAX = 10240 /* longer ones are not tried: a packet's copy is on the stack */ };

static uint32_t text_len(const struct nm_sa *sa, uint32_t len)
{
	return len - NM_ESP_HEADER - sa->iv_len - sa->icv_len;
}

/* The least is a trailer, padded to the alignment; RFC 4303 2.4. */
static bool has_right_len(const struct nm_sa *sa, uint32_t len)
{
	uint32_t least = NM_ESP_HEADER + sa->iv_len + sa->align + sa->icv_len;

	return len >= least && (text_len(sa, len) & (sa->align - 1u)) == 0;
}

static enum nm_open_verdict judge_number(struct nm_sa *sa, struct nm_open_item *item)
{
	switch (nm_replay_check(&sa->replay, nm_get32(item->packet + 4), &item->sequence)) {
	case NM_REPLAY_NEW: return NM_OPEN_GOOD;
	case NM_REPLAY_DUPLICATE: sa->counters.duplicate++; return NM_OPEN_DUPLICATE;
	case NM_REPLAY_LATE:
	case NM_REPLAY_INVALID: break;
	}
	sa->counters.late++;
	return NM_OPEN_LATE;
}

/* What may be decrypted becomes a job; returns how many there are. */
static size_t make_jobs(
	struct nm_sa *sa, struct nm_open_item *items, size_t n, struct nm_engine_job *jobs)
{
	size_t jobs_n = 0;

	for (size_t i = 0; i < n; i++) {
		if (!has_right_len(sa, items[i].len)) {
			sa->counters.too_short++;
			items[i].verdict = NM_OPEN_TOO_SHORT;
			continue;
		}
		items[i].verdict = judge_number(sa, &items[i]);
		if (items[i].verdict != NM_OPEN_GOOD)
			continue;
		jobs[jobs_n++] = (struct nm_engine_job){
			.packet = items[i].packet,
			.len = text_len(sa, items[i].len),
			.seq_high = (uint32_t)(items[i].sequence >> 32),
		};
	}
	return jobs_n;
}

static unsigned int reorder_bucket(uint64_t depth)
{
	unsigned int bucket = 63 - (unsigned int)__builtin_clzll(depth);

	return bucket < NATMUX_REORDER_BUCKETS ? bucket : NATMUX_REORDER_BUCKETS - 1;
}

/* The number of an authentic packet enters the window. */
static enum nm_open_verdict commit(struct nm_sa *sa, uint64_t sequence)
{
	uint64_t top = sa->replay.top, lost = nm_replay_leaving(&sa->replay, sequence);

	switch (nm_replay_commit(&sa->replay, sequence)) {
	case NM_REPLAY_NEW: break;
	case NM_REPLAY_DUPLICATE: sa->counters.replayed++; return NM_OPEN_REPLAYED;
	/* Others of the vector moved the window past it: no replay, it only took long. */
	case NM_REPLAY_LATE:
	case NM_REPLAY_INVALID: sa->counters.late++; return NM_OPEN_LATE;
	}
	sa->counters.lost += lost;
	if (sequence < top)
		sa->counters.reorder[reorder_bucket(top - sequence)]++;
	return NM_OPEN_GOOD;
}

/* RFC 4303 2.4: senders write 1, 2, 3…, and the receiver should look. */
static bool padding_is_right(const uint8_t *end, uint32_t pad)
{
	const uint8_t *padding = end - pad;
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < pad; i++)
		wrong |= padding[i] ^ (i + 1);
	return wrong == 0;
}

static enum nm_open_verdict read_trailer(struct nm_sa *sa, struct nm_open_item *item)
{
	uint32_t text = text_len(sa, item->len);
	uint8_t *inner = item->packet + NM_ESP_HEADER + sa->iv_len;
	uint32_t pad = inner[text - 2];

	if (pad > text - NM_ESP_TRAILER || !padding_is_right(inner + text - NM_ESP_TRAILER, pad)) {
		sa->counters.bad_padding++;
		return NM_OPEN_BAD_PADDING;
	}
	item->next_header = inner[text - 1];
	item->inner = inner;
	item->inner_len = text - NM_ESP_TRAILER - pad;
	if (item->next_header != NM_ESP_NO_NEXT_HEADER)
		return NM_OPEN_GOOD;
	sa->counters.dummy++;
	return NM_OPEN_DUMMY;
}

static void finish(struct nm_sa *sa, struct nm_open_item *item, bool is_authentic)
{
	if (!is_authentic) {
		sa->counters.bad_icv++;
		sa->failures += sa->failures < NM_SA_RESYNC_AFTER;
		item->verdict = NM_OPEN_BAD_ICV;
		return;
	}
	sa->failures = 0;
	item->verdict = commit(sa, item->sequence);
	if (item->verdict == NM_OPEN_GOOD)
		item->verdict = read_trailer(sa, item);
}

/*
 * RFC 4303 A3.2: whether a packet is authentic with a later high half. Whoever lost 2^32 packets in a
 * row takes those that follow for others, and so for forged ones. True: it is opened and done with,
 * and the window stands where it is.
 */
static __attribute__((noinline)) bool resynchronise(struct nm_sa *sa, struct nm_open_item *item)
{
	uint8_t copy[RESYNC_PACKET_MAX];
	struct nm_engine_job job = {.packet = item->packet, .len = text_len(sa, item->len)};
	uint64_t sequence = item->sequence;

	/* Whatever comes of it: the next one is tried after as many failures again. */
	sa->failures = 0;
	memcpy(copy, item->packet, item->len);
	for (unsigned int i = 0; i < NM_SA_RESYNC_TRIES && sequence >> 32 < UINT32_MAX; i++) {
		sequence += UINT64_C(1) << 32;
		job.seq_high = (uint32_t)(sequence >> 32);
		sa->engine->open(sa->key, &job, 1);
		if (job.is_good) {
			item->sequence = sequence;
			finish(sa, item, true);
			return true;
		}
		memcpy(item->packet, copy, item->len);
	}
	return false;
}

/* RFC 4303 A3.1: enough have failed, and this is a packet to try. */
static bool may_resynchronise(const struct nm_sa *sa, struct nm_open_item *item)
{
	return sa->failures == NM_SA_RESYNC_AFTER && sa->has_esn && !sa->no_resync &&
	       item->len <= RESYNC_PACKET_MAX && has_right_len(sa, item->len) &&
	       nm_replay_check(&sa->replay, nm_get32(item->packet + 4), &item->sequence) ==
		       NM_REPLAY_NEW;
}

void nm_open(struct nm_sa *sa, struct nm_open_item *items, size_t n)
{
	struct nm_engine_job jobs[NM_ENGINE_VECTOR];
	size_t jobs_n;

	if (n > 0 && may_resynchronise(sa, &items[0]) && resynchronise(sa, &items[0])) {
		items++;
		n--;
	}
	jobs_n = make_jobs(sa, items, n, jobs);
	if (jobs_n == 0)
		return;
	sa->engine->open(sa->key, jobs, jobs_n);
	for (size_t i = 0, job = 0; i < n; i++)
		if (items[i].verdict == NM_OPEN_GOOD)
			finish(sa, &items[i], jobs[job++].is_good);
}
