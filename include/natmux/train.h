/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_TRAIN_H
#define NATMUX_TRAIN_H

#include <natmux/addr.h>

/*
 * A packet train: datagrams of one path that lie one behind the other in memory, as UDP_GRO
 * delivers them and UDP_SEGMENT sends them. All have `segment` bytes but the last, which may be
 * shorter. One datagram is a train with segment == len (or segment == 0, or segment > len).
 * Borrowed: the bytes belong to whoever made the train and are good only during the call it is
 * passed to, unless that call says otherwise.
 */
struct natmux_train {
	const uint8_t *data;
	uint32_t len;            /* bytes of all datagrams; 0 is one empty datagram */
	uint32_t segment;        /* bytes of each datagram but the last */
	uint32_t flow;           /* the mux's number of the flow, or NATMUX_FLOW_NONE */
	uint8_t tos;             /* outer TOS or traffic class, as received or to be sent */
	uint8_t dont_fragment;   /* to be sent: 1: DF is set on IPv4, 0: it is clear */
	uint8_t reserved[2];     /* zero */
	struct natmux_path path; /* local may be a bare family: then the kernel chooses */
};

#define NATMUX_FLOW_NONE UINT32_MAX

/* Number of datagrams in a train: at least 1. */
static inline uint32_t natmux_train_count(const struct natmux_train *train)
{
	if (train->segment == 0 || train->len <= train->segment)
		return 1;
	return (train->len + train->segment - 1) / train->segment;
}

#endif
