/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_SA_H
#define NATMUX_SA_H

#include <stdbool.h>
#include <natmux/addr.h>
#include <natmux/random.h>
#include <natmux/suite.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Security associations and policies of the user ESP plane (RFC 4301, RFC 4303). */

enum natmux_sa_direction {
	NATMUX_SA_IN,
	NATMUX_SA_OUT,
};

enum natmux_sa_mode {
	NATMUX_SA_TUNNEL,
	NATMUX_SA_TRANSPORT,
};

/* Whether a peer that shows up at another address takes its SA along (after ICV and replay). */
enum natmux_roam {
	NATMUX_ROAM_NO,
	NATMUX_ROAM_PORT, /* its port may change: what a NAT does that forgot the mapping */
	NATMUX_ROAM_YES,
};

/*
 * What becomes of the DF bit of the outer IPv4 header (RFC 4301 8.1). Whatever is said here, it is
 * clear on packets that are longer than the path is known to take and must go all the same.
 */
enum natmux_df {
	NATMUX_DF_COPY, /* of the inner packet; IPv6, which no router cuts, counts as set */
	NATMUX_DF_SET,
	NATMUX_DF_CLEAR, /* for paths where ICMP messages get lost */
};

/*
 * What becomes of an inner packet that does not fit and must not be cut itself (IPv6, IPv4 with DF,
 * transport mode). IPv4 without DF is cut before it is sealed, always.
 */
enum natmux_too_big {
	NATMUX_TOO_BIG_TELL, /* dropped; ICMP or ICMPv6 tells its sender what fits (RFC 4301 8.2) */
	NATMUX_TOO_BIG_CUT,  /* sealed whole; the outer packet is cut */
};

/* Limits of an SA; 0: none. What is reached first counts (RFC 4301 4.4.2.1). */
struct natmux_lifetime {
	uint64_t bytes; /* of ESP payload before encryption */
	uint64_t packets;
	uint32_t seconds; /* since the SA was added */
};

/* A range of ports. */
struct natmux_ports {
	uint16_t min, max; /* 0 to 65535: any, and whatever has no ports */
};

/* What a packet must be to belong (RFC 4301 4.4.1.1). Source is the sender of the inner packet. */
struct natmux_selector {
	struct natmux_prefix source, destination; /* of one family */
	uint8_t protocol;                         /* 0: any */
	struct natmux_ports source_ports, destination_ports;
};

/*
 * What an inbound SA has seen of the numbers up to the highest (RFC 4303 3.4.3), for one that goes on
 * elsewhere. Number top - i has bit i % 64 of seen[i / 64], for i below `window`; what lies farther
 * behind counts as seen. Bits of numbers that are none (below 1) are 0, and so are those from `window`
 * on; the bit of `top` itself is set.
 */
enum { NATMUX_REPLAY_MAX = 8192 };

struct natmux_replay_state {
	uint64_t top;    /* the highest; 0: none has come yet */
	uint32_t window; /* packets, to NATMUX_REPLAY_MAX; 0: all up to `top` counts as seen */
	uint64_t seen[NATMUX_REPLAY_MAX / 64];
};

/* Start from natmux_sa_config_init(), which sets `size` and the defaults given here. */
struct natmux_sa_config {
	size_t size;
	enum natmux_sa_direction direction;
	enum natmux_sa_mode mode; /* TUNNEL */
	uint32_t spi;             /* host byte order; 256 and above (RFC 4303 2.1) */
	enum natmux_suite suite;
	const uint8_t *key; /* natmux_suite_key_len() octets; copied into locked memory */
	size_t key_len;
	bool has_esn;           /* false: 64-bit sequence numbers */
	uint32_t replay_window; /* 1024 packets; 0: no anti-replay; to NATMUX_REPLAY_MAX. IN */
	/*
	 * OUT: where packets go. IN: where they are expected to come from; `remote` of family 0: from
	 * anywhere. Transport mode: the peers' addresses are those of the inner packets too.
	 */
	struct natmux_path path;
	enum natmux_roam
		roam;   /* YES. IN: moves this SA's path, and the outbound one's of its reqid */
	uint32_t reqid; /* ties policies and both directions together; 0: none */
	struct natmux_lifetime soft, hard;
	uint64_t sequence; /* 0: last number used (OUT) or seen (IN): a moved SA goes on */
	/*
	 * IN: NULL: all up to `sequence` counts as seen. Or which of it has been, `sequence` being its
	 * top: what has not come yet and lies within both windows may still come. Copied.
	 */
	const struct natmux_replay_state *replay;
	/* Of outer headers; their TTL and hop limit are the system's. */
	enum natmux_df df;           /* COPY. OUT */
	int16_t dscp;                /* -1: copied from the inner packet; else 0 to 63 */
	bool no_ecn;                 /* false: RFC 6040 */
	enum natmux_too_big too_big; /* TELL. OUT */
	/*
	 * 0: pad inner packets to this many octets (RFC 4303 2.7), at most 9000; to fewer where so
	 * many would not fit the path, for a packet is never made too long by its padding.
	 */
	uint16_t tfc_pad;
	/*
	 * 0: after so many seconds of silence, half as many to half as many again, by chance, a dummy
	 * packet of a length by chance is sent (RFC 4303 2.6); to 3600. OUT
	 */
	uint16_t dummy_seconds;
	/*
	 * false: an inbound SA with ESN that has lost 2^32 packets in a row and more finds its way
	 * again (RFC 4303 A3): of every 128 packets in a row that are not authentic one is tried with
	 * the next 8 high halves. That costs 6 % more per forged packet, and nothing else.
	 */
	bool no_resync;
	const struct natmux_selector *selectors; /* IN: what inner packets may be; copied */
	size_t selectors_len;                    /* 0: anything */
};

/* Sets the defaults of a configuration of this many bytes, as the caller was compiled. */
void natmux_sa_config_defaults(struct natmux_sa_config *config, size_t size);

/* Sets the size and the defaults. */
static inline void natmux_sa_config_init(struct natmux_sa_config *config)
{
	natmux_sa_config_defaults(config, sizeof(*config));
}

/*
 * Buckets of the histogram: a packet that came 2^i to 2^(i+1)-1 numbers behind the newest before it;
 * the last bucket has what came from farther behind, too.
 */
enum { NATMUX_REORDER_BUCKETS = 14 };

/* Packets of one SA, by what became of them. */
struct natmux_sa_counters {
	uint64_t packets, bytes; /* delivered or sent; octets of inner packets */
	/*
	 * IN: numbers that left the window without having come, from number 1 on, or of those that
	 * config's `sequence` and `replay` say are still to come. What is missing inside the window
	 * may still come and is not among them; what comes after it has left is `late` and stays
	 * lost. Never goes down. 0 with replay_window 0: nobody knows then what has come.
	 */
	uint64_t lost;
	uint64_t late;      /* older than the window */
	uint64_t duplicate; /* number seen before; not decrypted */
	uint64_t replayed;  /* authentic, and another of the same vector had the number */
	uint64_t bad_icv;
	uint64_t bad_padding;
	uint64_t selector; /* inner packet that the selectors do not allow */
	uint64_t too_short;
	uint64_t dummy;     /* next header 59, received or sent; not among `packets` */
	uint64_t exhausted; /* OUT: refused, the counter or a hard limit was reached */
	uint64_t reorder[NATMUX_REORDER_BUCKETS];
};

/*
 * One SA by itself, for programs that have their own tables and paths: seals or opens, and nothing
 * else. No socket, thread, clock, or allocation after natmux_sa_new().
 */
struct natmux_sa;

/* One packet of a vector. Worked on in place. */
struct natmux_esp_packet {
	uint8_t *data;
	size_t size; /* octets of memory at `data` */
	/*
	 * Sealing: of the inner packet, which stands at data + natmux_sa_headroom(); then of the ESP
	 * packet at `data`. Opening: of the ESP packet at `data`; then of the inner packet at `inner`.
	 */
	size_t len;
	uint8_t *inner;      /* opening: in `data` */
	uint8_t next_header; /* sealing: given; opening: found. 59: a dummy packet */
	uint64_t sequence;   /* complete */
	int error;           /* 0, or why this one came to nothing */
};

/*
 * Of the configuration's fields those about paths, roaming, selectors and lifetimes are not looked
 * at. The fastest engine that proves itself is taken. NATMUX_EINVAL, NATMUX_EUNSUPPORTED,
 * NATMUX_ENOMEM.
 */
int natmux_sa_new(const struct natmux_sa_config *config, const struct natmux_random *random,
	struct natmux_sa **sa);
void natmux_sa_free(struct natmux_sa *sa); /* wipes the key; NULL is fine */

/* Octets in front of the inner packet: SPI, sequence number, IV. */
size_t natmux_sa_headroom(const struct natmux_sa *sa);

/* Octets of ESP that sealing makes of `len` octets. */
size_t natmux_sa_sealed_len(const struct natmux_sa *sa, size_t len);

/*
 * Seals `n` packets with sequence numbers in order. Errors by packet: NATMUX_ENOSPACE, NATMUX_ERANGE
 * (longer than 65535); NATMUX_EFULL for all of them when the SA has fewer numbers left. Returns how
 * many were sealed.
 */
size_t natmux_sa_seal(struct natmux_sa *sa, struct natmux_esp_packet *packets, size_t n);

/*
 * Opens `n` packets (RFC 4303 3.4). Errors by packet: NATMUX_ETRUNCATED, NATMUX_EEXISTS (number seen
 * before, or too old), NATMUX_EAUTH, NATMUX_EMALFORMED (padding). Returns how many were opened.
 */
size_t natmux_sa_open(struct natmux_sa *sa, struct natmux_esp_packet *packets, size_t n);

/*
 * What the SA has seen, for another one to go on with (config's `sequence` and `replay`): this one has
 * to open nothing more then, or a packet could be accepted twice. NATMUX_EINVAL: it is outbound.
 */
int natmux_sa_replay(const struct natmux_sa *sa, struct natmux_replay_state *replay);

/* Live counters. */
const struct natmux_sa_counters *natmux_sa_counters_of(const struct natmux_sa *sa);

#ifdef __cplusplus
}
#endif
#endif
