/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fakes/alloc_count.h"

#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static unsigned long count;

unsigned long alloc_count(void)
{
	return count;
}

void *__wrap_malloc(size_t size)
{
	count++;
	return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	count++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	count++;
	return __real_realloc(memory, size);
}
