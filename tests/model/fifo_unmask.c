/* SPDX-License-Identifier: MIT */
/*
 * Model: a guest unmasks a FIFO port and dispatches, while it is sent to.
 *
 * Property: the event is handled exactly once, with its payload.
 * Bounds:   1 port, 2 threads.
 * Rows:     F1/V1/V2 (store mine, then load theirs), F1/G5.
 */
#include "model.h"

#include "engine.h"

#define PORT 3u

static struct model_world world[COPIES];
static int payload[COPIES]; /* plain: the event must order it */
static int handled[COPIES];
static bool kicks[COPIES][2];

static void handle(struct model_world *w, uint32_t port)
{
    unsigned i = (unsigned)(w - world);

    assert(port == PORT);
    assert(payload[i] == 42);
    handled[i]++;
}

static void setup(unsigned i)
{
    model_fifo_init(&world[i]);
    atomic_store(word32(&world[i].shared.words[PORT]), MASKED);
    payload[i] = handled[i] = 0;
    kicks[i][0] = kicks[i][1] = false;
}

static void sender(unsigned i)
{
    payload[i] = 42;
    kicks[i][0] = model_kicked(evc_post(&world[i].to, PORT));
}

static void guest(unsigned i)
{
    kicks[i][1] = model_kicked(evc_post_unmask(&world[i].to, PORT));
    guest_fifo(&world[i], 0, handle);
}

static void check(unsigned i)
{
    if (kicks[i][0] || kicks[i][1])
        guest_fifo(&world[i], 0, handle);
    assert(handled[i] == 1);
    assert(atomic_load(word32(&world[i].shared.words[PORT])) == 0);
}

int main(void)
{
    static const struct model_start threads[] = {{sender}, {guest}};

    model_run(setup, threads, 2, check);
    return 0;
}
