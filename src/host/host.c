/* SPDX-License-Identifier: MIT */
/*
 * Clock, sleeping, eventfd, and what a spinning thread does while it waits.
 */
#include "host.h"

#include <errno.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include "spin.h"

#define NS 1000000000u

uint64_t evc_host_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS + (uint64_t)now.tv_nsec;
}

/* ---- spinning ----------------------------------------------------------- */

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

#define YIELD_EVERY 64u   /* turns */
#define SLEEP_AFTER 1024u /* turns: sixteen times others had theirs */
#define SLEEP_MAX   1000000u

static void nap(unsigned turn)
{
    const struct timespec ns = {.tv_nsec = turn < SLEEP_MAX / 50 ? turn * 50
                                                                 : SLEEP_MAX};

    clock_nanosleep(CLOCK_MONOTONIC, 0, &ns, NULL);
}

void evc_spin_pause(unsigned turn)
{
    if (turn % YIELD_EVERY != YIELD_EVERY - 1)
        relax();
    else if (turn < SLEEP_AFTER)
        sched_yield();
    else
        nap(turn);
}

void evc_spin_wait(evc_spin *spin)
{
    for (unsigned turn = 0;; turn++) {
        if (evc_a32_load_rlx(&spin->taken) == 0 &&
            evc_a32_swap_acq(&spin->taken, 1) == 0) /* L1, pairs with L2 */
            return;
        evc_spin_want(spin);
        evc_spin_pause(turn);
    }
}

void evc_spin_give_way(evc_spin *spin)
{
    if (evc_a32_load_rlx(&spin->wanted) == 0)
        return;
    evc_a32_store_rlx(&spin->wanted, 0);
    for (unsigned turn = 0; turn < YIELD_EVERY; turn++)
        evc_spin_pause(turn);
}

/* ---- sleeping ----------------------------------------------------------- */

int evc_sleeper_init(struct evc_sleeper *sleeper)
{
    pthread_condattr_t attr;
    int r;

    r = pthread_condattr_init(&attr);
    if (r != 0)
        return -r;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    r = pthread_cond_init(&sleeper->cond, &attr);
    pthread_condattr_destroy(&attr);
    if (r != 0)
        return -r;
    r = pthread_mutex_init(&sleeper->lock, NULL);
    if (r != 0)
        pthread_cond_destroy(&sleeper->cond);
    sleeper->woken = false;
    return -r;
}

void evc_sleeper_finish(struct evc_sleeper *sleeper)
{
    pthread_mutex_destroy(&sleeper->lock);
    pthread_cond_destroy(&sleeper->cond);
}

void evc_sleeper_sleep(struct evc_sleeper *sleeper, uint64_t deadline)
{
    struct timespec until = {.tv_sec = (time_t)(deadline / NS),
                             .tv_nsec = (long)(deadline % NS)};
    int r = 0;

    pthread_mutex_lock(&sleeper->lock);
    while (!sleeper->woken && r == 0) {
        if (deadline != 0)
            r = pthread_cond_timedwait(&sleeper->cond, &sleeper->lock, &until);
        else
            pthread_cond_wait(&sleeper->cond, &sleeper->lock);
    }
    sleeper->woken = false;
    pthread_mutex_unlock(&sleeper->lock);
}

void evc_sleeper_wake(struct evc_sleeper *sleeper)
{
    pthread_mutex_lock(&sleeper->lock);
    sleeper->woken = true;
    pthread_cond_signal(&sleeper->cond);
    pthread_mutex_unlock(&sleeper->lock);
}

/* ---- eventfd ------------------------------------------------------------ */

int evc_eventfd_create(void)
{
#ifdef __linux__
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    return fd >= 0 ? fd : -errno;
#else
    return -ENOSYS;
#endif
}

void evc_eventfd_write(int fd)
{
    static const uint64_t one = 1;
    int saved = errno;
    ssize_t n;

    do { /* a full counter is as readable as can be */
        n = write(fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    errno = saved;
}

bool evc_eventfd_read(int fd)
{
    int saved = errno;
    uint64_t count = 0;
    ssize_t n;

    do {
        n = read(fd, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
    errno = saved;
    return n == (ssize_t)sizeof(count) && count != 0;
}
