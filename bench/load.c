/* SPDX-License-Identifier: Apache-2.0 */
/* Runs iperf3 and reads its JSON. */
#include "bench/load.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <natmux/error.h>

#include "bench/console.h"

enum { READY_MS = 15000, CONNECT_MS = 15000, BUFFER = 2 << 20, BUFFER_DEFAULT = 212992 };

bool nm_load_has_program(const char *name)
{
	const char *path = getenv("PATH");
	char copy[2048], file[512], *rest = NULL;

	snprintf(copy, sizeof(copy), "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	for (char *folder = strtok_r(copy, ":", &rest); folder;
		folder = strtok_r(NULL, ":", &rest)) {
		snprintf(file, sizeof(file), "%.400s/%.100s", folder, name);
		if (access(file, X_OK) == 0)
			return true;
	}
	return false;
}

const char *nm_load_missing(void)
{
	return nm_load_has_program("iperf3") ? NULL : "iperf3 is not installed";
}

int nm_load_serve(struct nm_lab *lab)
{
	if (nm_lab_spawn(lab, NM_LAB_B, "iperf3 -s") < 0)
		return NATMUX_ESYSTEM;
	/* It listens on both families; ss(8) is not everywhere, a connection would count as a test. */
	return nm_lab_wait(lab, NM_LAB_B, "grep -q :1451 /proc/net/tcp6", READY_MS);
}

/* What iperf3 says at its end: of TCP the receiver's figures, of UDP the sums over both. */
static int unpack(
	json_t *root, bool is_udp, struct nm_load_result *r, double *packets, double *lost)
{
	return is_udp ? json_unpack(root, "{s:{s:{s:F, s:F, s:F, s:F}}}", "end", "sum", "seconds",
				&r->seconds, "packets", packets, "lost_packets", lost,
				"bits_per_second", &r->bits)
		      : json_unpack(root, "{s:{s:{s:F, s:F}}}", "end", "sum_received", "seconds",
				&r->seconds, "bits_per_second", &r->bits);
}

int nm_load_parse(const char *json, bool is_udp, struct nm_load_result *result)
{
	struct nm_load_result r = {0};
	double packets = 0, lost = 0;
	const char *error = NULL;
	json_t *root = json_loads(json, 0, NULL);
	int err = NATMUX_EMALFORMED;

	if (!root)
		return NATMUX_EMALFORMED;
	if (json_unpack(root, "{s:s}", "error", &error) == 0)
		nm_console_error("iperf3: %s", error);
	else if (unpack(root, is_udp, &r, &packets, &lost) == 0)
		err = 0;
	json_decref(root);
	if (err < 0 || r.seconds <= 0)
		return NATMUX_EMALFORMED;
	if (is_udp && packets > 0) {
		r.loss = lost > 0 ? lost / packets : 0;
		r.packets = (packets - lost) / r.seconds;
		r.bits *= 1 - r.loss;
	}
	*result = r;
	return 0;
}

static unsigned int read_number(const char *path, unsigned int otherwise)
{
	FILE *file = fopen(path, "r");
	unsigned int number;

	if (!file || fscanf(file, "%u", &number) != 1)
		number = otherwise;
	if (file)
		fclose(file);
	return number;
}

/*
 * Of UDP: with the default a receiver that waits for its turn on a processor loses what came in the
 * meantime, and the figure is one of scheduling. iperf3 refuses more than the system allows.
 */
static unsigned int socket_buffer(void)
{
	unsigned int receive = read_number("/proc/sys/net/core/rmem_max", BUFFER_DEFAULT);
	unsigned int send = read_number("/proc/sys/net/core/wmem_max", BUFFER_DEFAULT);
	unsigned int most = receive < send ? receive : send;

	return most < BUFFER ? most : BUFFER;
}

int nm_load_run(struct nm_lab *lab, const struct nm_load *load, struct nm_load_result *result)
{
	char command[256], kind[64];
	char *json;
	int err;

	if (load->is_udp)
		snprintf(kind, sizeof(kind), "-u -b 0 -w %u -l %u", socket_buffer(), load->size);
	else
		snprintf(kind, sizeof(kind), "-P %u %s %.24s", load->streams,
			load->congestion ? "-C" : "", load->congestion ? load->congestion : "");
	/* A last limit for an iperf3 that waits for a peer that is gone; a machine may be busy. */
	snprintf(command, sizeof(command),
		"timeout -k 1 %u iperf3 -J -c %s -t %u --connect-timeout %d %s", load->seconds + 30,
		load->target, load->seconds, CONNECT_MS, kind);
	json = nm_lab_read(lab, NM_LAB_A, command);
	err = json ? nm_load_parse(json, load->is_udp, result) : NATMUX_ESYSTEM;
	if (err < 0)
		nm_console_error("no figures from: %s", command);
	free(json);
	return err;
}
