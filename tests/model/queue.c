/* SPDX-License-Identifier: MIT */
/*
 * Model: one FIFO queue.  A sender raises two ports one after the other,
 * another raises the first of them again, and a guest takes events.
 *
 * Property: when all is quiet, the handlers have seen the work of every send;
 *           nothing is pending or linked; a sender's two events keep their
 *           order where both were new.
 * Bounds:   2 ports, 3 threads; a queue that is empty, has one member, or two.
 *           For a checker EVC_GENMC says which of the three sends there are.
 * Rows:     F1/G5 (a merged event's payload), F2/G4 and F4/G2 (head before
 *           ready), F3/G4 (a link behind the tail), P4/G1, L1/L2 (the tail).
 */
#include "model.h"

#include "engine.h"

#define A 3u
#define B 5u

#ifdef EVC_GENMC
#define SENDS EVC_GENMC /* a bit each */
#else
#define SENDS 7u
#endif

static struct model_world world[COPIES];
static _Atomic int work[COPIES][3]; /* accessed relaxed: the event orders it */
static int payload[COPIES];         /* plain: only B's sender writes it */
static bool kicks[COPIES][3], seen[COPIES][3];

static void handle(struct model_world *w, uint32_t port)
{
    unsigned i = (unsigned)(w - world);

    for (unsigned s = 0; s < 3; s++)
        if ((s == 1) == (port == B))
            seen[i][s] |=
                atomic_load_explicit(&work[i][s], memory_order_relaxed) != 0;
    if (port == B)
        assert(payload[i] == 42);
}

static void setup(unsigned i)
{
    model_fifo_init(&world[i]);
    payload[i] = 0;
    for (unsigned s = 0; s < 3; s++) {
        work[i][s] = 0;
        seen[i][s] = !(SENDS >> s & 1);
        kicks[i][s] = false;
    }
    atomic_store((_Atomic uint8_t *)world[i].shared.info[0], 1);
}

static void send(unsigned i, unsigned s)
{
    if (!(SENDS >> s & 1))
        return;
    atomic_store_explicit(&work[i][s], 1, memory_order_relaxed);
    kicks[i][s] = model_kicked(evc_post(&world[i].to, s == 1 ? B : A));
}

static void sender0(unsigned i)
{
    send(i, 0);
    payload[i] = 42;
    send(i, 1);
}

static void sender1(unsigned i)
{
    send(i, 2);
}

static void guest(unsigned i)
{
    guest_fifo(&world[i], 0, handle);
}

static void check(unsigned i)
{
    if (kicks[i][0] || kicks[i][1] || kicks[i][2])
        guest(i);
    assert(seen[i][0] && seen[i][1] && seen[i][2]);
    assert(atomic_load(word32(&world[i].shared.words[A])) == 0);
    assert(atomic_load(word32(&world[i].shared.words[B])) == 0);
}

int main(void)
{
    static const struct model_start threads[] = {{sender0}, {sender1}, {guest}};

    model_run(setup, threads, 3, check);
    return 0;
}
