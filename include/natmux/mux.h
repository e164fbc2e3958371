/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_MUX_H
#define NATMUX_MUX_H

#include <stdbool.h>
#include <natmux/event.h>
#include <natmux/log.h>
#include <natmux/random.h>
#include <natmux/stats.h>
#include <natmux/train.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The dispatcher: one UDP port's datagrams go in, each class comes out at its owner.
 *
 * A machine without system calls. Its owner brings received trains (natmux_mux_input), sends what
 * the mux itself has to say (natmux_mux_output), tells it what the IKE daemon sends
 * (natmux_mux_sent) and calls natmux_mux_timeout when natmux_mux_next_deadline is reached. Time is
 * an argument: milliseconds of any clock that never goes back. Not thread-safe; one mux is used
 * by one thread at a time, any number of muxes side by side.
 */
struct natmux_mux;

/* At most `per_s` datagrams a second in the long run, `burst` at once. per_s 0: none at all. */
struct natmux_rate {
	uint32_t per_s;
	uint32_t burst;
};

enum natmux_responder {
	NATMUX_RESPONDER_OFF,    /* requests are dropped */
	NATMUX_RESPONDER_STRICT, /* answers only with what is not larger than the request */
	NATMUX_RESPONDER_OPEN,   /* minimal answers to every Binding request, FINGERPRINT or not */
};

enum natmux_keepalive {
	NATMUX_KEEPALIVE_OFF,
	NATMUX_KEEPALIVE_AUTO, /* to established flows, unless a STUN server shows no NAT before us */
	NATMUX_KEEPALIVE_ALL, /* to every established flow */
};

/*
 * Start from natmux_mux_config_init(), which sets `size` and the defaults given here, so that
 * fields added later do not change what an older program means.
 */
struct natmux_mux_config {
	size_t size;                     /* sizeof(struct natmux_mux_config) */
	uint32_t flows_max;              /* 4096; memory is bounded by it; 1 to 1048576 */
	uint32_t flow_new_ms;            /* 30000: lifetime of a flow nobody answered */
	uint32_t flow_answered_ms;       /* 60000: of one still in its first exchange */
	uint32_t flow_idle_ms;           /* 3600000: of one whose owner fell silent */
	struct natmux_rate ike_prefix;   /* new flows of one source prefix: 10/s, burst 50 */
	struct natmux_rate ike_all;      /* new flows in all: 200/s, burst 1000 */
	struct natmux_rate stun_prefix;  /* STUN requests of one prefix: 20/s, burst 100 */
	struct natmux_rate stun_all;     /* STUN requests in all: 1000/s, burst 2000 */
	uint8_t prefix4_bits;            /* 32: IPv4 sources that share a bucket */
	uint8_t prefix6_bits;            /* 56: IPv6 sources that share a bucket */
	enum natmux_responder responder; /* STRICT */
	enum natmux_keepalive keepalive; /* AUTO */
	uint32_t keepalive_ms;           /* 20000: RFC 3948 4 */
	uint32_t stun_refresh_ms;        /* 25000: how often servers are asked again */
	struct natmux_log log;           /* silent */
};

/*
 * Sets `size` and the defaults of a configuration of this many bytes: those of the struct as the
 * caller was compiled, which may be fewer than the library's.
 */
void natmux_mux_config_defaults(struct natmux_mux_config *config, size_t size);

/* Sets the size and the defaults. */
static inline void natmux_mux_config_init(struct natmux_mux_config *config)
{
	natmux_mux_config_defaults(config, sizeof(*config));
}

/*
 * Makes a mux. `config` is copied; `random` is copied and used for transaction ids and hash keys.
 * NATMUX_EINVAL, NATMUX_ERANGE (a value out of range), NATMUX_ENOMEM.
 */
int natmux_mux_new(const struct natmux_mux_config *config, const struct natmux_random *random,
	struct natmux_mux **mux);

/* Frees a mux; NULL is fine. Sinks see flow_closed for every flow. */
void natmux_mux_free(struct natmux_mux *mux);

/*
 * Replaces what may change at run time: rates, prefixes' lengths, lifetimes, responder, keepalive,
 * refresh, log. With nothing changed NATMUX_EINVAL (flows_max differs, wrong size), NATMUX_ERANGE.
 */
int natmux_mux_reconfigure(struct natmux_mux *mux, const struct natmux_mux_config *config);

/*
 * An owner of a class. `input` gets the trains of that class, up to 64 at a time, each with datagrams of
 * this class only, in the order in which they came; the bytes are borrowed for the call. `now_ms`
 * is the time given to natmux_mux_input. Sinks count what they drop with natmux_mux_drop.
 * `flow_closed` may be NULL. Neither may call natmux_mux_input or free the mux.
 */
struct natmux_sink_ops {
	const char *name;
	void (*input)(void *self, uint64_t now_ms, const struct natmux_train *trains, size_t n);
	void (*flow_closed)(void *self, uint32_t flow, const struct natmux_path *path);
};

/*
 * Gives a class (IKE, ESP, or STUN: requests with credentials, for an ICE agent) to an owner;
 * NULL `ops` takes it back. NATMUX_EINVAL: RUNT or KEEPALIVE. `ops` is borrowed.
 */
int natmux_mux_set_sink(struct natmux_mux *mux, enum natmux_class cls,
	const struct natmux_sink_ops *ops, void *self);

/* Events go to one function; NULL for none. */
void natmux_mux_set_event_handler(struct natmux_mux *mux,
	void (*handler)(void *user, const struct natmux_event *event), void *user);

/*
 * Shows every train of the classes in `mask` (1 << class), both ways, to a tap before it goes on,
 * for captures; dropped datagrams too. A zero mask takes it away.
 */
void natmux_mux_set_tap(struct natmux_mux *mux, uint32_t mask,
	void (*tap)(
		void *user, enum natmux_class cls, bool is_sent, const struct natmux_train *train),
	void *user);

/* Received trains. The `flow` of each is ignored. */
void natmux_mux_input(
	struct natmux_mux *mux, uint64_t now_ms, const struct natmux_train *trains, size_t n);

/*
 * The IKE daemon (or another owner) is about to send these trains: marks their flows as answered
 * or established, opens flows it begins itself, and puts off keepalives. Trains with a `flow`
 * other than NATMUX_FLOW_NONE are not looked up. Sending stays the caller's work.
 */
void natmux_mux_sent(
	struct natmux_mux *mux, uint64_t now_ms, const struct natmux_train *trains, size_t n);

/*
 * Fetches up to `max` datagrams that the mux itself wants sent (STUN replies and requests,
 * keepalives); call until it returns less than `max`. Borrowed until the next call into the mux
 * that is not natmux_mux_output.
 */
size_t natmux_mux_output(struct natmux_mux *mux, struct natmux_train *trains, size_t max);

/* When natmux_mux_timeout wants to be called; UINT64_MAX: not before the next input. */
uint64_t natmux_mux_next_deadline(const struct natmux_mux *mux);
void natmux_mux_timeout(struct natmux_mux *mux, uint64_t now_ms);

/*
 * STUN servers to be asked for our mapped address, from each of the local addresses given with
 * natmux_mux_set_locals whose family is the server's. `name` (1 to 31 bytes) is copied.
 * NATMUX_EINVAL, NATMUX_EEXISTS (name or address), NATMUX_EFULL (8), NATMUX_ENOTFOUND.
 */
int natmux_mux_server_add(
	struct natmux_mux *mux, uint64_t now_ms, const char *name, const struct natmux_addr *addr);
int natmux_mux_server_remove(struct natmux_mux *mux, const char *name);

/* Our own addresses on the port (at most 16), as the sockets are bound; wildcards are fine. */
int natmux_mux_set_locals(
	struct natmux_mux *mux, uint64_t now_ms, const struct natmux_addr *locals, size_t n);

/* One STUN server asked from one local address. */
struct natmux_server_info {
	const char *name; /* borrowed for the call */
	struct natmux_path path;
	struct natmux_addr mapped; /* family 0 while unknown */
	bool is_answering;
	uint32_t rtt_ms; /* of the last answer */
	uint64_t requests, answers, timeouts, changes;
	uint64_t next_ms; /* when it is asked again */
};

/* Calls `each` for every server and local address. */
void natmux_mux_servers(const struct natmux_mux *mux,
	void (*each)(void *user, const struct natmux_server_info *info), void *user);

/*
 * Makes the flow of a configured peer, which never expires and is never evicted. `name` is copied
 * (1 to 31 bytes). Returns its number in `flow`. In a full table a flow that is no peer's makes
 * room, an established one only if there is no other. NATMUX_EINVAL, NATMUX_EEXISTS, NATMUX_EFULL.
 */
int natmux_mux_peer_add(struct natmux_mux *mux, uint64_t now_ms, const char *name,
	const struct natmux_path *path, uint32_t *flow);
int natmux_mux_peer_remove(struct natmux_mux *mux, const char *name);

enum natmux_flow_state {
	NATMUX_FLOW_NEW,         /* a valid IKE message came; nobody answered */
	NATMUX_FLOW_ANSWERED,    /* the daemon answered the first exchange: anyone gets that */
	NATMUX_FLOW_ESTABLISHED, /* it answered what only a peer that got the answer can send */
};

struct natmux_flow_info {
	uint32_t flow;
	enum natmux_flow_state state;
	const char *peer; /* name of the configured peer, or NULL; borrowed for the call */
	struct natmux_path path;
	struct natmux_count rx[NATMUX_CLASS_COUNT];
	struct natmux_count tx;
	uint64_t created_ms, last_rx_ms, last_tx_ms; /* 0: never */
	uint64_t keepalives_rx, keepalives_tx;
};

/* Calls `each` for every flow: strangers by state, the newest of each last, then the peers. */
void natmux_mux_flows(const struct natmux_mux *mux,
	void (*each)(void *user, const struct natmux_flow_info *info), void *user);

/*
 * Forgets a flow; its path opens a new one when IKE comes again. NATMUX_ENOTFOUND; NATMUX_EINVAL:
 * it is a configured peer's.
 */
int natmux_mux_flow_close(struct natmux_mux *mux, uint32_t flow);

/* The path of a live flow; NULL for a number that is none. Borrowed until the next call. */
const struct natmux_path *natmux_mux_flow_path(const struct natmux_mux *mux, uint32_t flow);

/* The name of the configured peer that has this flow; NULL for others. Borrowed in the same way. */
const char *natmux_mux_flow_peer(const struct natmux_mux *mux, uint32_t flow);

/* Counts datagrams that a sink or the I/O dropped. */
void natmux_mux_drop(struct natmux_mux *mux, enum natmux_drop drop, uint64_t datagrams);

/* The counters, live. Borrowed for the mux's life. */
const struct natmux_stats *natmux_mux_stats(const struct natmux_mux *mux);

#ifdef __cplusplus
}
#endif

#endif
