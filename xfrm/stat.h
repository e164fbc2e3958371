/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/net/xfrm_stat: packets that XFRM dropped, by reason. The text is the caller's to read. */
#ifndef NM_XFRM_STAT_H
#define NM_XFRM_STAT_H

#include <stddef.h>
#include <stdint.h>

/* The kernel's name, and what it means to who runs natmux. */
#define NM_XFRM_STAT_MAP(X)                                                                        \
	X(InError, "error that no other counter stands for")                                       \
	X(InBufferError, "no memory left for a packet that came in")                               \
	X(InHdrError, "broken ESP or AH header, or too short")                                     \
	X(InNoStates, "no SA has the SPI, address and protocol of the packet: it was deleted, "    \
		      "never added, or is another's")                                              \
	X(InStateProtoError, "the SA's protocol refused it: wrong key or forged (ICV), broken "    \
			     "padding, or a dummy packet")                                         \
	X(InStateModeError, "not what the SA's mode (tunnel, transport) asks for")                 \
	X(InStateSeqError, "sequence number seen before, or older than the window: replayed, or "  \
			   "reordered further than replay-window reaches")                         \
	X(InStateExpired, "the SA's hard lifetime was over")                                       \
	X(InStateMismatch, "the SA expects encapsulation and the packet has none, or the other "   \
			   "way round; or the SA's selector does not allow the inner packet")      \
	X(InStateInvalid, "the SA is being made or being deleted")                                 \
	X(InTmplMismatch, "a policy wants other protection than the packet had: reqid, mode or "   \
			  "tunnel addresses differ")                                               \
	X(InNoPols, "no policy lets in what the SA opened: in and fwd policies are missing")       \
	X(InPolBlock, "a policy says block")                                                       \
	X(InPolError, "error while looking for a policy")                                          \
	X(OutError, "error that no other counter stands for")                                      \
	X(OutBundleGenError, "the route through the tunnel could not be made")                     \
	X(OutBundleCheckError, "the route through the tunnel went away")                           \
	X(OutNoStates, "a policy wants an SA and there is none: natmux or the IKE daemon was "     \
		       "asked (acquire)")                                                          \
	X(OutStateProtoError, "the SA's protocol failed: cipher, or too long")                     \
	X(OutStateModeError, "not what the SA's mode asks for; too long and not to be fragmented") \
	X(OutStateSeqError, "sequence numbers are used up: the SA needs a new key")                \
	X(OutStateExpired, "the SA's hard lifetime was over")                                      \
	X(OutPolBlock, "a policy says block")                                                      \
	X(OutPolDead, "the policy was being deleted")                                              \
	X(OutPolError, "error while looking for a policy")                                         \
	X(FwdHdrError, "broken header of a packet to be forwarded")                                \
	X(OutStateInvalid, "the SA is being made or being deleted")                                \
	X(AcquireError, "the state that an acquire stands for ran out before an SA came")          \
	X(OutStateDirError, "an inbound SA was to send")                                           \
	X(InStateDirError, "an outbound SA was to receive")                                        \
	X(InIptfsError, "broken IP-TFS payload")                                                   \
	X(OutNoQueueSpace, "IP-TFS queue full")

enum nm_xfrm_counter {
#define X(name, text) NM_XFRM_COUNTER_##name,
	NM_XFRM_STAT_MAP(X)
#undef X
		NM_XFRM_COUNTER_COUNT
};

struct nm_xfrm_stat {
	uint64_t value[NM_XFRM_COUNTER_COUNT];
	uint64_t has;     /* bit i: this kernel has counter i */
	uint64_t unknown; /* sum of counters that have no name here */
};

/*
 * Reads the whole text. NATMUX_EMALFORMED: a line that is not a name and a number; then nothing is
 * written. An empty text is fine: nothing is counted.
 */
int nm_xfrm_stat_parse(const char *text, size_t len, struct nm_xfrm_stat *stat);

/* What came since `before`; a counter that went backwards counts from 0. */
void nm_xfrm_stat_since(const struct nm_xfrm_stat *before, const struct nm_xfrm_stat *now,
	struct nm_xfrm_stat *difference);

/* "XfrmInNoStates" and its explanation; NULL for a number that is none. */
const char *nm_xfrm_counter_name(enum nm_xfrm_counter counter);
const char *nm_xfrm_counter_text(enum nm_xfrm_counter counter);

#endif
