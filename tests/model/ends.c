/* SPDX-License-Identifier: MIT */
/*
 * Model: a channel is closed while the status of its two ends is asked for, one
 * after the other, without a lock: by each end's own domain.
 *
 * A copy's number modulo 2 (-DEVC_GENMC, less 1) says which end is asked first.
 *
 * Property: an end that is as after the close is never followed by the other as
 *           it was before.
 * Bounds:   2 threads, 1 channel.
 * Rows:     Q1/Q3, Q2/Q3.
 */
#define COPIES 16u
#define MODEL_NOTHING_GOES
#include "model.h"

#include "domain.h"

#include "../../src/engine/info.c"
#include "shape.c"

#define PORT 3u /* of either domain */

struct pair_of_domains {
    struct model_domain a, b; /* a closes; the engine is a's */
};

static struct pair_of_domains all[COPIES];

static uint32_t ask(struct evc_domain *domain)
{
    struct evtchn_status now = {.dom = DOMID_SELF, .port = PORT};
    int r = evc_op_status(domain, &now);

    assert(r == 0);
    return now.status;
}

static bool is_closed_first(unsigned i)
{
#ifdef EVC_GENMC
    (void)i;
    return EVC_GENMC == 1;
#else
    return i % 2 == 0;
#endif
}

static void setup(unsigned i)
{
    struct evc_domain *a = &all[i].a.domain, *b = &all[i].b.domain;

    model_domain_init(&all[i].a);
    model_domain_init(&all[i].b);
    evc_a32_store_rlx(&a->refs, 1);
    evc_a32_store_rlx(&b->refs, 1);
    b->engine = a->engine;
    b->id = 2;
    atomic_store(&a->engine->domain[2], b);
    evc_table_set_chan(&a->table, PORT, evc_chan(EVC_INTERDOMAIN, 2, PORT));
    evc_table_set_chan(&b->table, PORT, evc_chan(EVC_INTERDOMAIN, 1, PORT));
}

/* As bind/close.c does. */
static void closer(unsigned i)
{
    struct evc_domain *a = &all[i].a.domain, *b = &all[i].b.domain;

    evc_domain_lock_two(a, b);
    evc_change_begin(a, b);
    evc_table_set_chan(&b->table, PORT, evc_chan(EVC_UNBOUND, 1, 0));
    evc_table_set_chan(&a->table, PORT, evc_chan(EVC_FREE, 0, 0));
    evc_change_end(a, b);
    evc_domain_unlock_two(a, b);
}

static void observer(unsigned i)
{
    struct evc_domain *a = &all[i].a.domain, *b = &all[i].b.domain;
    uint32_t here, there;

    if (is_closed_first(i)) {
        here = ask(a);
        there = ask(b);
        assert(here != EVTCHNSTAT_closed || there == EVTCHNSTAT_unbound);
    } else {
        there = ask(b);
        here = ask(a);
        assert(there != EVTCHNSTAT_unbound || here == EVTCHNSTAT_closed);
    }
}

static void check(unsigned i)
{
    assert(ask(&all[i].a.domain) == EVTCHNSTAT_closed);
    assert(ask(&all[i].b.domain) == EVTCHNSTAT_unbound);
}

int main(void)
{
    static const struct model_start threads[] = {{closer}, {observer}};

    model_run(setup, threads, 2, check);
    return 0;
}
