/* SPDX-License-Identifier: Apache-2.0 */
#ifndef NATMUX_RANDOM_H
#define NATMUX_RANDOM_H

#include <stddef.h>

/*
 * Randomness as an argument: the machines never ask the system themselves, so that a test can
 * repeat a run. A program passes a function that fills `buf` from the operating system's generator
 * (libsodium's randombytes_buf, getrandom); it must not fail.
 */
struct natmux_random {
	void (*fill)(void *user, void *buf, size_t len);
	void *user;
};

#endif
