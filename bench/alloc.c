/* SPDX-License-Identifier: Apache-2.0 */
/* Counters in front of the allocator; the linker gives them their places. */
#include "bench/alloc.h"

#include <stdatomic.h>
#include <stddef.h>

static atomic_uint_fast64_t count;

/* Names that the linker makes: __real_x is x, and who calls x gets __wrap_x. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **block, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);

static void count_one(void)
{
	atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

uint64_t nm_alloc_count(void)
{
	return atomic_load_explicit(&count, memory_order_relaxed);
}

void *__wrap_malloc(size_t size)
{
	count_one();
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	count_one();
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *block, size_t size)
{
	count_one();
	return __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	count_one();
	return __real_aligned_alloc(alignment, size);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size)
{
	count_one();
	return __real_posix_memalign(block, alignment, size);
}
