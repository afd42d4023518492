/* SPDX-License-Identifier: MIT */
/*
 * The engine's data, what is common to every operation on it: finding a domain,
 * locking one or two, asking the embedder.
 */
#include "state.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- finding a domain --------------------------------------------------- */

struct evc_domain *evc_domain_get(struct evc_engine *engine, evc_domid id)
{
    struct evc_domain *domain;

    evc_rcu_lock();
    domain = evc_engine_peer(engine, id);
    if (domain != NULL) {
        uint32_t refs = evc_a32_load_sc(&domain->refs);

        /* 0: it is being freed, and only RCU keeps it here. */
        while (refs != 0 && !evc_a32_cas_sc(&domain->refs, &refs, refs + 1))
            ;
        if (refs == 0)
            domain = NULL;
    }
    evc_rcu_unlock();
    return domain;
}

/*
 * The last one out tells evc_domain_destroy(), which waits for it, under the
 * lock: the domain must not go in between.
 */
static void put_last(struct evc_domain *domain)
{
    evc_spin_lock(&domain->lock);
    if (evc_a32_sub_sc(&domain->refs, 1) == 1)
        evc_sleeper_wake(&domain->idle);
    evc_spin_unlock(&domain->lock);
}

void evc_domain_put(struct evc_domain *domain)
{
    uint32_t refs = evc_a32_load_sc(&domain->refs);

    while (refs > 1)
        if (evc_a32_cas_sc(&domain->refs, &refs, refs - 1))
            return;
    put_last(domain);
}

struct evc_domain *evc_domain_resolve(struct evc_domain *self, evc_domid id)
{
    if (id == DOMID_SELF || id == self->id)
        return self;
    return evc_domain_get(self->engine, id);
}

void evc_domain_resolved(struct evc_domain *self, struct evc_domain *domain)
{
    if (domain != self)
        evc_domain_put(domain);
}

struct evc_domain *evc_domain_find(struct evc_engine *engine, evc_domid id)
{
    return evc_engine_peer(engine, id);
}

int evc_domain_next(struct evc_engine *engine, int after)
{
    if (after >= (int)EVC_DOMIDS)
        return -1;
    for (int id = after < 0 ? 0 : after + 1; id < (int)EVC_DOMIDS; id++) {
        if (evc_engine_peer(engine, (evc_domid)id) != NULL)
            return id;
    }
    return -1;
}

evc_domid evc_domain_id(const struct evc_domain *domain)
{
    return domain->id;
}

void *evc_domain_cookie(const struct evc_domain *domain)
{
    return domain->cookie;
}

bool evc_domain_is_dying(struct evc_domain *domain)
{
    bool dying;

    evc_spin_lock(&domain->lock);
    dying = domain->dying;
    evc_spin_unlock(&domain->lock);
    return dying;
}

/* ---- locking ------------------------------------------------------------ */

void evc_domain_lock_two(struct evc_domain *a, struct evc_domain *b)
{
    evc_spin_lock(a->id <= b->id ? &a->lock : &b->lock);
    if (a != b)
        evc_spin_lock(a->id <= b->id ? &b->lock : &a->lock);
}

/* In the midst of RCU nobody waits: it might be for somebody who waits for us. */
static bool try(struct evc_engine *engine, evc_domid id,
                struct evc_domain **domain)
{
    bool done;

    evc_rcu_lock();
    *domain = evc_engine_peer(engine, id);
    done = *domain == NULL || evc_spin_try(&(*domain)->lock);
    if (!done)
        evc_spin_want(&(*domain)->lock);
    evc_rcu_unlock();
    return done;
}

struct evc_domain *evc_domain_lock(struct evc_engine *engine, evc_domid id)
{
    struct evc_domain *domain;

    for (unsigned turn = 0; !try(engine, id, &domain); turn++)
        evc_spin_pause(turn);
    return domain;
}

bool evc_domain_lock_in_order(struct evc_domain *self, evc_domid id,
                              struct evc_domain **other)
{
    bool kept = self->id < id;

    if (!kept)
        evc_spin_unlock(&self->lock);
    *other = evc_domain_lock(self->engine, id);
    if (!kept)
        evc_spin_lock(&self->lock);
    return kept;
}

/* ---- asking the embedder ------------------------------------------------ */

static int default_policy(const struct evc_domain *caller,
                          enum evc_action action,
                          const struct evc_domain *target)
{
    if (caller->privileged)
        return 0;
    if (action == EVC_ACTION_BIND_PIRQ)
        return -EPERM;
    if (caller == target || action == EVC_ACTION_BIND_INTERDOMAIN)
        return 0;
    return evc_a32_load_acq(&caller->target) == target->id ? 0 : -EPERM;
}

int evc_engine_ask(struct evc_domain *caller, enum evc_action action,
                   struct evc_domain *target, uint32_t detail)
{
    struct evc_engine *engine = caller->engine;

    if (engine->ops.policy == NULL)
        return default_policy(caller, action, target);
    return engine->ops.policy(engine->host, action, caller->id, target->id,
                              detail);
}

void evc_engine_log(struct evc_engine *engine, const char *format, ...)
{
    char line[160];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    engine->ops.log(engine->host, line);
}

uint64_t evc_engine_now(struct evc_engine *engine)
{
    struct evc_time now = {0};

    engine->ops.clock(engine->host, &now);
    return now.system_time;
}

int evc_copy_from(struct evc_domain *domain, uint32_t vcpu, void *to,
                  uint64_t from, size_t size)
{
    int r = domain->engine->ops.copy_from(domain->cookie, vcpu, to, from, size);

    return r < 0 ? -EFAULT : 0;
}

int evc_copy_to(struct evc_domain *domain, uint32_t vcpu, uint64_t to,
                const void *from, size_t size)
{
    int r = domain->engine->ops.copy_to(domain->cookie, vcpu, to, from, size);

    return r < 0 ? -EFAULT : 0;
}
