/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SAs and policies that natmuxd has given to the kernel, kept in step with it. Knows XFRM, no
 * sockets and no loop: kernel_plane.c brings them together.
 */
#ifndef NM_KERNEL_H
#define NM_KERNEL_H

#include "daemon/kernel/kernel_ask.h"
#include "daemon/kernel/kernel_sad.h"
#include "daemon/kernel/kernel_spd.h"

enum { NM_KERNEL_MOVE_MS = 1000 /* an SA's peer is followed once a second at most */ };

struct nm_kernel_config {
	struct nm_kernel_ask *ask; /* borrowed for life */
	struct nm_xfrm_features features;
	uint16_t port; /* our own, of encapsulation */
	uint32_t sas_max, policies_max;
	uint32_t keepalive_ms; /* 0: none */
	bool exports_keys;
	struct natmux_log log;
	struct natmux_random random;
	uint64_t (*now_ms)(void *user);
	uint64_t (*now_s)(void *user); /* seconds since 1970, as the kernel writes them */
	/* Which of our addresses packets to `remote` come from. NATMUX_E…. */
	int (*source)(void *user, const struct natmux_addr *remote, struct natmux_addr *local);
	uint32_t (*ifindex)(void *user, const char *device); /* 0: there is none */
	/* Keepalives, to be sent; borrowed. */
	void (*send)(void *user, const struct natmux_train *trains, size_t n);
	void (*event)(void *user, const struct natmux_esp_event *event);
	void *user;
};

struct nm_kernel {
	struct nm_kernel_config config;
	struct nm_kernel_sad sad;
	struct nm_kernel_spd spd;
	uint64_t taken_over; /* states that were there before, of us or of somebody else */
};

/* NATMUX_ENOMEM, NATMUX_ERANGE. */
int nm_kernel_new(const struct nm_kernel_config *config, struct nm_kernel **kernel);

/* Frees what is known; the kernel keeps what it has. NULL is fine. */
void nm_kernel_free(struct nm_kernel *kernel);

/* Takes out of the kernel what was put there. */
void nm_kernel_clear(struct nm_kernel *kernel);

/* The plane. Borrows `kernel`. */
struct nm_sa_plane nm_kernel_sa_plane(struct nm_kernel *kernel);

/* What the kernel told. Events of our own requests are passed over. */
void nm_kernel_event(struct nm_kernel *kernel, const struct nm_xfrm_event *event);

/* Events were lost: what there is follows, and then what is not there is gone. */
void nm_kernel_resync(
	struct nm_kernel *kernel, enum nm_xfrm_resync what, const struct nm_xfrm_answer *answer);
void nm_kernel_resync_state(struct nm_kernel *kernel, const struct nm_xfrm_state *state);
void nm_kernel_resync_policy(struct nm_kernel *kernel, const struct nm_xfrm_policy *policy);

/* Sends keepalives to the peers of outbound SAs that nothing went to since the last call. */
void nm_kernel_keep_alive(struct nm_kernel *kernel);

/* What an SA is to the kernel. `path` is complete; `state` borrows the key. kernel_state.c */
int nm_kernel_make_state(const struct nm_kernel *kernel, const struct nm_sa_order *order,
	const struct natmux_path *path, struct nm_xfrm_state *state,
	char why[static NM_SA_PLANE_WHY]);

/* The order's path with everything in it that the kernel needs. kernel_state.c */
int nm_kernel_find_path(const struct nm_kernel *kernel, const struct nm_sa_order *order,
	struct natmux_path *path, char why[static NM_SA_PLANE_WHY]);

/* Writes down what a state says of its SA. kernel_state.c */
void nm_kernel_look(
	const struct nm_kernel *kernel, struct nm_kernel_sa *sa, const struct nm_xfrm_state *state);

/* The SA as it was last seen. `key` and `replay` (of an inbound one) may be NULL. kernel_state.c */
void nm_kernel_show(const struct nm_kernel_sa *sa, const uint8_t *key, size_t key_len,
	const struct natmux_replay_state *replay, nm_sa_each *each, void *user);

/* The SA is no more in the kernel; its policies look for another. */
void nm_kernel_bury(struct nm_kernel *kernel, struct nm_kernel_sa *sa);

#endif
