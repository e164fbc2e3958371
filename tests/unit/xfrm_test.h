/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages recorded from `ip xfrm` and the kernel, by case: tests/vectors/xfrm/recorded.txt. They
 * are little-endian; a big-endian machine gets its own order here, so that its tests are the same.
 */
#ifndef XFRM_TEST_H
#define XFRM_TEST_H

#include "test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <libmnl/libmnl.h>
#include <natmux/addr.h>
#include <natmux/error.h>
#include "xfrm/kernel.h"
#include "xfrm/state_message.h"

enum { XFRM_TEST_MESSAGES = 16 };

struct xfrm_test_message {
	_Alignas(8) uint8_t bytes[4096];
	size_t len;
	bool to_kernel;
};

struct xfrm_test_case {
	size_t n;
	struct xfrm_test_message messages[XFRM_TEST_MESSAGES];
};

/* Fails the test when there is no such case. */
void xfrm_test_load(const char *name, struct xfrm_test_case *c);

/* The `index`th message of this type and direction; fails the test when there is none. */
struct nlmsghdr *xfrm_test_find(
	struct xfrm_test_case *c, bool to_kernel, uint16_t type, size_t index);

/* Whether two messages are the same but for sequence numbers and the order of attributes. */
void xfrm_test_assert_same(
	const struct nlmsghdr *made, const struct nlmsghdr *recorded, size_t fixed_len);

void xfrm_test_assert_selector(const struct nm_xfrm_selector *a, const struct nm_xfrm_selector *b);

struct natmux_addr xfrm_test_addr(const char *text);

#endif
