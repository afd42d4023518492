/* SPDX-License-Identifier: MIT */
/*
 * Interrupts on their way in: virtual ones, of a vCPU, of a domain or of the
 * whole machine, and physical ones.
 *
 * Which port a VIRQ is bound to stands in its vCPU (vCPU 0 for those that are
 * not a vCPU's); raisers read it without a lock.  A VIRQ of the machine goes to
 * one domain, its handler, domain 0 at first.
 */
#include "event.h"

enum virq_class { CLASS_VCPU, CLASS_DOMAIN, CLASS_GLOBAL };

static enum virq_class class_of(uint32_t virq)
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

bool evc_virq_is_global(uint32_t virq)
{
    return class_of(virq) == CLASS_GLOBAL;
}

bool evc_virq_is_handler(const struct evc_domain *domain, uint32_t virq)
{
    return evc_a32_load_acq(&domain->engine->virq_handler[virq]) == domain->id;
}

/* Inside RCU. */
static void raise_bound(struct evc_domain *domain, unsigned vcpu, uint32_t virq)
{
    uint32_t port = evc_a32_load_sc(&domain->vcpu[vcpu].virq_port[virq]);

    if (port != 0)
        evc_domain_raise(domain, port);
}

int evc_raise_vcpu_virq(struct evc_domain *domain, uint32_t vcpu, uint32_t virq)
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

static uint32_t port_of(const struct evc_domain *domain, uint32_t pirq)
{
    return evc_a32_load_sc(&domain->pirq_port[pirq]);
}

int evc_raise_pirq(struct evc_domain *domain, uint32_t pirq)
{
    uint32_t port;

    if (pirq >= domain->nr_pirqs)
        return -EINVAL;
    port = port_of(domain, pirq);
    if (port == 0)
        return -ENOENT;
    evc_rcu_lock();
    evc_domain_raise(domain, port);
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
