/* SPDX-License-Identifier: MIT */
/*
 * Model: a vCPU goes to sleep while it is sent to.
 *
 * Copies with an even number block, the others (-DEVC_GENMC=2) poll, with their
 * upcalls closed and the port masked: no kick wakes them.
 *
 * Property: it wakes up.  One that does not hangs the model, which says so.
 * Bounds:   1 port, 2 threads, two-level.
 * Rows:     K1/K2, K3/P4; W1/W2, W3/P1.
 */
#define COPIES             16u
#define MODEL_NOTHING_GOES /* so RCU is nothing to a sender, as with membarrier() */
#include "model.h"

#include "domain.h"

#include "wait.c"

#define PORT 3u

static struct model_domain all[COPIES];

int evc_domain_shutdown(struct evc_domain *domain, uint32_t reason)
{
    (void)domain;
    (void)reason;
    return 0;
}

bool evc_domain_is_wide(struct evc_domain *domain)
{
    (void)domain;
    return true;
}

static bool polls(unsigned i)
{
#ifdef EVC_GENMC
    return EVC_GENMC > 1;
#else
    return i % 2 != 0;
#endif
}

static void setup(unsigned i)
{
    struct model_domain *d = &all[i];

    model_domain_init(d);
    evc_table_set_chan(&d->domain.table, PORT, evc_chan(EVC_IPI, 0, 0));
    atomic_store((_Atomic uint8_t *)&d->w.shared.info[0][1], polls(i));
    if (polls(i))
        atomic_store(word64(d->w.shared.mask), UINT64_C(1) << PORT);
#ifndef EVC_GENMC
    if (i == 0)
        alarm(60);
#endif
}

static void sender(unsigned i)
{
    int r = evc_send(&all[i].domain, PORT);

    assert(r == 0);
}

static void sleeper(unsigned i)
{
    static const uint32_t port = PORT;
    struct evc_vcpu *vcpu = &all[i].vcpu[0];
    int64_t r = polls(i) ? poll_ports(vcpu, &port, 1, 0) : block(vcpu);

    assert(r == 0);
}

static void check(unsigned i)
{
    assert(model_all_awake(&all[i]));
    assert(evc_post_is_pending(&all[i].domain.delivery, PORT));
}

int main(void)
{
    static const struct model_start threads[] = {{sender}, {sleeper}};

    model_run(setup, threads, 2, check);
#ifndef EVC_GENMC
    alarm(0);
#endif
    return 0;
}
