/* SPDX-License-Identifier: Apache-2.0 */
/* Times steps in turn. */
#include "bench/turns.h"

#include "bench/spread.h"
#include "bench/stopwatch.h"

enum { TURNS_MIN = 5, TURNS_MAX = 512, CLOCK_READS = 64 };

/* What two readings of the clock are apart. */
static double clock_ns(void)
{
	double samples[CLOCK_READS];

	for (unsigned int i = 0; i < CLOCK_READS; i++) {
		uint64_t start = nm_stopwatch_now_ns();

		samples[i] = (double)(nm_stopwatch_now_ns() - start);
	}
	return nm_spread_of(samples, CLOCK_READS).median;
}

static void run_turn(const struct nm_turn_step *steps, size_t n, void *user, double *ns)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t start = nm_stopwatch_now_ns();

		steps[i].run(user);
		ns[i] = (double)(nm_stopwatch_now_ns() - start);
	}
}

void nm_turns_measure(
	const struct nm_turn_step *steps, size_t n, void *user, uint64_t budget_ns, double *ns)
{
	static double samples[NM_TURNS_STEPS_MAX][TURNS_MAX];
	uint64_t start = nm_stopwatch_now_ns();
	double turn[NM_TURNS_STEPS_MAX], clock = clock_ns();
	size_t turns = 0;

	run_turn(steps, n, user, turn);
	while (turns < TURNS_MAX &&
		(turns < TURNS_MIN || nm_stopwatch_now_ns() - start < budget_ns)) {
		run_turn(steps, n, user, turn);
		for (size_t i = 0; i < n; i++)
			samples[i][turns] = turn[i] > clock ? turn[i] - clock : 0;
		turns++;
	}
	for (size_t i = 0; i < n; i++)
		ns[i] = nm_spread_of(samples[i], turns).median / (double)steps[i].items;
}
