/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the running kernel's XFRM knows, found by asking and not by its version: distributions
 * backport, and a kernel passes over attributes that it does not know without a word.
 */
#ifndef NM_XFRM_PROBE_H
#define NM_XFRM_PROBE_H

#include "xfrm/session.h"

#define NM_XFRM_FEATURE_MAP(X)                                                                     \
	X(XFRM, "xfrm", "XFRM over netlink (CONFIG_XFRM_USER)")                                    \
	X(ESP4, "esp4", "ESP over IPv4 (CONFIG_INET_ESP)")                                         \
	X(ESP6, "esp6", "ESP over IPv6 (CONFIG_INET6_ESP)")                                        \
	X(IF_ID, "if-id", "XFRM interfaces (Linux 4.19)")                                          \
	X(OUTPUT_MARK, "output-mark", "marks with a mask for packets that leave (Linux 4.19)")     \
	X(OFFLOAD, "offload", "ESP by the network card (Linux 4.11)")                              \
	X(MAPPING_THRESHOLD, "mapping-threshold", "a limit to MAPPING events (Linux 5.17)")        \
	X(DIRECTION, "direction", "states that know their direction (Linux 6.10)")                 \
	X(KEEPALIVE, "keepalive", "NAT keepalives by the kernel (Linux 6.11)")                     \
	X(CPU, "cpu", "states of one CPU (Linux 6.13)")

enum nm_xfrm_feature {
#define X(name, word, text) NM_XFRM_FEATURE_##name,
	NM_XFRM_FEATURE_MAP(X)
#undef X
		NM_XFRM_FEATURE_COUNT
};

struct nm_xfrm_features {
	bool has[NM_XFRM_FEATURE_COUNT];
	/* Why not, of XFRM, ESP4 and ESP6; error 0 when they are there. */
	struct nm_xfrm_answer why[NM_XFRM_FEATURE_ESP6 + 1];
};

/* The word and the sentence of a feature; NULL for a number that is none. */
const char *nm_xfrm_feature_word(enum nm_xfrm_feature feature);
const char *nm_xfrm_feature_text(enum nm_xfrm_feature feature);

/*
 * Asks through `session`, which is borrowed until `done`. Nothing is changed in the kernel: for each
 * attribute it is asked for a state that is not there, with the attribute empty (a kernel that knows
 * it says that this is wrong, others that there is no such state); for ESP it is given a state with
 * an anti-replay window too large for its bitmap, which it looks at after it has looked for ESP.
 * `done` is called once, and may be before this returns; `probe` is gone then. What could not be
 * found out is false. NATMUX_ENOMEM.
 */
int nm_xfrm_probe_start(struct nm_xfrm_session *session, const struct natmux_random *random,
	void (*done)(void *user, const struct nm_xfrm_features *features), void *user,
	uint64_t now_ms);

#endif
