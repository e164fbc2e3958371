/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An SA as the kernel keeps it (RFC 4301 4.4.2): a "state" of XFRM. What natmux and the kernel call
 * by different names is translated here; the bytes are state_message.c's.
 */
#ifndef NM_XFRM_STATE_H
#define NM_XFRM_STATE_H

#include <natmux/sa.h>
#include "xfrm/selector.h"

enum {
	NM_XFRM_WINDOW_MAX = 4096, /* packets (XFRMA_REPLAY_ESN_MAX) */
	NM_XFRM_BITMAP_WORDS = NM_XFRM_WINDOW_MAX / 32,
	NM_XFRM_PROTO_ESP = 50,
};

/* Which packets a state or policy is for, by their mark: (mark & mask) == value. */
struct nm_xfrm_mark {
	uint32_t value, mask; /* mask 0: any */
};

/*
 * A cipher, an integrity check, or both in one. What is parsed borrows from the message; what is
 * built borrows from the caller, whose keys are copied into the message and nowhere else.
 */
struct nm_xfrm_algorithm {
	const char *name; /* the kernel's, such as "rfc4106(gcm(aes))"; NULL: none */
	const uint8_t *key;
	uint32_t key_len;  /* octets; of AEADs with the salt */
	uint32_t icv_bits; /* of AEADs and integrity checks */
};

/* Limits; 0: none. The kernel's own "none" (all bits set) is translated. */
struct nm_xfrm_limits {
	uint64_t soft_bytes, hard_bytes;
	uint64_t soft_packets, hard_packets;
	uint64_t soft_seconds, hard_seconds;           /* since it was added */
	uint64_t soft_used_seconds, hard_used_seconds; /* since it was first used */
};

/* What it was used for. Times are seconds since 1970; 0: never. */
struct nm_xfrm_usage {
	uint64_t bytes, packets;
	uint64_t added_at, used_at;
};

/*
 * Sequence numbers and the anti-replay window. Without ESN numbers have 32 bits, with it 64. The
 * bitmap is the kernel's: ask nm_xfrm_replay_is_seen().
 */
struct nm_xfrm_replay {
	uint64_t out;    /* last number sent */
	uint64_t in;     /* highest number received */
	uint32_t window; /* packets; 0: no anti-replay */
	/*
	 * The kernel has two forms: the old one for windows up to 32, in which bit 0 is the highest
	 * number, and a ring of `window` bits in which number n has bit (n - 1) % window.
	 */
	bool is_ring;
	uint32_t words; /* of the ring */
	uint32_t bitmap[NM_XFRM_BITMAP_WORDS];
};

/* Packets the state refused, as it counts them itself. */
struct nm_xfrm_state_stats {
	uint32_t late;      /* older than the window */
	uint32_t duplicate; /* number seen before */
	uint32_t bad_icv;
};

/* Start from nm_xfrm_state_init(); then zero means none everywhere. */
struct nm_xfrm_state {
	/*
	 * Of the packets on the wire. The ports are those of UDP encapsulation (RFC 3948); both are
	 * 0 without. `destination`, `spi` and `protocol` (and the mark) are what the kernel finds
	 * the state by. `source` of family 0: from anywhere.
	 */
	struct natmux_addr source, destination;
	uint32_t spi;         /* host byte order */
	uint8_t protocol;     /* NM_XFRM_PROTO_ESP */
	uint8_t encap;        /* 0: none; NM_XFRM_ENCAP_UDP; others are other programs' */
	uint8_t mode;         /* XFRM_MODE_TUNNEL or XFRM_MODE_TRANSPORT of <linux/xfrm.h> */
	uint8_t direction;    /* 0: not said; NM_XFRM_SA_DIR_... (since Linux 6.10) */
	uint8_t flags;        /* XFRM_STATE_...: NOECN, DECAP_DSCP, NOPMTUDISC, AF_UNSPEC, ESN */
	uint32_t extra_flags; /* XFRM_SA_XFLAG_...: DONT_ENCAP_DSCP, OSEQ_MAY_WRAP */
	uint32_t reqid;
	uint32_t sequence; /* of the ACQUIRE that this answers */
	struct nm_xfrm_selector selector;

	struct nm_xfrm_algorithm aead;         /* this, */
	struct nm_xfrm_algorithm cipher, auth; /* or these two */

	struct nm_xfrm_limits limits;
	/*
	 * Parsed; built only with `keeps_usage`, for a state that goes on counting, and ageing, where
	 * another one stopped.
	 */
	struct nm_xfrm_usage usage;
	bool keeps_usage;
	uint64_t last_used_at; /* parsed only; seconds since 1970; 0: never, or not said */
	struct nm_xfrm_state_stats stats; /* parsed only */
	struct nm_xfrm_replay replay;

	struct nm_xfrm_mark mark;
	struct nm_xfrm_mark output_mark; /* packets leave with this one */
	uint32_t if_id;                  /* of an XFRM interface; 0: none */
	uint32_t tfc_pad;                /* pad inner packets to so many octets */
	uint32_t keepalive_s;            /* the kernel sends NAT keepalives (since 6.11) */
	uint32_t mapping_s;       /* at most one MAPPING in so many seconds; IN; 0: each packet */
	uint32_t offload_ifindex; /* interface whose hardware does the work; 0: none */
	uint8_t offload_flags;    /* XFRM_OFFLOAD_... */
	bool has_cpu;
	uint32_t cpu; /* the only one that uses it (since 6.13) */
};

/* A tunnel-mode ESP state with nothing in it. */
void nm_xfrm_state_init(struct nm_xfrm_state *state);

/* What the kernel finds a state by. */
struct nm_xfrm_state_id {
	struct natmux_addr destination; /* the port does not count */
	uint32_t spi;
	uint8_t protocol;
	struct nm_xfrm_mark mark;
};

struct nm_xfrm_state_id nm_xfrm_state_id_of(const struct nm_xfrm_state *state);

/*
 * An SA of the user plane's description, for the kernel. `state` borrows the key and the
 * configuration. NATMUX_EINVAL; NATMUX_EUNSUPPORTED with a sentence in `*why` when this is nothing
 * the kernel can do: df = set, a fixed DSCP other than 0, a window above 4096, more than one
 * selector or one of ports that no mask describes, an inbound SA without a local address.
 * `*why` is static text; it is set on every failure.
 */
int nm_xfrm_state_from_config(
	const struct natmux_sa_config *config, struct nm_xfrm_state *state, const char **why);

/* Whether packets with number `n` would be refused, and marking it as received. */
bool nm_xfrm_replay_is_seen(const struct nm_xfrm_replay *replay, uint64_t n);
void nm_xfrm_replay_mark(struct nm_xfrm_replay *replay, uint64_t n);

/*
 * Empties the window and sets its size, in the form that the kernel wants for it; a ring's is a power
 * of two, with `has_esn` at least 1 (an outbound state has one, too). NATMUX_ERANGE above
 * NM_XFRM_WINDOW_MAX.
 */
int nm_xfrm_replay_init(struct nm_xfrm_replay *replay, uint32_t window, bool has_esn);

/* The window as it is told to others. The highest number counts as received, whatever the bitmap says. */
void nm_xfrm_replay_save(const struct nm_xfrm_replay *replay, struct natmux_replay_state *state);

/*
 * Goes on where another window stopped: what either of them refuses is refused from now on, and so is
 * what is too old for this one. The state is valid; without ESN its numbers have 32 bits.
 */
void nm_xfrm_replay_join(struct nm_xfrm_replay *replay, const struct natmux_replay_state *state);

/* Counts all numbers up to `top` as received: what a window begins with whose past is not known. */
void nm_xfrm_replay_close(struct nm_xfrm_replay *replay, uint64_t top);

/*
 * Lets the outbound counter jump forward, so that no number is used twice by whoever had the key
 * before. NATMUX_EFULL when there are not so many left (32 bits without ESN).
 */
int nm_xfrm_replay_jump(struct nm_xfrm_replay *replay, bool has_esn, uint64_t margin);

#endif
