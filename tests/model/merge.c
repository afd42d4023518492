/* SPDX-License-Identifier: MIT */
/*
 * Model: two senders to one two-level port, one of them to its neighbour in the
 * same word too, and a guest that answers an earlier kick.
 *
 * Property: when all is quiet, the handlers have seen every sender's work, and
 *           nothing is pending.
 * Bounds:   2 ports of one word, 3 threads.
 * Rows:     P1/G3 (a merged post: only the PENDING bit carries its work),
 *           P3/G2, P4/G1 (a selector bit without an upcall is slept over).
 */
#include "model.h"

#include "engine.h"

#define PORT  3u
#define OTHER 5u

static struct model_world world[COPIES];
static _Atomic int work[COPIES][3]; /* accessed relaxed: the event orders it */
static bool kicks[COPIES][3], seen[COPIES][3];

static void handle(struct model_world *w, uint32_t port)
{
    unsigned i = (unsigned)(w - world);

    for (unsigned s = 0; s < 3; s++)
        if ((s == 2) == (port == OTHER))
            seen[i][s] |=
                atomic_load_explicit(&work[i][s], memory_order_relaxed) != 0;
}

static void setup(unsigned i)
{
    model_world_init(&world[i]);
    for (unsigned s = 0; s < 3; s++) {
        work[i][s] = 0;
        seen[i][s] = kicks[i][s] = false;
    }
    /* The earlier kick. */
    atomic_store((_Atomic uint8_t *)world[i].shared.info[0], 1);
}

static void send(unsigned i, unsigned s)
{
    atomic_store_explicit(&work[i][s], 1, memory_order_relaxed);
    kicks[i][s] = model_kicked(evc_post(&world[i].to, s == 2 ? OTHER : PORT));
}

static void sender0(unsigned i)
{
    send(i, 0);
}

static void sender1(unsigned i)
{
    send(i, 2);
    send(i, 1);
}

static void guest(unsigned i)
{
    guest_twolevel(&world[i], 0, handle);
}

static void check(unsigned i)
{
    if (kicks[i][0] || kicks[i][1] || kicks[i][2])
        guest(i);
    assert(seen[i][0] && seen[i][1] && seen[i][2]);
    assert(atomic_load(word64(world[i].shared.pending)) == 0);
}

int main(void)
{
    static const struct model_start threads[] = {{sender0}, {sender1}, {guest}};

    model_run(setup, threads, 3, check);
    return 0;
}
