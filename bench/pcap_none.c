/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for pcap_file.c where natmux is built without libpcap. */
#include "bench/pcap_file.h"

#include <stdio.h>

#include <natmux/error.h>

int nm_pcap_file_read(const char *path, struct nm_corpus *corpus, char *error, size_t size)
{
	(void)corpus;
	snprintf(error, size, "%s: this natmux-bench is built without libpcap", path);
	return NATMUX_EUNSUPPORTED;
}
