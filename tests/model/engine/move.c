/* SPDX-License-Identifier: MIT */
/*
 * Model, on the whole engine: a port moves to another vCPU while it is sent to.
 *
 * When bind_vcpu has returned, the guest looks at the old vCPU once, takes what
 * was announced there, and from then on ignores the port on it.  A copy is a port
 * with two vCPUs of its own.
 *
 * Property: after that look the old vCPU is not told any more, and the event is
 *           announced on one of the two.
 * Bounds:   2 threads; two-level, or FIFO: `move fifo`.
 * Rows:     that senders are waited for before bind_vcpu returns.
 */
#define COPIES 16u
#include "model.h"

#include <string.h>

#include "guest.h" /* that of tests/support */

static struct world *w;
static struct guest *g, *peer;
static struct channel c[COPIES];
static bool fifo, found[COPIES];

#define OLD(i) (2 * (i))
#define NEW(i) (2 * (i) + 1)

/* What a vCPU is told, taken as an upcall takes it. */
static bool take_told(unsigned vcpu)
{
    bool told = atomic_exchange(upcall_pending(g, vcpu), 0) != 0;

    if (fifo)
        return (atomic_exchange(ready_word(g, vcpu), 0) != 0) | told;
    return (atomic_exchange(
                (_Atomic uint64_t *)at(g, vcpu * 64 + g->abi.pending_sel), 0) !=
            0) |
           told;
}

static void setup(unsigned i)
{
    assert(bind_vcpu(g, c[i].a, OLD(i)) == 0);
    if (fifo)
        atomic_store(event_word(g, c[i].a), 0);
    else
        clear_pending(g, c[i].a);
    (void)take_told(OLD(i));
    (void)take_told(NEW(i));
    found[i] = false;
}

static void sender(unsigned i)
{
    assert(send_port(peer, c[i].b) == 0);
}

static void mover(unsigned i)
{
    assert(bind_vcpu(g, c[i].a, NEW(i)) == 0);
    found[i] = take_told(OLD(i));
}

static void check(unsigned i)
{
    assert(!take_told(OLD(i)));
    assert(found[i] != take_told(NEW(i)));
}

int main(int argc, char **argv)
{
    static const struct model_start threads[] = {{sender}, {mover}};

    fifo = argc > 1 && strcmp(argv[1], "fifo") == 0;
    w = world_create((struct world_config){0});
    g = guest_create(w, (struct guest_config){.id = 1, .vcpus = 2 * COPIES});
    peer = guest_create(w, (struct guest_config){.id = 2});
    assert(g != NULL && peer != NULL);
    if (fifo) {
        enter_fifo(g, 2 * COPIES);
        assert(grow(g) == 0);
    }
    for (unsigned i = 0; i < COPIES; i++)
        c[i] = join_guests(g, peer);
    model_run(setup, threads, 2, check);
    assert(world_destroy(w));
    return 0;
}
