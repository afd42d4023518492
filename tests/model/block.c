/* SPDX-License-Identifier: MIT */
/*
 * Model: init_control publishes a control block while a peer sends.
 *
 * Property: the event is either dropped, PENDING staying clear, or linked in a
 *           queue that was ready for it.
 * Bounds:   1 port, 2 threads.
 * Rows:     B1/B2.
 */
#include "model.h"

#include "engine.h"

#define PORT 3u

static struct model_world world[COPIES];
static unsigned posts[COPIES];

static void setup(unsigned i)
{
    model_fifo_init(&world[i]);
    free(atomic_exchange(&world[i].to.fifo->block[1], NULL));
    evc_delivery_choose(&world[i].to, MODEL_VCPUS);
    evc_a32_store_rlx(&world[i].bucket.delivery[PORT],
                      evc_delivery_word(1, EVC_DEFAULT_PRIORITY));
}

static void sender(unsigned i)
{
    posts[i] = evc_post(&world[i].to, PORT);
}

static void controller(unsigned i)
{
    int r = evc_fifo_add_block(world[i].to.fifo, 1, world[i].shared.control[1],
                               0, 0);

    assert(r == 0);
}

static void check(unsigned i)
{
    uint32_t word = evc_a32_load_sc(&world[i].shared.words[PORT]);
    uint32_t head = evc_a32_load_sc(&world[i].shared.control[1][HEAD + 7]);

    if (posts[i] & EVC_POST_DROPPED)
        assert(word == 0 && head == 0);
    else
        assert(word == (PENDING | LINKED) && head == PORT);
}

int main(void)
{
    static const struct model_start threads[] = {{sender}, {controller}};

    model_run(setup, threads, 2, check);
    return 0;
}
