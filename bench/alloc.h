/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts what the program and the libraries linked into it allocate. The linker puts the counters
 * in front of the allocator (-Wl,--wrap=malloc and so on), for programs that use bench_alloc_dep.
 */
#ifndef NM_ALLOC_H
#define NM_ALLOC_H

#include <stdint.h>

/* Calls of malloc, calloc, realloc, aligned_alloc and posix_memalign so far, failed ones too. */
uint64_t nm_alloc_count(void);

#endif
