/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows on their way between the user plane's ring, the kernel's two bitmaps and what stands in the
 * middle, beside a plain set of numbers. Ledger rows E15, E18, E24.
 */
#include "test.h"

#include <stdbool.h>
#include <natmux/error.h>

#include "base/replay_state.h"
#include "esp/replay.h"
#include "xfrm/state.h"

#define TWO32 (UINT64_C(1) << 32)

enum { BEHIND = 9000, AHEAD = 100, SPAN = BEHIND + AHEAD };

/* A set of numbers, as plain as can be: come[n - base], for n from `base` on. */
struct set {
	uint64_t base, top;
	bool come[SPAN];
};

static bool set_has(const struct set *set, uint64_t n)
{
	return n >= set->base && n - set->base < SPAN && set->come[n - set->base];
}

static uint32_t dice = 7;

static uint32_t roll(uint32_t sides)
{
	dice = dice * 1103515245 + 12345;
	return (dice >> 8) % sides;
}

/* About half of the numbers up to `top`, which is among them. */
static void make_set(struct set *set, uint64_t top)
{
	*set = (struct set){.base = top > BEHIND ? top - BEHIND : 0, .top = top};
	for (uint64_t n = set->base; n <= top; n++)
		set->come[n - set->base] = n > 0 && (n == top || roll(2));
}

static uint64_t ring[256];

static void make_ring(struct nm_replay *replay, uint32_t size, bool has_esn)
{
	assert_in_range(nm_replay_bytes(size), 0, sizeof(ring));
	memset(ring, 0xa5, sizeof(ring));
	nm_replay_init(replay, size, has_esn, 0, size > 0 ? ring : NULL);
}

/* The set into a window of the user plane, oldest numbers first, as they would have come. */
static void fill_ring(struct nm_replay *replay, uint32_t size, bool has_esn, const struct set *set)
{
	make_ring(replay, size, has_esn);
	for (uint64_t n = set->base; n <= set->top; n++)
		if (set_has(set, n))
			nm_replay_commit(replay, n);
}

static void fill_bitmap(
	struct nm_xfrm_replay *replay, uint32_t size, bool has_esn, const struct set *set)
{
	assert_int_equal(nm_xfrm_replay_init(replay, size, has_esn), 0);
	for (uint64_t n = set->base; n <= set->top; n++)
		if (set_has(set, n))
			nm_xfrm_replay_mark(replay, n);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/*
 * Whether the kernel refuses it: xfrm_replay_check_legacy(), _bmp() and _esn() of
 * net/xfrm/xfrm_replay.c, which take the low half of a number.
 */
static bool kernel_refuses(const struct nm_xfrm_replay *replay, uint64_t n)
{
	uint32_t seq = (uint32_t)replay->in, behind = seq - (uint32_t)n, pos, bit;

	if (n > replay->in)
		return false;
	if (replay->in - n >= replay->window)
		return true;
	if (!replay->is_ring)
		return replay->bitmap[0] >> behind & 1;
	pos = (seq - 1) % replay->window;
	bit = pos >= behind ? pos - behind : replay->window - (behind - pos);
	return replay->bitmap[bit >> 5] >> (bit & 31) & 1;
}

/*
 * What the kernel does with one that it accepts: xfrm_replay_advance_legacy(), _bmp() and _esn() there,
 * whose first packet comes to a window that has number 0 for its highest.
 */
static void kernel_commit(struct nm_xfrm_replay *replay, uint64_t n)
{
	uint32_t ahead = n > replay->in ? (uint32_t)(n - replay->in) : 0;
	uint32_t behind = ahead > 0 ? 0 : (uint32_t)(replay->in - n), pos, bit;

	replay->in += ahead;
	if (!replay->is_ring) {
		replay->bitmap[0] = ahead < replay->window ? replay->bitmap[0] << ahead : 0;
		replay->bitmap[0] |= UINT32_C(1) << behind;
		return;
	}
	pos = ((uint32_t)(replay->in - ahead) - 1) % replay->window;
	for (uint32_t i = 1; i < smaller(ahead, replay->window + 1); i++) {
		bit = (pos + i) % replay->window;
		replay->bitmap[bit >> 5] &= ~(UINT32_C(1) << (bit & 31));
	}
	bit = pos >= behind ? (pos - behind + ahead) % replay->window
			    : replay->window - (behind - pos);
	replay->bitmap[bit >> 5] |= UINT32_C(1) << (bit & 31);
}

static bool user_refuses(const struct nm_replay *replay, uint64_t n)
{
	return nm_replay_judge(replay, n) != NM_REPLAY_NEW;
}

/* Which numbers a window refuses that goes on with `window` packets of the set's past. */
static bool set_refuses(const struct set *set, uint32_t window, uint64_t n)
{
	return n <= set->top && (set->top - n >= window || set_has(set, n));
}

/* Where to begin to look: well before what a window of that size can still accept. */
static uint64_t oldest_of(const struct set *set, uint32_t window)
{
	return set->top > window + AHEAD ? set->top - window - AHEAD : 1;
}

static void check_state(const struct natmux_replay_state *state, const struct set *set,
	uint32_t window, const char *whose)
{
	assert_true(nm_replay_state_is_valid(state));
	assert_int_equal(state->top, set->top);
	assert_int_equal(state->window, window);
	for (uint64_t n = oldest_of(set, window); n < set->top + AHEAD; n++)
		if (nm_replay_state_refuses(state, n) != set_refuses(set, window, n))
			fail_msg("%s window %u, number %llu of %llu", whose, window,
				(unsigned long long)n, (unsigned long long)set->top);
}

static const uint32_t targets[] = {32, 64, 65, 1024, 4096, 8192};
static const uint32_t sizes[] = {
	1, 2, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 1000, 1024, 4095, 4096, 8192};

/* Into every window of the other plane: what comes out is what both have room for. */
static void check_joins(
	const struct natmux_replay_state *state, const struct set *set, bool has_esn)
{
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		uint32_t size = targets[i], both = smaller(state->window, size);
		struct nm_xfrm_replay kernel;
		struct nm_replay user;

		make_ring(&user, size, has_esn);
		nm_replay_join(&user, state);
		assert_int_equal(user.top, set->top);
		for (uint64_t n = oldest_of(set, size); n < set->top + AHEAD; n++)
			if (user_refuses(&user, n) != set_refuses(set, both, n))
				fail_msg("user %u from %u, number %llu of %llu", size,
					state->window, (unsigned long long)n,
					(unsigned long long)set->top);
		if (size > NM_XFRM_WINDOW_MAX)
			continue;
		assert_int_equal(nm_xfrm_replay_init(&kernel, size, has_esn), 0);
		nm_xfrm_replay_join(&kernel, state);
		assert_int_equal(kernel.in, set->top);
		both = smaller(state->window, kernel.window);
		for (uint64_t n = oldest_of(set, size); n < set->top + AHEAD; n++)
			if (kernel_refuses(&kernel, n) != set_refuses(set, both, n))
				fail_msg("kernel %u from %u, number %llu of %llu", size,
					state->window, (unsigned long long)n,
					(unsigned long long)set->top);
	}
}

static void check_top(uint64_t top, uint32_t size, bool has_esn)
{
	static struct set set;
	struct natmux_replay_state state;
	struct nm_xfrm_replay kernel;
	struct nm_replay user;

	make_set(&set, top);
	fill_ring(&user, size, has_esn, &set);
	nm_replay_save(&user, &state);
	check_state(&state, &set, size, "user");
	check_joins(&state, &set, has_esn);
	if (size > NM_XFRM_WINDOW_MAX)
		return;
	fill_bitmap(&kernel, size, has_esn, &set);
	nm_xfrm_replay_save(&kernel, &state);
	check_state(&state, &set, kernel.window, "kernel");
	check_joins(&state, &set, has_esn);
}

/* Tops at the edges of words, of windows, and of the halves of extended numbers. */
static void test_both_ways(void **state)
{
	static const uint64_t tops[] = {1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 1000, 4096, 4097,
		8191, 8192, 8193, 100000, UINT32_MAX - 400};
	static const uint64_t extended[] = {TWO32 - 1, TWO32, TWO32 + 1, TWO32 + 63, TWO32 + 64,
		TWO32 + 1000, TWO32 + 4095, 3 * TWO32 - 2, 3 * TWO32 + 31};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(tops); j++)
			check_top(tops[j], sizes[i], (i + j) % 2);
		for (size_t j = 0; j < ARRAY_SIZE(extended); j++)
			check_top(extended[j], sizes[i], true);
	}
}

/* From plane to plane again and again while packets come: never is a number accepted twice. */
static void wander(uint32_t user_size, uint32_t kernel_size, bool has_esn, uint64_t base)
{
	enum { STEPS = 4000 };
	static bool accepted[SPAN];
	struct nm_xfrm_replay kernel;
	struct nm_replay user;
	struct natmux_replay_state state = {.top = base, .window = 0};
	bool is_kernel = false;
	uint64_t top = base;
	unsigned int late = 0;

	memset(accepted, 0, sizeof(accepted));
	make_ring(&user, user_size, has_esn);
	nm_replay_join(&user, &state);
	for (unsigned int step = 0; step < STEPS && top - base < SPAN - 200; step++) {
		uint64_t n = top + 1 + roll(4) - roll(smaller(top - base < 80 ? 1 : 80, 80));
		bool is_refused = is_kernel ? kernel_refuses(&kernel, n) : user_refuses(&user, n);

		if (!is_refused && accepted[n - base])
			fail_msg("%llu twice", (unsigned long long)n);
		if (!is_refused && is_kernel)
			kernel_commit(&kernel, n);
		else if (!is_refused)
			assert_int_equal(nm_replay_commit(&user, n), NM_REPLAY_NEW);
		late += !is_refused && n < top;
		accepted[n - base] |= !is_refused;
		top = !is_refused && n > top ? n : top;
		if (roll(5) > 0)
			continue;
		if (is_kernel) {
			nm_xfrm_replay_save(&kernel, &state);
			make_ring(&user, user_size, has_esn);
			nm_replay_join(&user, &state);
		} else {
			nm_replay_save(&user, &state);
			assert_int_equal(nm_xfrm_replay_init(&kernel, kernel_size, has_esn), 0);
			nm_xfrm_replay_join(&kernel, &state);
		}
		assert_true(nm_replay_state_is_valid(&state));
		is_kernel = !is_kernel;
	}
	/* Nothing that a window of 64 has room for is lost. */
	if (user_size >= 64 && kernel_size >= 64)
		assert_true(late > 100);
}

static void test_there_and_back(void **state)
{
	static const struct {
		uint32_t user, kernel;
	} pairs[] = {{32, 32}, {64, 64}, {65, 65}, {64, 32}, {32, 64}, {100, 100}, {1024, 1024},
		{4096, 4096}, {8192, 4096}, {1000, 33}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++) {
		wander(pairs[i].user, pairs[i].kernel, false, 0);
		wander(pairs[i].user, pairs[i].kernel, false, 77777);
		wander(pairs[i].user, pairs[i].kernel, true, 0);
		wander(pairs[i].user, pairs[i].kernel, true, TWO32 - 300);
	}
}

/* How the bits are ordered: the highest number has the lowest bit. */
/* A window as natmux gives it to the kernel, and the kernel's own arithmetic from the first packet on. */
static void kernel_begins(uint32_t size, bool has_esn, uint64_t base, uint64_t first)
{
	const struct natmux_replay_state before = {.top = base};
	static struct set set;
	struct nm_xfrm_replay kernel;

	set = (struct set){.base = base, .top = base};
	assert_int_equal(nm_xfrm_replay_init(&kernel, size, has_esn), 0);
	nm_xfrm_replay_join(&kernel, &before);
	for (uint64_t n = base + first; n < base + 3 * (uint64_t)size + 80; n += 1 + roll(3)) {
		uint64_t late = n - roll(smaller(size, (uint32_t)(n - base)));

		for (uint64_t each = n;; each = late) {
			bool is_refused = kernel_refuses(&kernel, each);

			if (is_refused != (each <= base || set_refuses(&set, kernel.window, each)))
				fail_msg("window %u, first %llu: number %llu of %llu", size,
					(unsigned long long)first, (unsigned long long)each,
					(unsigned long long)set.top);
			assert_int_equal(nm_xfrm_replay_is_seen(&kernel, each), is_refused);
			if (!is_refused) {
				kernel_commit(&kernel, each);
				set.come[each - base] = true;
				set.top = each > set.top ? each : set.top;
			}
			assert_true(kernel_refuses(&kernel, each));
			if (each == late)
				break;
		}
	}
}

static void test_first_packets_in_the_kernel(void **state)
{
	static const uint32_t windows[] = {1, 2, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 1000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++)
		for (uint64_t first = 1; first < 70; first += 4) {
			kernel_begins(windows[i], false, 0, first);
			kernel_begins(windows[i], true, 0, first);
			kernel_begins(windows[i], false, 5000, first);
			kernel_begins(windows[i], true, TWO32 - 40, first);
		}
}

static void test_order_of_bits(void **state)
{
	static const uint64_t come[] = {1, 2, 4, 5};
	struct natmux_replay_state got;
	struct nm_xfrm_replay kernel;
	struct nm_replay user;

	(void)state;
	make_ring(&user, 128, false);
	assert_int_equal(nm_xfrm_replay_init(&kernel, 128, false), 0);
	for (size_t i = 0; i < ARRAY_SIZE(come); i++) {
		nm_replay_commit(&user, come[i]);
		nm_xfrm_replay_mark(&kernel, come[i]);
	}
	nm_replay_save(&user, &got);
	assert_int_equal(got.seen[0], 0x1b); /* 5, 4, not 3, 2, 1 */
	nm_xfrm_replay_save(&kernel, &got);
	assert_int_equal(got.seen[0], 0x1b);
	assert_int_equal(kernel.bitmap[0], 0x1b); /* number n has bit n - 1 here */
	nm_replay_commit(&user, 69);
	nm_replay_save(&user, &got);
	assert_int_equal(got.seen[0], 1);
	assert_int_equal(got.seen[1], 0x1b);
	nm_xfrm_replay_mark(&kernel, 130); /* goes around: bit 1 */
	assert_int_equal(kernel.bitmap[0], 0x1a);
	nm_xfrm_replay_save(&kernel, &got);
	assert_true(got.seen[0] == 1);
	assert_true(got.seen[1] == UINT64_C(0x6) << 60); /* 5 and 4; 2 is too old... */
}

/* Nothing has come, or nobody has looked. */
static void test_without_window(void **state)
{
	struct natmux_replay_state nothing, unknown = {.top = 500};
	struct nm_xfrm_replay kernel;
	struct nm_replay user;

	(void)state;
	make_ring(&user, 64, false);
	nm_replay_save(&user, &nothing);
	assert_int_equal(nothing.top, 0);
	assert_true(nm_replay_state_is_valid(&nothing));
	nm_replay_join(&user, &nothing);
	assert_int_equal(nm_replay_judge(&user, 1), NM_REPLAY_NEW);
	assert_int_equal(nm_xfrm_replay_init(&kernel, 64, false), 0);
	nm_xfrm_replay_join(&kernel, &nothing);
	assert_false(kernel_refuses(&kernel, 1));
	nm_replay_join(&user, &unknown);
	nm_xfrm_replay_join(&kernel, &unknown);
	for (uint64_t n = 1; n <= 500; n++) {
		assert_true(user_refuses(&user, n));
		assert_true(kernel_refuses(&kernel, n));
	}
	assert_false(user_refuses(&user, 501));
	assert_false(kernel_refuses(&kernel, 501));
	/* No anti-replay: only the top is kept. */
	make_ring(&user, 0, true);
	nm_replay_join(&user, &unknown);
	assert_int_equal(user.top, 500);
	nm_replay_save(&user, &nothing);
	assert_int_equal(nothing.top, 500);
	assert_int_equal(nothing.window, 0);
	assert_int_equal(nm_xfrm_replay_init(&kernel, 0, false), 0);
	nm_xfrm_replay_join(&kernel, &unknown);
	assert_int_equal(kernel.in, 500);
}

/* Two pasts: whatever one of them refuses is refused, in either order. */
static void test_two_pasts(void **state)
{
	static struct set a, b;
	static const uint64_t tops[][2] = {{500, 500}, {500, 510}, {510, 500}, {100, 5000}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		struct natmux_replay_state of_b;
		struct nm_xfrm_replay kernel;
		struct nm_replay user;
		struct nm_xfrm_replay other;

		make_set(&a, tops[i][0]);
		make_set(&b, tops[i][1]);
		fill_bitmap(&other, 64, false, &b);
		nm_xfrm_replay_save(&other, &of_b);
		fill_ring(&user, 128, false, &a);
		fill_bitmap(&kernel, 128, false, &a);
		nm_replay_join(&user, &of_b);
		nm_xfrm_replay_join(&kernel, &of_b);
		assert_int_equal(user.top, tops[i][tops[i][1] > tops[i][0]]);
		assert_int_equal(kernel.in, user.top);
		for (uint64_t n = 1; n < user.top + AHEAD; n++) {
			bool want = set_refuses(&a, 128, n) || set_refuses(&b, 64, n) ||
				    n + 128 <= user.top;

			assert_int_equal(user_refuses(&user, n), want);
			assert_int_equal(kernel_refuses(&kernel, n), want);
		}
	}
}

/* A bitmap that others made: the highest number counts as seen, whatever it says. */
static void test_top_counts_as_seen(void **state)
{
	struct nm_xfrm_replay kernel;
	struct natmux_replay_state got;

	(void)state;
	assert_int_equal(nm_xfrm_replay_init(&kernel, 64, true), 0);
	kernel.in = 9;
	nm_xfrm_replay_save(&kernel, &got);
	assert_true(nm_replay_state_is_valid(&got));
	assert_true(nm_replay_state_refuses(&got, 9));
	assert_false(nm_replay_state_refuses(&got, 8));
	/* And bits of numbers that are none are none. */
	nm_xfrm_replay_close(&kernel, 3);
	nm_xfrm_replay_save(&kernel, &got);
	assert_int_equal(got.seen[0], 7);
	assert_true(nm_replay_state_is_valid(&got));
}

static void test_what_is_none(void **state)
{
	static const struct {
		struct natmux_replay_state state;
		bool is_valid;
	} cases[] = {
		{{.top = 0, .window = 0}, true},
		{{.top = 0, .window = 64}, true},
		{{.top = 9, .window = 0}, true},
		{{.top = 9, .window = 64, .seen = {1}}, true},
		{{.top = 9, .window = 64, .seen = {0x1ff}}, true},
		{{.top = UINT64_MAX, .window = 8192, .seen = {[0] = 1, [127] = UINT64_MAX}}, true},
		{{.top = 9, .window = 64, .seen = {0x3ff}}, false}, /* number 0 */
		{{.top = 9, .window = 64, .seen = {0}}, false},     /* the highest is missing */
		{{.top = 9, .window = 64, .seen = {6}}, false},     /* the same */
		{{.top = 0, .window = 64, .seen = {1}}, false},     /* there is no highest */
		{{.top = 999, .window = 0, .seen = {1}}, false},    /* outside the window */
		{{.top = 999, .window = 32, .seen = {UINT64_C(1) << 32 | 1}}, false},
		{{.top = 999, .window = 64, .seen = {1, 1}}, false},
		{{.top = 64, .window = 128, .seen = {1, 1}}, false},
		{{.top = 65, .window = 128, .seen = {1, 1}}, true},
		{{.top = 99999, .window = 8191, .seen = {[0] = 1, [127] = UINT64_C(1) << 63}},
			false},
		{{.top = 99999, .window = 8193, .seen = {1}}, false},
		{{.top = 99999, .window = UINT32_MAX, .seen = {1}}, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (nm_replay_state_is_valid(&cases[i].state) != cases[i].is_valid)
			fail_msg("case %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_first_packets_in_the_kernel),
		cmocka_unit_test(test_order_of_bits),
		cmocka_unit_test(test_without_window),
		cmocka_unit_test(test_two_pasts),
		cmocka_unit_test(test_top_counts_as_seen),
		cmocka_unit_test(test_what_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
