/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What natmuxd knows of its SAs in the kernel: what they were asked for as, and where they are now.
 * Numbers, windows and keys are the kernel's alone.
 */
#ifndef NM_KERNEL_SAD_H
#define NM_KERNEL_SAD_H

#include "base/htab.h"
#include "daemon/kernel/kernel_reqids.h"
#include "daemon/planes/sa_plane.h"
#include "xfrm/state.h"

struct nm_kernel_sa {
	struct nm_sa_order order; /* without key and window; its selectors are the SA's own */
	struct natmux_path path;  /* where it is now, our own address included */
	struct nm_xfrm_state_id id;
	uint64_t added_ms;
	uint64_t moved_ms;       /* when it followed its peer last, or tried to */
	struct nm_list node;     /* of an outbound one: among those of its reqid */
	bool is_dead;            /* the kernel has it no more */
	bool sends_keepalive;    /* the kernel does */
	bool is_seen;            /* since events were lost: in the kernel, or put there */
	bool is_listed;          /* by the list that is just being made */
	uint64_t packets_before; /* at the last look for keepalives */
	/* As last seen. */
	struct natmux_sa_counters counters;
	uint64_t sequence, used_ms;
};

struct nm_kernel_sad {
	struct nm_kernel_sa **sas; /* len of them, in no order */
	uint32_t len, max;
	struct nm_htab by_name; /* direction, SPI and (outbound) the peer when it was added */
	struct nm_htab by_id;   /* what the kernel finds it by */
	struct nm_kernel_reqids by_reqid; /* outbound ones */
};

/* NATMUX_ENOMEM, NATMUX_ERANGE. */
int nm_kernel_sad_init(struct nm_kernel_sad *sad, uint32_t max);
void nm_kernel_sad_done(struct nm_kernel_sad *sad);

/* NULL: none. */
struct nm_kernel_sa *nm_kernel_sad_find(const struct nm_kernel_sad *sad,
	enum natmux_sa_direction direction, uint32_t spi, const struct natmux_addr *remote);
struct nm_kernel_sa *nm_kernel_sad_find_id(
	const struct nm_kernel_sad *sad, const struct nm_xfrm_state_id *id);

/* The outbound SA of a reqid that was added last and lives; NULL: none. */
struct nm_kernel_sa *nm_kernel_sad_newest(const struct nm_kernel_sad *sad, uint32_t reqid);

/*
 * An SA of that order, at `path` and `id`; copies its selectors. No other has that name or id.
 * NATMUX_EFULL, NATMUX_ENOMEM.
 */
int nm_kernel_sad_add(struct nm_kernel_sad *sad, const struct nm_sa_order *order,
	const struct natmux_path *path, const struct nm_xfrm_state_id *id,
	struct nm_kernel_sa **sa);
void nm_kernel_sad_remove(struct nm_kernel_sad *sad, struct nm_kernel_sa *sa);

/* The kernel finds it by another id from now on. */
void nm_kernel_sad_rename(
	struct nm_kernel_sad *sad, struct nm_kernel_sa *sa, const struct nm_xfrm_state_id *id);

#endif
