/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger rows E5, E15-E18, E24, G5. */
#include "test.h"

#include <stdbool.h>
#include <stdlib.h>

#include "esp/replay.h"

#define TWO32 (UINT64_C(1) << 32)

static uint64_t ring[NM_REPLAY_WINDOW_MAX]; /* more than any window needs */

static void make(struct nm_replay *replay, uint32_t size, bool has_esn, uint64_t top)
{
	assert_in_range(nm_replay_bytes(size), 0, sizeof(ring));
	memset(ring, 0xa5, sizeof(ring));
	nm_replay_init(replay, size, has_esn, top, size > 0 ? ring : NULL);
}

/* Check and commit, as for an authentic packet. */
static enum nm_replay_verdict take(struct nm_replay *replay, uint32_t wire)
{
	uint64_t sequence = 0;
	enum nm_replay_verdict verdict = nm_replay_check(replay, wire, &sequence);

	return verdict == NM_REPLAY_NEW ? nm_replay_commit(replay, sequence) : verdict;
}

enum {
	NEW = NM_REPLAY_NEW,
	LATE = NM_REPLAY_LATE,
	DUP = NM_REPLAY_DUPLICATE,
	BAD = NM_REPLAY_INVALID
};

/* Runs of packets against a fresh window; a line ends with verdict -1. */
static const struct {
	uint32_t size;
	struct {
		uint32_t wire;
		int verdict;
	} steps[12];
} runs[] = {
	{64, {{0, BAD}, {1, NEW}, {1, DUP}, {2, NEW}, {0, BAD}, {0, -1}}},
	{64, {{5, NEW}, {1, NEW}, {5, DUP}, {1, DUP}, {3, NEW}, {0, -1}}},
	/* the window's edge: top - 63 is in, top - 64 is out */
	{64, {{64, NEW}, {1, NEW}, {65, NEW}, {1, LATE}, {2, NEW}, {2, DUP}, {0, -1}}},
	{32, {{100, NEW}, {69, NEW}, {68, LATE}, {69, DUP}, {0, -1}}},
	{1, {{1, NEW}, {2, NEW}, {1, LATE}, {2, DUP}, {3, NEW}, {0, -1}}},
	/* a jump over the whole window forgets, and never accepts what it jumped over too far */
	{128, {{10, NEW}, {10000, NEW}, {10, LATE}, {9872, LATE}, {9873, NEW}, {9873, DUP},
		      {0, -1}}},
	/* a jump by whole rings lands on the same words */
	{64, {{1, NEW}, {1 + 256, NEW}, {1 + 512, NEW}, {450, NEW}, {449, LATE}, {513, DUP},
		     {0, -1}}},
	{8192, {{8192, NEW}, {1, NEW}, {8193, NEW}, {1, LATE}, {2, NEW}, {8192, DUP}, {0, -1}}},
	{1024, {{UINT32_MAX, NEW}, {UINT32_MAX, DUP}, {UINT32_MAX - 1023, NEW},
		       {UINT32_MAX - 1024, LATE}, {1, LATE}, {0, -1}}},
	/* no anti-replay: everything goes, but for number 0 */
	{0, {{7, NEW}, {7, NEW}, {1, NEW}, {0, BAD}, {0, -1}}},
};

static void test_runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		struct nm_replay replay;

		make(&replay, runs[i].size, false, 0);
		for (size_t j = 0; runs[i].steps[j].verdict >= 0; j++) {
			int verdict = (int)take(&replay, runs[i].steps[j].wire);

			if (verdict != runs[i].steps[j].verdict)
				fail_msg("run %zu step %zu: %d", i, j, verdict);
		}
	}
}

/* RFC 4303 A2.2, both cases, at every edge of both. */
static const struct {
	uint32_t size;
	uint64_t top;
	uint32_t wire;
	int verdict;
	uint64_t sequence;
} inferred[] = {
	/* case A: the window lies in one subspace */
	{64, TWO32 + 100, 101, NEW, TWO32 + 101},
	{64, TWO32 + 100, 37, DUP, TWO32 + 37},     /* bottom of the window */
	{64, TWO32 + 100, 36, NEW, 2 * TWO32 + 36}, /* below it: the next subspace */
	{64, TWO32 + 100, UINT32_MAX, NEW, TWO32 + UINT32_MAX},
	{64, TWO32 + 63, 0, DUP, TWO32}, /* the smallest top of case A */
	{64, TWO32 + 63, UINT32_MAX, NEW, TWO32 + UINT32_MAX},
	/* case B: it reaches back into the subspace before */
	{64, TWO32 + 62, UINT32_MAX, DUP, TWO32 - 1},
	{64, TWO32 + 62, UINT32_MAX - 1, NEW, TWO32 + UINT32_MAX - 1},
	{64, TWO32, TWO32 - 63, DUP, TWO32 - 63},
	{64, TWO32, TWO32 - 64, NEW, TWO32 + TWO32 - 64},
	{64, TWO32, 1, NEW, TWO32 + 1},
	/* before the first subspace there is nothing */
	{64, 10, UINT32_MAX, LATE, 0},
	{64, 10, UINT32_MAX - 52, LATE, 0},
	{64, 10, UINT32_MAX - 53, NEW, UINT32_MAX - 53},
	{64, 10, 0, BAD, 0},
	/* number 0 of a later subspace is a number like others */
	{64, TWO32 - 1, 0, NEW, TWO32},
	/* without a window the nearer half */
	{0, TWO32 + 5, UINT32_MAX, NEW, TWO32 - 1},
	{0, TWO32 + 5, 6, NEW, TWO32 + 6},
};

static void test_inference(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(inferred); i++) {
		struct nm_replay replay;
		uint64_t sequence = 0;
		int verdict;

		make(&replay, inferred[i].size, true, inferred[i].top);
		verdict = (int)nm_replay_check(&replay, inferred[i].wire, &sequence);
		if (verdict != inferred[i].verdict)
			fail_msg("line %zu: verdict %d", i, verdict);
		if (verdict == NEW)
			assert_int_equal(sequence, inferred[i].sequence);
	}
}

/* A check alone changes nothing: a forged packet moves no window (E17). */
static void test_check_changes_nothing(void **state)
{
	struct nm_replay replay, before;
	uint64_t ring_before[64], sequence;

	(void)state;
	make(&replay, 1024, true, 0);
	take(&replay, 5000);
	before = replay;
	memcpy(ring_before, ring, sizeof(ring_before));
	for (uint32_t wire = 0; wire < 100000; wire += 7)
		nm_replay_check(&replay, wire * 40009, &sequence);
	assert_memory_equal(&replay, &before, sizeof(replay));
	assert_memory_equal(ring, ring_before, sizeof(ring_before));
}

/* Two packets of one number in one vector: both pass the check, one the commit. */
static void test_twice_in_a_vector(void **state)
{
	struct nm_replay replay;
	uint64_t a = 0, b = 0;

	(void)state;
	make(&replay, 64, false, 0);
	assert_int_equal(nm_replay_check(&replay, 9, &a), NEW);
	assert_int_equal(nm_replay_check(&replay, 9, &b), NEW);
	assert_int_equal(nm_replay_commit(&replay, a), NEW);
	assert_int_equal(nm_replay_commit(&replay, b), DUP);
	/* And one that was new, until the vector's others moved the window past it. */
	assert_int_equal(nm_replay_check(&replay, 10, &a), NEW);
	assert_int_equal(take(&replay, 1000), NEW);
	assert_int_equal(nm_replay_commit(&replay, a), LATE);
}

static void test_moved_window(void **state)
{
	struct nm_replay replay;

	(void)state;
	for (uint64_t top = 1; top < 300; top++) {
		make(&replay, 128, false, top);
		for (uint64_t wire = 1; wire <= top; wire++)
			assert_int_not_equal(take(&replay, (uint32_t)wire), NEW);
		assert_int_equal(take(&replay, (uint32_t)top + 1), NEW);
		assert_int_equal(take(&replay, (uint32_t)top + 3), NEW);
		assert_int_equal(take(&replay, (uint32_t)top + 2), NEW);
		assert_int_equal(take(&replay, (uint32_t)top + 2), DUP);
	}
}

/* The model: all numbers of the last window, one byte each, and A2 as its definition says. */
enum { MODEL = 1 << 15 };

struct model {
	uint64_t top, numbers[MODEL]; /* numbers[n % MODEL] == n: seen */
};

static enum nm_replay_verdict model_take(
	struct model *model, uint32_t size, bool has_esn, uint32_t wire)
{
	uint64_t n = wire;

	if (has_esn) {
		/* The one number with this low half in (top - size, top - size + 2^32]. */
		int64_t bottom = (int64_t)model->top - (int64_t)size + 1;
		int64_t candidate = (int64_t)(model->top & ~(TWO32 - 1)) + wire - (int64_t)TWO32;

		while (candidate < bottom)
			candidate += (int64_t)TWO32;
		if (candidate < 0)
			return NM_REPLAY_LATE;
		n = (uint64_t)candidate;
	}
	if (n == 0)
		return NM_REPLAY_INVALID;
	if (n + size <= model->top)
		return NM_REPLAY_LATE;
	if (n <= model->top && model->numbers[n % MODEL] == n)
		return NM_REPLAY_DUPLICATE;
	model->numbers[n % MODEL] = n;
	model->top = n > model->top ? n : model->top;
	return NM_REPLAY_NEW;
}

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* A number near the top, mostly ahead, at times far off or on the edge of a subspace. */
static uint32_t next_wire(uint64_t top, uint32_t size)
{
	uint64_t r = next_random();

	switch (r % 16) {
	case 0: return (uint32_t)next_random();
	case 1: return (uint32_t)(top + r / 16 % 20000);
	case 2: return (uint32_t)(0u - r / 16 % 3);
	case 3: return (uint32_t)(top - size + r / 16 % 3);
	default: return (uint32_t)(top + r / 16 % (2 * size) - size);
	}
}

static void test_against_the_model(void **state)
{
	static const uint32_t sizes[] = {1, 31, 32, 63, 64, 65, 127, 128, 1000, 1024, 4096, 8192};
	static struct model model;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (int has_esn = 0; has_esn < 2; has_esn++) {
			struct nm_replay replay;

			make(&replay, sizes[i], has_esn, 0);
			memset(&model, 0, sizeof(model));
			for (int step = 0; step < 50000; step++) {
				uint32_t wire = next_wire(replay.top, sizes[i]);
				enum nm_replay_verdict want =
					model_take(&model, sizes[i], has_esn, wire);
				enum nm_replay_verdict got = take(&replay, wire);

				if (got != want)
					fail_msg("window %u esn %d step %d wire %u: %d for %d",
						sizes[i], has_esn, step, wire, (int)got, (int)want);
			}
			assert_int_equal(replay.top, model.top);
		}
	}
}

/* Numbers from 1 on that are in front of the window of `top` and have not come. */
static uint64_t count_lost(const bool *has_come, uint64_t top, uint32_t size)
{
	uint64_t lost = 0;

	for (uint64_t n = 1; n + size <= top; n++)
		lost += !has_come[n];
	return lost;
}

/* What leaves the window without having come, step by step and in jumps over all of it. */
static void test_leaving(void **state)
{
	enum { NUMBERS = 1 << 17 };
	static const uint32_t sizes[] = {1, 32, 63, 64, 65, 127, 128, 1000, 1024, 8192};
	static bool has_come[NUMBERS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint32_t size = sizes[i];
		struct nm_replay replay;
		uint64_t lost = 0;

		make(&replay, size, i % 2, 0);
		memset(has_come, 0, sizeof(has_come));
		while (replay.top + 4 * (uint64_t)size + 64 < NUMBERS) {
			uint64_t r = next_random(), n = replay.top + 1;

			if (r % 8 == 0)
				n += r / 8 % 64;
			else if (r % 512 == 1)
				n += r / 512 % (3 * size);
			else if (r % 2 == 0 && replay.top > size)
				n = replay.top - r / 8 % size;
			lost += nm_replay_leaving(&replay, n);
			has_come[n] |= take(&replay, (uint32_t)n) == NM_REPLAY_NEW;
			if (r / 8 % 512 == 0)
				assert_int_equal(lost, count_lost(has_come, replay.top, size));
		}
		assert_int_equal(lost, count_lost(has_come, replay.top, size));
		assert_true(lost > 0);
	}
}

/* One line each: window, top, number that comes, how many are lost by that. */
static void test_leaving_edges(void **state)
{
	static const struct {
		uint32_t size;
		uint64_t top, next, lost;
	} lines[] = {
		{64, 0, 1, 0},
		{64, 0, 64, 0},
		{64, 0, 65, 1}, /* number 1 */
		{64, 0, 1000, 936},
		{64, 0, TWO32 + 64, TWO32},
		/* a window that goes on has seen all up to its top */
		{64, 100, 101, 0},
		{64, 100, 164, 0},
		{64, 100, 165, 1},
		{64, 100, 100, 0},
		{64, 100, 99, 0},
		{1, 5, 6, 0},
		{1, 5, 7, 1},
		{0, 5, 1000, 0},
		{8192, TWO32 - 1, TWO32 + 8191, 0},
		{8192, TWO32 - 1, TWO32 + 8192, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct nm_replay replay;

		make(&replay, lines[i].size, true, lines[i].top);
		if (nm_replay_leaving(&replay, lines[i].next) != lines[i].lost)
			fail_msg("line %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_inference),
		cmocka_unit_test(test_check_changes_nothing),
		cmocka_unit_test(test_twice_in_a_vector),
		cmocka_unit_test(test_moved_window),
		cmocka_unit_test(test_against_the_model),
		cmocka_unit_test(test_leaving),
		cmocka_unit_test(test_leaving_edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
