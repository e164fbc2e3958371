/* SPDX-License-Identifier: Apache-2.0 */
/*
 * natmuxctl doctor: facts about this machine (doctor_facts.c from files, doctor_probe.c by trying
 * on throw-away sockets), and what they mean for natmux (doctor_judge.c, doctor_modes.c: pure).
 */
#ifndef NM_CTL_DOCTOR_H
#define NM_CTL_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <natmux/addr.h>

enum {
	NM_DOCTOR_HOLDERS = 16,
	NM_DOCTOR_BUFFER = 4194304, /* receive-buffer and send-buffer of natmux.conf by default */
	NM_DOCTOR_IKE_PORT = 500,
};

enum nm_known { NM_UNKNOWN, NM_NO, NM_YES };

/* A feature that was tried. */
struct nm_doctor_probe {
	enum nm_known works;
	int error; /* errno of what failed, when it does not */
};

/* A process that has one of the two ports. */
struct nm_doctor_holder {
	struct natmux_addr local;
	unsigned long inode;
	int pid; /* 0: not found, for want of rights or because the kernel itself holds it */
	char name[16];
};

/* An IKE daemon, or natmuxd itself. */
struct nm_doctor_daemon {
	const char *name;
	const char *path; /* where it is installed, or NULL */
	int pid;          /* 0: it does not run */
};

enum {
	NM_DOCTOR_NATMUXD,
	NM_DOCTOR_CHARON,
	NM_DOCTOR_CHARON_SYSTEMD,
	NM_DOCTOR_PLUTO,
	NM_DOCTOR_IKED,
	NM_DOCTOR_DAEMONS
};

/* Numbers that a file of the kernel has; -1: there is no such file. */
struct nm_doctor_facts {
	uint16_t port;
	char tun[16];
	char kernel[96]; /* its release */
	int uid;
	uint64_t capabilities; /* effective ones of this process, 1 << CAP_… */

	struct nm_doctor_holder holders[NM_DOCTOR_HOLDERS]; /* of `port` and of 500 */
	size_t holders_n;
	struct nm_doctor_daemon daemons[NM_DOCTOR_DAEMONS];

	long rmem_max, wmem_max; /* net.core */
	int rp_filter_all, rp_filter_default, rp_filter_tun;
	int disable_ipv6; /* net.ipv6.conf.all */
	bool has_ipv6;    /* /proc/net/if_inet6 */
	bool has_tun;     /* an interface with the name in `tun` is there */
	bool has_xfrm;    /* /proc/net/xfrm_stat */
	char blacklisted_esp4[96], blacklisted_esp6[96]; /* "file:line", or "" */
	char gro_lists[96]; /* devices that make lists of all datagrams: "eth0, eth1" */

	struct nm_doctor_probe bind4, bind6;     /* `port` on all addresses of a family */
	struct nm_doctor_probe gro, gso;         /* UDP_GRO, UDP_SEGMENT */
	struct nm_doctor_probe encap;            /* UDP_ENCAP_ESPINUDP */
	struct nm_doctor_probe bypass;           /* IP_XFRM_POLICY */
	struct nm_doctor_probe steering;         /* SO_ATTACH_REUSEPORT_CBPF */
	struct nm_doctor_probe pidfd_getfd;      /* the call that attach = join needs */
	struct nm_doctor_probe tun_open;         /* a TUN device of our own */
	struct nm_doctor_probe tun_tso, tun_uso; /* its offloads */
	struct nm_doctor_probe esp4, esp6; /* an ESP state in a network namespace of its own */
};

enum nm_verdict { NM_VERDICT_OK, NM_VERDICT_WARN, NM_VERDICT_NO };

enum { NM_DOCTOR_TEXT = 320, NM_DOCTOR_CHECKS = 24, NM_DOCTOR_MODES = 9 };

/* One line of what the doctor says. */
struct nm_doctor_row {
	char name[24];
	char finding[NM_DOCTOR_TEXT];
	enum nm_verdict verdict;
	char why[NM_DOCTOR_TEXT]; /* what it means; "" when all is well */
	char fix[NM_DOCTOR_TEXT]; /* what to do; "" when there is nothing to be done */
};

/* A way to run natmux. */
struct nm_doctor_mode {
	const char *kind; /* "attach", "handoff", "esp" */
	bool machine_allows;
	struct nm_doctor_row row;
};

struct nm_doctor_report {
	struct nm_doctor_row checks[NM_DOCTOR_CHECKS];
	size_t checks_n;
	struct nm_doctor_mode modes[NM_DOCTOR_MODES];
	size_t modes_n;
	bool works; /* natmuxd of this version can do its work here, in one way at least */
};

/*
 * Reads what files say, each path with `root` ("" for the machine itself) in front. `port` and
 * `tun` of the facts are the caller's; all others are filled in.
 */
void nm_doctor_read_files(struct nm_doctor_facts *facts, const char *root);

/* Tries the kernel's features on sockets and devices that are gone afterwards. */
void nm_doctor_probe(struct nm_doctor_facts *facts);
void nm_doctor_probe_devices(struct nm_doctor_facts *facts); /* a part of it */

/* Judges, changes nothing. */
void nm_doctor_judge(const struct nm_doctor_facts *facts, struct nm_doctor_report *report);

/* The second half of judging: the ways to run natmux. */
void nm_doctor_judge_modes(const struct nm_doctor_facts *facts, struct nm_doctor_report *report);

/* Whether the process has a capability (CAP_NET_ADMIN and so on). */
bool nm_doctor_may(const struct nm_doctor_facts *facts, int capability);

/* Who holds a port for that family, natmuxd only if nobody else does; NULL: nobody. */
const struct nm_doctor_holder *nm_doctor_holder(
	const struct nm_doctor_facts *facts, uint16_t port, enum natmux_family family);

/* Whether natmux can have the port on all addresses of a family, or has it already. */
bool nm_doctor_port_is_ours(const struct nm_doctor_facts *facts, enum natmux_family family);

/* Whether the kernel can decrypt ESP in UDP of that family; NM_UNKNOWN: not allowed to try. */
enum nm_known nm_doctor_kernel_esp(const struct nm_doctor_facts *facts, enum natmux_family family);

/* Whether the process has a socket on natmux's port. */
bool nm_doctor_has_port(const struct nm_doctor_facts *facts, int pid);

/* The IKE daemon that has the port, or else one that runs, or is installed; NULL: none. */
const struct nm_doctor_daemon *nm_doctor_ike_daemon(const struct nm_doctor_facts *facts);

/* Whether a TUN device can be made; NM_UNKNOWN: this process has no right to try. */
enum nm_known nm_doctor_can_tun(const struct nm_doctor_facts *facts);

/* Writes a sentence into a row; NM_DOCTOR_TEXT bytes are enough for any. */
void nm_doctor_say(char text[NM_DOCTOR_TEXT], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* "ok", "warn", "no" */
const char *nm_verdict_name(enum nm_verdict verdict);

#endif
