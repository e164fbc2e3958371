/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_STATS_H
#define NATMUX_STATS_H

#include <natmux/classify.h>

/*
 * Every reason for which a datagram goes no further, once: the enum, the name that natmuxctl and
 * the metrics show, and the sentence that `natmuxctl drops` prints. The list only grows: a name
 * once released keeps its meaning.
 */
#define NATMUX_DROP_MAP(X)                                                                         \
	X(RUNT, "runt", "too short for any of the three protocols")                                \
	X(MARTIAN, "martian", "source address or port that nobody can answer")                     \
	X(NO_SINK, "no-sink", "nobody is registered for this class")                               \
	X(IKE_HEADER, "ike-header", "would open a flow, but its IKE header is not valid")          \
	X(IKE_RATE, "ike-rate", "would open a flow, but its source prefix opens too many")         \
	X(IKE_RATE_ALL, "ike-rate-all", "would open a flow, but too many are opened in all")       \
	X(FLOWS_FULL, "flows-full", "would open a flow, but all flows are established ones")       \
	X(STUN_RATE, "stun-rate", "STUN request beyond the rate of its source prefix")             \
	X(STUN_RATE_ALL, "stun-rate-all", "STUN request beyond the rate for all sources")          \
	X(STUN_OFF, "stun-off", "STUN request while the responder is off")                         \
	X(STUN_LARGER, "stun-larger",                                                              \
		"the reply would be larger than the unauthenticated request")                      \
	X(STUN_METHOD, "stun-method", "STUN method that natmux does not speak")                    \
	X(STUN_INDICATION, "stun-indication", "STUN indication that nobody waits for")             \
	X(STUN_UNASKED, "stun-unasked", "STUN response without a pending transaction")             \
	X(STUN_INVALID, "stun-invalid", "STUN message whose attributes cannot be accepted")        \
	X(TXQ_FULL, "txq-full", "queue of natmux's own datagrams is full")                         \
	X(ESP_NO_FLOW, "esp-no-flow", "ESP from a source that has no flow yet")                    \
	X(ALIAS_NONE, "alias-none", "no free alias address in the pool")                           \
	X(HANDOFF_SIZE, "handoff-size", "datagram too large for the handoff")                      \
	X(HANDOFF_FORMAT, "handoff-format",                                                        \
		"packet from the daemon's side that is not for natmux")                            \
	X(HANDOFF_CHECKSUM, "handoff-checksum",                                                    \
		"packet from the daemon's side with a wrong checksum")                             \
	X(HANDOFF_FRAGMENT, "handoff-fragment", "IP fragment from the daemon's side")              \
	X(HANDOFF_ALIAS, "handoff-alias", "packet for an alias address that belongs to no peer")   \
	X(HANDOFF_NO_CLIENT, "handoff-no-client",                                                  \
		"no client of the Unix handoff wants this class")                                  \
	X(HANDOFF_SLOW, "handoff-slow", "a client of the Unix handoff does not keep up")           \
	X(HANDOFF_FRAME, "handoff-frame",                                                          \
		"frame from a Unix handoff client that breaks the format")                         \
	X(TUN_WRITE, "tun-write", "the TUN device did not take the packet")                        \
	X(UDP_SEND, "udp-send", "the UDP socket did not take the datagram")                        \
	X(UDP_TRUNCATED, "udp-truncated", "datagram longer than the receive buffer")               \
	X(PATH_LOCAL, "path-local", "no socket of natmux has the local address to send from")      \
	X(ESP_NO_SA, "esp-no-sa", "ESP with an SPI that no SA has")                                \
	X(ESP_SHORT, "esp-short", "too short for the SA's suite, or not of its alignment")         \
	X(ESP_REPLAY, "esp-replay", "sequence number seen before, or older than the window")       \
	X(ESP_ICV, "esp-icv", "not authentic: the ICV is wrong")                                   \
	X(ESP_PADDING, "esp-padding", "authentic, but the padding is not 1, 2, 3 and so on")       \
	X(ESP_INNER, "esp-inner", "what was sealed is no IP packet of the SA's mode")              \
	X(ESP_SELECTOR, "esp-selector", "inner packet that the SA's selectors do not allow")       \
	X(ESP_ECN, "esp-ecn", "congestion mark on a packet whose ends do not know ECN")            \
	X(ESP_DEAD, "esp-dead", "SA reached a hard limit, or used up its sequence numbers")        \
	X(OUT_FORMAT, "out-format", "packet from the TUN device that contradicts itself")          \
	X(OUT_POLICY, "out-policy", "no policy for the packet, or one that discards it")           \
	X(OUT_NO_SA, "out-no-sa", "the policy's SA is not there")                                  \
	X(OUT_TOO_BIG, "out-too-big", "packet too long for the path")                              \
	X(FLOWS_PREFIX, "flows-prefix", "would open a flow, but its source prefix has too many")   \
	X(WORKER_FULL, "worker-full", "the mailbox of the worker that it belongs to is full")

enum natmux_drop {
#define X(name, label, text) NATMUX_DROP_##name,
	NATMUX_DROP_MAP(X)
#undef X
		NATMUX_DROP_COUNT
};

/* Datagrams and bytes (UDP payload). */
struct natmux_count {
	uint64_t datagrams;
	uint64_t bytes;
};

struct natmux_stats {
	struct natmux_count rx[NATMUX_CLASS_COUNT]; /* from the network, by class */
	struct natmux_count tx[NATMUX_CLASS_COUNT]; /* to the network, by class */
	uint64_t rx_trains;                         /* trains they came in */
	uint64_t stun_lookalikes; /* ESP by the rule, though bytes 4..7 are the magic cookie */
	uint64_t drops[NATMUX_DROP_COUNT]; /* datagrams, by reason */
};

#ifdef __cplusplus
extern "C" {
#endif

/* Name ("ike-rate") and sentence of a drop reason; NULL for a number that is none. */
const char *natmux_drop_name(enum natmux_drop drop);
const char *natmux_drop_text(enum natmux_drop drop);

#ifdef __cplusplus
}
#endif
#endif
