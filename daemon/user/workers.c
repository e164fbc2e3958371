/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that run loops, and the one lock and two conditions by which they meet. On the way of a
 * packet nobody comes here.
 */
#include "daemon/user/workers.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <natmux/error.h>

struct worker {
	struct nm_workers *owner;
	uint32_t index;
	uv_loop_t loop;
	uv_async_t call;
	uv_thread_t thread;
	bool is_running;
};

struct nm_workers {
	struct nm_workers_setup setup;
	uv_mutex_t lock;
	uv_cond_t all_rest, go_on;
	/* With the lock. */
	uint32_t resting;
	uint64_t pauses; /* that have ended; who rests waits for the next number */
	bool is_paused, is_stopping;
	/* The owner's. */
	uint32_t depth; /* of pauses in each other */
	uint32_t loops_n;
	bool is_closed;
	struct worker workers[NM_WORKERS_MAX];
};

/* Rests as long as there is a pause. Returns whether it is time to end. */
static bool rest(struct nm_workers *workers)
{
	bool is_stopping;

	uv_mutex_lock(&workers->lock);
	if (workers->is_paused) {
		uint64_t pause = workers->pauses;

		if (++workers->resting == workers->loops_n)
			uv_cond_signal(&workers->all_rest);
		while (workers->pauses == pause)
			uv_cond_wait(&workers->go_on, &workers->lock);
	}
	is_stopping = workers->is_stopping;
	uv_mutex_unlock(&workers->lock);
	return is_stopping;
}

static void on_call(uv_async_t *call)
{
	struct worker *worker = call->data;
	const struct nm_workers_setup *setup = &worker->owner->setup;

	if (rest(worker->owner)) {
		setup->close(setup->user, worker->index);
		uv_close((uv_handle_t *)call, NULL);
		return;
	}
	uv_update_time(&worker->loop);
	setup->wake(setup->user, worker->index);
}

static void run(void *user)
{
	struct worker *worker = user;

	uv_run(&worker->loop, UV_RUN_DEFAULT);
}

/* The handles of a loop whose thread never ran are closed by us. */
static void end_loop(struct worker *worker)
{
	struct nm_workers *workers = worker->owner;

	if (worker->is_running)
		uv_thread_join(&worker->thread);
	else if (!uv_is_closing((uv_handle_t *)&worker->call)) {
		workers->setup.close(workers->setup.user, worker->index);
		uv_close((uv_handle_t *)&worker->call, NULL);
		uv_run(&worker->loop, UV_RUN_DEFAULT);
	}
	worker->is_running = false;
}

static int make_loop(struct nm_workers *workers)
{
	struct worker *worker = &workers->workers[workers->loops_n];

	worker->owner = workers;
	worker->index = workers->loops_n;
	if (uv_loop_init(&worker->loop) < 0)
		return NATMUX_ESYSTEM;
	if (uv_async_init(&worker->loop, &worker->call, on_call) < 0) {
		uv_loop_close(&worker->loop);
		return NATMUX_ESYSTEM;
	}
	worker->call.data = worker;
	workers->loops_n++;
	return 0;
}

static int make_locks(struct nm_workers *workers)
{
	if (uv_mutex_init(&workers->lock) < 0)
		return NATMUX_ENOMEM;
	if (uv_cond_init(&workers->all_rest) < 0)
		goto fail_all_rest;
	if (uv_cond_init(&workers->go_on) < 0)
		goto fail_go_on;
	return 0;
fail_go_on:
	uv_cond_destroy(&workers->all_rest);
fail_all_rest:
	uv_mutex_destroy(&workers->lock);
	return NATMUX_ENOMEM;
}

static void free_all(struct nm_workers *workers)
{
	uv_cond_destroy(&workers->go_on);
	uv_cond_destroy(&workers->all_rest);
	uv_mutex_destroy(&workers->lock);
	free(workers);
}

int nm_workers_new(const struct nm_workers_setup *setup, struct nm_workers **result)
{
	struct nm_workers *workers;
	int err;

	if (setup->count == 0 || setup->count > NM_WORKERS_MAX)
		return NATMUX_EINVAL;
	workers = calloc(1, sizeof(*workers));
	if (!workers)
		return NATMUX_ENOMEM;
	workers->setup = *setup;
	err = make_locks(workers);
	if (err < 0) {
		free(workers);
		return err;
	}
	while (workers->loops_n < setup->count && err == 0)
		err = make_loop(workers);
	if (err < 0) {
		/* Nothing is on them yet but our own handle. */
		for (uint32_t i = 0; i < workers->loops_n; i++) {
			uv_close((uv_handle_t *)&workers->workers[i].call, NULL);
			uv_run(&workers->workers[i].loop, UV_RUN_DEFAULT);
			uv_loop_close(&workers->workers[i].loop);
		}
		free_all(workers);
		return err;
	}
	*result = workers;
	return 0;
}

uv_loop_t *nm_workers_loop(struct nm_workers *workers, uint32_t i)
{
	return &workers->workers[i].loop;
}

int nm_workers_start(struct nm_workers *workers)
{
	sigset_t all, before;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (uint32_t i = 0; i < workers->loops_n && err == 0; i++) {
		struct worker *worker = &workers->workers[i];

		err = uv_thread_create(&worker->thread, run, worker) < 0 ? NATMUX_ESYSTEM : 0;
		worker->is_running = err == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

void nm_workers_wake(struct nm_workers *workers, uint32_t i)
{
	uv_async_send(&workers->workers[i].call);
}

static uint32_t call_all(struct nm_workers *workers)
{
	uint32_t running = 0;

	for (uint32_t i = 0; i < workers->loops_n; i++) {
		if (!workers->workers[i].is_running)
			continue;
		running++;
		uv_async_send(&workers->workers[i].call);
	}
	return running;
}

/* Only while all of them run: before and after that nobody is in anybody's way. */
static bool has_threads(const struct nm_workers *workers)
{
	return workers && workers->workers[workers->loops_n - 1].is_running;
}

void nm_workers_pause(struct nm_workers *workers)
{
	if (!has_threads(workers) || workers->depth++ > 0)
		return;
	uv_mutex_lock(&workers->lock);
	workers->is_paused = true;
	workers->resting = 0;
	uv_mutex_unlock(&workers->lock);
	call_all(workers);
	uv_mutex_lock(&workers->lock);
	while (workers->resting < workers->loops_n)
		uv_cond_wait(&workers->all_rest, &workers->lock);
	uv_mutex_unlock(&workers->lock);
}

void nm_workers_resume(struct nm_workers *workers)
{
	if (!has_threads(workers) || --workers->depth > 0)
		return;
	uv_mutex_lock(&workers->lock);
	workers->is_paused = false;
	workers->pauses++;
	uv_cond_broadcast(&workers->go_on);
	uv_mutex_unlock(&workers->lock);
}

void nm_workers_stop(struct nm_workers *workers)
{
	if (!workers || workers->is_closed)
		return;
	workers->is_closed = true;
	/* Somebody may stop everything in the middle of a pause. */
	if (workers->depth > 0) {
		workers->depth = 1;
		nm_workers_resume(workers);
	}
	uv_mutex_lock(&workers->lock);
	workers->is_stopping = true;
	uv_mutex_unlock(&workers->lock);
	call_all(workers);
	for (uint32_t i = 0; i < workers->loops_n; i++)
		end_loop(&workers->workers[i]);
	/* Until here the one that ended last could wake the others. */
	for (uint32_t i = 0; i < workers->loops_n; i++)
		uv_loop_close(&workers->workers[i].loop);
}

void nm_workers_free(struct nm_workers *workers)
{
	if (!workers)
		return;
	nm_workers_stop(workers);
	free_all(workers);
}
