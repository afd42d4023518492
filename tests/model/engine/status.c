/* SPDX-License-Identifier: MIT */
/*
 * Model, on the whole engine: a channel is closed while somebody asks for the
 * status of its two ends, one after the other, without a lock.
 *
 * Property: an end that is as after the close is never followed by the other as
 *           it was before.
 * Bounds:   2 threads; half of the copies ask for the closed end first, half let
 *           dom0 ask.
 * Rows:     Q1/Q3, Q2/Q3.
 */
#include "model.h"

#include "guest.h" /* that of tests/support */

static struct world *w;
static struct channel c[COPIES];

static void setup(unsigned i)
{
    if (c[i].a == 0)
        c[i].a = (uint32_t)alloc_unbound(w->d1, DOMID_SELF, w->d2->id);
    c[i].b = (uint32_t)bind_interdomain(w->d2, w->d1->id, c[i].a);
    assert((int)c[i].b > 0);
}

static void closer(unsigned i)
{
    assert(close_port(w->d2, c[i].b) == 0);
}

/* dom0 asks, or the domain itself: there is a shorter way for that. */
static uint32_t ask(unsigned i, struct guest *g, uint32_t port)
{
    struct evtchn_status now;

    if (i & 2)
        assert(status(w->d0, g->id, port, &now) == 0);
    else
        assert(status(g, DOMID_SELF, port, &now) == 0);
    return now.status;
}

/* The ends in this copy's order: true, both are as after the close. */
static bool look(unsigned i)
{
    uint32_t there, here;

    if (i % 2) {
        there = ask(i, w->d2, c[i].b);
        here = ask(i, w->d1, c[i].a);
        assert(there != EVTCHNSTAT_closed || here == EVTCHNSTAT_unbound);
    } else {
        here = ask(i, w->d1, c[i].a);
        there = ask(i, w->d2, c[i].b);
        assert(here != EVTCHNSTAT_unbound || there == EVTCHNSTAT_closed);
    }
    return here == EVTCHNSTAT_unbound && there == EVTCHNSTAT_closed;
}

/* Until it has happened, so that some look or other is in its midst. */
static void observer(unsigned i)
{
    for (int n = 0; n < 1000 && !look(i); n++)
        ;
}

static void check(unsigned i)
{
    assert(ask(i, w->d1, c[i].a) == EVTCHNSTAT_unbound);
    assert(ask(i, w->d2, c[i].b) == EVTCHNSTAT_closed);
}

int main(void)
{
    static const struct model_start threads[] = {{closer}, {observer}};
    void *state;

    world_setup(&state);
    w = state;
    model_run(setup, threads, 2, check);
    return world_teardown(&state);
}
