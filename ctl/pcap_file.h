/* SPDX-License-Identifier: Apache-2.0 */
/* A pcap file being written: LINKTYPE_RAW, every packet begins with its IP header. */
#ifndef NM_CTL_PCAP_FILE_H
#define NM_CTL_PCAP_FILE_H

#include "ctl/capture_packet.h"

struct nm_pcap;

/*
 * Opens `path` for writing, readable by its owner alone, "-" for stdout. 0, or NATMUX_ESYSTEM or
 * NATMUX_EUNSUPPORTED (built without libpcap) after a word on stderr.
 */
int nm_pcap_open(const char *path, struct nm_pcap **pcap);

void nm_pcap_write(struct nm_pcap *pcap, const struct nm_captured *packet);

/* What has been written so far goes to the reader of a pipe. NATMUX_ESYSTEM. */
int nm_pcap_flush(struct nm_pcap *pcap);

/* Ends the file; NATMUX_ESYSTEM after a word on stderr when not all of it was written. */
int nm_pcap_close(struct nm_pcap *pcap);

#endif
