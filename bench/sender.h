/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sender of ESP-like datagrams, as fast as it can, in a process of its own: it shares nothing
 * with what is measured but the kernel, and it can live in another network namespace.
 */
#ifndef NM_SENDER_H
#define NM_SENDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <natmux/addr.h>

struct nm_sender;

enum {
	NM_SENDER_SIZE_MIN = 16,
	NM_SENDER_SIZE_MAX = 1472, /* a datagram that an Ethernet packet carries on IPv4 */
};

struct nm_sender_order {
	struct natmux_addr destination;
	uint32_t size;    /* bytes of each datagram, NM_SENDER_SIZE_MIN to _MAX */
	uint32_t time_ms; /* how long */
	bool is_gso;      /* UDP_SEGMENT and sendmmsg, or sendmmsg alone */
};

struct nm_sender_result {
	uint64_t datagrams; /* that the kernel took */
	uint64_t calls;
	uint64_t time_ns;
	int32_t error; /* errno of the call that ended it early, or 0 */
};

/*
 * Forks the sender (before the caller starts threads) and ties it to the first processor.
 * `own_network`: gives it a network namespace of its own. NATMUX_ESYSTEM, said on stderr.
 */
int nm_sender_new(bool own_network, struct nm_sender **sender);

/* Ends the process and waits for it; NULL is fine. */
void nm_sender_free(struct nm_sender *sender);

pid_t nm_sender_pid(const struct nm_sender *sender);

/* Starts sending. One order at a time: the result of the last one has been fetched. */
int nm_sender_start(struct nm_sender *sender, const struct nm_sender_order *order);

/*
 * Fetches the result of an order. False: not yet there after `wait_ms`. A sender that died gives a
 * result with error EPIPE.
 */
bool nm_sender_finished(struct nm_sender *sender, int wait_ms, struct nm_sender_result *result);

#endif
