/* SPDX-License-Identifier: MIT */
/*
 * What comes from the host of the naive engine: interrupts, timers, and ends of
 * channels that are the host's own.
 */
#include "naive.h"

/* ---- virtual interrupts ------------------------------------------------- */

bool naive_is_vcpu_virq(uint32_t virq)
{
    return virq == VIRQ_TIMER || virq == VIRQ_DEBUG || virq == VIRQ_XENOPROF ||
           virq == VIRQ_XENPMU;
}

bool naive_is_global_virq(uint32_t virq)
{
    return !naive_is_vcpu_virq(virq) && virq != VIRQ_ARGO;
}

void naive_raise(struct naive_domain *d, uint32_t port)
{
    if (d->counting)
        d->port[port].sent++;
    naive_post(d, port);
}

static void raise_bound(struct naive_domain *d, unsigned vcpu, uint32_t virq)
{
    if (d->vcpu[vcpu].virq[virq] != 0)
        naive_raise(d, d->vcpu[vcpu].virq[virq]);
}

int naive_raise_virq(struct naive_domain *d, uint32_t vcpu, uint32_t virq)
{
    if (virq >= EVC_NR_VIRQS || !naive_is_vcpu_virq(virq))
        return -XEN_EINVAL;
    if (vcpu >= VCPUS)
        return -XEN_ENOENT;
    raise_bound(d, vcpu, virq);
    return 0;
}

int naive_raise_argo(struct naive_domain *d, uint32_t virq)
{
    if (virq != VIRQ_ARGO)
        return -XEN_EINVAL;
    raise_bound(d, 0, virq);
    return 0;
}

int naive_raise_global(struct naive *n, uint32_t virq)
{
    struct naive_domain *d;

    if (virq >= EVC_NR_VIRQS || !naive_is_global_virq(virq))
        return -XEN_EINVAL;
    d = naive_find(n, n->handler[virq]);
    if (d != NULL)
        raise_bound(d, 0, virq);
    return 0;
}

int naive_set_handler(struct naive_domain *d, uint32_t virq)
{
    struct naive_domain *now;

    if (virq >= EVC_NR_VIRQS || naive_is_vcpu_virq(virq) || d->dying)
        return -XEN_EINVAL;
    now = naive_find(d->all, d->all->handler[virq]);
    if (now != NULL && now != d && !d->all->xen_417 &&
        now->vcpu[0].virq[virq] != 0)
        return -XEN_EBUSY;
    d->all->handler[virq] = d->id;
    return 0;
}

int naive_raise_pirq(struct naive_domain *d, uint32_t pirq)
{
    if (pirq >= PIRQS)
        return -XEN_EINVAL;
    if (d->pirq[pirq] == 0)
        return -XEN_ENOENT;
    naive_raise(d, d->pirq[pirq]);
    return 0;
}

int naive_pirq_eoi(struct naive_domain *d, uint32_t pirq, bool unmask)
{
    if (pirq >= PIRQS)
        return -XEN_EINVAL;
    if (d->pirq[pirq] == 0)
        return -XEN_ENOENT;
    if (unmask)
        naive_unmask(d, d->pirq[pirq]);
    return 0;
}

/* ---- ends that are the host's ------------------------------------------- */

int naive_listen(struct naive_end *end, struct naive_domain *d, uint32_t vcpu,
                 unsigned remote)
{
    int port;

    if (vcpu != EVC_NO_VCPU && vcpu >= VCPUS)
        return -XEN_ENOENT;
    port = naive_lowest(d);
    if (port < 0)
        return port;
    naive_open(d, (uint32_t)port,
               (struct naive_port){.what = EVTCHNSTAT_unbound,
                                   .host = true,
                                   .end = end,
                                   .domain = (uint16_t)remote,
                                   .vcpu = vcpu != EVC_NO_VCPU ? vcpu : 0});
    *end = (struct naive_end){.open = true,
                              .listening = true,
                              .attached = true,
                              .domain = d->id,
                              .port = (uint32_t)port,
                              .vcpu = vcpu};
    return 0;
}

int naive_connect(struct naive_end *end, struct naive_domain *d, uint32_t port,
                  unsigned offered)
{
    struct naive_port *p = naive_port(d, port);

    if (p == NULL || p->what != EVTCHNSTAT_unbound || p->host ||
        p->domain != offered)
        return -XEN_EINVAL;
    p->what = EVTCHNSTAT_interdomain;
    p->port = 0;
    p->end = end;
    *end = (struct naive_end){.open = true,
                              .attached = true,
                              .domain = d->id,
                              .port = port,
                              .vcpu = EVC_NO_VCPU};
    return 0;
}

void naive_host_send(struct naive *n, struct naive_end *end)
{
    struct naive_domain *d = naive_find(n, end->domain);
    struct naive_port *p;

    if (!end->attached)
        return;
    p = &d->port[end->port];
    if (!end->listening)
        naive_raise(d, end->port);
    else if (p->what == EVTCHNSTAT_interdomain)
        naive_raise(naive_find(n, p->domain), p->port);
}

void naive_host_close(struct naive *n, struct naive_end *end)
{
    struct naive_domain *d = naive_find(n, end->domain);

    end->open = false;
    if (!end->attached)
        return;
    if (end->listening) {
        naive_close(d, end->port);
        return;
    }
    d->port[end->port].what = EVTCHNSTAT_unbound;
    d->port[end->port].end = NULL;
    end->attached = false;
}

/* ---- timers ------------------------------------------------------------- */

void naive_set_timer(struct naive_domain *d, unsigned vcpu, unsigned kind,
                     uint64_t deadline, uint64_t period)
{
    uint64_t now = d->all->w->now;

    d->vcpu[vcpu].timer[kind] = (struct naive_timer){
        .deadline = deadline != 0 && deadline < now ? now : deadline,
        .period = period};
}

/* The first of all that are due. */
static struct naive_timer *first_due(struct naive *n, struct naive_domain **of,
                                     unsigned *vcpu)
{
    struct naive_timer *first = NULL;

    for (unsigned i = 0; i < DOMAINS * VCPUS * 2; i++) {
        struct naive_domain *d = &n->domain[i / 8];
        struct naive_timer *t = &d->vcpu[i / 2 % 4].timer[i % 2];

        if (!d->exists || t->deadline == 0 || t->deadline > n->w->now ||
            (first != NULL && first->deadline <= t->deadline))
            continue;
        first = t;
        *of = d;
        *vcpu = i / 2 % 4;
    }
    return first;
}

void naive_run_timers(struct naive *n)
{
    struct naive_domain *d;
    struct naive_timer *t;
    unsigned vcpu;

    while ((t = first_due(n, &d, &vcpu)) != NULL) {
        uint64_t due = t->deadline;

        t->deadline = 0;
        if (t->period != 0)
            t->deadline = due + t->period * ((n->w->now - due) / t->period + 1);
        raise_bound(d, vcpu, VIRQ_TIMER);
    }
}
