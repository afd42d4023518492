/* SPDX-License-Identifier: MIT */
/*
 * The kernel's part in sleeping and waking, where a model checker runs a model:
 * the two futex calls and the eventfd of bell/, each one step under one lock.
 *
 * Who goes to sleep ends its thread there; model_slept says so unless somebody
 * has woken it since.
 */
#ifndef EVC_TESTS_MODEL_KERNEL_H
#define EVC_TESTS_MODEL_KERNEL_H

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static _Thread_local int model_errno;
static pthread_mutex_t model_kernel;
static bool model_slept, model_full; /* under it; full: the eventfd */

static inline long model_futex(_Atomic uint32_t *word, bool waits,
                               uint32_t value)
{
    bool sleeps = false;

    pthread_mutex_lock(&model_kernel);
    if (waits) {
        sleeps = atomic_load(word) == value;
        model_slept |= sleeps;
    } else {
        (void)atomic_fetch_and(word, ~value);
        model_slept = false;
    }
    pthread_mutex_unlock(&model_kernel);
    if (sleeps)
        pthread_exit(NULL);
    return 0;
}

/* What it was. */
static inline bool model_eventfd(bool full)
{
    bool was;

    pthread_mutex_lock(&model_kernel);
    was = model_full;
    model_full = full;
    model_slept &= !full;
    pthread_mutex_unlock(&model_kernel);
    return was;
}

/* poll() without a time-out, of the one there is. */
static inline int model_poll(int timeout)
{
    bool full, sleeps;

    pthread_mutex_lock(&model_kernel);
    full = model_full;
    sleeps = !full && timeout != 0;
    model_slept |= sleeps;
    pthread_mutex_unlock(&model_kernel);
    if (sleeps)
        pthread_exit(NULL);
    return full;
}

/* FUTEX_WAIT_BITSET with its value, or FUTEX_WAKE_OP with the bits to clear. */
#define syscall(number, word, op, value, timeout, second, third) \
    model_futex(&(word)->raw_, (op) == FUTEX_WAIT_BITSET,        \
                (op) == FUTEX_WAIT_BITSET ? (uint32_t)(value)    \
                                          : (uint32_t)(third) >> 12 & 0xfff)
/* GenMC has neither; nothing overflows here. */
#define __builtin_add_overflow(a, b, sum) (*(sum) = (a) + (b), false)
#define __builtin_ia32_pause()            ((void)0)
#undef errno
#define errno model_errno
#undef read
#undef write
#define write(fd, from, size)    (model_eventfd(true), (ssize_t)(size))
#define read(fd, to, size)       (model_eventfd(false), (ssize_t)(size))
#define eventfd(count, flags)    3
#define poll(fds, n, timeout)    model_poll(timeout)
#define clock_gettime(clock, at) ((at)->tv_sec = (at)->tv_nsec = 0)
#define sysconf(name)            1L
#define alarm(seconds)           ((void)0)
#define usleep(us)               ((void)0)

#endif /* EVC_TESTS_MODEL_KERNEL_H */
