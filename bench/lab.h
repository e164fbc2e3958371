/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two machines in one: a network namespace and a /run of its own for each side, a veth pair between
 * them. Nothing has a name outside, and everything is gone with the process that made it.
 */
#ifndef NM_LAB_H
#define NM_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum nm_lab_side { NM_LAB_A, NM_LAB_B, NM_LAB_SIDES };

/* RFC 2544: addresses for measurements. */
#define NM_LAB_WIRE_A  "198.18.0.1"
#define NM_LAB_WIRE_B  "198.18.0.2"
#define NM_LAB_INNER_A "198.19.0.1"
#define NM_LAB_INNER_B "198.19.0.2"

enum { NM_LAB_CHILDREN_MAX = 16, NM_LAB_FILE = 96 };

struct nm_lab {
	pid_t holders[NM_LAB_SIDES]; /* whose namespaces the sides are */
	int net[NM_LAB_SIDES], mount[NM_LAB_SIDES];
	pid_t children[NM_LAB_CHILDREN_MAX]; /* that run on */
	size_t children_len;
	char folder[48]; /* for configuration and logs */
};

/* Makes it, with the offloads of veth as they come. NATMUX_ESYSTEM, said on stderr: needs root. */
int nm_lab_init(struct nm_lab *lab);

/* Ends all children and removes the folder; zeroed memory is fine. */
void nm_lab_done(struct nm_lab *lab);

/* Switches checksum, segmentation and receive offloads of both veth devices, all of them. */
int nm_lab_set_offloads(struct nm_lab *lab, bool are_on);

/* Writes the name of a file in the folder. */
void nm_lab_file(
	const struct nm_lab *lab, enum nm_lab_side side, const char *name, char path[NM_LAB_FILE]);

/* Writes a whole file into the folder. NATMUX_ESYSTEM. */
int nm_lab_write(
	const struct nm_lab *lab, enum nm_lab_side side, const char *name, const char *content);

/*
 * Runs a command, its words parted by blanks, on one side and waits for it. Its output goes to the
 * file "log". NATMUX_ESYSTEM when it fails; all but nm_lab_try say so on stderr.
 */
int nm_lab_run(struct nm_lab *lab, enum nm_lab_side side, const char *command);
int nm_lab_runf(struct nm_lab *lab, enum nm_lab_side side, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int nm_lab_try(struct nm_lab *lab, enum nm_lab_side side, const char *command);

/* Runs a command and returns what it printed, to be freed; NULL when it failed. */
char *nm_lab_read(struct nm_lab *lab, enum nm_lab_side side, const char *command);

/* Starts a command that runs on; it is killed with the lab. -1, said on stderr. */
pid_t nm_lab_spawn(struct nm_lab *lab, enum nm_lab_side side, const char *command);

/* The same for a function, whose result is the exit status. */
pid_t nm_lab_fork(struct nm_lab *lab, enum nm_lab_side side, int (*run)(const void *argument),
	const void *argument);

/* Tries a command again and again until it works, for `wait_ms` at most. */
int nm_lab_wait(
	struct nm_lab *lab, enum nm_lab_side side, const char *command, unsigned int wait_ms);

#endif
