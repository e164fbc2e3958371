/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_EVENT_H
#define NATMUX_EVENT_H

#include <natmux/addr.h>

/* What the mux tells its owner about, apart from datagrams. The list only grows. */
#define NATMUX_EVENT_MAP(X)                                                                        \
	X(FLOW_OPENED, "flow-opened")           /* first valid IKE message of a new path */        \
	X(FLOW_ESTABLISHED, "flow-established") /* the daemon has answered it */                   \
	X(FLOW_CLOSED, "flow-closed")           /* expired or evicted */                           \
	X(MAPPED_CHANGED, "mapped-changed")     /* a STUN server sees us elsewhere than before */  \
	X(SERVER_LOST, "server-lost")           /* a STUN server stopped answering */

enum natmux_event_type {
#define X(name, text) NATMUX_EVENT_##name,
	NATMUX_EVENT_MAP(X)
#undef X
		NATMUX_EVENT_COUNT
};

/* Borrowed for the duration of the callback. */
struct natmux_event {
	enum natmux_event_type type;
	struct natmux_path path;   /* the flow; the STUN server as `remote` and our side */
	struct natmux_addr mapped; /* MAPPED_CHANGED: our address as the server sees it now */
	struct natmux_addr mapped_before; /* MAPPED_CHANGED: family 0 when it is the first */
	const char *name;                 /* name of the STUN server or peer, or NULL */
};

#ifdef __cplusplus
extern "C" {
#endif

/* The word for an event type, such as "mapped-changed"; NULL for a number that is none. */
const char *natmux_event_name(enum natmux_event_type type);

#ifdef __cplusplus
}
#endif
#endif
