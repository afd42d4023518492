/* SPDX-License-Identifier: MIT */
/*
 * What adapters of shared memory share: memory, and sleeping on a word of it.
 */
#ifndef EVC_BENCH_WORD_H
#define EVC_BENCH_WORD_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* NULL: there is none.  For munmap() by its owner. */
static inline void *evc_map_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

/* Threads of one process need not be looked up in memory by address space. */
static inline int evc_futex_flag(bool processes)
{
    return processes ? 0 : FUTEX_PRIVATE_FLAG;
}

static inline void evc_sleep_on(_Atomic uint32_t *word, uint32_t value,
                                int flag)
{
    syscall(SYS_futex, word, FUTEX_WAIT | flag, value, NULL, NULL, 0);
}

static inline void evc_wake_all(_Atomic uint32_t *word, int flag)
{
    syscall(SYS_futex, word, FUTEX_WAKE | flag, INT_MAX, NULL, NULL, 0);
}

#endif /* EVC_BENCH_WORD_H */
