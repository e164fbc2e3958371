/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of natmuxd, read and checked: natmux.conf(5) field by field. Which keys there
 * are, their defaults and bounds is the table in daemon/config/config_keys.c.
 */
#ifndef NM_CONFIG_H
#define NM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <natmux/addr.h>
#include <natmux/esp.h>
#include <natmux/log.h>
#include <natmux/mux.h>

#include "daemon/planes/sa_plane.h"

enum {
	NM_CONFIG_FILE_MAX = 1 << 20, /* bytes of the file; more is refused */
	NM_CONFIG_LISTEN_MAX = 16,    /* natmux_mux_set_locals() takes no more */
	NM_CONFIG_PEERS_MAX = 1024,
	NM_CONFIG_SERVERS_MAX = 8, /* natmux_mux_server_add() takes no more */
	NM_CONFIG_SAS_MAX = 1024,  /* in the file; natmuxctl may add more */
	NM_CONFIG_POLICIES_MAX = 1024,
	NM_CONFIG_SELECTORS_MAX = 16, /* of one SA */
	NM_CONFIG_NAME_SIZE = 32,     /* name of a peer or server, with its NUL */
	NM_CONFIG_DEVICE_SIZE = 16,   /* IFNAMSIZ */
	NM_CONFIG_PATH_SIZE = 108,    /* sun_path of a Unix socket */
	NM_CONFIG_FILE_SIZE = 256,    /* path of a key file */
	NM_CONFIG_MARK_SIZE = 16,     /* what tells one key from another */
	NM_CONFIG_USER_SIZE = 33,     /* as useradd(8) has it */
	NM_CONFIG_MESSAGE_SIZE = 512, /* what a message needs at most */
};

/* How natmux gets at the port. */
enum nm_attach {
	NM_ATTACH_OWN,
	NM_ATTACH_JOIN, /* the IKE daemon has it, and natmux joins */
};

/* What happens to ESP. */
enum nm_esp {
	NM_ESP_DAEMON,
	NM_ESP_USER,
	NM_ESP_KERNEL,
};

/* How datagrams reach the IKE daemon and come back. */
enum nm_handoff {
	NM_HANDOFF_RELAY,
	NM_HANDOFF_INJECT,
	NM_HANDOFF_UNIX,
	NM_HANDOFF_NONE, /* there is no IKE daemon: SAs are configured, esp is user or kernel */
};

/*
 * Every `lines` holds the line of the file in which each key of the section stands, in the order
 * of daemon/config/config_keys.c; 0 where the default holds.
 */
struct nm_config_relay {
	char tun[NM_CONFIG_DEVICE_SIZE]; /* name of the TUN device */
	struct natmux_addr daemon4;      /* the IKE daemon's side, port 0; family 0: no IPv4 */
	struct natmux_prefix pool4;      /* aliases of peers; /16 to /30, holds daemon4 */
	struct natmux_addr daemon6;      /* port 0; family 0: no IPv6 */
	struct natmux_prefix pool6;      /* /64 to /126, holds daemon6 */
	uint16_t daemon_port;            /* the port the IKE daemon listens on */
	uint16_t peer_port;              /* the port the IKE daemon sends to */
	uint32_t lines[7];
};

struct nm_config_inject {
	char tun[NM_CONFIG_DEVICE_SIZE]; /* name of the TUN device */
	uint32_t lines[1];
};

struct nm_config_join {
	char user[NM_CONFIG_USER_SIZE]; /* whose sockets are joined */
	uint32_t lines[1];
};

struct nm_config_unix {
	char path[NM_CONFIG_PATH_SIZE]; /* absolute */
	uint32_t clients;               /* at most so many at a time */
	uint32_t queue;                 /* datagrams that may wait for one client */
	uint32_t lines[3];
};

/* An address of a TUN device, and how many bits of it are the network's. */
struct nm_config_host {
	struct natmux_addr addr; /* port 0; family 0: none */
	uint8_t bits;
};

struct nm_config_user_plane {
	char tun[NM_CONFIG_DEVICE_SIZE];
	struct nm_config_host address4, address6; /* of the TUN device */
	uint32_t mtu;                             /* of the TUN device; 0: nm_config_tun_mtu() */
	char engine[16];                          /* "": the fastest */
	uint32_t sas, policies;                   /* at most so many, natmuxctl's among them */
	uint32_t path_mtu;                        /* of the wire */
	bool bare_esp;                            /* protocol 50 is received, too */
	bool offload;                             /* super-packets between us and the TUN device */
	bool export_keys;                         /* keys are kept, for natmuxctl sa export */
	uint32_t workers;                         /* the main thread among them */
	bool mss_clamp;                           /* TCP's segments fit from the start */
	uint32_t lines[13];
};

struct nm_config_kernel_plane {
	char tun[NM_CONFIG_DEVICE_SIZE]; /* ESP that came to us goes back through it */
	uint32_t sas, policies;          /* at most so many, natmuxctl's among them */
	bool keep;                       /* what we have added stays when natmuxd ends */
	bool export_keys;                /* natmuxctl sa export may ask the kernel for them */
	bool gro;                        /* the kernel opens ESP in GRO, before it steers */
	uint32_t lines[6];
};

/*
 * What there may be any number of begins with its name and the line where its section begins:
 * config_find.c counts on it.
 */
struct nm_config_sa {
	char name[NM_CONFIG_NAME_SIZE];
	uint32_t line;
	enum natmux_sa_direction direction;
	enum natmux_sa_mode mode;
	uint32_t spi;
	enum natmux_suite suite;
	char key_file[NM_CONFIG_FILE_SIZE];
	struct natmux_addr local; /* port 0; family 0: any */
	struct natmux_addr
		remote; /* with its port; family 0: any, which only an inbound SA can have */
	uint32_t reqid;
	bool esn;
	uint32_t replay_window;
	enum natmux_roam roam;
	struct natmux_lifetime soft, hard;
	enum natmux_df df;
	int16_t dscp; /* -1: copied */
	bool ecn;
	uint32_t tfc_pad;
	enum natmux_too_big too_big;
	uint32_t dummy_s; /* 0: none */
	bool resync;
	struct natmux_selector selectors[NM_CONFIG_SELECTORS_MAX];
	size_t selectors_len;
	struct nm_sa_kernel kernel;
	uint8_t *key; /* in the configuration's locked memory; NULL: not read, or wiped already */
	size_t key_len;
	uint8_t key_mark[NM_CONFIG_MARK_SIZE]; /* a digest; zeros: not read */
	uint32_t lines[29];
};

struct nm_config_policy {
	char name[NM_CONFIG_NAME_SIZE];
	uint32_t line;
	uint32_t priority;
	enum natmux_policy_action action;
	uint32_t reqid;
	struct natmux_selector selector;
	struct nm_sa_mark mark;
	uint32_t if_id;
	uint32_t lines[6];
};

struct nm_config_peer {
	char name[NM_CONFIG_NAME_SIZE];
	uint32_t line;
	struct natmux_addr remote; /* unicast, with its port */
	struct natmux_addr alias;  /* port 0, family of `remote`; family 0: any free one */
	uint32_t lines[2];
};

struct nm_config_server {
	char name[NM_CONFIG_NAME_SIZE];
	uint32_t line;
	struct natmux_addr address; /* unicast, with its port */
	uint32_t lines[1];
};

struct nm_config_stun {
	enum natmux_responder responder;
	uint32_t refresh_s; /* between questions to a STUN server */
	uint32_t lines[2];
};

struct nm_config_keepalive {
	enum natmux_keepalive mode;
	uint32_t interval_s; /* of silence, RFC 3948 4 */
	uint32_t lines[2];
};

struct nm_config_limits {
	uint32_t flows;           /* at most so many, known peers among them */
	uint32_t flow_new_s;      /* lifetime of a flow nobody answered */
	uint32_t flow_answered_s; /* of one in its first exchange */
	uint32_t flow_idle_s;     /* of one whose owner fell silent */
	struct natmux_rate ike;   /* new flows of one source prefix */
	struct natmux_rate ike_all;
	struct natmux_rate stun; /* STUN requests of one source prefix */
	struct natmux_rate stun_all;
	uint32_t prefix4_bits; /* IPv4 sources that share a bucket */
	uint32_t prefix6_bits;
	uint32_t lines[14];
};

struct nm_config {
	struct natmux_addr listen[NM_CONFIG_LISTEN_MAX]; /* each with `port` filled in */
	uint32_t listen_lines[NM_CONFIG_LISTEN_MAX];
	size_t listen_len; /* 1 or more */
	uint16_t port;     /* never 500 (RFC 3948 2: not on the IKE port) */
	enum nm_attach attach;
	enum nm_esp esp;
	bool both_planes; /* the other one is there as well, for natmuxctl sa move */
	enum nm_handoff handoff;
	char device[NM_CONFIG_DEVICE_SIZE]; /* SO_BINDTODEVICE; "": not bound to one */
	bool gro, gso;
	uint32_t receive_buffer_bytes, send_buffer_bytes; /* asked of the kernel, per socket */
	uint32_t budget; /* receive calls per wake-up before other work gets its turn */
	char control_socket[NM_CONFIG_PATH_SIZE]; /* absolute */
	char user[NM_CONFIG_USER_SIZE];           /* "": stay who we are */
	bool seccomp;
	enum natmux_log_level log_level;
	uint32_t lines[16];
	struct nm_config_relay relay;
	struct nm_config_inject inject;
	struct nm_config_join join;
	struct nm_config_unix unix_handoff;
	struct nm_config_user_plane user_plane;
	struct nm_config_kernel_plane kernel_plane;
	struct nm_config_sa *sas; /* owned */
	size_t sas_len;
	struct nm_config_policy *policies; /* owned */
	size_t policies_len;
	struct nm_secret_pool *keys;  /* of the SAs; owned; NULL: none */
	struct nm_config_peer *peers; /* owned */
	size_t peers_len;
	struct nm_config_server *servers; /* owned */
	size_t servers_len;
	struct nm_config_stun stun;
	struct nm_config_keepalive keepalive;
	struct nm_config_limits limits;
	char *name; /* of the file, as messages say it; owned */
};

/*
 * Reads a file. Returns 0 and the configuration, to be freed with nm_config_free(); else
 * NATMUX_EINVAL (its content), NATMUX_ESYSTEM (cannot be read) or NATMUX_ENOMEM, with one line for
 * people in `message` (NM_CONFIG_MESSAGE_SIZE bytes hold any): file, line, key, what was found and
 * what is allowed. Not for two threads at a time: libconfuse has one scanner in a process.
 */
int nm_config_read(const char *path, struct nm_config **config, char *message, size_t size);

/* What a configuration is held against beside itself. */
struct nm_config_world {
	/* Whether there is a user of that name; NULL: whatever it is. */
	bool (*user_exists)(const char *name);
	/*
	 * Reads the `len` octets of key material that a file holds, or says what is wrong with it;
	 * NULL: keys are not read.
	 */
	int (*read_key)(const char *path, uint8_t *key, size_t len, char *message, size_t size);
};

/* The same for a text in memory that messages call `name`. `world` may be NULL. */
int nm_config_parse(const char *name, const char *text, size_t len,
	const struct nm_config_world *world, struct nm_config **config, char *message, size_t size);

/* Frees a configuration, and wipes its keys; NULL is fine. */
void nm_config_free(struct nm_config *config);

/* Wipes the keys, which the plane has now; their marks stay. */
void nm_config_wipe_keys(struct nm_config *config);

/* Writes all keys and their values in the form of the file; the reader accepts it. */
void nm_config_print(const struct nm_config *config, FILE *file);

enum nm_config_change_kind {
	NM_CONFIG_CHANGED,
	NM_CONFIG_ADDED,   /* a section with a title; no `before` */
	NM_CONFIG_REMOVED, /* a section with a title; no `after`, line 0 */
};

/* One difference. Borrowed for the call. */
struct nm_config_change {
	enum nm_config_change_kind kind;
	const char *key;            /* "relay.pool4", "peer \"branch\"" */
	const char *before, *after; /* values as the file writes them */
	uint32_t line;              /* in the new file; 0: the default holds there */
	bool needs_restart;
};

/* Calls `each` for every difference between a running configuration and a new one. */
void nm_config_difference(const struct nm_config *before, const struct nm_config *after,
	void (*each)(void *user, const struct nm_config_change *change), void *user);

/*
 * Whether a running natmuxd can change over. NATMUX_EINVAL, with a message that names the first key
 * in the way, when a difference needs a restart.
 */
int nm_config_reload_check(
	const struct nm_config *before, const struct nm_config *after, char *message, size_t size);

/*
 * Fills in what the file says about the mux. `mux` comes from natmux_mux_config_init(); its size
 * and log stay as they are.
 */
void nm_config_mux(const struct nm_config *config, struct natmux_mux_config *mux);

/* The TUN device of the handoff; NULL where it needs none. */
const char *nm_config_tun(const struct nm_config *config);

/*
 * What the plane is told of an SA (config_esp.c). Borrows key and selectors; `port` is our own.
 */
void nm_config_sa_fill(
	const struct nm_config_sa *sa, uint16_t port, struct natmux_sa_config *filled);
void nm_config_policy_fill(const struct nm_config_policy *policy, struct natmux_policy *filled);

/* The same with what only the kernel's plane looks at. */
void nm_config_sa_order(const struct nm_config_sa *sa, uint16_t port, struct nm_sa_order *order);
void nm_config_policy_order(const struct nm_config_policy *policy, struct nm_policy_order *order);

/* Whether there is a plane of that kind: the one of `esp`, or with both-planes the other. */
bool nm_config_has_plane(const struct nm_config *config, enum nm_esp esp);

/* The key that says how many SAs there may be with this esp, for messages. */
const char *nm_config_plane_sas_key(const struct nm_config *config);

/* Whether two are one to the plane: direction, SPI and, outbound, the peer's address. */
bool nm_config_sa_is_same(const struct nm_config_sa *a, const struct nm_config_sa *b);

/* The SA of the file that the plane knows under these; NULL: it came another way. */
const struct nm_config_sa *nm_config_sa_find(const struct nm_config *config,
	enum natmux_sa_direction direction, uint32_t spi, const struct natmux_addr *remote);
const struct nm_config_policy *nm_config_policy_find(
	const struct nm_config *config, const struct natmux_policy *policy);

/*
 * The largest inner packet that fits the wire under each outbound SA of the file; without any, under
 * every suite and on every family that we listen on. With an IPv6 address at least 1280.
 */
uint32_t nm_config_tun_mtu(const struct nm_config *config);

#endif
