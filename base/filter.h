/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A classic BPF program as numbers, so that it can be built and tested without a kernel. A step has
 * the four fields of struct sock_filter (linux/filter.h); io/reuseport.c gives it to the kernel.
 *
 * In a program of a reuseport group byte 0 is the first of the UDP payload, what is returned is the
 * number of a socket in the order in which they were bound, and a load that reaches beyond the
 * payload ends the program with 0.
 */
#ifndef NM_FILTER_H
#define NM_FILTER_H

#include <stdint.h>

struct nm_filter_step {
	uint16_t code;
	uint8_t jump_true, jump_false; /* steps to leave out */
	uint32_t k;
};

/* linux/bpf_common.h and linux/filter.h: class, size or operation, mode or source. */
enum {
	NM_FILTER_LOAD_WORD = 0x20,    /* A = the 32 bits at payload offset k, in network order */
	NM_FILTER_MODULO = 0x94,       /* A = A % k, k > 0 */
	NM_FILTER_AND = 0x54,          /* A = A & k */
	NM_FILTER_JUMP_EQUAL = 0x15,   /* A == k */
	NM_FILTER_RETURN = 0x06,       /* k */
	NM_FILTER_RETURN_RESULT = 0x16 /* A */
};

/* As an offset of NM_FILTER_LOAD_WORD: the number of the interface that the packet came in by. */
#define NM_FILTER_AT_INTERFACE UINT32_C(0xfffff008) /* SKF_AD_OFF + SKF_AD_IFINDEX */

#endif
