/* SPDX-License-Identifier: Apache-2.0 */
/* Reads pcap files with libpcap; what is in a frame is frame.c's. */
#include "bench/pcap_file.h"

#include <pcap/pcap.h>
#include <stdio.h>

#include <natmux/error.h>

#include "bench/frame.h"

/* 0 at the end of the file. */
static int read_frames(pcap_t *pcap, struct nm_corpus *corpus)
{
	int link = pcap_datalink(pcap), got;
	struct pcap_pkthdr *header;
	const u_char *frame;

	/* libpcap translates RAW to a number of the host's own. */
	if (link == DLT_RAW)
		link = NM_FRAME_LINK_RAW;
	if (!nm_frame_link_is_known(link))
		return NATMUX_EUNSUPPORTED;
	while ((got = pcap_next_ex(pcap, &header, &frame)) == 1) {
		size_t len;
		const uint8_t *payload = nm_frame_udp_payload(link, frame, header->caplen, &len);
		int err = payload ? nm_corpus_add(corpus, payload, len) : 0;

		if (err < 0)
			return err;
	}
	if (got != PCAP_ERROR_BREAK)
		return NATMUX_EMALFORMED;
	return corpus->count > 0 ? 0 : NATMUX_ENOTFOUND;
}

static void explain(int err, const char *path, pcap_t *pcap, char *error, size_t size)
{
	switch (err) {
	case 0: break;
	case NATMUX_EUNSUPPORTED:
		snprintf(error, size, "%s: link type %d is not supported", path,
			pcap_datalink(pcap));
		break;
	case NATMUX_EMALFORMED: snprintf(error, size, "%s: %s", path, pcap_geterr(pcap)); break;
	case NATMUX_ENOTFOUND: snprintf(error, size, "%s: no UDP datagrams", path); break;
	default: snprintf(error, size, "%s: %s", path, natmux_strerror(err)); break;
	}
}

int nm_pcap_file_read(const char *path, struct nm_corpus *corpus, char *error, size_t size)
{
	char why[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline(path, why);
	int err;

	if (!pcap) {
		snprintf(error, size, "%s", why);
		return NATMUX_ESYSTEM;
	}
	err = read_frames(pcap, corpus);
	explain(err, path, pcap, error, size);
	pcap_close(pcap);
	return err;
}
