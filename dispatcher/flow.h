/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of flows: one per path on which IKE is spoken. Bounded; an unauthenticated sender can
 * push out only flows that nobody has answered, or that are still in their first exchange.
 *
 * A flow is NEW when its first valid IKE message came, ANSWERED when the daemon has sent anything
 * back (a stranger with a forged address gets that too), ESTABLISHED when the daemon has sent it
 * something encrypted: for that both ends have exchanged keys, so the peer does live at the address.
 */
#ifndef NM_FLOW_H
#define NM_FLOW_H

#include <natmux/mux.h>
#include "base/htab.h"
#include "base/list.h"
#include "base/rate.h"

enum { NM_FLOW_NAME_MAX = 32 /* with its NUL */ };

struct nm_flow {
	struct natmux_path path;
	struct nm_list activity; /* in the list of its state, or of free flows */
	struct nm_list silence;  /* established: in the order of `sent_ms` */
	uint32_t hash;
	uint32_t share; /* of its source prefix, in `shares` */
	uint8_t state;  /* enum natmux_flow_state */
	bool is_open, is_peer;
	char name[NM_FLOW_NAME_MAX]; /* of a peer */
	struct natmux_count rx[NATMUX_CLASS_COUNT], tx;
	uint64_t created_ms, rx_ms;
	uint64_t tx_ms;   /* the owner's last datagram; 0: none yet */
	uint64_t sent_ms; /* the last datagram of anyone's, keepalives too */
	uint64_t keepalives_tx;
};

struct nm_flow_limits {
	uint32_t lifetime_ms[3]; /* by state: since the creation, else since the owner's last */
	uint32_t keepalive_ms;
	uint8_t prefix4_bits, prefix6_bits; /* sources that share an eighth of the table */
};

struct nm_flow_table {
	struct nm_flow *flows;
	uint32_t max;
	uint32_t touched; /* flows from here on have never been used: their memory is untouched */
	uint32_t count;
	uint32_t any_local; /* flows of them whose local address is a bare family */
	struct nm_htab index;
	uint8_t key[NM_RATE_KEY_BYTES];
	/* What was looked up last, found or not: trains of one path come in runs. */
	struct natmux_path last_path;
	uint32_t last;
	bool has_last;
	struct nm_list free, by_state[3], peers, silent;
	struct nm_flow_limits limits;
	/*
	 * Flows by source prefix, hashed: one sender with many ports must not fill the table for good,
	 * for all it takes to establish a flow is an address to be answered at. Prefixes that meet in
	 * one counter share; nobody but us can tell which do.
	 */
	uint32_t *shares;
	uint32_t shares_mask, share_max;
	/* Told before a flow goes, whatever the reason. */
	void (*closed)(void *user, uint32_t flow);
	void *user;
};

/* `key` keys the hash of paths. NATMUX_ENOMEM, NATMUX_ERANGE. */
int nm_flow_table_init(struct nm_flow_table *table, uint32_t max,
	const uint8_t key[NM_RATE_KEY_BYTES], const struct nm_flow_limits *limits);
/* Closes every flow first. */
void nm_flow_table_done(struct nm_flow_table *table);

/*
 * The number of the flow of a path, or NATMUX_FLOW_NONE. A flow whose local address is a bare
 * family, as a configured peer's is and that of an owner who leaves the choice to the kernel,
 * stands for its remote address on every local one.
 */
uint32_t nm_flow_find(struct nm_flow_table *table, const struct natmux_path *path);

/* The flow of a number, or NULL when it is none. */
struct nm_flow *nm_flow_get(const struct nm_flow_table *table, uint32_t flow);

/* Whether the source's prefix may have one more flow; a stranger who opens one is asked about first. */
bool nm_flow_has_share(const struct nm_flow_table *table, const struct natmux_addr *remote);

/*
 * Opens the flow of a path that has none. When the table is full the oldest NEW, else the oldest
 * ANSWERED flow makes room. NATMUX_EFULL when all are established or peers.
 */
int nm_flow_open(struct nm_flow_table *table, uint64_t now_ms, const struct natmux_path *path,
	uint32_t *flow);

/*
 * Opens the flow of a peer, or makes a peer of the flow that the path has. When the table is full
 * a stranger makes room, if need be the ESTABLISHED one whose owner has been silent for longest.
 * NATMUX_EEXISTS: name; NATMUX_EFULL: all are peers.
 */
int nm_flow_open_peer(struct nm_flow_table *table, uint64_t now_ms, const char *name,
	const struct natmux_path *path, uint32_t *flow);

/* The number of the peer of this name, or NATMUX_FLOW_NONE. */
uint32_t nm_flow_find_peer(const struct nm_flow_table *table, const char *name);

void nm_flow_close(struct nm_flow_table *table, uint32_t flow);

/* The owner sends on this flow; `is_proof`: something that establishes it. True: it now is. */
bool nm_flow_sent(struct nm_flow_table *table, uint64_t now_ms, uint32_t flow, bool is_proof);

/* A flow that is silent since the keepalive interval, or NATMUX_FLOW_NONE. */
uint32_t nm_flow_next_silent(const struct nm_flow_table *table, uint64_t now_ms);

/* Its keepalive was sent, or is not needed: it is asked about again after the interval. */
void nm_flow_kept_alive(struct nm_flow_table *table, uint64_t now_ms, uint32_t flow);

/* Closes what has outlived its state. */
void nm_flow_expire(struct nm_flow_table *table, uint64_t now_ms);

/* When the next flow expires, or is silent for too long; UINT64_MAX: never. */
uint64_t nm_flow_next_expiry(const struct nm_flow_table *table);
uint64_t nm_flow_next_silence(const struct nm_flow_table *table);

#endif
