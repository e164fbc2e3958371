/* SPDX-License-Identifier: Apache-2.0 */
/* Trains to a plain socket, and what it has to receive of them. */
#ifndef UDP_SEND_TEST_H
#define UDP_SEND_TEST_H

#include "udp_test.h"

#include <netinet/in.h>
#include <netinet/udp.h>

static uint8_t bytes[200000], received[65536];

static inline struct nm_udp *open_with(const char *ip, bool use_gso)
{
	struct nm_udp_config config = {.sys = &fake_sys,
		.log = log_tape(&tape),
		.send_buffer = 8 << 20,
		.use_gso = use_gso};

	return open_quiet(&config, ip);
}

static inline int setup_bytes(void **state)
{
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + i / 256);
	return setup(state);
}

static inline struct natmux_train train_to(
	const struct udp_peer *peer, size_t offset, uint32_t len, uint32_t segment)
{
	return (struct natmux_train){
		.data = bytes + offset,
		.len = len,
		.segment = segment,
		.flow = NATMUX_FLOW_NONE,
		.path = {.local = {.family = peer->addr.family}, .remote = peer->addr},
	};
}

/* The next datagram is these bytes. */
static inline void expect(struct udp_peer *peer, size_t offset, size_t len)
{
	struct natmux_addr from;
	int tos;

	assert_int_equal(udp_peer_recv(peer, received, sizeof(received), &from, &tos), len);
	assert_memory_equal(received, bytes + offset, len);
}

/* Datagrams of `segment` bytes that lie one behind the other, then nothing. */
static inline void expect_train(struct udp_peer *peer, size_t offset, size_t len, size_t segment)
{
	for (size_t at = 0; at < len; at += segment)
		expect(peer, offset + at, len - at < segment ? len - at : segment);
	assert_true(udp_peer_is_empty(peer));
}

/* What the judges below refuse: messages with UDP_SEGMENT, those to one port, or all of both. */
static int judge_error;

static inline bool is_segmented(const struct msghdr *msg)
{
	struct msghdr m = *msg;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT)
			return true;
	return false;
}

static inline int refuse_segments(const struct msghdr *msg)
{
	return is_segmented(msg) ? judge_error : 0;
}

#endif
