/* SPDX-License-Identifier: MIT */
/*
 * Binding: opening a port, joining it to another, moving it to a vCPU.
 */
#include "bind.h"

void evc_port_tell(struct evc_domain *domain, uint32_t port)
{
    const struct evc_delivery *to = &domain->delivery;

    evc_post_not_late(to, port);
    if (evc_delivery_fifo(to) == NULL) /* FIFO: its queues tell */
        evc_domain_posted(domain, port, evc_twolevel_again(to, port));
}

/* ---- alloc_unbound ------------------------------------------------------ */

static unsigned counted(const struct evc_domain *target)
{
    return evc_is_counting(target) ? EVC_CHAN_COUNTED : 0;
}

/* The domain that an id means, locked. */
static inline struct evc_domain *lock_named(struct evc_domain *caller,
                                            evc_domid id)
{
    if (id != DOMID_SELF && id != caller->id)
        return evc_domain_lock(caller->engine, id);
    evc_spin_lock(&caller->lock);
    return caller;
}

int evc_op_alloc_unbound(struct evc_domain *caller,
                         struct evtchn_alloc_unbound *arg)
{
    struct evc_domain *domain = lock_named(caller, arg->dom);
    evc_domid remote =
        arg->remote_dom == DOMID_SELF ? caller->id : arg->remote_dom;
    int port, r;

    if (domain == NULL)
        return -ESRCH;
    port = evc_port_lowest(domain);
    r = port < 0 ? port
                 : evc_engine_policy(caller, EVC_ACTION_ALLOC_UNBOUND, domain,
                                     remote);
    if (r == 0) {
        evc_port_open(domain, (uint32_t)port, evc_chan(EVC_UNBOUND, remote, 0),
                      0);
        arg->port = (uint32_t)port;
    }
    evc_spin_unlock(&domain->lock);
    return r;
}

/* ---- bind_interdomain --------------------------------------------------- */

/* Does this channel wait for `id` to bind to it? */
static inline bool is_for(uint64_t chan, evc_domid id)
{
    return evc_chan_kind(chan) == EVC_UNBOUND && evc_chan_domid(chan) == id;
}

/* Both locks are held, all is checked: join the two. `offer` is rport's. */
static inline void join(struct evc_domain *local, uint32_t lport,
                        struct evc_domain *remote, uint32_t rport,
                        uint64_t offer)
{
    unsigned lway = EVC_INTERDOMAIN, rway = EVC_INTERDOMAIN;

    if (offer & EVC_CHAN_HOST)
        lway |= EVC_CHAN_TO_XEN, rway |= EVC_CHAN_HOST;
    else
        lway |= counted(remote), rway |= counted(local);
    evc_port_open(local, lport, evc_chan(lway, remote->id, rport), 0);
    evc_table_set_chan(&remote->table, rport, evc_chan(rway, local->id, lport));
}

int evc_op_bind_interdomain(struct evc_domain *caller,
                            struct evtchn_bind_interdomain *arg)
{
    struct evc_domain *remote = evc_domain_lock_with(caller, arg->remote_dom);
    uint32_t rport = arg->remote_port;
    uint64_t offer;
    int port, r;

    if (remote == NULL)
        return -ESRCH;
    offer = evc_table_look(&remote->table, rport);
    port = evc_port_lowest(caller);
    if (port < 0)
        r = port;
    else if (!is_for(offer, caller->id))
        r = -EINVAL;
    else
        r = evc_engine_policy(caller, EVC_ACTION_BIND_INTERDOMAIN, remote,
                              rport);
    if (r == 0) {
        evc_change_begin(caller, remote);
        join(caller, (uint32_t)port, remote, rport, offer);
        /* It may have been sent to before: let the binder look. */
        (void)evc_domain_post(caller, (uint32_t)port);
        evc_change_end(caller, remote);
        arg->local_port = (uint32_t)port;
    }
    evc_domain_unlock_two(caller, remote);
    return r;
}

/* ---- ports at fixed numbers --------------------------------------------- */

int evc_bind_static(struct evc_domain *domain, evc_port port, evc_domid remote)
{
    int r = 0;

    evc_spin_lock(&domain->lock);
    if (port == 0 || domain->dying)
        r = -EINVAL;
    else if (port > evc_port_limit(domain))
        r = -ENOSPC;
    else
        r = evc_table_grow(&domain->table, port);
    if (r == 0 &&
        (evc_chan_kind(evc_table_chan(&domain->table, port)) != EVC_FREE ||
         evc_port_linked(domain, port)))
        r = -EBUSY;
    if (r == 0)
        evc_port_open(domain, port, evc_chan(EVC_UNBOUND, remote, 0), 0);
    evc_spin_unlock(&domain->lock);
    return r;
}

int evc_connect_static(struct evc_domain *a, evc_port port_a,
                       struct evc_domain *b, evc_port port_b)
{
    uint64_t chan_a, chan_b;
    int r = 0;

    evc_domain_lock_two(a, b);
    chan_a = evc_table_look(&a->table, port_a);
    chan_b = evc_table_look(&b->table, port_b);
    if (!is_for(chan_a, b->id) || !is_for(chan_b, a->id) ||
        ((chan_a | chan_b) & EVC_CHAN_HOST) || (a == b && port_a == port_b))
        r = -EINVAL;
    if (r == 0) {
        evc_change_begin(a, b);
        evc_table_set_chan(
            &a->table, port_a,
            evc_chan(EVC_INTERDOMAIN | counted(b), b->id, port_b));
        evc_table_set_chan(
            &b->table, port_b,
            evc_chan(EVC_INTERDOMAIN | counted(a), a->id, port_a));
        evc_change_end(a, b);
    }
    evc_domain_unlock_two(a, b);
    return r;
}

/* ---- bind_ipi ----------------------------------------------------------- */

int evc_op_bind_ipi(struct evc_domain *caller, struct evtchn_bind_ipi *arg)
{
    int port;

    if (arg->vcpu >= caller->vcpus)
        return -ENOENT;
    evc_spin_lock(&caller->lock);
    port = evc_port_lowest(caller);
    if (port >= 0)
        evc_port_open(caller, (uint32_t)port,
                      evc_chan(EVC_IPI | counted(caller), 0, 0), arg->vcpu);
    evc_spin_unlock(&caller->lock);
    if (port < 0)
        return port;
    arg->port = (uint32_t)port;
    return 0;
}

/* ---- bind_vcpu ---------------------------------------------------------- */

static bool may_move(uint64_t chan)
{
    switch (evc_chan_kind(chan)) {
    case EVC_UNBOUND:
    case EVC_INTERDOMAIN:
    case EVC_PIRQ:
        return !(chan & EVC_CHAN_HOST);
    case EVC_VIRQ:
        return !evc_virq_is_vcpu(evc_chan_number(chan));
    default:
        return false;
    }
}

int evc_op_bind_vcpu(struct evc_domain *caller,
                     const struct evtchn_bind_vcpu *arg)
{
    struct evc_bucket *bucket;
    uint64_t chan = EVC_FREE;
    uint32_t old = 0;
    int r = 0;

    if (arg->vcpu >= caller->vcpus)
        return -ENOENT;
    evc_spin_lock(&caller->lock);
    bucket = evc_table_find(&caller->table, arg->port);
    if (bucket != NULL)
        chan = evc_table_chan(&caller->table, arg->port);
    if (!may_move(chan))
        r = -EINVAL;
    if (r == 0) {
        old = evc_a32_load_rlx(&bucket->delivery[arg->port % 64]);
        evc_a32_store_sc(
            &bucket->delivery[arg->port % 64],
            evc_delivery_word(arg->vcpu, evc_delivery_priority(old)));
    }
    if (r == 0 && evc_chan_kind(chan) == EVC_PIRQ &&
        evc_delivery_vcpu(old) != arg->vcpu)
        caller->engine->ops.pirq_affinity(caller->cookie, evc_chan_number(chan),
                                          arg->vcpu);
    evc_spin_unlock(&caller->lock);
    /* A guest may now ignore the port on its old vCPU: nobody tells that one. */
    if (r == 0 && evc_delivery_vcpu(old) != arg->vcpu)
        evc_rcu_wait();
    return r;
}
