/* SPDX-License-Identifier: MIT */
/*
 * Model: a guest masks a port and takes its event by hand, while it is sent to.
 *
 * No upcall orders the two: only the word with PENDING in it does.  Copies with
 * an even number are two-level, the others FIFO.
 *
 * Property: who takes the event sees its payload; it is taken or still pending,
 *           not both; the mask stays.
 * Bounds:   1 port, 2 threads, either ABI.
 * Rows:     P1/G3, F1/G5.
 */
#include "model.h"

#include "engine.h"

#define PORT 3u

static struct model_world world[COPIES];
static int payload[COPIES]; /* plain: the event must order it */
static bool taken[COPIES];

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
    payload[i] = 0;
    taken[i] = false;
}

static void sender(unsigned i)
{
    payload[i] = 42;
    (void)evc_post(&world[i].to, PORT);
}

/* Mask, then clear PENDING; what each word was before. */
static bool take(unsigned i)
{
    struct shared *s = &world[i].shared;
    uint64_t bit = UINT64_C(1) << PORT;

    if (is_fifo(i)) {
        (void)atomic_fetch_or(word32(&s->words[PORT]), MASKED);
        return atomic_fetch_and(word32(&s->words[PORT]), ~PENDING) & PENDING;
    }
    (void)atomic_fetch_or(word64(s->mask), bit);
    return atomic_fetch_and(word64(s->pending), ~bit) & bit;
}

static void guest(unsigned i)
{
    taken[i] = take(i);
    if (taken[i])
        assert(payload[i] == 42);
}

static void check(unsigned i)
{
    assert(evc_post_is_masked(&world[i].to, PORT));
    assert(evc_post_is_pending(&world[i].to, PORT) != taken[i]);
}

int main(void)
{
    static const struct model_start threads[] = {{sender}, {guest}};

    model_run(setup, threads, 2, check);
    return 0;
}
