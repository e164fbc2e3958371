/* SPDX-License-Identifier: Apache-2.0 */
/* One security association inside the plane. */
#ifndef NM_SA_H
#define NM_SA_H

#include <natmux/sa.h>
#include <natmux/stats.h>
#include "base/secret.h"
#include "esp/engine.h"
#include "esp/replay.h"
#include "esp/sequence.h"
#include "esp/usage.h"

enum {
	NM_ESP_HEADER = 8,  /* SPI, sequence number: RFC 4303 2 */
	NM_ESP_TRAILER = 2, /* pad length, next header */
	NM_ESP_IV_MAX = 16,
	NM_ESP_ICV_MAX = 32,
	NM_ESP_PAD_MAX = 255,
	/* Longest that sealing adds without TFC padding: 8 + 16 + 15 + 2 + 32. */
	NM_ESP_OVERHEAD_MAX = 73,
	NM_ESP_NO_NEXT_HEADER = 59, /* RFC 4303 2.6: a dummy packet */
	NM_SA_MARK = 16,            /* crypto_generichash_BYTES_MIN */
	NM_SA_RESYNC_AFTER = 128,   /* RFC 4303 A3.1: packets in a row that are not authentic */
	NM_SA_RESYNC_TRIES = 8,     /* A3.2: high halves that are tried then */
};

struct nm_sa {
	/* What every packet needs. */
	uint32_t spi;
	uint8_t iv_len, icv_len, align;
	uint8_t suite;     /* enum natmux_suite */
	uint8_t direction; /* enum natmux_sa_direction */
	uint8_t mode;      /* enum natmux_sa_mode */
	bool has_esn;
	uint16_t key_bytes; /* of `key` */
	uint16_t tfc_pad;   /* as far as it fits the path: never more than tfc_wish */
	const struct nm_engine *engine;
	void *key; /* in `keys` */
	struct nm_secret_pool *keys;
	struct nm_replay replay;      /* IN */
	struct nm_sequence *sequence; /* OUT */
	struct nm_usage *usage;       /* its own, or of the SA that it is a copy of */
	struct natmux_path path;
	uint64_t path_sequence; /* IN: of the packet that the path is known from */
	uint64_t path_ms;       /* when it changed last */
	uint64_t led_ms;        /* IN: when the outbound SA of its reqid was last told of it */
	struct natmux_sa_counters counters;
	struct nm_usage own_usage;

	/* What some need. */
	uint8_t roam, df, too_big;
	bool no_ecn, no_resync;
	int16_t dscp;
	uint16_t tfc_wish, dummy_seconds;
	uint16_t path_mtu;      /* OUT: learnt; 0: nothing is known */
	uint16_t failures;      /* IN: packets in a row that were not authentic: open.c */
	uint8_t tos;            /* OUT: of the last train */
	bool has_df;            /* the same */
	uint64_t path_mtu_ms;   /* OUT: until when the learnt one counts */
	uint64_t dummied_ms;    /* OUT: when the last dummy went */
	uint32_t dummy_wait_ms; /* OUT: how much silence there may be before the next */
	uint32_t reqid;
	uint32_t number;                 /* its place in the SAD */
	struct nm_sa *newer, *older;     /* OUT: in the SAD, of the same reqid */
	struct natmux_addr filed_remote; /* OUT: what the SAD finds it by; its path may move */
	uint64_t added_ms;
	uint64_t kept_ms; /* OUT: when the last keepalive went */
	struct natmux_lifetime soft, hard;
	size_t selectors_len;
	struct natmux_selector *selectors; /* owned */
	uint8_t key_mark[NM_SA_MARK];      /* tells one key from another: nm_sa_mark_key() */
	uint8_t *keymat;                   /* in `keymats`; NULL unless keys are kept */
	struct nm_secret_pool *keymats;
};

/* What natmux_esp_sa_check() says: sizes, numbers, families. NATMUX_EINVAL. */
int nm_sa_check(const struct natmux_sa_config *config);

/*
 * Makes an SA from a checked or unchecked configuration; everything is validated here and nothing
 * kept on failure. `keys` are pools by suite that the SA's expanded key comes from. `sequence`: for
 * OUT, shared with other workers' copies; NULL: one of its own. NATMUX_EINVAL (sizes, numbers out of
 * range, families), NATMUX_EUNSUPPORTED (no engine), NATMUX_ENOMEM.
 */
int nm_sa_new(const struct natmux_sa_config *config, const struct nm_engine *engine,
	struct nm_secret_pool *keys, struct nm_sequence *sequence, uint64_t now_ms,
	struct nm_sa **sa);

/* Wipes the key. NULL is fine. */
void nm_sa_free(struct nm_sa *sa);

/*
 * succession.c: an SA takes over from one of the same direction, SPI and peer that it replaces, when
 * both have one suite and key: numbers and window. RFC 4303 3.3.3, RFC 4106 3.1: a number is used
 * once under a key, whatever else about the SA changes. `place`, where the peer is configured to be,
 * becomes where it has moved to, unless the configuration has another one now.
 */
void nm_sa_succeed(struct nm_sa *sa, struct nm_sa *before, struct natmux_addr *place);

/* Marks the SA with a digest of its key that only `secret` (16 octets) makes comparable. */
void nm_sa_mark_key(
	struct nm_sa *sa, const struct natmux_sa_config *config, const uint8_t secret[16]);

/* Keeps the key material in an object of the pool. NATMUX_ENOMEM. */
int nm_sa_keep_key(
	struct nm_sa *sa, const struct natmux_sa_config *config, struct nm_secret_pool *keymats);

/* Octets that are encrypted for `len` octets of inner packet: TFC padding, padding, trailer. */
static inline uint32_t nm_sa_text_len(const struct nm_sa *sa, uint32_t len)
{
	uint32_t text = (len < sa->tfc_pad ? sa->tfc_pad : len) + NM_ESP_TRAILER;

	/* Alignments are powers of two; a division would take longer than all the rest. */
	return (text + sa->align - 1) & ~(sa->align - 1u);
}

/* Octets of ESP (from the SPI on) that sealing makes of `len` octets of inner packet. */
uint32_t nm_sa_sealed_len(const struct nm_sa *sa, uint32_t len);

/*
 * Longest inner packet whose sealed form has at most `len` octets; 0: none. As if nothing were
 * padded: TFC padding gives way to what fits, nm_sa_padding_within().
 */
uint32_t nm_sa_inner_max(const struct nm_sa *sa, uint32_t len);

/* What tfc_pad may be where inner packets have at most `most` octets. */
static inline uint16_t nm_sa_padding_within(const struct nm_sa *sa, uint32_t most)
{
	return sa->tfc_wish < most ? sa->tfc_wish : (uint16_t)most;
}

#endif
