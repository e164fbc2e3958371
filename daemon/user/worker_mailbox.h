/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one worker has for another: copies of datagrams, and events of its plane, in the order in which
 * they were posted. Anybody posts, the owner alone takes. Bounded; a lock guards it, for nothing of
 * the normal path goes through here.
 */
#ifndef NM_WORKER_MAILBOX_H
#define NM_WORKER_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <natmux/esp.h>
#include <natmux/train.h>

struct nm_mailbox;

enum nm_mail {
	NM_MAIL_ESP,   /* whose SA is at home with the owner */
	NM_MAIL_STRAY, /* of the port, not ESP: the first worker's */
};

enum {
	NM_MAILBOX_BYTES = 1 << 20,
	NM_MAILBOX_EVENTS = 64 * 1024, /* of these: room that datagrams leave to events */
};

/* Room for NM_MAILBOX_BYTES, twice: one half fills while the other is emptied. NATMUX_ENOMEM. */
int nm_mailbox_new(struct nm_mailbox **mailbox);
void nm_mailbox_free(struct nm_mailbox *mailbox); /* NULL is fine */

/* A copy of the train, or of the event. False: it is full. */
bool nm_mailbox_post_train(
	struct nm_mailbox *mailbox, enum nm_mail mail, const struct natmux_train *train);
bool nm_mailbox_post_event(struct nm_mailbox *mailbox, const struct natmux_esp_event *event);

struct nm_mailbox_reader {
	/* The train's bytes may be written to; they are good for the call. */
	void (*train)(void *user, enum nm_mail mail, const struct natmux_train *train);
	void (*event)(void *user, const struct natmux_esp_event *event);
};

/*
 * What has been posted so far. What is posted meanwhile waits for the next call: whoever posts wakes
 * the owner again.
 */
void nm_mailbox_take(
	struct nm_mailbox *mailbox, const struct nm_mailbox_reader *reader, void *user);

#endif
