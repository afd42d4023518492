/* SPDX-License-Identifier: MIT */
/*
 * Events on their way: from a send, an interrupt or a host end to the bits of a
 * guest, and from there to a kick or a wake-up.
 *
 * Nothing here takes a domain's lock.  What says "inside RCU" is called between
 * evc_rcu_lock() and evc_rcu_unlock(), or under the lock of the domain.
 */
#ifndef EVC_EVENT_EVENT_H
#define EVC_EVENT_EVENT_H

#include "state.h"

/* ---- telling (wake.c) --------------------------------------------------- */

/* An upcall became due on a vCPU: let it be seen. */
static inline void evc_vcpu_kick(struct evc_domain *domain, unsigned vcpu)
{
    /* K2, pairs with K1 */
    if (evc_a32_load_sc(&domain->waiters) != 0 &&
        evc_a32_load_sc(&domain->vcpu[vcpu].waiting) != EVC_VCPU_RUNNING)
        evc_vcpu_wake(domain, vcpu);
    domain->engine->ops.kick(domain->cookie, vcpu);
}

/* PENDING of a port went 0 -> 1: end the polls that wait for it. */
void evc_wake_pollers(struct evc_domain *domain, uint32_t port);
void evc_wake_all(struct evc_domain *domain);

/* ---- posting (send.c) --------------------------------------------------- */

/* The same for one that comes from the host, counted where that is on. */
void evc_domain_raise(struct evc_domain *domain, uint32_t port);
/* Kick the vCPU, wake pollers of the port, log the drop: as the post says. */
void evc_domain_follow(struct evc_domain *domain, uint32_t port, unsigned post);

/* After a post: is anything left to do? Hardly ever. */
static inline bool evc_domain_is_todo(struct evc_domain *domain, unsigned post)
{
    const unsigned todo = EVC_POST_KICK | EVC_POST_DROPPED | EVC_POST_UNDONE;

    if (post & todo)
        return true;
    /* W2, pairs with W1 */
    return (post & EVC_POST_EDGE) && evc_a32_load_sc(&domain->pollers) != 0;
}

/* Is a kick all that is left? K2 and W2: who polls is one who waits. */
static inline bool evc_domain_is_plain(struct evc_domain *domain, unsigned post)
{
    return (post & EVC_POST_KICK) && evc_a32_load_sc(&domain->waiters) == 0;
}

static inline void evc_domain_posted(struct evc_domain *domain, uint32_t port,
                                     unsigned post)
{
    if (evc_domain_is_todo(domain, post))
        evc_domain_follow(domain, port, post);
}

/* Raise an existing port of a domain; inside RCU. The outcome is EVC_POST_*. */
static inline unsigned evc_domain_post(struct evc_domain *domain, uint32_t port)
{
    unsigned post = evc_post(&domain->delivery, port);

    evc_domain_posted(domain, port, post);
    return post;
}

/* ---- interrupts (raise.c) ----------------------------------------------- */

bool evc_virq_is_vcpu(uint32_t virq);
bool evc_virq_is_global(uint32_t virq);
bool evc_virq_is_handler(const struct evc_domain *domain, uint32_t virq);

/* ---- host ends (hostend.c) ---------------------------------------------- */

/*
 * A guest has sent to the host end kept with `port` of `domain`; inside RCU.
 * The end is counted: evc_host_notify() is to be called outside.  NULL: none.
 */
struct evc_host *evc_host_take(struct evc_domain *domain, uint32_t port);
void evc_host_notify(struct evc_host *host);
/* How many callbacks of that end is this thread inside of? */
unsigned evc_host_frames(const struct evc_host *host);
void evc_host_free(struct evc_host *host);

#endif /* EVC_EVENT_EVENT_H */
