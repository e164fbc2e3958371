/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops in threads of their own, beside the one that made them: woken, stopped for a while, ended. What
 * runs on them is their owner's business.
 */
#ifndef NM_WORKERS_H
#define NM_WORKERS_H

#include <stdint.h>
#include <uv.h>

struct nm_workers;

enum { NM_WORKERS_MAX = 15 };

struct nm_workers_setup {
	uint32_t count; /* of threads; 1 to NM_WORKERS_MAX */
	/* In thread `i`, after nm_workers_wake() and after each pause. */
	void (*wake)(void *user, uint32_t i);
	/* In thread `i`, the last time: closes all handles that were put on its loop. */
	void (*close)(void *user, uint32_t i);
	void *user;
};

/* Makes the loops; the threads do not run yet. NATMUX_ENOMEM, NATMUX_ESYSTEM. */
int nm_workers_new(const struct nm_workers_setup *setup, struct nm_workers **workers);

/* The loop of thread `i`; for others than the thread before it runs, and in a pause. */
uv_loop_t *nm_workers_loop(struct nm_workers *workers, uint32_t i);

/*
 * Begins. The threads take no signals, and have the capabilities and filters of the caller's.
 * NATMUX_ESYSTEM: then those that run have to be stopped.
 */
int nm_workers_start(struct nm_workers *workers);

/* Has `wake` called in thread `i`, soon; several calls may have one effect. From any thread. */
void nm_workers_wake(struct nm_workers *workers, uint32_t i);

/*
 * Waits until each thread rests between two things that it does, and keeps it there: what belongs
 * to it may be looked at and changed. Nests. Before the threads run and after they have ended there is
 * nobody to wait for. NULL is fine.
 */
void nm_workers_pause(struct nm_workers *workers);
void nm_workers_resume(struct nm_workers *workers);

/* Has everything on the loops closed, waits for the threads to end. Twice is fine, and NULL. */
void nm_workers_stop(struct nm_workers *workers);
void nm_workers_free(struct nm_workers *workers); /* stops first */

#endif
