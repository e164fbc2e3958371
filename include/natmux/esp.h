/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_ESP_H
#define NATMUX_ESP_H

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
 * what comes out through two functions. Not thread-safe; workers have a plane each.
 */
struct natmux_esp;

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
	uint32_t sequence;              /* AUDIT: as on the wire */
	struct natmux_path path;        /* of the packet, or the SA's new one */
	struct natmux_path path_before; /* MOVED */
};

struct nm_gathered; /* base/offload.h: a packet or super-packet for the TUN device */
struct nm_inner;

struct natmux_esp_config {
	size_t size;
	uint32_t sas_max;      /* 1024; both directions together; 1 to 1048576 */
	uint32_t policies_max; /* 1024; 1 to 65536 */
	uint16_t path_mtu;     /* 1500: of the wire, for packets that must not be fragmented */
	const char *engine;    /* NULL: the fastest; or "ipsec-mb", "openssl", "sodium" */
	struct natmux_random random;
	struct natmux_log log;
	/* Sealed trains, to be sent; borrowed. */
	void (*send)(void *user, const struct natmux_train *trains, size_t n);
	/* Opened packets, for the TUN device; borrowed. */
	void (*deliver)(void *user, const struct nm_gathered *packet);
	/* Packets of BYPASS policies; NULL: they are discarded. */
	void (*bypass)(void *user, const uint8_t *packet, size_t len);
	void (*event)(void *user, const struct natmux_esp_event *event);
	void (*drop)(void *user, enum natmux_drop drop, uint64_t packets);
	void *user;
	bool can_tcp, can_udp; /* the TUN device takes super-packets of TCP, of UDP */
};

#ifdef __cplusplus
}
#endif
#endif
