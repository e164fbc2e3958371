/* SPDX-License-Identifier: Apache-2.0 */
/* How datagrams reach the IKE daemon and come back: the machines of dispatcher/ on the loop. */
#ifndef NM_HANDOFF_H
#define NM_HANDOFF_H

#include <uv.h>
#include <natmux/mux.h>
#include "daemon/server.h"

struct nm_config;
struct nm_handoff_link;

struct nm_handoff_setup {
	uv_loop_t *loop;
	const struct nm_config *config; /* borrowed for nm_handoff_open only */
	struct natmux_mux *mux;
	struct natmux_log log;
	/* What comes from the IKE daemon, already told to natmux_mux_sent(). */
	void (*send)(void *user, const struct natmux_train *trains, size_t n);
	/* The handoff cannot go on, and the log says why: natmuxd has to stop. */
	void (*failed)(void *user);
	void *user;
};

/*
 * One kind of handoff. `open` makes it an owner of IKE and ESP in the mux; `close` takes that back
 * and closes its uv handles, whose memory `free` gives back when the loop has closed them.
 */
struct nm_handoff_kind {
	const char *name;
	int (*open)(const struct nm_handoff_setup *setup, struct nm_handoff_link **handoff);
	void (*close)(struct nm_handoff_link *handoff);
	void (*free)(struct nm_handoff_link *handoff);
	/* NULL where there are no aliases. */
	int (*alias_reserve)(
		struct nm_handoff_link *handoff, uint32_t flow, const struct natmux_addr *alias);
	void (*aliases)(struct nm_handoff_link *handoff,
		void (*each)(void *user, const struct nm_server_alias *alias), void *user);
	uint32_t (*interface)(struct nm_handoff_link *handoff); /* NULL where there is none */
};

/* Each kind's struct begins with this. */
struct nm_handoff_link {
	const struct nm_handoff_kind *kind;
	struct nm_handoff_setup setup;
};

extern const struct nm_handoff_kind nm_handoff_relay, nm_handoff_inject, nm_handoff_unix;

/*
 * Opens the handoff that the configuration names; NULL is that of handoff = none, good for all that
 * follows. Failures are logged. NATMUX_E…, whatever the device or socket said.
 */
int nm_handoff_open(const struct nm_handoff_setup *setup, struct nm_handoff_link **handoff);

/* Begins to close; the loop must run until it is empty before nm_handoff_free. NULL is fine. */
void nm_handoff_close(struct nm_handoff_link *handoff);
void nm_handoff_free(struct nm_handoff_link *handoff);

/* Fixes the alias of a configured peer. NATMUX_EUNSUPPORTED where the handoff has no aliases. */
int nm_handoff_alias_reserve(
	struct nm_handoff_link *handoff, uint32_t flow, const struct natmux_addr *alias);

/* Calls `each` for every alias in use; `peer` is left NULL. */
void nm_handoff_aliases(struct nm_handoff_link *handoff,
	void (*each)(void *user, const struct nm_server_alias *alias), void *user);

/* The number of the TUN device that packets are injected through; 0: there is none. */
uint32_t nm_handoff_interface(struct nm_handoff_link *handoff);

/* How many flows the configured handoff can tell apart; UINT32_MAX: any number. */
uint32_t nm_handoff_flows_max(const struct nm_config *config);

#endif
