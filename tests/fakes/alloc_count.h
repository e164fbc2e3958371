/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what the code under test allocates. The test is linked with -Wl,--wrap for malloc, calloc
 * and realloc, so that only calls from the objects linked into it are seen, not the C library's.
 */
#ifndef ALLOC_COUNT_H
#define ALLOC_COUNT_H

/* Calls of malloc, calloc and realloc so far. */
unsigned long alloc_count(void);

#endif
