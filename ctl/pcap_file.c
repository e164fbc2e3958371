/* SPDX-License-Identifier: Apache-2.0 */
/* The pcap file by libpcap; pcap_none.c stands in where that is missing. */
#include "ctl/pcap_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <unistd.h>
#include <natmux/error.h>
#include "ctl/ctl.h"

struct nm_pcap {
	pcap_t *format;
	pcap_dumper_t *dumper;
};

/* Captures hold other people's traffic: nobody else may read them. */
static FILE *open_file(const char *path)
{
	int fd;

	if (strcmp(path, "-") == 0)
		fd = dup(STDOUT_FILENO);
	else
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
	return fd < 0 ? NULL : fdopen(fd, "wb");
}

int nm_pcap_open(const char *path, struct nm_pcap **result)
{
	struct nm_pcap *pcap = calloc(1, sizeof(*pcap));
	FILE *file = NULL;

	if (pcap)
		pcap->format = pcap_open_dead(DLT_RAW, NM_CAPTURED_MAX);
	if (!pcap || !pcap->format) {
		nm_ctl_complain("out of memory");
		goto fail;
	}
	file = open_file(path);
	if (!file) {
		nm_ctl_complain("cannot write %s: %s", path, strerror(errno));
		goto fail;
	}
	pcap->dumper = pcap_dump_fopen(pcap->format, file);
	if (!pcap->dumper) {
		nm_ctl_complain("cannot write %s: %s", path, pcap_geterr(pcap->format));
		goto fail;
	}
	*result = pcap;
	return 0;

fail:
	if (file)
		fclose(file);
	if (pcap && pcap->format)
		pcap_close(pcap->format);
	free(pcap);
	return NATMUX_ESYSTEM;
}

void nm_pcap_write(struct nm_pcap *pcap, const struct nm_captured *packet)
{
	struct pcap_pkthdr header = {
		.ts = {.tv_sec = (time_t)(packet->time_us / 1000000),
			.tv_usec = (suseconds_t)(packet->time_us % 1000000)},
		.caplen = packet->len,
		.len = packet->wire_len,
	};

	pcap_dump((u_char *)pcap->dumper, &header, packet->data);
}

int nm_pcap_flush(struct nm_pcap *pcap)
{
	return pcap_dump_flush(pcap->dumper) == 0 ? 0 : NATMUX_ESYSTEM;
}

int nm_pcap_close(struct nm_pcap *pcap)
{
	int error = pcap_dump_flush(pcap->dumper);

	if (error != 0 || ferror(pcap_dump_file(pcap->dumper))) {
		nm_ctl_complain("cannot write the capture: %s", strerror(errno));
		error = NATMUX_ESYSTEM;
	}
	pcap_dump_close(pcap->dumper);
	pcap_close(pcap->format);
	free(pcap);
	return error;
}
