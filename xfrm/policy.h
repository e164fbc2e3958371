/* SPDX-License-Identifier: Apache-2.0 */
/* A policy as the kernel keeps it (RFC 4301 4.4.1): one direction, one selector, one template. */
#ifndef NM_XFRM_POLICY_H
#define NM_XFRM_POLICY_H

#include <natmux/esp.h>
#include "xfrm/selector.h"
#include "xfrm/state.h"

/* The numbers are the kernel's. */
enum nm_xfrm_direction {
	NM_XFRM_IN,  /* to this machine */
	NM_XFRM_OUT, /* from it, or forwarded into a tunnel */
	NM_XFRM_FWD, /* out of a tunnel, and forwarded */
};

/* What protects the packets: a state that fits, or an ACQUIRE. */
struct nm_xfrm_template {
	struct natmux_addr source, destination; /* tunnel ends; ports 0; family 0: any */
	uint32_t spi;                           /* 0: any */
	uint8_t protocol;                       /* NM_XFRM_PROTO_ESP */
	uint8_t mode;                           /* XFRM_MODE_... */
	uint32_t reqid;                         /* 0: any */
	bool is_optional;                       /* IN, FWD: packets may come without protection */
};

enum { NM_XFRM_TEMPLATES = 6 /* the kernel's XFRM_MAX_DEPTH */ };

struct nm_xfrm_policy {
	enum nm_xfrm_direction direction;
	uint32_t priority; /* the lowest is asked first */
	uint32_t index;    /* the kernel's name for it; 0: not known yet */
	bool is_block;     /* false: let through, protected when there are templates */
	uint8_t flags;     /* XFRM_POLICY_...: LOCALOK, ICMP */
	uint8_t type;      /* 0: main */
	struct nm_xfrm_selector selector;
	struct nm_xfrm_limits limits;
	struct nm_xfrm_usage usage; /* parsed only */
	struct nm_xfrm_mark mark;
	uint32_t if_id;
	size_t templates_len;
	struct nm_xfrm_template templates[NM_XFRM_TEMPLATES];
};

/*
 * What the kernel finds a policy by: the selector, direction, mark and interface, or, with an index
 * other than 0, the index and direction.
 */
struct nm_xfrm_policy_id {
	enum nm_xfrm_direction direction;
	uint32_t index;
	uint8_t type;
	struct nm_xfrm_selector selector;
	struct nm_xfrm_mark mark;
	uint32_t if_id;
};

struct nm_xfrm_policy_id nm_xfrm_policy_id_of(const struct nm_xfrm_policy *policy);

/*
 * A natmux policy (outbound) as the kernel says it. PROTECT: a tunnel between the addresses of
 * `path` or, in transport mode, any. With direction IN or FWD source and destination change places.
 * NATMUX_EUNSUPPORTED: ports that no mask describes.
 */
int nm_xfrm_policy_from(const struct natmux_policy *policy, enum nm_xfrm_direction direction,
	enum natmux_sa_mode mode, const struct natmux_path *path, struct nm_xfrm_policy *kernel);

#endif
