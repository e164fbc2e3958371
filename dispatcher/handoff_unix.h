/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hub of the Unix handoff: programs connect to a SOCK_SEQPACKET socket, say which classes they
 * want, receive those datagrams with their addresses, and send their own. docs/unix-handoff.md is
 * the protocol.
 *
 * The owner of the socket accepts, reads and writes; the hub knows clients by number. A client
 * that does not keep up loses datagrams, which are counted; nothing ever waits for it. All memory
 * is allocated by nm_unix_hub_new().
 */
#ifndef NM_HANDOFF_UNIX_H
#define NM_HANDOFF_UNIX_H

#include <stdbool.h>
#include <natmux/mux.h>

struct nm_unix_hub;

enum {
	NM_UNIX_CLIENTS_MAX = 64,
	NM_UNIX_BAD_FRAMES_MAX = 8, /* that many and the client goes */
};

enum nm_unix_sent {
	NM_UNIX_TAKEN,
	NM_UNIX_BLOCKED, /* the socket is full: nm_unix_hub_writable() when it no longer is */
	NM_UNIX_BROKEN,  /* the client is gone: the owner will close it */
};

/* Where frames go: a socket, or a test. Must not call into the hub. */
struct nm_unix_io {
	enum nm_unix_sent (*send_frame)(void *user, uint32_t client, const uint8_t *header,
		size_t header_len, const uint8_t *payload, size_t len);
	void *user;
};

struct nm_unix_config {
	uint32_t clients_max;     /* 1 to NM_UNIX_CLIENTS_MAX */
	uint32_t queue_datagrams; /* that may wait for one client: 1 to 65536 */
	uint32_t queue_bytes;     /* the same in bytes: NM_FRAME_MAX to 64 MiB */
	struct nm_unix_io io;
	struct natmux_mux *mux;
};

/* Copies `config`; the mux and the io's `user` must live longer. NATMUX_ERANGE, NATMUX_ENOMEM. */
int nm_unix_hub_new(const struct nm_unix_config *config, struct nm_unix_hub **hub);

/* NULL is fine. The mux must not have the hub as a sink any more. */
void nm_unix_hub_free(struct nm_unix_hub *hub);

/*
 * For natmux_mux_set_sink() with the hub as `self`, for IKE and ESP alike. Every client that wants
 * the class gets the datagrams; without one they are dropped as HANDOFF_NO_CLIENT.
 */
extern const struct natmux_sink_ops nm_unix_sink;

/* A client has connected; it gets nothing before its HELLO. NATMUX_EFULL. */
int nm_unix_hub_open(struct nm_unix_hub *hub, uint32_t *client);

/* The client's connection has been, or is about to be, closed. What waits for it is forgotten. */
void nm_unix_hub_close(struct nm_unix_hub *hub, uint32_t client);

/*
 * One message from a client. 1: `train` holds what it wants sent, borrowed from `frame`; the
 * caller passes it to natmux_mux_sent() and sends it. 0: nothing to send. NATMUX_EMALFORMED: the
 * client has sent too many bad frames, or speaks another version: close it. Each bad frame is answered
 * with ERROR and counted as HANDOFF_FRAME.
 */
int nm_unix_hub_input(struct nm_unix_hub *hub, uint32_t client, const uint8_t *frame, size_t len,
	struct natmux_train *train);

/* The client's socket has room. Whether frames still wait: false ends the wait for room. */
bool nm_unix_hub_writable(struct nm_unix_hub *hub, uint32_t client);

/* One connected client, for status. Counters are in datagrams. */
struct nm_unix_client_info {
	uint32_t client;
	bool is_welcome; /* has said HELLO */
	bool wants_ike, wants_esp;
	uint64_t sent;     /* handed to its socket */
	uint64_t lost;     /* because it was slow */
	uint64_t received; /* from it, to be sent */
	uint32_t waiting;
	uint32_t bad_frames;
};
void nm_unix_hub_clients(const struct nm_unix_hub *hub,
	void (*each)(void *user, const struct nm_unix_client_info *info), void *user);

#endif
