/* SPDX-License-Identifier: MIT */
/*
 * Virtual interrupts: of a vCPU, of a domain, of the whole machine.
 *
 * Which port a VIRQ is bound to stands in its vCPU (vCPU 0 for those that are
 * not a vCPU's); raisers read it without a lock.  A VIRQ of the machine goes to
 * one domain, its handler, domain 0 at first.
 */
#include "engine.h"

enum class { CLASS_VCPU, CLASS_DOMAIN, CLASS_GLOBAL };

static enum class class_of(uint32_t virq)
{
    switch (virq) {
    case VIRQ_TIMER:
    case VIRQ_DEBUG:
    case VIRQ_XENOPROF:
    case VIRQ_XENPMU:
        return CLASS_VCPU;
    case VIRQ_ARGO:
        return CLASS_DOMAIN;
    default:
        return CLASS_GLOBAL;
    }
}

bool evc_virq_is_vcpu(uint32_t virq)
{
    return class_of(virq) == CLASS_VCPU;
}

static bool is_handler(const struct evc_domain *domain, uint32_t virq)
{
    return evc_a32_load_acq(&domain->engine->virq_handler[virq]) == domain->id;
}

/* ---- binding ------------------------------------------------------------------ */

int evc_op_bind_virq(struct evc_domain *caller, struct evtchn_bind_virq *arg)
{
    evc_a32 *bound;
    int port;

    if (arg->virq >= EVC_NR_VIRQS)
        return -EINVAL;
    if (!evc_virq_is_vcpu(arg->virq) && arg->vcpu != 0)
        return -EINVAL;
    if (arg->vcpu >= caller->vcpus)
        return -ENOENT;
    if (class_of(arg->virq) == CLASS_GLOBAL && !is_handler(caller, arg->virq) &&
        !evc_is_xen_417(caller->engine))
        return -EBUSY;

    bound = &caller->vcpu[arg->vcpu].virq_port[arg->virq];
    pthread_mutex_lock(&caller->lock);
    port = evc_a32_load_rlx(bound) != 0 ? -EEXIST : evc_port_lowest(caller);
    if (port >= 0) {
        evc_port_open(caller, (uint32_t)port, evc_chan(EVC_VIRQ, 0, arg->virq),
                      arg->vcpu);
        evc_a32_store_sc(bound, (uint32_t)port);
    }
    pthread_mutex_unlock(&caller->lock);
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

/* ---- handlers ------------------------------------------------------------------- */

int evc_set_virq_handler(struct evc_domain *domain, uint32_t virq)
{
    struct evc_engine *engine = domain->engine;
    struct evc_domain *now;
    int r = 0;

    if (virq >= EVC_NR_VIRQS || evc_virq_is_vcpu(virq))
        return -EINVAL;
    if (class_of(virq) == CLASS_DOMAIN && !evc_is_xen_417(engine))
        return -EINVAL;

    pthread_mutex_lock(&engine->admin);
    now = evc_engine_peer(engine,
                          (evc_domid)evc_a32_load_acq(
                              &engine->virq_handler[virq]));
    if (domain->dying)
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
        if (is_handler(domain, virq))
            evc_a32_store_sc(&engine->virq_handler[virq], 0);
    }
    pthread_mutex_unlock(&engine->admin);
}

/* ---- raising --------------------------------------------------------------------- */

/* Inside RCU. */
static void raise_bound(struct evc_domain *domain, unsigned vcpu,
                        uint32_t virq)
{
    uint32_t port = evc_a32_load_sc(&domain->vcpu[vcpu].virq_port[virq]);
    unsigned post;

    if (port == 0)
        return;
    post = evc_domain_post(domain, port);
    if (evc_is_counting(domain))
        evc_count(domain, port, post);
}

int evc_raise_vcpu_virq(struct evc_domain *domain, uint32_t vcpu,
                        uint32_t virq)
{
    if (virq >= EVC_NR_VIRQS || class_of(virq) != CLASS_VCPU)
        return -EINVAL;
    if (vcpu >= domain->vcpus)
        return -ENOENT;
    evc_rcu_lock();
    raise_bound(domain, vcpu, virq);
    evc_rcu_unlock();
    return 0;
}

int evc_raise_domain_virq(struct evc_domain *domain, uint32_t virq)
{
    if (virq >= EVC_NR_VIRQS || class_of(virq) != CLASS_DOMAIN)
        return -EINVAL;
    evc_rcu_lock();
    raise_bound(domain, 0, virq);
    evc_rcu_unlock();
    return 0;
}

int evc_raise_global_virq(struct evc_engine *engine, uint32_t virq)
{
    struct evc_domain *domain;

    if (virq >= EVC_NR_VIRQS || class_of(virq) != CLASS_GLOBAL)
        return -EINVAL;
    evc_rcu_lock();
    domain = evc_engine_peer(
        engine, (evc_domid)evc_a32_load_acq(&engine->virq_handler[virq]));
    if (domain != NULL)
        raise_bound(domain, 0, virq);
    evc_rcu_unlock();
    return 0;
}
