/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel's XFRM made of a small table: answers the requests of a session as NETLINK_XFRM does,
 * with acknowledgements, dumps and events, and fails when told to.
 */
#ifndef FAKE_XFRM_H
#define FAKE_XFRM_H

#include "xfrm/session.h"

enum { FAKE_XFRM_STATES = 16, FAKE_XFRM_POLICIES = 16, FAKE_XFRM_PORTID = 4711 };

/* A state as its last NEWSA or UPDSA said it; `numbers` are what it has counted since. */
struct fake_xfrm_state {
	bool is_used;
	struct nm_xfrm_message message; /* NEWSA */
};

struct fake_xfrm {
	struct fake_xfrm_state states[FAKE_XFRM_STATES];
	struct nm_xfrm_message policies[FAKE_XFRM_POLICIES]; /* NEWPOLICY; length 0: free */

	/* What is sent back, until fake_xfrm_deliver(). */
	_Alignas(8) uint8_t out[64 * 1024];
	size_t out_len;

	/* The next request of this type (0: any) fails with this errno, once. */
	uint16_t fail_type;
	int fail_error;
	unsigned int fail_skip;  /* so many of that type go well before */
	unsigned int fail_more;  /* so many of that type behind it fail, too */
	int send_error;          /* the next send does; NATMUX_EFULL or NATMUX_ESYSTEM */
	bool is_silent;          /* no answers */
	bool has_group;          /* the socket has joined the group of states */
	bool has_no_esp;         /* EPROTONOSUPPORT */
	uint16_t attributes_end; /* attributes from this type on are not known */
	bool hides_keys;         /* lockdown */
	/* Numbers that a state goes on by just before it is deleted: traffic in the meantime. */
	uint64_t traffic;
	unsigned int requests[64]; /* by type, from XFRM_MSG_BASE on */
	/* Called between any two requests, when packets may be looked up; NULL: not. */
	void (*watch)(void *user);
	void *watch_user;
};

void fake_xfrm_init(struct fake_xfrm *kernel);

/* struct nm_xfrm_session_config.send, with the fake as `user`. */
int fake_xfrm_send(void *user, const void *message, size_t len, int *os_error);

/* Gives the session all that was sent back; false when there was nothing. */
bool fake_xfrm_deliver(struct fake_xfrm *kernel, struct nm_xfrm_session *session, uint64_t now_ms);

/* Puts a message into what is sent back, as an event of its own (sequence and port id 0). */
void fake_xfrm_tell(struct fake_xfrm *kernel, const void *message);

/* The state with this SPI to this address, decoded; false when there is none. */
bool fake_xfrm_find(const struct fake_xfrm *kernel, const char *destination, uint32_t spi,
	struct nm_xfrm_state *state);

/* A packet of that number comes to the state: whether it is accepted; then it counts as seen. */
bool fake_xfrm_receive(struct fake_xfrm *kernel, const char *destination, uint32_t spi, uint64_t n);

/* Whether that state was added as one that goes on counting where another one stopped. */
bool fake_xfrm_keeps_usage(const struct fake_xfrm *kernel, const char *destination, uint32_t spi);

unsigned int fake_xfrm_requests(const struct fake_xfrm *kernel, uint16_t type);

#endif
