/* SPDX-License-Identifier: MIT */
/*
 * Model: a guest unmasks a two-level port and dispatches, while it is sent to.
 *
 * Property: the event is handled exactly once, with its payload.
 * Bounds:   1 port, 2 threads.
 * Rows:     P1/U2 and P2/U1 (store mine, then load theirs), P3/G2, P1/G3.
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
    model_world_init(&world[i]);
    atomic_store(word64(world[i].shared.mask), UINT64_C(1) << PORT);
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
    guest_twolevel(&world[i], 0, handle);
}

static void check(unsigned i)
{
    if (kicks[i][0] || kicks[i][1])
        guest_twolevel(&world[i], 0, handle);
    assert(handled[i] == 1);
}

int main(void)
{
    static const struct model_start threads[] = {{sender}, {guest}};

    model_run(setup, threads, 2, check);
    return 0;
}
