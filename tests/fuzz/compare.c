/* SPDX-License-Identifier: MIT */
/*
 * Is the engine what the naive one says it must be?
 */
#undef NDEBUG
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <evc/abi/vcpu.h>

#include "naive.h"

/* ---- memory ------------------------------------------------------------- */

static void differ(const struct naive_domain *d, unsigned frame)
{
    const uint8_t *is = d->guest->memory + frame * PAGE;
    const uint8_t *must = d->shadow + frame * PAGE;

    for (unsigned i = 0; i < PAGE; i += 4)
        if (memcmp(is + i, must + i, 4) != 0)
            fprintf(stderr, "d%u frame %u + %#x: is %#x, must be %#x\n", d->id,
                    frame, i, naive_load(is + i, 4), naive_load(must + i, 4));
    abort();
}

static void compare_frame(const struct naive_domain *d, unsigned frame)
{
    if (memcmp(d->guest->memory + frame * PAGE, d->shadow + frame * PAGE,
               PAGE) != 0)
        differ(d, frame);
}

/* What it has for vcpu_info, where no guest can see it. */
static void compare_hidden(const struct naive_domain *d, unsigned v)
{
    const struct naive_vcpu *vcpu = &d->vcpu[v];
    const uint8_t *is = evc_vcpu_info(d->guest->dom, v);

    if (vcpu->info == vcpu->none)
        assert(memcmp(is, vcpu->none, d->abi.vcpu_info_size) == 0);
    else
        assert(is - d->guest->memory == vcpu->info - d->shadow);
}

static void compare_domain(const struct naive_domain *d)
{
    for (unsigned f = 0; f < FRAMES; f++)
        if (d->touched[f])
            compare_frame(d, f);
    for (unsigned v = 0; v < VCPUS; v++)
        assert(d->guest->kicks[v] == d->kicks[v]);
    assert((unsigned)d->guest->mapped == d->mapped);
    assert(d->guest->shutdowns == d->shutdowns);
    for (unsigned p = 0; p < PIRQS && d->exists; p++)
        assert(d->guest->pirq[p].bound == (d->pirq[p] != 0));
    for (unsigned v = 0; v < VCPUS && d->exists; v++)
        compare_hidden(d, v);
}

void naive_compare(struct naive *n)
{
    for (unsigned i = 0; i < DOMAINS; i++)
        compare_domain(&n->domain[i]);
    for (unsigned i = 0; i < ENDS; i++)
        if (n->end[i].open)
            assert(n->end[i].notified == n->end[i].really);
}

void naive_compare_pages(struct naive *n, bool all)
{
    for (unsigned i = 0; i < DOMAINS; i++)
        for (unsigned f = 0; f < FRAMES; f++)
            if (all || f < 20 || (f > 60 && f < 70))
                compare_frame(&n->domain[i], f);
}

/* ---- ports -------------------------------------------------------------- */

static void compare_port(struct naive_domain *d, uint32_t port)
{
    const struct naive_port *p = &d->port[port];
    struct evc_port_info is;
    struct evc_counts counts;

    assert(evc_port_info(d->guest->dom, port, &is) == 0);
    assert(is.status == p->what && is.vcpu == p->vcpu);
    assert(is.priority == (p->away ^ 7u) && is.irq == p->irq);
    assert(is.remote_domain == p->domain && is.remote_port == p->port);
    assert(is.host_consumer == p->host && is.saved == p->saved);
    assert(is.pending == naive_is_pending(d, port));
    assert(is.masked == naive_is_masked(d, port));
    assert(is.linked == naive_is_linked(d, port));
    if (d->counting && !d->counts_lost) {
        assert(evc_port_counts(d->guest->dom, port, &counts) == 0);
        assert(counts.sent == p->sent);
        assert(counts.sent == counts.delivered + counts.coalesced +
                                  counts.masked + counts.dropped);
    }
}

/* The only one to tell is the guest. */
static void compare_online(struct naive_domain *d)
{
    for (unsigned v = 0; v < VCPUS; v++) {
        const uint64_t args[6] = {VCPUOP_is_up, v};

        assert(evc_hypercall(d->guest->dom, 0, __HYPERVISOR_vcpu_op, args) ==
               d->vcpu[v].online);
    }
}

static void compare_info(struct naive_domain *d, uint32_t open)
{
    struct evc_domain_info is;

    evc_domain_info(d->guest->dom, &is);
    assert(is.open_ports == open && is.valid_ports == d->valid);
    assert(is.max_port == naive_limit(d) && is.layout == d->layout);
    assert(is.fifo == d->fifo && is.fifo_pages == d->pages);
    assert(is.dying == d->dying && is.paused == d->paused);
    assert(is.shut_down == (d->shut_down != 0));
    assert(d->shut_down == 0 || is.shutdown_reason == d->shut_down - 1);
}

static void compare_ports(struct naive_domain *d)
{
    uint32_t next = evc_port_next(d->guest->dom, 0), open = 0;
    struct evc_port_info info;

    for (uint32_t p = 0; p < d->valid; p++) {
        /* Of a long table, those that are open and some others. */
        if (p < 8192 || p == next || p % 1024 < 3)
            compare_port(d, p);
        if (d->port[p].what == EVTCHNSTAT_closed)
            continue;
        assert(p == next);
        next = evc_port_next(d->guest->dom, p);
        open++;
    }
    assert(next == 0);
    compare_online(d);
    assert(evc_port_info(d->guest->dom, d->valid, &info) == -XEN_EINVAL);
    compare_info(d, open);
}

void naive_compare_ports(struct naive *n)
{
    for (unsigned i = 0; i < DOMAINS; i++) {
        assert((evc_domain_find(n->w->engine, (evc_domid)i) != NULL) ==
               n->domain[i].exists);
        if (n->domain[i].exists)
            compare_ports(&n->domain[i]);
    }
}
