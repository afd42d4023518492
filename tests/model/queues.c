/* SPDX-License-Identifier: MIT */
/*
 * Model: a port that changes queues while it is sent to and taken.
 *
 * Port A was the last of queue 7 and has been taken.  One thread moves it to
 * queue 3, to 5 and back, and sends each time; another sends to A as well, to B
 * on queue 7, C on 3 and D on 5; a guest takes events.
 *
 * Property: when all is quiet, nothing is pending or linked (no event lost,
 *           none linked twice: that would be a cycle), every send was seen.
 * Bounds:   4 ports, 3 queues, 3 threads.  For a checker EVC_GENMC says which of
 *           the eight sends there are.
 * Rows:     no label, but a re-check, and the rule that a tail which leaves is
 *           forgotten under both locks (evc_fifo_link(), lock_pair()); L1/L2.
 */
#include "model.h"

#include "engine.h"

#define A     3u
#define B     5u
#define C     6u
#define D     7u
#define SENDS 8u

#ifdef EVC_GENMC
#define WHICH EVC_GENMC /* a bit each */
#else
#define WHICH 0xffu
#endif

static const uint32_t port_of[SENDS] = {A, A, A, A, B, C, D, A};
static struct model_world world[COPIES];
static _Atomic int work[COPIES][SENDS]; /* relaxed: the event orders it */
static bool kicks[COPIES][SENDS], seen[COPIES][SENDS];

static void handle(struct model_world *w, uint32_t port)
{
    unsigned i = (unsigned)(w - world);

    for (unsigned s = 0; s < SENDS; s++)
        if (port_of[s] == port)
            seen[i][s] |=
                atomic_load_explicit(&work[i][s], memory_order_relaxed) != 0;
}

static void move_to(unsigned i, uint32_t port, unsigned priority)
{
    evc_a32_store_sc(&world[i].bucket.delivery[port],
                     evc_delivery_word(0, priority));
}

static void setup(unsigned i)
{
    model_fifo_init(&world[i]);
    move_to(i, C, 3);
    move_to(i, D, 5);
    /* All have been on their queues; A is the tail of 7. */
    (void)evc_post(&world[i].to, B);
    (void)evc_post(&world[i].to, C);
    (void)evc_post(&world[i].to, D);
    (void)evc_post(&world[i].to, A);
    guest_fifo(&world[i], 0, handle);
    for (unsigned s = 0; s < SENDS; s++) {
        work[i][s] = 0;
        seen[i][s] = !(WHICH >> s & 1);
        kicks[i][s] = false;
    }
}

static void send(unsigned i, unsigned s)
{
    if (!(WHICH >> s & 1))
        return;
    atomic_store_explicit(&work[i][s], 1, memory_order_relaxed);
    kicks[i][s] = model_kicked(evc_post(&world[i].to, port_of[s]));
}

static void mover(unsigned i)
{
    static const unsigned queue[] = {3, 5, 7};

    for (unsigned s = 0; s < 3; s++) {
        if (WHICH >> s & 1)
            move_to(i, A, queue[s]);
        send(i, s);
    }
}

static void sender(unsigned i)
{
    for (unsigned s = 3; s < SENDS; s++)
        send(i, s);
}

static void guest(unsigned i)
{
    for (unsigned n = 0; n < (WHICH == 0xff ? 3 : 1); n++)
        guest_fifo(&world[i], 0, handle);
}

static void check(unsigned i)
{
    for (unsigned s = 0; s < SENDS; s++)
        if (kicks[i][s])
            guest(i);
    for (unsigned s = 0; s < SENDS; s++) {
        assert(seen[i][s]);
        assert(atomic_load(word32(&world[i].shared.words[port_of[s]])) == 0);
    }
}

int main(void)
{
    static const struct model_start threads[] = {{mover}, {sender}, {guest}};

    model_run(setup, threads, 3, check);
    return 0;
}
