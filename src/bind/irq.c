/* SPDX-License-Identifier: MIT */
/*
 * Binding interrupts.  Whether a domain may have a physical one, and whether
 * its line is shared, the embedder's back end says.
 */
#include "bind.h"

/* ---- virtual ------------------------------------------------------------ */

static int bind_virq(struct evc_domain *caller, uint32_t virq, uint32_t vcpu)
{
    evc_a32 *bound = &caller->vcpu[vcpu].virq_port[virq];
    int port;

    evc_spin_lock(&caller->lock);
    port = evc_a32_load_rlx(bound) != 0 ? -EEXIST : evc_port_lowest(caller);
    if (port >= 0) {
        evc_port_open(caller, (uint32_t)port, evc_chan(EVC_VIRQ, 0, virq),
                      vcpu);
        evc_a32_store_sc(bound, (uint32_t)port);
    }
    evc_spin_unlock(&caller->lock);
    return port;
}

/* Is it one domain's at a time, to bind? As Xen 4.17 has it, everybody may. */
static bool is_exclusive(const struct evc_domain *caller, uint32_t virq)
{
    return evc_virq_is_global(virq) && !evc_is_xen_417(caller->engine);
}

/*
 * Under engine.admin, so that nobody hands the VIRQ over meanwhile.  That lock
 * is everybody's: who is not the handler does not get as far as to take it and
 * then wait for the lock of a domain that takes its time.
 */
static int bind_handled(struct evc_domain *caller, uint32_t virq, uint32_t vcpu)
{
    int port = -EBUSY;

    if (!evc_virq_is_handler(caller, virq))
        return port;
    pthread_mutex_lock(&caller->engine->admin);
    if (evc_virq_is_handler(caller, virq))
        port = bind_virq(caller, virq, vcpu);
    pthread_mutex_unlock(&caller->engine->admin);
    return port;
}

int evc_op_bind_virq(struct evc_domain *caller, struct evtchn_bind_virq *arg)
{
    int port;

    if (arg->virq >= EVC_NR_VIRQS)
        return -EINVAL;
    if (!evc_virq_is_vcpu(arg->virq) && arg->vcpu != 0)
        return -EINVAL;
    if (arg->vcpu >= caller->vcpus)
        return -ENOENT;

    port = is_exclusive(caller, arg->virq)
               ? bind_handled(caller, arg->virq, arg->vcpu)
               : bind_virq(caller, arg->virq, arg->vcpu);
    if (port < 0)
        return port;
    arg->port = (uint32_t)port;
    return 0;
}

void evc_virq_released(struct evc_domain *domain, uint32_t virq, unsigned vcpu)
{
    unsigned v = evc_virq_is_vcpu(virq) ? vcpu : 0;

    evc_a32_store_sc(&domain->vcpu[v].virq_port[virq], 0);
}

int evc_set_virq_handler(struct evc_domain *domain, uint32_t virq)
{
    struct evc_engine *engine = domain->engine;
    struct evc_domain *now;
    int r = 0;

    if (virq >= EVC_NR_VIRQS || evc_virq_is_vcpu(virq))
        return -EINVAL;

    pthread_mutex_lock(&engine->admin);
    now = evc_engine_peer(
        engine, (evc_domid)evc_a32_load_acq(&engine->virq_handler[virq]));
    /* One that begins to die after this gives it back. */
    if (evc_domain_is_dying(domain))
        r = -EINVAL;
    else if (now != NULL && now != domain && !evc_is_xen_417(engine) &&
             evc_a32_load_acq(&now->vcpu[0].virq_port[virq]) != 0)
        r = -EBUSY;
    else
        evc_a32_store_sc(&engine->virq_handler[virq], domain->id);
    pthread_mutex_unlock(&engine->admin);
    return r;
}

void evc_virq_handler_gone(struct evc_domain *domain)
{
    struct evc_engine *engine = domain->engine;

    pthread_mutex_lock(&engine->admin);
    for (uint32_t virq = 0; virq < EVC_NR_VIRQS; virq++) {
        if (evc_virq_is_handler(domain, virq))
            evc_a32_store_sc(&engine->virq_handler[virq], 0);
    }
    pthread_mutex_unlock(&engine->admin);
}

/* ---- physical ----------------------------------------------------------- */

int evc_op_bind_pirq(struct evc_domain *caller, struct evtchn_bind_pirq *arg)
{
    const struct evc_ops *ops = &caller->engine->ops;
    uint32_t pirq = arg->pirq;
    int port, r;

    if (pirq >= caller->nr_pirqs)
        return -EINVAL;
    evc_spin_lock(&caller->lock);
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
    evc_spin_unlock(&caller->lock);
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
