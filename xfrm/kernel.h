/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's numbers of NETLINK_XFRM. <linux/xfrm.h> is of the machine that builds; what newer
 * kernels added stands here by its number, which never changes.
 */
#ifndef NM_XFRM_KERNEL_H
#define NM_XFRM_KERNEL_H

#include <linux/netlink.h>
#include <linux/xfrm.h>

/* enum xfrm_attr_type_t beyond Linux 6.1's last, with the kernel that brought each. */
enum {
	NM_XFRMA_SA_DIR = 33,        /* 6.10, u8 */
	NM_XFRMA_NAT_KEEPALIVE = 34, /* 6.11, u32: seconds */
	NM_XFRMA_SA_PCPU = 35,       /* 6.13, u32 */
	NM_XFRMA_END,
};

/* enum xfrm_sa_dir, 6.10. */
enum { NM_XFRM_SA_DIR_IN = 1, NM_XFRM_SA_DIR_OUT = 2 };

/* AF_INET and AF_INET6, which are the socket API's. */
enum { NM_AF_INET = 2, NM_AF_INET6 = 10 };

/* UDP_ENCAP_ESPINUDP of <linux/udp.h>: RFC 3948. */
enum { NM_XFRM_ENCAP_UDP = 2 };

#endif
