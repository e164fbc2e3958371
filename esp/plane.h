/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a plane, shared by the files of esp/ that are its parts. */
#ifndef NM_PLANE_H
#define NM_PLANE_H

#include <stdatomic.h>
#include <natmux/esp.h>
#include "esp/coalesce.h"
#include "esp/sad.h"
#include "esp/seal.h"
#include "esp/spd.h"
#include "esp/split.h"

enum {
	/* Sealed packets wait here for one call of `send`: a few full trains. */
	NM_PLANE_OUT_BYTES = 256 * 1024,
	NM_PLANE_TRAINS = 64,
	NM_PLANE_TRAIN_BYTES = 65535 - 48, /* what UDP_SEGMENT takes on IPv6 */
	NM_PLANE_TRAIN_MAX = 64,           /* datagrams: UDP_MAX_SEGMENTS of old kernels */
	NM_PLANE_MOVE_MS = 1000,           /* an SA's path changes at most so often */
	NM_PLANE_ACQUIRE_MS = 1000,
};

/*
 * Packets of one SA that wait to be sealed together and sent as one train: what is read from the
 * device one by one shall cost no more than what comes as a super-packet.
 */
struct nm_plane_vector {
	struct nm_sa *sa;
	uint8_t *start;  /* in `out`; packets lie side by side */
	uint32_t stride; /* of each but the last */
	uint32_t len;    /* of all, sealed */
	uint32_t n;      /* 0: none wait, and the rest means nothing */
	uint8_t tos;
	bool has_df;
	uint64_t bytes; /* of inner packets */
	struct nm_seal_item items[NM_PLANE_TRAIN_MAX];
};

/* What a packet is looked up by, and what was found for the last one. */
struct nm_plane_flow {
	struct {
		uint8_t source[16], destination[16];
		uint16_t source_port, destination_port;
		uint8_t family, protocol, has_ports, is_fragment;
	} key;
	uint64_t changes; /* of SAs and policies when it was found; 0: nothing yet */
	const struct natmux_policy *policy; /* or NULL */
	struct nm_sa *sa;                   /* of PROTECT; or NULL */
};

struct natmux_esp {
	struct natmux_esp_config config;
	struct nm_engine_choice engines;
	struct nm_secret_pool *keys[NATMUX_SUITE_COUNT]; /* made when first needed */
	struct nm_secret_pool *keymats;                  /* NULL unless keys are kept */
	struct nm_sad sad;
	struct nm_spd spd;
	struct nm_iv_source ivs;
	struct nm_coalesce coalesce;
	uint64_t keepalive_ms; /* when the next SA may have been silent for too long */
	uint64_t dummy_ms;     /* when the next dummy packet may be due */
	uint64_t expiry_ms;    /* when natmux_esp_timeout() looks at lifetimes again */
	uint64_t mtu_ms;       /* the same, for what was learnt about paths */
	/* Planes that share their SAs: group.c. */
	struct natmux_esp *leader;                      /* itself, when it has none */
	struct natmux_esp *group[NATMUX_ESP_GROUP_MAX]; /* of the leader: all, itself first */
	uint32_t group_len;
	uint32_t sas_n;    /* of the leader: SAs of all planes, copies not counted */
	bool is_swap_told; /* of the leader: keys are in memory that is not locked */
	/* Of the leader: when the next event of the kind may be told. */
	_Atomic uint64_t acquire_ms, audit_ms[NATMUX_DROP_COUNT];

	uint32_t out_len;
	uint32_t trains_len;
	struct natmux_train trains[NM_PLANE_TRAINS];
	struct nm_plane_vector vector;
	struct nm_plane_flow flow;
	uint64_t changes; /* of SAs and policies so far, and one */
	/* Functions under way that hold SAs while they call others: none may come or go. */
	unsigned int holds;
	uint8_t out[NM_PLANE_OUT_BYTES];
	uint8_t whole[UINT16_MAX], piece[UINT16_MAX]; /* of a packet that has to be cut */
};

static inline void nm_plane_drop(struct natmux_esp *esp, enum natmux_drop drop, uint64_t packets)
{
	if (esp->config.drop)
		esp->config.drop(esp->config.user, drop, packets);
}

static inline void nm_plane_event(struct natmux_esp *esp, const struct natmux_esp_event *event)
{
	if (esp->config.event)
		esp->config.event(esp->config.user, event);
}

/* Whether something that is told at most every `interval_ms` may be told by this plane, now. */
static inline bool nm_plane_is_due(_Atomic uint64_t *next_ms, uint64_t now_ms, uint32_t interval_ms)
{
	uint64_t next = atomic_load_explicit(next_ms, memory_order_relaxed);

	return now_ms >= next &&
	       atomic_compare_exchange_strong(next_ms, &next, now_ms + interval_ms);
}

/* Whether the SA is a copy of one of the leader's, which does what is done by the clock. */
static inline bool nm_plane_is_copy(const struct natmux_esp *esp, const struct nm_sa *sa)
{
	return sa->direction == NATMUX_SA_OUT && esp != esp->leader;
}

/* plane.c: a new SA by a checked configuration; `of`: the leader's, of which it is a copy, or NULL. */
int nm_plane_make_sa(struct natmux_esp *esp, uint64_t now_ms, const struct natmux_sa_config *config,
	struct nm_sa *of, struct nm_sa **sa);

/* Files it, in the place of one that it replaces; its peer is at `place`. NATMUX_EFULL. */
int nm_plane_take_sa(
	struct natmux_esp *esp, uint64_t now_ms, struct nm_sa *sa, const struct natmux_addr *place);

/* audit.c: RFC 4303 4: an auditable drop; an event at most once a second for each reason. */
void nm_plane_audit(struct natmux_esp *esp, uint64_t now_ms, enum natmux_drop drop, uint32_t spi,
	uint32_t sequence, const struct natmux_path *path);

/* lifetime.c: bytes and packets of one vector; soft limits are told, hard ones end the SA. */
void nm_lifetime_count(struct natmux_esp *esp, struct nm_sa *sa, uint64_t packets, uint64_t bytes);
/* RFC 4303 3.3.3: no number is left, and none may come twice. */
void nm_lifetime_end(struct natmux_esp *esp, struct nm_sa *sa);
/* What is due by the clock. Returns when to come again. */
uint64_t nm_lifetime_expire(struct natmux_esp *esp, uint64_t now_ms);

/* keepalive.c: what is due. Returns when to come again. */
uint64_t nm_plane_keepalives(struct natmux_esp *esp, uint64_t now_ms);

/* dummy.c: sends those that are due; when to look again. */
uint64_t nm_plane_dummies(struct natmux_esp *esp, uint64_t now_ms);

/* path_mtu.c: of the way to the SA's peer, as far as is known: the plane's, or less. */
uint32_t nm_path_mtu(const struct natmux_esp *esp, struct nm_sa *sa, uint64_t now_ms);
/* Forgets what has been learnt too long ago. Returns when to come again. */
uint64_t nm_path_mtu_expire(struct natmux_esp *esp, uint64_t now_ms);

/*
 * ahead.c: fetches the SAs of the packets that come next. Returns how many packets it looked at: at
 * least one where there is one.
 */
size_t nm_plane_look_ahead(
	const struct natmux_esp *esp, const struct natmux_inner *packets, size_t n);

/* plane_out.c: octets of the longest text that fits that: in tunnel mode, an inner packet. */
uint32_t nm_plane_inner_max(const struct natmux_esp *esp, struct nm_sa *sa, uint64_t now_ms);

/* The same as an MTU for packets of a family; IPv6 has 1280 anywhere (RFC 8200 5). */
static inline uint32_t nm_plane_mtu_of(uint8_t family, uint32_t inner_max)
{
	return family == NATMUX_FAMILY_IPV6 && inner_max < 1280 ? 1280 : inner_max;
}

/*
 * path.c: an authentic packet with the highest number so far came on this path (RFC 7296 2.23): the
 * SA and its pair may move there, as their roam policy allows.
 */
void nm_path_seen(
	struct natmux_esp *esp, struct nm_sa *sa, uint64_t now_ms, const struct natmux_path *path);

/* tunnel.c: outer fields of a packet on its way out; RFC 6040, RFC 2983. */
uint8_t nm_tunnel_outer_tos(const struct nm_sa *sa, uint8_t inner_tos);
/* The inner packet after the way in. False: RFC 6040 4.2 drops it (CE on a packet that is not ECT). */
bool nm_tunnel_set_ecn(uint8_t *packet, const struct nm_inner_info *info, uint8_t outer_tos);

#endif
