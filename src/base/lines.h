/* SPDX-License-Identifier: MIT */
/*
 * Memory in whole cache lines, for what senders on several processors touch.
 * Needs a libc; freestanding layers do not include it.
 */
#ifndef EVC_BASE_LINES_H
#define EVC_BASE_LINES_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EVC_LINE 64u

/* Zeroed, aligned to a line, freed with free(); NULL: no memory. */
static inline void *evc_alloc_lines(size_t n, size_t size)
{
    size_t bytes;
    void *memory;

    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - EVC_LINE)
        return NULL;
    bytes = (bytes + EVC_LINE - 1) / EVC_LINE * EVC_LINE;
    memory = aligned_alloc(EVC_LINE, bytes);
    return memory != NULL ? memset(memory, 0, bytes) : NULL;
}

#endif /* EVC_BASE_LINES_H */
