/* SPDX-License-Identifier: MIT */
/*
 * Model: a domain appears and is destroyed, while another reaches for it.
 *
 * A copy's number modulo 3 (-DEVC_GENMC, less 1) says how: a send by way of a
 * channel to it; a look by its id, inside RCU; a reference by its id.
 *
 * Property: who finds the domain finds all of it, until it leaves.
 * Bounds:   2 threads, one of which creates and destroys.
 * Rows:     D1/D2, C1/C2; that senders are waited for (engine/domain.c).
 */
#define COPIES 16u
#include "model.h"

#include "domain.h"

#include "shape.c"

/* What a domain consists of stays: evc_vcpus_destroy() is where it goes. */
#define evc_table_finish(table) ((void)(table))
#undef free
#define free(at) ((void)(at))
#ifdef EVC_GENMC
#define pthread_mutex_destroy(lock)
#endif
#include "../../src/engine/domain.c"

#define PORT 3u
#define PEER 4u /* of the domain that sends; its own channel leads to PORT */

static struct model_domain all[COPIES], senders[COPIES];

/* ---- what the layers beside would do ------------------------------------- */

/* The memory goes; senders read both of these. */
void evc_vcpus_destroy(struct evc_domain *domain)
{
    domain->engine = NULL;
    domain->vcpus = 0;
}

int evc_vcpus_create(struct evc_domain *domain)
{
    return domain->vcpus != 0 ? 0 : -ENOMEM;
}

void evc_ports_close(struct evc_domain *domain, bool host)
{
    struct evc_domain *sender = domain->cookie;

    (void)host;
    evc_table_set_chan(&sender->table, PEER, evc_chan(EVC_UNBOUND, 0, 0));
    evc_table_set_chan(&domain->table, PORT, evc_chan(EVC_FREE, 0, 0));
}

void evc_count_finish(struct evc_domain *domain)
{
    (void)domain;
}

void evc_timers_forget(struct evc_domain *domain)
{
    (void)domain;
}

void evc_virq_handler_gone(struct evc_domain *domain)
{
    (void)domain;
}

void evc_domain_leave_fifo(struct evc_domain *domain)
{
    (void)domain;
}

int evc_raise_global_virq(struct evc_engine *engine, uint32_t virq)
{
    (void)engine;
    (void)virq;
    return 0;
}

void evc_vcpu_update_time(struct evc_domain *domain, uint32_t vcpu)
{
    (void)domain;
    (void)vcpu;
}

/* ---- the two of them ----------------------------------------------------- */

static unsigned kind_of(unsigned i)
{
#ifdef EVC_GENMC
    (void)i;
    return EVC_GENMC - 1;
#else
    return i % 3;
#endif
}

static void setup(unsigned i)
{
    struct model_domain *d = &all[i], *s = &senders[i];

    model_domain_init(s);
    model_domain_init(d);
    atomic_store(&d->engine.domain[1], NULL);
    evc_a32_store_rlx(&d->domain.refs, 1);
    s->domain.engine = &d->engine;
    s->domain.id = 2;
    d->domain.cookie = &s->domain;
    d->domain.vcpus = 0; /* not yet */
}

static void owner(unsigned i)
{
    struct evc_domain *domain = &all[i].domain;
    int r;

    domain->vcpus = MODEL_VCPUS;
    r = evc_domain_publish(domain);
    assert(r == 0);
    if (kind_of(i) == 0)
        evc_table_set_chan(&senders[i].domain.table, PEER,
                           evc_chan(EVC_INTERDOMAIN, 1, PORT));
    evc_domain_destroy(domain);
}

static void use(const struct evc_domain *domain)
{
    assert(domain->vcpus == MODEL_VCPUS && domain->engine != NULL);
}

static void look(unsigned i)
{
    const struct evc_domain *domain;

    evc_rcu_lock();
    domain = evc_engine_peer(&all[i].engine, 1);
    if (domain != NULL)
        use(domain);
    evc_rcu_unlock();
}

static void refer(unsigned i)
{
    struct evc_domain *domain = evc_domain_get(&all[i].engine, 1);

    if (domain == NULL)
        return;
    use(domain);
    evc_domain_put(domain);
}

static void other(unsigned i)
{
    if (kind_of(i) == 0)
        (void)evc_send(&senders[i].domain, PEER);
    else if (kind_of(i) == 1)
        look(i);
    else
        refer(i);
}

static void check(unsigned i)
{
    assert(atomic_load(&all[i].engine.domain[1]) == NULL);
}

int main(void)
{
    static const struct model_start threads[] = {{owner}, {other}};

    model_run(setup, threads, 2, check);
    return 0;
}
