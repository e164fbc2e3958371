/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tunnels between two namespaces, and the same traffic through each of them and through none. What
 * carries over to another machine is a ratio to plain veth within one round.
 */
#ifndef NM_TUNNEL_H
#define NM_TUNNEL_H

#include "bench/lab.h"
#include "bench/options.h"
#include "bench/spread.h"

struct nm_tunnel_setup {
	const char *natmuxd;  /* a path, or a name to look for in PATH */
	unsigned int workers; /* of NM_TUNNEL_WORKERS */
};

/* A way from side A to side B. */
struct nm_tunnel_kind {
	const char *name;
	const char *target; /* B's address at its end */
	/* Why it cannot be measured here, or NULL. */
	const char *(*missing)(const struct nm_tunnel_setup *setup);
	/* Brings it up; its processes are the lab's children. 0 or NATMUX_E…, said on stderr. */
	int (*start)(struct nm_lab *lab, const struct nm_tunnel_setup *setup);
	/* Packets that have come out at B so far; NULL, or below zero: not known. */
	double (*carried)(struct nm_lab *lab);
};

enum {
	NM_TUNNEL_PLAIN,
	NM_TUNNEL_NATMUX, /* esp = user, one worker */
	NM_TUNNEL_LIBIPSEC,
	NM_TUNNEL_WIREGUARD,
	NM_TUNNEL_OPENVPN,
	NM_TUNNEL_WORKERS, /* esp = user, several */
	NM_TUNNEL_XFRM,    /* ESP in the kernel, without natmux */
	NM_TUNNEL_KERNEL,  /* esp = kernel */
	NM_TUNNEL_KINDS
};

extern const struct nm_tunnel_kind *const nm_tunnel_kinds[NM_TUNNEL_KINDS];

extern const struct nm_tunnel_kind nm_tunnel_plain, nm_tunnel_natmux, nm_tunnel_workers;
extern const struct nm_tunnel_kind nm_tunnel_libipsec, nm_tunnel_wireguard, nm_tunnel_openvpn;
extern const struct nm_tunnel_kind nm_tunnel_xfrm, nm_tunnel_kernel;

/* What `ip -s xfrm state get` says of the packets of a state; -1: nothing. */
double nm_tunnel_state_packets(const char *text);

/* Starts it with the side's file "natmux.conf". NATMUX_ESYSTEM. */
int nm_tunnel_spawn_natmuxd(
	struct nm_lab *lab, enum nm_lab_side side, const struct nm_tunnel_setup *setup);

struct nm_tunnel_traffic {
	const char *name;
	bool is_udp;
	unsigned int streams, size;
};

enum { NM_TUNNEL_TRAFFICS = 5 };
extern const struct nm_tunnel_traffic nm_tunnel_traffics[NM_TUNNEL_TRAFFICS];

struct nm_tunnel_sample {
	bool is_known;
	double bits, packets, loss; /* as struct nm_load_result */
	double cpu_s[NM_LAB_SIDES]; /* of the gateways */
	double machine_s;           /* of all that ran, kernel and iperf3 as well */
	double carried; /* packets that came out, iperf3's socket full or not; 0: unknown */
	double seconds;
	uint64_t resident; /* bytes, of the larger gateway, afterwards */
};

enum { NM_TUNNEL_ROUNDS_MAX = 100, NM_TUNNEL_OFFLOADS = 2 /* off, on */ };

typedef struct nm_tunnel_sample nm_tunnel_samples[NM_TUNNEL_ROUNDS_MAX];

struct nm_tunnel_bench {
	struct nm_tunnel_setup setup;
	/* What to measure. */
	bool wants_kind[NM_TUNNEL_KINDS];
	bool wants_traffic[NM_TUNNEL_TRAFFICS];
	bool wants_offloads[NM_TUNNEL_OFFLOADS];
	size_t baseline; /* kind without which there is nothing to compare */
	unsigned int rounds, seconds;
	const char *congestion; /* as struct nm_load */
	/* What came out. */
	const char *why_not[NM_TUNNEL_KINDS]; /* NULL: it was measured */
	struct nm_lab labs[NM_TUNNEL_KINDS];
	size_t gateways[NM_TUNNEL_KINDS]; /* children of the lab that are the tunnel's */
	nm_tunnel_samples (*samples)[NM_TUNNEL_OFFLOADS][NM_TUNNEL_TRAFFICS]; /* by kind */
};

/*
 * ESP in user space is wanted with all its peers, by one worker: three rounds, three seconds, natmuxd
 * of PATH. NATMUX_ENOMEM.
 */
int nm_tunnel_bench_init(struct nm_tunnel_bench *bench);
void nm_tunnel_bench_done(struct nm_tunnel_bench *bench);

/*
 * Brings up all tunnels and measures them in turns, the baseline among them. A kind that does not
 * come up is left out, with the reason.
 */
int nm_tunnel_bench_run(struct nm_tunnel_bench *bench, const char *scenario);

/* What a kind is called in this run, with the number of its workers. Returns `name`. */
const char *nm_tunnel_name(
	const struct nm_tunnel_bench *bench, size_t kind, char *name, size_t size);

/* One figure of a cell over all rounds in which it is known; none: n is 0. */
enum nm_tunnel_figure {
	NM_TUNNEL_RATE,        /* Gbit/s of TCP, kpps of UDP */
	NM_TUNNEL_LOSS,        /* percent */
	NM_TUNNEL_CPU,         /* seconds of both gateways in one second */
	NM_TUNNEL_PER_CPU,     /* Gbit per CPU second of both gateways */
	NM_TUNNEL_MACHINE,     /* seconds of all that ran in one second */
	NM_TUNNEL_CARRIED,     /* thousand packets that came out in one second */
	NM_TUNNEL_PER_MACHINE, /* the same by a second of all that ran */
	/* The same of another kind in the same round. */
	NM_TUNNEL_OF_PLAIN,        /* rate */
	NM_TUNNEL_OF_ONE,          /* rate, of NM_TUNNEL_NATMUX */
	NM_TUNNEL_OF_XFRM,         /* NM_TUNNEL_CARRIED */
	NM_TUNNEL_MACHINE_OF_XFRM, /* NM_TUNNEL_PER_MACHINE */
	NM_TUNNEL_OF_LIBIPSEC,     /* NM_TUNNEL_PER_CPU */
};
struct nm_spread nm_tunnel_spread(const struct nm_tunnel_bench *bench, size_t kind, bool offloads,
	size_t traffic, enum nm_tunnel_figure figure);

#endif
