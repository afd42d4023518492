/* SPDX-License-Identifier: MIT */
/*
 * Model: an event for a port whose word does not exist, while its page appears.
 *
 * Property: the event is in its word, with its payload, or was handled; nothing
 *           is kept back any more.
 * Bounds:   1 port, 3 threads: sender, expand_array, guest.
 * Rows:     S1/E2 and S2/E1 (store mine, then load theirs).
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
    atomic_store(&world[i].to.fifo->page[0], NULL);
    world[i].to.fifo->pages = 0;
    payload[i] = handled[i] = 0;
    kicks[i][0] = kicks[i][1] = false;
}

static void sender(unsigned i)
{
    payload[i] = 42;
    kicks[i][0] = model_kicked(evc_post(&world[i].to, PORT));
}

/* As in bind/fifo.c. */
static void expander(unsigned i)
{
    evc_fifo_add_page(world[i].to.fifo, world[i].shared.words, 0);
    if (evc_fifo_take_saved(&world[i].to, PORT))
        kicks[i][1] = model_kicked(evc_post(&world[i].to, PORT));
}

static void guest(unsigned i)
{
    guest_fifo(&world[i], 0, handle);
}

static void check(unsigned i)
{
    if (kicks[i][0] || kicks[i][1])
        guest(i);
    assert(handled[i] == 1);
    assert(evc_a64_load_sc(&world[i].bucket.saved) == 0);
}

int main(void)
{
    static const struct model_start threads[] = {{sender}, {expander}, {guest}};

    model_run(setup, threads, 3, check);
    return 0;
}
