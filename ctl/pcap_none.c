/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for pcap_file.c in a build without libpcap: no file is ever opened. */
#include "ctl/pcap_file.h"

#include <natmux/error.h>
#include "ctl/ctl.h"

int nm_pcap_open(const char *path, struct nm_pcap **pcap)
{
	(void)path;
	(void)pcap;
	nm_ctl_complain("this natmuxctl was built without libpcap: capture without -w");
	return NATMUX_EUNSUPPORTED;
}

void nm_pcap_write(struct nm_pcap *pcap, const struct nm_captured *packet)
{
	(void)pcap;
	(void)packet;
}

int nm_pcap_flush(struct nm_pcap *pcap)
{
	(void)pcap;
	return NATMUX_EUNSUPPORTED;
}

int nm_pcap_close(struct nm_pcap *pcap)
{
	(void)pcap;
	return NATMUX_EUNSUPPORTED;
}
