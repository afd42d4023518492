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

/* ---- posting (send.c) --------------------------------------------------- */

/* The same for one that comes from the host, counted where that is on. */
void evc_domain_raise(struct evc_domain *domain, uint32_t port);
/* Kick the vCPU, wake pollers of the port, log the drop: as the post says. */
void evc_domain_follow(struct evc_domain *domain, uint32_t port, unsigned post);

/* After a post: nothing is left to do, nearly always. */
static inline void evc_domain_posted(struct evc_domain *domain, uint32_t port,
                                     unsigned post)
{
    /* W2, pairs with W1 */
    if ((post & EVC_POST_EDGE) && evc_a32_load_sc(&domain->pollers) == 0)
        post &= ~(unsigned)EVC_POST_EDGE;
    if (post & (EVC_POST_KICK | EVC_POST_EDGE | EVC_POST_DROPPED))
        evc_domain_follow(domain, port, post);
}

/* Raise an existing port of a domain; inside RCU. The outcome is EVC_POST_*. */
static inline unsigned evc_domain_post(struct evc_domain *domain, uint32_t port)
{
    unsigned post = evc_post(evc_domain_delivery(domain), port);

    evc_domain_posted(domain, port, post);
    return post;
}

/* ---- telling (wake.c) --------------------------------------------------- */

/* An upcall became due on a vCPU: let it be seen. */
void evc_vcpu_kick(struct evc_vcpu *vcpu);
/* PENDING of a port went 0 -> 1: end the polls that wait for it. */
void evc_wake_pollers(struct evc_domain *domain, uint32_t port);
void evc_wake_all(struct evc_domain *domain);

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
