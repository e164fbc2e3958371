/* SPDX-License-Identifier: Apache-2.0 */
/* The TUN device of the user ESP plane as it has been opened: what is on, and what this kernel has. */
#ifndef INNER_TUN_OPEN_TEST_H
#define INNER_TUN_OPEN_TEST_H

#include "inner_tun_test.h"

#define OWN4 "10.99.0.1"
#define OWN6 "fd99::1"

/* What may be on, by direction and kind. */
enum { READ_TSO = 1, WRITE_TSO = 2, READ_USO = 4, WRITE_USO = 8, ALL = 15 };

/* What this kernel can when nothing is made to fail: Linux before 6.2 has no USO. */
static unsigned int kernel_has;

static inline unsigned int flags_of(struct nm_inner_tun *tun)
{
	const struct nm_inner_tun_status *status = status_of(tun);

	return (status->tso.is_read ? READ_TSO : 0) | (status->tso.is_written ? WRITE_TSO : 0) |
	       (status->uso.is_read ? READ_USO : 0) | (status->uso.is_written ? WRITE_USO : 0);
}

/* A reason is given exactly where something is off. */
static inline void check_whys(struct nm_inner_tun *tun)
{
	const struct nm_inner_tun_offload *offloads[] = {
		&status_of(tun)->tso, &status_of(tun)->uso};

	for (size_t i = 0; i < ARRAY_SIZE(offloads); i++)
		assert_true((offloads[i]->why[0] == '\0') ==
			    (offloads[i]->is_read && offloads[i]->is_written));
}

static inline struct nm_inner_tun_config config_all(void)
{
	return config_of(OWN4, OWN6);
}

static inline struct nm_inner_tun *open_with(const struct nm_inner_tun_config *config)
{
	struct nm_inner_tun *tun = NULL;

	assert_int_equal(nm_inner_tun_open(config, &tun), 0);
	assert_non_null(tun);
	check_whys(tun);
	return tun;
}

/* Nothing waits in any queue. */
static inline void check_empty(struct nm_inner_tun *tun)
{
	struct natmux_inner packets[4];

	for (uint32_t i = 0; i < nm_inner_tun_queues(tun); i++) {
		struct nm_inner_tun_queue *queue = nm_inner_tun_queue(tun, i);

		assert_int_equal(nm_inner_tun_read(queue, packets, 4), 0);
		assert_false(nm_inner_tun_has_more(queue));
	}
}

/* enter_namespace(), and what its kernel has. */
static inline int enter_and_look(void)
{
	struct nm_inner_tun_config config;
	struct nm_inner_tun *tun = NULL;
	int result = enter_namespace();

	if (result != 0)
		return result;
	config = config_all();
	if (nm_inner_tun_open(&config, &tun) == 0)
		kernel_has = flags_of(tun);
	nm_inner_tun_close(tun);
	return 0;
}

#endif
