/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues copies of the datagrams that pass the filter. The tap runs on the packet path: it copies,
 * or counts a drop; making text of it waits until the loop has time.
 */
#include "daemon/control/control_capture.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <natmux/error.h>
#include "daemon/control/control_json.h"

/* In front of each datagram in the queue. */
struct record {
	uint64_t time_us;
	struct natmux_path path;
	uint32_t len;  /* of the datagram */
	uint32_t kept; /* bytes that follow */
	uint8_t cls;
	uint8_t tos;
	bool is_sent;
};

enum {
	BASE64 = sodium_base64_VARIANT_ORIGINAL,
	BASE64_ROOM = sodium_base64_ENCODED_LEN(NM_CAPTURE_SNAPLEN_MAX, BASE64),
};

int nm_capture_start(struct nm_capture *capture, const struct nm_capture_filter *filter,
	uint64_t (*now_us)(void))
{
	uint8_t *buf = malloc(NM_CAPTURE_QUEUE);
	char *base64 = malloc(BASE64_ROOM);

	if (!buf || !base64) {
		free(buf);
		free(base64);
		return NATMUX_ENOMEM;
	}
	*capture = (struct nm_capture){
		.filter = *filter, .now_us = now_us, .buf = buf, .base64 = base64};
	pthread_mutex_init(&capture->lock, NULL);
	return 0;
}

void nm_capture_stop(struct nm_capture *capture)
{
	if (capture->buf)
		pthread_mutex_destroy(&capture->lock);
	free(capture->buf);
	free(capture->base64);
	*capture = (struct nm_capture){0};
}

bool nm_capture_is_running(const struct nm_capture *capture)
{
	return capture->buf != NULL;
}

/* A place for `size` bytes in one piece, or NULL when the queue is full. */
static uint8_t *queue_room(struct nm_capture *capture, size_t size)
{
	uint8_t *room;

	if (capture->records == 0) {
		capture->head = capture->tail = 0;
		capture->wrapped = false;
	}
	if (!capture->wrapped && NM_CAPTURE_QUEUE - capture->tail < size) {
		capture->end = capture->tail;
		capture->tail = 0;
		capture->wrapped = true;
	}
	if (capture->wrapped && capture->head - capture->tail < size)
		return NULL;
	room = capture->buf + capture->tail;
	capture->tail += size;
	capture->records++;
	return room;
}

/* The oldest record leaves the queue; its bytes stay until the next queue_room. */
static struct record queue_take(struct nm_capture *capture, const uint8_t **data)
{
	struct record record;

	if (capture->wrapped && capture->head == capture->end) {
		capture->head = 0;
		capture->wrapped = false;
	}
	memcpy(&record, capture->buf + capture->head, sizeof(record));
	*data = capture->buf + capture->head + sizeof(record);
	capture->head += sizeof(record) + record.kept;
	capture->records--;
	return record;
}

static void take_datagram(
	struct nm_capture *capture, struct record *record, const uint8_t *data, uint32_t len)
{
	uint8_t *room;

	record->len = len;
	record->kept = len < capture->filter.snaplen ? len : capture->filter.snaplen;
	room = queue_room(capture, sizeof(*record) + record->kept);
	if (!room) {
		capture->dropped++;
		return;
	}
	memcpy(room, record, sizeof(*record));
	memcpy(room + sizeof(*record), data, record->kept);
	capture->taken++;
}

static bool has_all(const struct nm_capture *capture)
{
	return capture->filter.count > 0 && capture->taken >= capture->filter.count;
}

void nm_capture_tap(
	void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train)
{
	struct nm_capture *capture = user;
	const struct nm_capture_filter *filter = &capture->filter;
	const uint8_t *data = train->len > 0 ? train->data : (const uint8_t *)"";
	uint32_t n = natmux_train_count(train);
	struct record record;

	if (!(filter->classes & 1u << cls) || !(is_sent ? filter->sent : filter->received))
		return;
	memset(&record, 0, sizeof(record));
	record.time_us = capture->now_us();
	record.path = train->path;
	record.cls = (uint8_t)cls;
	record.tos = train->tos;
	record.is_sent = is_sent;
	pthread_mutex_lock(&capture->lock);
	for (uint32_t i = 0, at = 0; i < n && !has_all(capture); i++) {
		uint32_t len = i + 1 < n ? train->segment : train->len - at;

		take_datagram(capture, &record, data + at, len);
		at += len;
	}
	pthread_mutex_unlock(&capture->lock);
}

struct nm_capture_count nm_capture_count(struct nm_capture *capture)
{
	struct nm_capture_count count;

	pthread_mutex_lock(&capture->lock);
	count = (struct nm_capture_count){capture->taken, capture->dropped};
	pthread_mutex_unlock(&capture->lock);
	return count;
}

bool nm_capture_has_next(struct nm_capture *capture)
{
	bool has_next;

	pthread_mutex_lock(&capture->lock);
	has_next = capture->records > 0;
	pthread_mutex_unlock(&capture->lock);
	return has_next;
}

json_t *nm_capture_next(struct nm_capture *capture)
{
	const uint8_t *data;
	struct record record;

	/* The bytes are the queue's until somebody writes there again. */
	pthread_mutex_lock(&capture->lock);
	record = queue_take(capture, &data);
	sodium_bin2base64(capture->base64, BASE64_ROOM, data, record.kept, BASE64);
	pthread_mutex_unlock(&capture->lock);
	return json_pack("{s:o, s:s, s:s, s:o, s:o, s:i, s:i, s:s}", "time_us",
		nm_json_count(record.time_us), "class",
		natmux_class_name((enum natmux_class)record.cls), "direction",
		record.is_sent ? "out" : "in", "local", nm_json_addr(&record.path.local), "remote",
		nm_json_addr(&record.path.remote), "tos", (int)record.tos, "length",
		(int)record.len, "data", capture->base64);
}

bool nm_capture_is_complete(struct nm_capture *capture)
{
	bool is_complete;

	pthread_mutex_lock(&capture->lock);
	is_complete = has_all(capture) && capture->records == 0;
	pthread_mutex_unlock(&capture->lock);
	return is_complete;
}
