/* SPDX-License-Identifier: Apache-2.0 */
/*
 * natmuxd's policies in the kernel. Those of people are outbound, and are given the newest SA's
 * tunnel as their template. What an inbound SA may bring in (its selectors) is a pair of policies of
 * its own, a gate: without one the kernel drops what a tunnel brings (RFC 4301 5.2).
 */
#ifndef NM_KERNEL_SPD_H
#define NM_KERNEL_SPD_H

#include "base/htab.h"
#include "daemon/kernel/kernel_ask.h"
#include "daemon/kernel/kernel_sad.h"

struct nm_kernel_policy {
	enum nm_xfrm_direction direction; /* NM_XFRM_IN: a gate, forwarding included */
	struct nm_xfrm_selector selector;
	struct nm_xfrm_mark mark;
	uint32_t if_id;
	/* Outbound. */
	struct nm_policy_order order;
	uint64_t acquired_ms; /* when somebody was told that it wants an SA */
	struct nm_list node;  /* among those of its reqid */
	/* Gates. */
	uint32_t reqid, refs; /* SAs that came for it */
	enum natmux_sa_mode mode;
	uint8_t outer; /* family of the addresses on the wire */
	bool is_wide; /* for SAs without selectors: of whatever reqid, and unprotected packets too */
	/* Since events were lost: in the kernel, or put there. A gate is two policies there. */
	bool is_seen, is_forward_seen;
};

struct nm_kernel_spd {
	struct nm_kernel_ask *ask;          /* borrowed */
	struct nm_kernel_policy **policies; /* len of them, in no order */
	uint32_t len, room;
	uint32_t outs, outs_max; /* of them outbound ones */
	uint32_t leaving;        /* so many may there be more for now */
	struct nm_htab by_selector;
	struct nm_kernel_reqids by_reqid; /* outbound ones */
	uint32_t gates_max;
	bool holds_gates; /* what nobody came for stays shut */
};

/* `gates_max` bounds what SAs bring along. NATMUX_ENOMEM, NATMUX_ERANGE. */
int nm_kernel_spd_init(struct nm_kernel_spd *spd, struct nm_kernel_ask *ask, uint32_t outs_max,
	uint32_t gates_max);

/* Forgets all; nm_kernel_spd_clear() takes them out of the kernel before. */
void nm_kernel_spd_done(struct nm_kernel_spd *spd);
void nm_kernel_spd_clear(struct nm_kernel_spd *spd);

/*
 * Adds an outbound policy; `newest` is the SA of its reqid or NULL, and then packets wait for one
 * (sa-acquire). NATMUX_EEXISTS: one of that priority and selector is there. NATMUX_EINVAL: one of
 * the selector, with another priority.
 */
int nm_kernel_spd_add(struct nm_kernel_spd *spd, const struct nm_policy_order *order,
	const struct nm_kernel_sa *newest, char why[static NM_SA_PLANE_WHY]);
/*
 * Puts `order` into the place of `before`, of the same selector, mark and if_id, which it is at once
 * or not at all: between a deletion and an addition packets would leave in the clear. The kernel
 * links the new one in, by its priority, before it unlinks the old one. NATMUX_ENOTFOUND.
 */
int nm_kernel_spd_replace(struct nm_kernel_spd *spd, const struct nm_policy_order *before,
	const struct nm_policy_order *order, const struct nm_kernel_sa *newest,
	char why[static NM_SA_PLANE_WHY]);
/* Room for one more, as long as this one, which will be deleted, stands. NULL: no more. */
void nm_kernel_spd_leave(struct nm_kernel_spd *spd, const struct nm_policy_order *order);
/* NATMUX_ENOTFOUND; others when it is still there. */
int nm_kernel_spd_delete(struct nm_kernel_spd *spd, const struct nm_policy_order *order,
	char why[static NM_SA_PLANE_WHY]);
void nm_kernel_spd_each(const struct nm_kernel_spd *spd, nm_policy_each *each, void *user);

/* The policies of a reqid as they are with that SA; those of NULL wait for one. */
int nm_kernel_spd_refresh(struct nm_kernel_spd *spd, uint32_t reqid,
	const struct nm_kernel_sa *newest, char why[static NM_SA_PLANE_WHY]);

/*
 * The same, to be carried out by somebody else: an array to be freed. NULL with `*len` 0: there are
 * none, or no memory.
 */
struct nm_xfrm_policy *nm_kernel_spd_refreshed(const struct nm_kernel_spd *spd, uint32_t reqid,
	const struct nm_kernel_sa *newest, size_t *len);

/*
 * Lets in what the SA's selectors allow. NATMUX_EEXISTS: an SA of another reqid has a selector
 * already, and the kernel has one policy of a selector. Nothing has changed after a failure.
 */
int nm_kernel_spd_open(
	struct nm_kernel_spd *spd, const struct nm_kernel_sa *sa, char why[static NM_SA_PLANE_WHY]);
void nm_kernel_spd_close(struct nm_kernel_spd *spd, const struct nm_kernel_sa *sa);

/*
 * Keeps the gates of SAs that go until it is called with false, for those that come may bring them
 * again: without a gate the kernel lets in what is not protected.
 */
void nm_kernel_spd_hold_gates(struct nm_kernel_spd *spd, bool holds);

/* Whether nm_kernel_spd_open() would find no selector taken. NATMUX_EEXISTS. */
int nm_kernel_spd_check(
	struct nm_kernel_spd *spd, const struct nm_kernel_sa *sa, char why[static NM_SA_PLANE_WHY]);

/* A look at what the kernel has: it begins, finds a policy, and ends with how many are missing. */
void nm_kernel_spd_look(struct nm_kernel_spd *spd);
void nm_kernel_spd_see(struct nm_kernel_spd *spd, const struct nm_xfrm_policy_id *id);
uint32_t nm_kernel_spd_missing(const struct nm_kernel_spd *spd);

/* Our outbound policy of that id, or NULL; whether a gate has it. */
struct nm_kernel_policy *nm_kernel_spd_find(
	struct nm_kernel_spd *spd, const struct nm_xfrm_policy_id *id);

#endif
