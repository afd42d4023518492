/* SPDX-License-Identifier: MIT */
/*
 * The linker sends malloc() and its kin through here.
 */
#include "refuse.h"

#include <stdlib.h>

static unsigned left; /* until the one that fails; 0: none does */
static bool hit;

void refuse(unsigned nth)
{
    left = nth;
    hit = false;
}

bool refused(void)
{
    left = 0;
    return hit;
}

static bool fails(void)
{
    if (left == 0 || --left > 0)
        return false;
    hit = true;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}
