/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_ESP_H
#define NATMUX_ESP_H

#include <natmux/inner.h>
#include <natmux/log.h>
#include <natmux/sa.h>
#include <natmux/stats.h>
#include <natmux/train.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The user ESP plane (RFC 4301, 4303): ESP trains in, inner packets out, and back. A machine
 * without system calls, as the mux is: its owner brings trains and packets with the time, and takes
 * what comes out through two functions. Not thread-safe.
 *
 * Workers have a plane each, which together are a group: its `leader` is made first, then the others,
 * all before the first SA. SAs and policies are then the group's, and the functions about them are
 * called for the leader, while no thread is in any plane of the group. An inbound SA is in one plane
 * (natmux_esp_home), so its anti-replay window has one owner; an outbound SA and a policy are in each,
 * with one sequence counter and one lifetime without a lock, and are told of and listed once. What
 * belongs to one plane and to its thread: input, output, deadlines, offloads. The leader does what the
 * clock demands of outbound SAs, keepalives too, and is freed last.
 */
struct natmux_esp;

enum { NATMUX_ESP_GROUP_MAX = 64 };

enum natmux_policy_action {
	NATMUX_POLICY_PROTECT, /* by the newest outbound SA of its reqid */
	NATMUX_POLICY_BYPASS,  /* as it is */
	NATMUX_POLICY_DISCARD,
};

/* What becomes of outbound inner packets (RFC 4301 4.4.1). The first that matches, by priority. */
struct natmux_policy {
	uint32_t priority; /* the lowest is asked first; of equals the one added first */
	enum natmux_policy_action action;
	uint32_t reqid; /* PROTECT */
	struct natmux_selector selector;
};

/* What the plane tells its owner. Borrowed for the call. */
#define NATMUX_ESP_EVENT_MAP(X)                                                                    \
	X(SOFT, "sa-soft")       /* a soft lifetime was reached: time for a new SA */              \
	X(HARD, "sa-hard")       /* a hard one, or the counter is used up: the SA is dead */       \
	X(MOVED, "sa-moved")     /* its peer's address or port changed */                          \
	X(ACQUIRE, "sa-acquire") /* a policy wants an SA that is not there; once a second */       \
	X(AUDIT, "sa-audit")     /* RFC 4303 4: a packet was discarded; `drop` says why */

enum natmux_esp_event_type {
#define X(name, text) NATMUX_ESP_EVENT_##name,
	NATMUX_ESP_EVENT_MAP(X)
#undef X
		NATMUX_ESP_EVENT_COUNT
};

struct natmux_esp_event {
	enum natmux_esp_event_type type;
	enum natmux_drop drop; /* AUDIT */
	uint32_t spi, reqid;
	uint32_t sequence;                  /* AUDIT: as on the wire */
	struct natmux_path path;            /* of the packet, or the SA's new one */
	struct natmux_path path_before;     /* MOVED */
	enum natmux_sa_direction direction; /* whose SPI it is; AUDIT: IN */
};

struct natmux_esp_config {
	size_t size;
	uint32_t sas_max;      /* 1024; both directions together; 1 to 1048576 */
	uint32_t policies_max; /* 1024; 1 to 65536 */
	uint16_t path_mtu;     /* 1500: of the wire, for packets that must not be fragmented */
	uint32_t keepalive_ms; /* 0: none; to peers of outbound SAs that are silent so long */
	const char *engine;    /* NULL: the fastest; or "ipsec-mb", "openssl", "sodium" */
	struct natmux_random random;
	struct natmux_log log;
	/*
	 * What the plane calls. SAs may be added and deleted from there while natmux_esp_output()
	 * runs; from natmux_esp_input(), _timeout() and _sas() that is refused (NATMUX_EBUSY).
	 * Sealed trains, to be sent; borrowed.
	 */
	void (*send)(void *user, const struct natmux_train *trains, size_t n);
	/* Opened packets, for the TUN device; borrowed. */
	void (*deliver)(void *user, const struct natmux_gathered *packet);
	/*
	 * Packets and super-packets of BYPASS policies, as they came to natmux_esp_output(): what
	 * was left to do about them still is. NULL: they are discarded.
	 */
	void (*bypass)(void *user, const uint8_t *packet, size_t len);
	void (*event)(void *user, const struct natmux_esp_event *event);
	void (*drop)(void *user, enum natmux_drop drop, uint64_t packets);
	void *user;
	bool can_tcp, can_udp; /* the TUN device takes super-packets of TCP, of UDP */
	/* TCP connections are opened with segments that fit: MSS options of SYN are lowered. */
	bool clamps_mss;
	/*
	 * false: natmux_esp_sas() shows the keys, for those who look into captures. They are kept in
	 * locked memory then, and not at all otherwise.
	 */
	bool keeps_keys;
	struct natmux_esp *leader; /* NULL; or whose group this plane joins */
};

/* Sets the size and the defaults of a configuration of this many bytes. */
void natmux_esp_config_defaults(struct natmux_esp_config *config, size_t size);

/* Sets the size and the defaults. */
static inline void natmux_esp_config_init(struct natmux_esp_config *config)
{
	natmux_esp_config_defaults(config, sizeof(*config));
}

/*
 * Makes a plane; `config` is copied, what it points to is borrowed for life. Each engine has to
 * prove itself first; one that fails is left out and logged. A plane of a group has its leader's
 * tables' sizes, engine and keepalives, whatever `config` says. NATMUX_EINVAL (also: the leader has
 * SAs or is none), NATMUX_ERANGE, NATMUX_EFULL (NATMUX_ESP_GROUP_MAX), NATMUX_ENOMEM.
 */
int natmux_esp_new(const struct natmux_esp_config *config, struct natmux_esp **esp);

/* Frees the plane and its SAs, whose keys are wiped. NULL is fine. */
void natmux_esp_free(struct natmux_esp *esp);

/*
 * Adds an SA, or replaces the one of the same direction, SPI and (outbound) peer; at once or not at
 * all. With the same suite and key as the one before it goes on where that one was: its numbers, its
 * anti-replay window, and its peer's place unless another is given. NATMUX_EINVAL: a field out of
 * range, the key's length; NATMUX_EUNSUPPORTED: no engine has the suite; NATMUX_EFULL, NATMUX_ENOMEM;
 * NATMUX_EBUSY: called by a plane that is looking at its SAs.
 */
int natmux_esp_sa_add(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_sa_config *config);

/* Whether natmux_esp_sa_add() would take it: NATMUX_EINVAL, NATMUX_EUNSUPPORTED. Changes nothing. */
int natmux_esp_sa_check(const struct natmux_esp *esp, const struct natmux_sa_config *config);

/* `remote`: of an outbound SA, its peer when it was added; else NULL. NATMUX_ENOTFOUND, NATMUX_EBUSY. */
int natmux_esp_sa_delete(struct natmux_esp *esp, enum natmux_sa_direction direction, uint32_t spi,
	const struct natmux_addr *remote);

/*
 * The number of the plane, in the order in which the group was made, that has the inbound SA of an
 * SPI: the rest of a division by their number. 0 without a group.
 */
uint32_t natmux_esp_home(const struct natmux_esp *esp, uint32_t spi);

/*
 * After MOVED events of a group: its outbound SAs of the reqid, or of all for reqid 0, go where
 * the plane sends them that saw a peer move last. To be called as SAs are added.
 */
void natmux_esp_follow(struct natmux_esp *esp, uint32_t reqid);

/* An SA as it is now. What it points to is borrowed for the call. */
struct natmux_sa_info {
	enum natmux_sa_direction direction;
	enum natmux_sa_mode mode;
	uint32_t spi, reqid;
	enum natmux_suite suite;
	const char *engine;
	struct natmux_path path;
	bool has_esn, is_dead;
	uint32_t replay_window;
	uint64_t sequence;                        /* highest number seen, or last number used */
	const struct natmux_replay_state *replay; /* IN; NULL: OUT, or not known */
	uint64_t added_ms, used_ms;
	struct natmux_lifetime soft, hard;
	struct natmux_sa_counters counters;
	struct natmux_addr added_remote; /* its peer when it was added: natmux_esp_sa_delete() */
	enum natmux_roam roam;
	enum natmux_df df;
	int16_t dscp;
	bool no_ecn;
	enum natmux_too_big too_big;
	uint16_t tfc_pad, dummy_seconds;
	bool no_resync;
	uint32_t path_mtu; /* OUT: what the path is known to take; the plane's, or less */
	const struct natmux_selector *selectors;
	size_t selectors_len;
	const uint8_t *key; /* NULL unless the plane `keeps_keys` */
	size_t key_len;
};

/* Calls `each` for every SA. */
void natmux_esp_sas(const struct natmux_esp *esp,
	void (*each)(void *user, const struct natmux_sa_info *info), void *user);

/* What the TUN device takes from now on: config's can_tcp, can_udp. */
void natmux_esp_set_offloads(struct natmux_esp *esp, bool can_tcp, bool can_udp);

/* After how much silence keepalives are sent from now on; 0: none. */
void natmux_esp_set_keepalive(struct natmux_esp *esp, uint64_t now_ms, uint32_t keepalive_ms);

/*
 * The path to a peer (its IP address) takes packets of at most `mtu` octets: the outbound SAs to it
 * keep to that for ten minutes (RFC 1191 6.3). Less than 576, or 1280 for IPv6, counts as so much.
 * May be called from `send`.
 */
void natmux_esp_set_path_mtu(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_addr *remote, uint32_t mtu);

/* NATMUX_EINVAL, NATMUX_EEXISTS (same priority and selector), NATMUX_EFULL; NATMUX_ENOTFOUND. */
int natmux_esp_policy_add(struct natmux_esp *esp, const struct natmux_policy *policy);
int natmux_esp_policy_delete(struct natmux_esp *esp, const struct natmux_policy *policy);

/* Calls `each` for every policy, in no order. */
void natmux_esp_policies(const struct natmux_esp *esp,
	void (*each)(void *user, const struct natmux_policy *policy), void *user);

/*
 * Received ESP. The trains' bytes are worked on in place: they must be writable, whatever their
 * type says, and are used up. Bare ESP (RFC 7296 2.23) has paths whose ports are 0: it moves no peer. What comes out goes to `deliver` before this returns.
 */
void natmux_esp_input(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_train *trains, size_t n);

/* Packets and super-packets from the TUN device. What comes out goes to `send` before this returns. */
void natmux_esp_output(
	struct natmux_esp *esp, uint64_t now_ms, const struct natmux_inner *packets, size_t n);

/* When natmux_esp_timeout() wants to be called; UINT64_MAX: not before an SA is added. */
uint64_t natmux_esp_next_deadline(const struct natmux_esp *esp);
void natmux_esp_timeout(struct natmux_esp *esp, uint64_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
