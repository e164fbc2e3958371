/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded traffic as something to measure with. Without libpcap a stub that says so. */
#ifndef NM_BENCH_PCAP_FILE_H
#define NM_BENCH_PCAP_FILE_H

#include <stddef.h>
#include "bench/corpus.h"

/*
 * Adds the payload of every whole UDP datagram in a pcap file to the corpus. On failure one line
 * for people stands in `error`: NATMUX_EUNSUPPORTED, NATMUX_ESYSTEM, NATMUX_EMALFORMED (not a pcap
 * file), NATMUX_NOTFOUND (no UDP in it), NATMUX_ENOMEM, NATMUX_EFULL.
 */
int nm_pcap_file_read(const char *path, struct nm_corpus *corpus, char *error, size_t size);

#endif
