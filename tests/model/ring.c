/* SPDX-License-Identifier: MIT */
/*
 * Model: a waiter goes to sleep, or arms its descriptor, while the bell is rung.
 *
 * A copy sleeps in one of three ways: on the word, rung by any store; on the
 * word, rung after a read-modify-write; by its descriptor, until that is
 * readable.
 *
 * Property: it wakes (a lost ring hangs the model, which then says so), and
 *           sees what was written before the ring.
 * Bounds:   2 threads, one ring.
 * Rows:     N1/N2, N3/N4, N5/N1.
 *
 * The kernel has a part in it; for a model checker kernel.h plays that, and
 * -DEVC_GENMC says which copy, from 1.
 */
#define COPIES 32u
#include "model.h"

#include <poll.h>
#include <unistd.h>

#ifdef EVC_GENMC
#include "kernel.h"
#define KIND(i) (EVC_GENMC - 1u + (i))
#else
#define KIND(i) ((i) % 3)
#endif

#include "bell.c"

static struct evc_bell bell[COPIES];
static _Atomic uint32_t news[COPIES];
static int payload[COPIES]; /* plain: the ring must order it */
static int fd[COPIES];
static bool armed[COPIES];

static bool has_news(void *data)
{
    unsigned i = (unsigned)(uintptr_t)data;

    return atomic_load_explicit(&news[i], KIND(i) == 1 ? memory_order_seq_cst
                                                       : memory_order_acquire);
}

static void setup(unsigned i)
{
    if (fd[i] == 0)
        fd[i] = evc_bell_fd();
    assert(fd[i] >= 0);
    (void)eventfd_empty(fd[i]);
    bell[i].word = 0;
    news[i] = 0;
    payload[i] = 0;
    armed[i] = false;
    if (i == 0)
        alarm(60);
}

static void ringer(unsigned i)
{
    int r;

    payload[i] = 42;
    if (KIND(i) == 1) {
        (void)atomic_fetch_add(&news[i], 1);
        r = evc_bell_ring_rmw(&bell[i], -1);
    } else {
        atomic_store_explicit(&news[i], 1, memory_order_release);
        r = evc_bell_ring(&bell[i], fd[i]);
    }
    assert(r >= 0);
}

static void poll_once(unsigned i)
{
    struct pollfd p = {.fd = fd[i], .events = POLLIN};

    if (evc_bell_arm(&bell[i], fd[i], has_news, (void *)(uintptr_t)i) == 0)
        while (poll(&p, 1, -1) != 1)
            ;
    armed[i] = true;
}

static void waiter(unsigned i)
{
    if (KIND(i) == 2)
        poll_once(i);
    else
        assert(evc_bell_wait(&bell[i], NULL, has_news, (void *)(uintptr_t)i,
                             -1) == 0);
    assert(has_news((void *)(uintptr_t)i));
    assert(payload[i] == 42);
}

/* Nobody waits any more, and the next ringer knows it. */
static void check(unsigned i)
{
    struct pollfd p = {.fd = fd[i], .events = POLLIN};

#ifdef EVC_GENMC
    assert(!model_slept);
#endif
    assert(!(bell[i].word & ASLEEP));
    if (armed[i])
        assert(poll(&p, 1, 0) == 1);
}

int main(void)
{
    static const struct model_start threads[] = {{ringer}, {waiter}};

    model_run(setup, threads, 2, check);
    alarm(0);
    return 0;
}
