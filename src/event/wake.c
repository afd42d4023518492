/* SPDX-License-Identifier: MIT */
/*
 * Telling a vCPU: a kick for an upcall, a wake-up for one that sleeps in the
 * engine.
 *
 *    here                  there                   if it were weaker
 *    --------------------  ----------------------  ----------------------------
 *    W2 read pollers   sc  W1 count poller     sc  sleeps over its event
 *    K2 read waiters   sc  K1 count waiter     sc  sleeps over its upcall
 *    K3 test upcall    sc  P4 set upcall       sc  (vcpu/wait.c, delivery/)
 */
#include "event.h"

bool evc_vcpu_deliverable(const struct evc_domain *domain, uint32_t vcpu)
{
    const struct evc_shape *shape;
    const uint8_t *info;
    bool due;

    if (vcpu >= domain->vcpus)
        return false;
    evc_rcu_lock();
    shape = evc_delivery_shape(&domain->delivery);
    info = atomic_load(&domain->info[vcpu]);
    /* K3, pairs with P4 */
    due = evc_a8_load_sc((const evc_a8 *)(const void *)info) != 0;
    if (due && shape->has_mask)
        due = evc_a8_load_sc((const evc_a8 *)(const void *)(info + 1)) == 0;
    evc_rcu_unlock();
    return due;
}

void evc_vcpu_wake(struct evc_domain *domain, uint32_t vcpu)
{
    const struct evc_ops *ops = &domain->engine->ops;

    if (vcpu >= domain->vcpus)
        return;
    evc_a32_store_sc(&domain->vcpu[vcpu].woken, 1);
    if (ops->wake != NULL)
        ops->wake(domain->cookie, vcpu);
    else
        evc_sleeper_wake(&domain->vcpu[vcpu].sleeper);
}

void evc_wake_all(struct evc_domain *domain)
{
    for (unsigned v = 0; v < domain->vcpus; v++)
        evc_vcpu_wake(domain, v);
}

void evc_wake_pollers(struct evc_domain *domain, uint32_t port)
{
    for (unsigned v = 0; v < domain->vcpus; v++) {
        struct evc_vcpu *vcpu = &domain->vcpu[v];
        uint32_t polled;

        if (evc_a32_load_sc(&vcpu->waiting) != EVC_VCPU_POLLING)
            continue;
        polled = evc_a32_load_sc(&vcpu->poll_port);
        if (polled == 0 || polled == port)
            evc_vcpu_wake(domain, v);
    }
}

enum evc_vcpu_state evc_vcpu_state(const struct evc_domain *domain,
                                   uint32_t vcpu)
{
    if (vcpu >= domain->vcpus)
        return EVC_VCPU_RUNNING;
    return (enum evc_vcpu_state)evc_a32_load_sc(&domain->vcpu[vcpu].waiting);
}
