/* SPDX-License-Identifier: MIT */
/*
 * Model: a port that changes queues while it is sent to and taken.
 *
 * Two senders raise port A, one of them between two changes of its priority; a
 * third raises B, which stays in the first queue; a guest takes events.
 *
 * Property: when all is quiet, nothing is pending or linked (no event lost, none
 *           linked twice: that would be a cycle), every send was seen.
 * Bounds:   2 ports, 2 queues, 4 threads.
 * Rows:     no label, but two re-checks and the rule that a tail which leaves is
 *           forgotten (link_again(), mark_and_append()); L1/L2.
 */
#include "model.h"

#include "engine.h"

#define A 3u
#define B 5u

static struct model_world world[COPIES];
static _Atomic int work[COPIES][4]; /* accessed relaxed: the event orders it */
static bool kicks[COPIES][4], seen[COPIES][4];

static void handle(struct model_world *w, uint32_t port)
{
    unsigned i = (unsigned)(w - world);

    for (unsigned s = 0; s < 4; s++)
        if ((s == 3) == (port == B))
            seen[i][s] |=
                atomic_load_explicit(&work[i][s], memory_order_relaxed) != 0;
}

static void setup(unsigned i)
{
    model_fifo_init(&world[i]);
    for (unsigned s = 0; s < 4; s++) {
        work[i][s] = 0;
        seen[i][s] = kicks[i][s] = false;
    }
    /* A was linked to the default queue before, and is its tail still. */
    if (model_kicked(evc_post(&world[i].to, A)))
        guest_fifo(&world[i], 0, handle);
    for (unsigned s = 0; s < 4; s++)
        seen[i][s] = false;
    atomic_store((_Atomic uint8_t *)world[i].shared.info[0], 1);
}

static void send(unsigned i, unsigned s)
{
    atomic_store_explicit(&work[i][s], 1, memory_order_relaxed);
    kicks[i][s] = model_kicked(evc_post(&world[i].to, s == 3 ? B : A));
}

static void change_and_send(unsigned i)
{
    evc_a32 *delivery = &world[i].bucket.delivery[A];

    evc_a32_store_sc(delivery, evc_delivery_word(0, 3));
    send(i, 0);
    evc_a32_store_sc(delivery, evc_delivery_word(0, EVC_DEFAULT_PRIORITY));
    send(i, 1);
}

static void sender(unsigned i)
{
    send(i, 2);
}

static void neighbour(unsigned i)
{
    send(i, 3);
}

static void guest(unsigned i)
{
    guest_fifo(&world[i], 0, handle);
}

static void check(unsigned i)
{
    for (unsigned s = 0; s < 4; s++)
        if (kicks[i][s])
            guest(i);
    assert(seen[i][0] && seen[i][1] && seen[i][2] && seen[i][3]);
    assert(atomic_load(word32(&world[i].shared.words[A])) == 0);
    assert(atomic_load(word32(&world[i].shared.words[B])) == 0);
}

int main(void)
{
    static const struct model_start threads[] = {
        {change_and_send}, {sender}, {neighbour}, {guest}};

    model_run(setup, threads, 4, check);
    return 0;
}
