/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has SAs and policies and does ESP with them: the user plane, the kernel, or a fake. Control,
 * reload and metrics know this and not which one it is.
 *
 * Every call has its answer when it returns. The kernel's plane asks over a netlink socket of its
 * own and waits: the kernel works off such a request within the system call that brings it, so that
 * there is nothing to wait for but a dump's next part, and callers need no second half.
 */
#ifndef NM_SA_PLANE_H
#define NM_SA_PLANE_H

#include <natmux/esp.h>

struct nm_config;

enum {
	NM_SA_PLANE_WHY = 256,        /* bytes of a reason */
	NM_SA_PLANE_DEVICE_SIZE = 16, /* IFNAMSIZ */
};

/* A mark and which of its bits count (skb->mark); mask 0: none. */
struct nm_sa_mark {
	uint32_t value, mask;
};

/* What an SA can be beside what all planes know; all zero: none of it. */
struct nm_sa_kernel {
	struct nm_sa_mark mark;                /* of packets that it is for */
	struct nm_sa_mark output_mark;         /* given to what it has sealed or opened */
	uint32_t if_id;                        /* of an XFRM interface; 0: none */
	char offload[NM_SA_PLANE_DEVICE_SIZE]; /* device that does its cryptography; "": none */
};

/* An SA as it is asked for. */
struct nm_sa_order {
	struct natmux_sa_config config;
	struct nm_sa_kernel kernel;
};

/* A policy as it is asked for. */
struct nm_policy_order {
	struct natmux_policy policy;
	struct nm_sa_mark mark;
	uint32_t if_id;
};

/* An SA as it is. Borrowed for the call. */
struct nm_sa_seen {
	const char *plane; /* "user", "kernel" */
	const struct natmux_sa_info *info;
	const struct nm_sa_kernel *kernel;
};

typedef void nm_sa_each(void *user, const struct nm_sa_seen *sa);
typedef void nm_policy_each(void *user, const struct nm_policy_order *policy);

/* Errors are those of natmux/esp.h; `why` says more, and is left alone where there is no more. */
struct nm_sa_plane_ops {
	const char *name; /* the word of esp = in natmux.conf */
	/* Whether sa_add would take it; changes nothing. */
	int (*sa_check)(
		void *self, const struct nm_sa_order *order, char why[static NM_SA_PLANE_WHY]);
	/* Adds, or replaces the one of the same identity, at once or not at all. */
	int (*sa_add)(
		void *self, const struct nm_sa_order *order, char why[static NM_SA_PLANE_WHY]);
	/* NATMUX_ENOTFOUND; others when it is still there. `remote`: natmux_esp_sa_delete() */
	int (*sa_delete)(void *self, enum natmux_sa_direction direction, uint32_t spi,
		const struct natmux_addr *remote);
	/*
	 * As sa_delete, and `last` becomes what it ended with: what it had seen or, outbound, in `top`
	 * the last number used; left alone where there is nothing to be known. NULL: nothing can have
	 * happened to an SA since it was shown or added last in the same turn of the loop.
	 */
	int (*sa_take)(void *self, enum natmux_sa_direction direction, uint32_t spi,
		const struct natmux_addr *remote, struct natmux_replay_state *last);
	void (*sas)(void *self, nm_sa_each *each, void *user);
	/*
	 * SAs go before others come: what they alone let in stays shut to packets in the clear until
	 * this is called with false. NULL: it is always.
	 */
	void (*hold_gates)(void *self, bool holds);
	/* NATMUX_EEXISTS: one of that priority and selector is there. */
	int (*policy_add)(
		void *self, const struct nm_policy_order *order, char why[static NM_SA_PLANE_WHY]);
	/*
	 * Puts `order` into the place of `before`, which has its selector, mark and if_id and maybe
	 * another priority: no packet finds none. NATMUX_ENOTFOUND: `before` is not there. Failed,
	 * that one is as it was. NULL: deleting and adding is as good.
	 */
	int (*policy_replace)(void *self, const struct nm_policy_order *before,
		const struct nm_policy_order *order, char why[static NM_SA_PLANE_WHY]);
	/* NATMUX_ENOTFOUND; others when it is still there. */
	int (*policy_delete)(
		void *self, const struct nm_policy_order *order, char why[static NM_SA_PLANE_WHY]);
	/*
	 * This one will be deleted soon: there is room for one more until then. NULL for the policy:
	 * that is over. NULL for the function: first what goes is deleted, then the rest is added.
	 */
	void (*policy_leaves)(void *self, const struct nm_policy_order *order);
	void (*policies)(void *self, nm_policy_each *each, void *user);
	/* After how much silence keepalives are sent from now on; 0: none. */
	void (*set_keepalive)(void *self, uint32_t keepalive_ms);
};

struct nm_sa_plane {
	const struct nm_sa_plane_ops *ops; /* NULL: there is none */
	void *self;
};

/* The calls of `ops`, with a reason in `why` whenever they fail. */
int nm_sa_plane_check(const struct nm_sa_plane *plane, const struct nm_sa_order *order,
	char why[static NM_SA_PLANE_WHY]);
int nm_sa_plane_add(const struct nm_sa_plane *plane, const struct nm_sa_order *order,
	char why[static NM_SA_PLANE_WHY]);
int nm_sa_plane_delete(const struct nm_sa_plane *plane, enum natmux_sa_direction direction,
	uint32_t spi, const struct natmux_addr *remote);
int nm_sa_plane_take(const struct nm_sa_plane *plane, enum natmux_sa_direction direction,
	uint32_t spi, const struct natmux_addr *remote, struct natmux_replay_state *last);
void nm_sa_plane_each(const struct nm_sa_plane *plane, nm_sa_each *each, void *user);
int nm_sa_plane_policy_add(const struct nm_sa_plane *plane, const struct nm_policy_order *order,
	char why[static NM_SA_PLANE_WHY]);
int nm_sa_plane_policy_delete(const struct nm_sa_plane *plane, const struct nm_policy_order *order,
	char why[static NM_SA_PLANE_WHY]);
void nm_sa_plane_policies(const struct nm_sa_plane *plane, nm_policy_each *each, void *user);
void nm_sa_plane_set_keepalive(const struct nm_sa_plane *plane, uint32_t keepalive_ms);

/* policy_replace, or what is as good. */
int nm_sa_plane_policy_replace(const struct nm_sa_plane *plane,
	const struct nm_policy_order *before, const struct nm_policy_order *order,
	char why[static NM_SA_PLANE_WHY]);

/* The policy of the same priority and selector gives way to this one, if there is one. */
int nm_sa_plane_policy_put(const struct nm_sa_plane *plane, const struct nm_policy_order *order,
	bool *is_replaced, char why[static NM_SA_PLANE_WHY]);

/* How many there are. */
uint32_t nm_sa_plane_count(const struct nm_sa_plane *plane);
uint32_t nm_sa_plane_policy_count(const struct nm_sa_plane *plane);

/*
 * Makes the plane what `after` says where it differs from `before` (NULL: nothing): what is new or
 * changed comes first, then what is gone goes. An SA that changes and keeps its key goes on
 * counting; what policies protect before and after is not in the clear in between
 * (sa_plane_policies.h). All or nothing: what the plane would refuse is found out before anything is
 * changed, and then `message` says what. What came another way (natmuxctl) stays, unless the file
 * takes its SPI, or its priority and selector. `sas_max`: of the plane. NATMUX_EINVAL,
 * NATMUX_EUNSUPPORTED, NATMUX_EFULL. What a plane could not foresee (memory, a kernel that takes an
 * SA of this kind and not this one) is undone, but for SAs that were replaced or removed before it,
 * whose keys are gone, and what the plane refuses again: `message` says how many there are.
 */
int nm_sa_plane_apply(const struct nm_sa_plane *plane, uint32_t sas_max,
	const struct nm_config *before, const struct nm_config *after, char *message, size_t size);

#endif
