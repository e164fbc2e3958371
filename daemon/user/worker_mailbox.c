/* SPDX-License-Identifier: Apache-2.0 */
/* Two buffers that change their places when the owner comes. What is in them is others' business. */
#include "daemon/user/worker_mailbox.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <natmux/error.h>

enum { ALIGNMENT = 8, MAIL_EVENT = NM_MAIL_STRAY + 1 };

/* In front of what was posted, which follows: the bytes of a train, or an event. */
struct record {
	uint32_t mail;
	uint32_t len; /* of what follows */
	struct natmux_train train;
};

struct half {
	uint8_t *bytes; /* NM_MAILBOX_BYTES */
	size_t len;
};

struct nm_mailbox {
	uv_mutex_t lock;
	struct half filling; /* with the lock */
	struct half taken;   /* the owner's */
};

int nm_mailbox_new(struct nm_mailbox **result)
{
	struct nm_mailbox *mailbox = calloc(1, sizeof(*mailbox));

	if (!mailbox)
		return NATMUX_ENOMEM;
	/* Not touched before they are used, and so no memory until then. */
	mailbox->filling.bytes = malloc(NM_MAILBOX_BYTES);
	mailbox->taken.bytes = malloc(NM_MAILBOX_BYTES);
	if (!mailbox->filling.bytes || !mailbox->taken.bytes || uv_mutex_init(&mailbox->lock) < 0) {
		free(mailbox->filling.bytes);
		free(mailbox->taken.bytes);
		free(mailbox);
		return NATMUX_ENOMEM;
	}
	*result = mailbox;
	return 0;
}

void nm_mailbox_free(struct nm_mailbox *mailbox)
{
	if (!mailbox)
		return;
	uv_mutex_destroy(&mailbox->lock);
	free(mailbox->filling.bytes);
	free(mailbox->taken.bytes);
	free(mailbox);
}

static size_t aligned(size_t len)
{
	return (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static bool post(
	struct nm_mailbox *mailbox, const struct record *record, const void *data, size_t room)
{
	size_t size = aligned(sizeof(*record)) + aligned(record->len);
	struct half *half = &mailbox->filling;
	bool fits;

	uv_mutex_lock(&mailbox->lock);
	fits = size <= room && half->len <= room - size;
	if (fits) {
		memcpy(half->bytes + half->len, record, sizeof(*record));
		if (record->len > 0)
			memcpy(half->bytes + half->len + aligned(sizeof(*record)), data,
				record->len);
		half->len += size;
	}
	uv_mutex_unlock(&mailbox->lock);
	return fits;
}

bool nm_mailbox_post_train(
	struct nm_mailbox *mailbox, enum nm_mail mail, const struct natmux_train *train)
{
	struct record record = {.mail = mail, .len = train->len, .train = *train};

	return post(mailbox, &record, train->data, NM_MAILBOX_BYTES - NM_MAILBOX_EVENTS);
}

bool nm_mailbox_post_event(struct nm_mailbox *mailbox, const struct natmux_esp_event *event)
{
	struct record record = {.mail = MAIL_EVENT, .len = sizeof(*event)};

	return post(mailbox, &record, event, NM_MAILBOX_BYTES);
}

static void read_event(const struct nm_mailbox_reader *reader, void *user, const uint8_t *bytes)
{
	struct natmux_esp_event event;

	memcpy(&event, bytes, sizeof(event));
	reader->event(user, &event);
}

void nm_mailbox_take(struct nm_mailbox *mailbox, const struct nm_mailbox_reader *reader, void *user)
{
	struct half half = mailbox->taken;

	half.len = 0;
	uv_mutex_lock(&mailbox->lock);
	mailbox->taken = mailbox->filling;
	mailbox->filling = half;
	uv_mutex_unlock(&mailbox->lock);
	half = mailbox->taken;
	for (size_t at = 0; at < half.len;) {
		uint8_t *data = half.bytes + at + aligned(sizeof(struct record));
		struct record record;

		memcpy(&record, half.bytes + at, sizeof(record));
		record.train.data = data;
		if (record.mail == MAIL_EVENT)
			read_event(reader, user, data);
		else
			reader->train(user, (enum nm_mail)record.mail, &record.train);
		at += aligned(sizeof(record)) + aligned(record.len);
	}
}
