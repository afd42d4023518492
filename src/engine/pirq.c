/* SPDX-License-Identifier: MIT */
/*
 * Physical interrupts: the engine knows which port each is bound to; whether it
 * may be, and whether the line is shared, the embedder's back end says.
 */
#include "engine.h"

int evc_op_bind_pirq(struct evc_domain *caller, struct evtchn_bind_pirq *arg)
{
    const struct evc_ops *ops = &caller->engine->ops;
    uint32_t pirq = arg->pirq;
    int port, r;

    if (pirq >= caller->nr_pirqs)
        return -EINVAL;
    pthread_mutex_lock(&caller->lock);
    port = 0;
    r = evc_engine_policy(caller, EVC_ACTION_BIND_PIRQ, caller, pirq);
    if (r == 0 && evc_a32_load_rlx(&caller->pirq_port[pirq]) != 0)
        r = -EEXIST;
    if (r == 0) {
        port = evc_port_lowest(caller);
        r = port < 0 ? port : 0;
    }
    if (r == 0)
        r = ops->pirq_bind(caller->cookie, pirq,
                           arg->flags & BIND_PIRQ__WILL_SHARE);
    if (r == 0) {
        evc_port_open(caller, (uint32_t)port, evc_chan(EVC_PIRQ, 0, pirq), 0);
        evc_a32_store_sc(&caller->pirq_port[pirq], (uint32_t)port);
    }
    pthread_mutex_unlock(&caller->lock);
    if (r < 0)
        return r;
    arg->port = (uint32_t)port;
    return 0;
}

void evc_pirq_released(struct evc_domain *domain, uint32_t pirq)
{
    evc_a32_store_sc(&domain->pirq_port[pirq], 0);
    domain->engine->ops.pirq_unbind(domain->cookie, pirq);
}

static uint32_t port_of(const struct evc_domain *domain, uint32_t pirq)
{
    return evc_a32_load_sc(&domain->pirq_port[pirq]);
}

int evc_raise_pirq(struct evc_domain *domain, uint32_t pirq)
{
    uint32_t port;
    unsigned post;

    if (pirq >= domain->nr_pirqs)
        return -EINVAL;
    port = port_of(domain, pirq);
    if (port == 0)
        return -ENOENT;
    evc_rcu_lock();
    post = evc_domain_post(domain, port);
    if (evc_is_counting(domain))
        evc_count(domain, port, post);
    evc_rcu_unlock();
    return 0;
}

int evc_pirq_eoi(struct evc_domain *domain, uint32_t pirq, bool unmask)
{
    uint32_t port;

    if (pirq >= domain->nr_pirqs)
        return -EINVAL;
    port = port_of(domain, pirq);
    if (port == 0)
        return -ENOENT;
    if (unmask)
        (void)evc_unmask(domain, port);
    domain->engine->ops.pirq_eoi(domain->cookie, pirq);
    return 0;
}
