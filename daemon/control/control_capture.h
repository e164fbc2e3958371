/* SPDX-License-Identifier: Apache-2.0 */
/* Copies of datagrams on their way to one control client: a filter, a tap and a bounded queue. */
#ifndef NM_CONTROL_CAPTURE_H
#define NM_CONTROL_CAPTURE_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <natmux/classify.h>
#include <natmux/train.h>

enum {
	NM_CAPTURE_SNAPLEN_MAX = 65535,
	NM_CAPTURE_QUEUE = 4 << 20, /* bytes of datagrams, with 72 each, that may wait */
};

/* What a client wants to see. */
struct nm_capture_filter {
	uint32_t classes; /* 1 << class */
	bool received, sent;
	uint32_t snaplen; /* bytes kept of each datagram; 1 to NM_CAPTURE_SNAPLEN_MAX */
	uint64_t count;   /* datagrams until it ends; 0: no end */
};

/*
 * All zeros: no capture runs. Only `filter` is for others to read. Every worker's tap writes here, and
 * the main loop reads: both with the lock, which nobody sees when no capture runs.
 */
struct nm_capture {
	struct nm_capture_filter filter;
	uint64_t taken;   /* queued so far */
	uint64_t dropped; /* matched, but the queue was full */
	uint64_t (*now_us)(void);
	pthread_mutex_t lock;
	uint8_t *buf;      /* NM_CAPTURE_QUEUE bytes */
	char *base64;      /* room for one datagram as text */
	size_t head, tail; /* next record to read, next place to write */
	size_t end;        /* while wrapped: where the records before the wrap end */
	size_t records;
	bool wrapped; /* tail is before head */
};

/* Begins. `now_us` tells the time since 1970, UTC. NATMUX_ENOMEM. */
int nm_capture_start(struct nm_capture *capture, const struct nm_capture_filter *filter,
	uint64_t (*now_us)(void));
void nm_capture_stop(struct nm_capture *capture);

bool nm_capture_is_running(const struct nm_capture *capture);

/* The tap for natmux_mux_set_tap, with the capture as `user`. */
void nm_capture_tap(
	void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train);

/* What it has come to so far. */
struct nm_capture_count {
	uint64_t taken;   /* queued */
	uint64_t dropped; /* matched, but the queue was full */
};
struct nm_capture_count nm_capture_count(struct nm_capture *capture);

/* Whether datagrams wait. */
bool nm_capture_has_next(struct nm_capture *capture);

/* Takes the oldest waiting datagram as JSON, a new reference; NULL without memory (it is gone). */
json_t *nm_capture_next(struct nm_capture *capture);

/* Whether all that was asked for has been taken out. */
bool nm_capture_is_complete(struct nm_capture *capture);

#endif
