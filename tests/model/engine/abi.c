/* SPDX-License-Identifier: MIT */
/*
 * Model, on the whole engine: a domain goes to FIFO, grows, and comes back
 * while it is sent to.
 *
 * Property: an event sent once is in the two-level bit, kept back, or in its
 *           event word, and with FIFO set up it is taken, once, with its
 *           payload.
 * Bounds:   1 port, 2 threads; one copy: the domain.
 * Rows:     A1/A2; that senders are waited for before two-level bits are saved
 *           (enter_fifo()) and before blocks are freed
 *           (evc_domain_leave_fifo()).
 */
#define COPIES 1u
#include "model.h"

#include <string.h>

#include "guest.h" /* that of tests/support */

static struct world *w;
static struct channel c;
static int payload; /* plain: the event must order it */
static unsigned taken;

static void handle(struct guest *g, uint32_t port, void *data)
{
    (void)g;
    (void)data;
    assert(port == c.a && payload == 42);
    taken++;
}

static void setup(unsigned i)
{
    static bool first = true;

    (void)i;
    if (first)
        c = join_guests(w->d1, w->d2);
    first = false;
    payload = 0;
    taken = 0;
}

static void sender(unsigned i)
{
    (void)i;
    payload = 42;
    assert(send_port(w->d2, c.b) == 0);
}

static void changer(unsigned i)
{
    (void)i;
    enter_fifo(w->d1, 1);
    assert(grow(w->d1) == 0);
}

static void check(unsigned i)
{
    (void)i;
    (void)upcall(w->d1, 0, handle, NULL);
    assert(taken == 1);
    assert(close_port(w->d2, c.b) == 0);
    assert(reset(w->d1, DOMID_SELF) == 0);
    assert(w->d1->mapped == 0);
    forget_fifo(w->d1);
    memset(w->d1->memory, 0, 4096);
    c = join_guests(w->d1, w->d2);
}

/* A reset under a sender: nothing to find, but nothing to crash on. */
static void resetter(unsigned i)
{
    (void)i;
    enter_fifo(w->d1, 1);
    assert(grow(w->d1) == 0);
    assert(reset(w->d1, DOMID_SELF) == 0);
}

static void check_reset(unsigned i)
{
    (void)i;
    assert(w->d1->mapped == 0);
    forget_fifo(w->d1);
    memset(w->d1->memory, 0, 4096);
    memset(at(w->d1, ARRAY_FRAME * PAGE), 0, PAGE);
    assert(close_port(w->d2, c.b) == 0);
    c = join_guests(w->d1, w->d2);
}

int main(int argc, char **argv)
{
    static const struct model_start growing[] = {{sender}, {changer}};
    static const struct model_start resetting[] = {{sender}, {resetter}};
    void *state;

    (void)argv;
    world_setup(&state);
    w = state;
    if (argc > 1)
        model_run(setup, resetting, 2, check_reset);
    else
        model_run(setup, growing, 2, check);
    return world_teardown(&state);
}
