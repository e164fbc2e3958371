/* SPDX-License-Identifier: Apache-2.0 */
/* net.ipv4.conf.*.rp_filter: what reverse path filtering does to injected packets. */
#ifndef NM_RP_FILTER_H
#define NM_RP_FILTER_H

/* The value of one device, or of "all"; 0 where the kernel has no such thing. */
int nm_rp_filter_read(const char *device);

/*
 * Makes a device of our own loose (2). The larger of "all" and the device's own counts (ip-sysctl),
 * so this undoes strict filtering there and nowhere else. /proc/sys may be read-only: then it stays
 * as it is.
 */
void nm_rp_filter_loosen(const char *device);

#endif
