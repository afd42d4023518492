/* SPDX-License-Identifier: MIT */
/*
 * Domains: creating, killing and destroying them.
 *
 * A domain is found by its id, under RCU, by senders and everybody else.  Who
 * needs it for longer than a moment counts a reference.  Dying goes in steps:
 * its ports close (peers' channels no longer name it), senders that had read an
 * old channel leave, then its id is free, then the last user leaves, and only
 * then its memory goes.
 */
#include "engine.h"

#include <stdlib.h>

#include "lines.h"

/* ---- creating ----------------------------------------------------------- */

static bool config_is_usable(const struct evc_domain_config *config)
{
    if (config->size != sizeof(*config) || config->id >= EVC_DOMIDS)
        return false;
    if (config->vcpus == 0 || config->vcpus > EVC_MAX_VCPUS)
        return false;
    if (evc_shape_of(config->layout) == NULL || config->nr_pirqs > 1u << 20)
        return false;
    if (config->flags & ~(EVC_DOMAIN_PRIVILEGED | EVC_DOMAIN_PAUSED))
        return false;
    return config->shared_info != NULL &&
           (uintptr_t)config->shared_info % 8 == 0;
}

static void domain_free(struct evc_domain *domain)
{
    evc_count_finish(domain);
    evc_vcpus_destroy(domain);
    evc_table_finish(&domain->table);
    free(domain->pirq_port);
    evc_sleeper_finish(&domain->idle);
    free(domain);
}

static int domain_build(struct evc_domain *domain,
                        const struct evc_domain_config *config)
{
    struct evc_delivery *to = &domain->delivery;
    int r;

    domain->pirq_port =
        calloc(config->nr_pirqs ? config->nr_pirqs : 1, sizeof(evc_a32));
    if (domain->pirq_port == NULL)
        return -ENOMEM;
    r = evc_table_init(&domain->table);
    if (r < 0)
        return r;
    if (!evc_rcu_is_quick())
        evc_table_go_slow(&domain->table);
    to->table = &domain->table;
    to->shared_info = domain->shared_info;
    to->ghosts = evc_is_xen_417(domain->engine);
    evc_domain_reshape(domain, evc_shape_of(config->layout));
    r = evc_vcpus_create(domain);
    if (r < 0)
        return r;
    to->info = domain->info;
    return 0;
}

static struct evc_domain *domain_alloc(struct evc_engine *engine,
                                       const struct evc_domain_config *config)
{
    struct evc_domain *domain = evc_alloc_lines(1, sizeof(*domain));

    if (domain == NULL)
        return NULL;
    if (evc_sleeper_init(&domain->idle) < 0) {
        free(domain);
        return NULL;
    }
    domain->engine = engine;
    domain->cookie = config->cookie;
    domain->id = config->id;
    domain->vcpus = config->vcpus;
    domain->max_port = config->max_port;
    domain->nr_pirqs = config->nr_pirqs;
    domain->privileged = config->flags & EVC_DOMAIN_PRIVILEGED;
    domain->shared_info = config->shared_info;
    evc_a32_store_rlx(&domain->paused, !!(config->flags & EVC_DOMAIN_PAUSED));
    evc_a32_store_rlx(&domain->target, EVC_NO_DOMAIN);
    evc_a32_store_rlx(&domain->refs, 1);
    return domain;
}

int evc_domain_make(struct evc_engine *engine,
                    const struct evc_domain_config *config,
                    struct evc_domain **out)
{
    struct evc_domain *domain;
    int r;

    if (!config_is_usable(config))
        return -EINVAL;
    domain = domain_alloc(engine, config);
    if (domain == NULL)
        return -ENOMEM;
    r = domain_build(domain, config);
    if (r < 0)
        domain_free(domain);
    else
        *out = domain;
    return r;
}

void evc_domain_unmake(struct evc_domain *domain)
{
    evc_timers_forget(domain);
    evc_rcu_wait(); /* one may be firing */
    evc_domain_leave_fifo(domain);
    domain_free(domain);
}

int evc_domain_publish(struct evc_domain *domain)
{
    struct evc_engine *engine = domain->engine;
    int r = 0;

    pthread_mutex_lock(&engine->admin);
    if (evc_engine_peer(engine, domain->id) != NULL)
        r = -EEXIST;
    else /* D1, pairs with D2 */
        atomic_store_explicit(&engine->domain[domain->id], domain,
                              memory_order_release);
    pthread_mutex_unlock(&engine->admin);
    return r;
}

int evc_domain_create(struct evc_engine *engine,
                      const struct evc_domain_config *config,
                      struct evc_domain **out)
{
    struct evc_domain *domain = NULL;
    int r = evc_domain_make(engine, config, &domain);

    if (r < 0)
        return r;
    r = evc_domain_publish(domain);
    if (r < 0) {
        domain_free(domain);
        return r;
    }
    for (uint32_t v = 0; v < domain->vcpus; v++)
        evc_vcpu_update_time(domain, v);
    *out = domain;
    return 0;
}

/* ---- dying -------------------------------------------------------------- */

void evc_domain_kill(struct evc_domain *domain)
{
    bool first;

    evc_spin_lock(&domain->lock);
    first = !domain->dying;
    domain->dying = true;
    evc_spin_unlock(&domain->lock);
    if (!first)
        return;

    evc_timers_forget(domain);
    evc_ports_close(domain, true);
    evc_virq_handler_gone(domain);
    evc_wake_all(domain);
    evc_raise_global_virq(domain->engine, VIRQ_DOM_EXC);
}

static void await_last_user(struct evc_domain *domain)
{
    evc_spin_lock(&domain->lock);
    (void)evc_a32_sub_sc(&domain->refs, 1);
    evc_spin_unlock(&domain->lock);
    while (evc_a32_load_sc(&domain->refs) != 0)
        evc_sleeper_sleep(&domain->idle, 0);
}

/* Nobody finds it any more; who has its lock still, lets go of it. */
static void await_last_holder(struct evc_domain *domain)
{
    evc_spin_lock(&domain->lock);
    evc_spin_unlock(&domain->lock);
}

void evc_domain_destroy(struct evc_domain *domain)
{
    struct evc_engine *engine;

    if (domain == NULL)
        return;
    engine = domain->engine;
    evc_domain_kill(domain);
    evc_rcu_wait(); /* senders that had read a channel to it */

    pthread_mutex_lock(&engine->admin);
    atomic_store(&engine->domain[domain->id], NULL);
    pthread_mutex_unlock(&engine->admin);

    await_last_user(domain);
    evc_timers_forget(domain); /* one may have been set while it was dying */
    evc_rcu_wait();            /* who found it, but got no reference any more */
    await_last_holder(domain);
    evc_domain_leave_fifo(domain);
    domain_free(domain);
    evc_raise_global_virq(engine, VIRQ_DOM_EXC);
}
