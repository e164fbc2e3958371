/* SPDX-License-Identifier: Apache-2.0 */
/* Bare ESP on the loop: a raw socket beside each of the port's addresses (bare-esp = yes). */
#ifndef NM_USER_BARE_H
#define NM_USER_BARE_H

#include <uv.h>
#include <natmux/log.h>
#include <natmux/train.h>

struct nm_config;
struct nm_user_bare;

struct nm_user_bare_setup {
	uv_loop_t *loop;
	const struct nm_config *config; /* borrowed for nm_user_bare_open only */
	struct natmux_log log;
	/* What came; the bytes may be written to. */
	void (*input)(void *user, const struct natmux_train *trains, size_t n);
	void *user;
};

/*
 * Opens the sockets; a wildcard address of a family that the kernel lacks is left out. Failures are
 * logged; also then `bare` is to be closed and freed. NATMUX_E….
 */
int nm_user_bare_open(const struct nm_user_bare_setup *setup, struct nm_user_bare **bare);

/* Begins to close; the loop must run until it is empty before nm_user_bare_free. NULL is fine. */
void nm_user_bare_close(struct nm_user_bare *bare);
void nm_user_bare_free(struct nm_user_bare *bare);

/* Packets received so far; 0 for NULL. */
uint64_t nm_user_bare_packets(const struct nm_user_bare *bare);

#endif
