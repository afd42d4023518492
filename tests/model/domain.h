/* SPDX-License-Identifier: MIT */
/*
 * A domain with one vCPU, for models of what lies above delivery/: senders,
 * waiters, who opens and closes ports.
 */
#ifndef EVC_TESTS_MODEL_DOMAIN_H
#define EVC_TESTS_MODEL_DOMAIN_H

#ifdef EVC_GENMC
#include "checker_host.h"
#else
#define MODEL_HOST /* has evc_spin_wait() */
#include "host.c"
#undef NS
#include "rcu.c"
#endif

#include "engine.h"

/* Other layers have files of these names. */
#include "../../src/event/send.c"
#include "../../src/event/wake.c"
#include "../../src/state/state.c"

/* ---- what the layers beside would do ------------------------------------- */

void evc_count(struct evc_domain *domain, uint32_t port, unsigned post)
{
    (void)domain;
    (void)port;
    (void)post;
}

struct evc_host *evc_host_take(struct evc_domain *domain, uint32_t port)
{
    (void)domain;
    (void)port;
    return NULL;
}

void evc_host_notify(struct evc_host *host)
{
    (void)host;
}

static void model_kick(void *dom, uint32_t vcpu)
{
    (void)dom;
    (void)vcpu;
}

/* ---- the world ----------------------------------------------------------- */

struct model_domain {
    struct model_world w;
    struct evc_engine engine;
    struct evc_domain domain;
    struct evc_vcpu vcpu[MODEL_VCPUS];
};

/* Two-level, no port open; under the id 1 of its own engine. */
static void model_domain_init(struct model_domain *d)
{
    struct evc_domain *domain = &d->domain;

    model_world_init(&d->w);
    memset(d->vcpu, 0, sizeof(d->vcpu));
    memset(domain, 0, sizeof(*domain));
    domain->engine = &d->engine;
    domain->id = 1;
    domain->vcpus = MODEL_VCPUS;
    domain->vcpu = d->vcpu;
    domain->info = d->w.info;
    d->engine.ops.kick = model_kick;
    atomic_store(&domain->table.directory, atomic_load(&d->w.table.directory));
    evc_a32_store_rlx(&domain->table.valid, MODEL_PORTS);
    evc_a32_store_rlx(&domain->table.quick, MODEL_PORTS);
    for (unsigned v = 0; v < MODEL_VCPUS; v++) {
        d->vcpu[v].domain = domain;
        d->vcpu[v].id = v;
#ifndef EVC_GENMC
        (void)evc_sleeper_init(&d->vcpu[v].sleeper);
#endif
    }
    domain->delivery.table = &domain->table;
    domain->delivery.info = d->w.info;
    domain->delivery.shared_info = (uint8_t *)&d->w.shared;
    atomic_store(&domain->delivery.shape, &model_shape);
    evc_delivery_change(&domain->delivery, NULL, MODEL_VCPUS);
    atomic_store(&d->engine.domain[1], domain);
}

/* Nobody sleeps whom nobody has woken: on a machine, the model would hang. */
static inline bool model_all_awake(const struct model_domain *d)
{
#ifdef EVC_GENMC
    for (unsigned v = 0; v < MODEL_VCPUS; v++)
        if (d->vcpu[v].sleeper.asleep)
            return false;
#else
    (void)d;
#endif
    return true;
}

#endif /* EVC_TESTS_MODEL_DOMAIN_H */
