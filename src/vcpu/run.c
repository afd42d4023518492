/* SPDX-License-Identifier: MIT */
/*
 * Running or not: pausing, unpausing and shutting a domain down.
 */
#include "vcpu.h"

void evc_domain_pause(struct evc_domain *domain)
{
    (void)evc_a32_add_sc(&domain->paused, 1);
}

int evc_domain_unpause(struct evc_domain *domain)
{
    uint32_t paused = evc_a32_load_sc(&domain->paused);

    do {
        if (paused == 0)
            return -EINVAL;
    } while (!evc_a32_cas_sc(&domain->paused, &paused, paused - 1));
    return 0;
}

int evc_domain_shutdown(struct evc_domain *domain, uint32_t reason)
{
    uint32_t running = 0;

    if (!evc_a32_cas_sc(&domain->shut_down, &running, (reason & 0xff) + 1))
        return -EINVAL;
    evc_wake_all(domain);
    return evc_raise_global_virq(domain->engine, VIRQ_DOM_EXC);
}

void evc_domain_set_target(struct evc_domain *domain, evc_domid target)
{
    evc_a32_store_sc(&domain->target, target);
}
