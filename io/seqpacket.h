/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Unix SOCK_SEQPACKET server: whole frames in, whole frames out, nothing ever waits. Who may
 * connect, and what frames mean, is the caller's to decide.
 */
#ifndef NM_SEQPACKET_H
#define NM_SEQPACKET_H

#include <stdint.h>
#include <natmux/log.h>
#include "io/sys.h"

struct nm_seqpacket;

struct nm_seqpacket_config {
	const struct nm_sys *sys;
	struct natmux_log log;
	const char *path; /* 1 to 107 bytes */
	mode_t mode;      /* of the socket's file, such as 0600 */
	unsigned int clients_max;
	uint32_t send_buffer; /* bytes that may wait for one client; 0: the system's default */
};

/* One connection. The caller keeps it, polls `fd`, and gives it back to nm_seqpacket_hang_up. */
struct nm_seqpacket_client {
	int fd;
	pid_t pid; /* SO_PEERCRED: as they were when it connected */
	uid_t uid;
	gid_t gid;
};

/*
 * Listens at `path`. A socket file that nobody answers at is removed first; one that somebody
 * answers at, or anything else of that name, is left alone. Failures are logged as one line with
 * call, path and what can be done. NATMUX_EINVAL (length of the path), NATMUX_EEXISTS (in use, or
 * not a socket), NATMUX_ENOMEM, NATMUX_ESYSTEM.
 */
int nm_seqpacket_listen(const struct nm_seqpacket_config *config, struct nm_seqpacket **listener);

/* Stops listening and removes the file, if it is still this one. NULL is fine. */
void nm_seqpacket_close(struct nm_seqpacket *listener);

int nm_seqpacket_fd(const struct nm_seqpacket *listener); /* readable: somebody connects */

/*
 * Takes the next connection. NATMUX_ENOTFOUND: nobody waits. NATMUX_EFULL: one beyond clients_max
 * was hung up. NATMUX_ESYSTEM: it failed, or whoever it was could not be told.
 */
int nm_seqpacket_accept(struct nm_seqpacket *listener, struct nm_seqpacket_client *client);
void nm_seqpacket_hang_up(struct nm_seqpacket *listener, struct nm_seqpacket_client *client);

enum nm_seqpacket_result {
	NM_SEQPACKET_DONE,
	NM_SEQPACKET_AGAIN,    /* nothing waits, or the client does not keep up */
	NM_SEQPACKET_TOO_LONG, /* the frame is longer than the buffer, or than a frame can be */
	NM_SEQPACKET_GONE,     /* hang up */
};

/* Sends one frame of `n` parts, whole or not at all. */
enum nm_seqpacket_result nm_seqpacket_send(struct nm_seqpacket *listener,
	const struct nm_seqpacket_client *client, const struct iovec *parts, size_t n);

/* Receives one frame of up to `size` bytes. One that is longer is discarded. */
enum nm_seqpacket_result nm_seqpacket_recv(struct nm_seqpacket *listener,
	const struct nm_seqpacket_client *client, void *frame, size_t size, size_t *len);

#endif
