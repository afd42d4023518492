/* SPDX-License-Identifier: MIT */
/*
 * Model: a sender that finds an event on its way leaves it at that, while the
 * guest takes it.  Copies with an even number are two-level, the others FIFO.
 *
 * Property: where the sender has left it, the guest sees what was written for
 *           the second event; else a second event is pending.
 * Bounds:   1 port, 2 threads, either ABI.
 * Rows:     P7, P8/G3, G5; of x86, where the guest's taking is a full fence.
 */
#include "model.h"

#include "engine.h"

#define PORT 3u

static struct model_world world[COPIES];
static _Atomic int payload[COPIES]; /* relaxed, for C knows no such order */
/* Lines that the guest has had: who stores to them has a full store buffer. */
static _Alignas(64) _Atomic int crowd[COPIES][8][16];
static bool left[COPIES];
static int seen[COPIES];

static bool is_fifo(unsigned i)
{
#ifdef EVC_GENMC
    (void)i;
    return EVC_GENMC > 1; /* -DEVC_GENMC=2 */
#else
    return i % 2 != 0;
#endif
}

static void setup(unsigned i)
{
    if (is_fifo(i))
        model_fifo_init(&world[i]);
    else
        model_world_init(&world[i]);
    atomic_store(&payload[i], 1);
    (void)evc_post(&world[i].to, PORT);
}

static void push_into(unsigned i, unsigned who)
{
#ifndef EVC_GENMC
    for (unsigned n = 0; n < 8; n++)
        atomic_store_explicit(&crowd[i][n][who], 1, memory_order_relaxed);
#else
    (void)i;
    (void)who;
#endif
}

static void sender(unsigned i)
{
    push_into(i, 0);
    atomic_store_explicit(&payload[i], 2, memory_order_relaxed);
    left[i] = evc_post_is_merged(&world[i].to, PORT);
    if (!left[i])
        (void)evc_post(&world[i].to, PORT);
}

static void guest(unsigned i)
{
    struct shared *s = &world[i].shared;

    push_into(i, 1);
    if (is_fifo(i))
        (void)atomic_fetch_and(word32(&s->words[PORT]), ~PENDING);
    else
        (void)atomic_fetch_and(word64(s->pending), ~(UINT64_C(1) << PORT));
#if !EVC_RMW_IS_FENCE || defined(EVC_GENMC)
    atomic_thread_fence(memory_order_seq_cst); /* x86's was one already */
#endif
    seen[i] = atomic_load_explicit(&payload[i], memory_order_relaxed);
}

static void check(unsigned i)
{
    assert(evc_post_is_pending(&world[i].to, PORT) == !left[i]);
    assert(!left[i] || seen[i] == 2);
}

int main(void)
{
    static const struct model_start threads[] = {{sender}, {guest}};

    model_run(setup, threads, 2, check);
    return 0;
}
