/* SPDX-License-Identifier: MIT */
/*
 * Sending: from a port to its other end, without a lock.
 *
 * The channel word names the other end; delivery/ sets its bits; what is left
 * is to kick the vCPU and to wake who polls.  A send that overlaps a close may
 * still reach the port that is being closed, and surface as one spurious event;
 * it is never taken back, for by then it may have merged with a real one.
 */
#include "event.h"

/* Once per vCPU-less drop it is news; guests must not fill a log with it. */
static void log_drop(struct evc_domain *domain, unsigned vcpu)
{
    if (!evc_is_xen_417(domain->engine)) {
        if (evc_a32_load_rlx(&domain->logged_drop) != 0 ||
            evc_a32_swap_sc(&domain->logged_drop, 1) != 0)
            return;
    }
    evc_engine_log(domain->engine,
                   "d%u v%u: no FIFO control block, event dropped", domain->id,
                   vcpu);
}

void evc_domain_raise(struct evc_domain *domain, uint32_t port)
{
    unsigned post = evc_domain_post(domain, port);

    if (evc_is_counting(domain))
        evc_count(domain, port, post);
}

void evc_domain_follow(struct evc_domain *domain, uint32_t port, unsigned post)
{
    if (post & EVC_POST_KICK)
        evc_vcpu_kick(&domain->vcpu[evc_post_vcpu(post)]);
    /* Last: a poller finds what woke it. */
    if (post & EVC_POST_EDGE)
        evc_wake_pollers(domain, port);
    if (post & EVC_POST_DROPPED)
        log_drop(domain, evc_post_vcpu(post));
}

/* The other end of an interdomain channel, which may be gone by now. */
static inline unsigned post_peer(struct evc_domain *domain, uint64_t chan)
{
    struct evc_domain *peer =
        evc_engine_peer(domain->engine, evc_chan_domid(chan));
    uint32_t port = evc_chan_number(chan);

    if (peer == NULL || port >= evc_table_valid(&peer->table))
        return EVC_POST_DROPPED;
    return evc_domain_post(peer, port);
}

/* A counted channel: the same, and one more for who counts. */
static void send_counted(struct evc_domain *domain, uint32_t port,
                         uint64_t chan)
{
    struct evc_domain *peer;
    unsigned post;

    if (evc_chan_kind(chan) == EVC_IPI) {
        evc_count(domain, port, evc_domain_post(domain, port));
        return;
    }
    post = post_peer(domain, chan);
    peer = evc_engine_peer(domain->engine, evc_chan_domid(chan));
    if (peer != NULL)
        evc_count(peer, evc_chan_number(chan), post);
}

/* The host end that a channel leads to: kept with this port or the other. */
static struct evc_host *take_host(struct evc_domain *domain, uint32_t port,
                                  uint64_t chan)
{
    struct evc_domain *peer;

    if (chan & EVC_CHAN_TO_HOST)
        return evc_host_take(domain, port);
    peer = evc_engine_peer(domain->engine, evc_chan_domid(chan));
    return peer != NULL ? evc_host_take(peer, evc_chan_number(chan)) : NULL;
}

/* The ways that are not every day's. Leaves RCU. */
static __attribute__((noinline)) int send_other(struct evc_domain *domain,
                                                uint32_t port, uint64_t chan)
{
    struct evc_host *host = NULL;
    int r = 0;

    /* A host consumer's end is sent on by evc_host_send(). */
    if (evc_chan_kind(chan) == EVC_FREE || (chan & EVC_CHAN_HOST))
        r = -EINVAL;
    else if (chan & (EVC_CHAN_TO_HOST | EVC_CHAN_TO_XEN))
        host = take_host(domain, port, chan);
    else if (chan & EVC_CHAN_COUNTED)
        send_counted(domain, port, chan);
    else /* a VIRQ, a PIRQ, port 0 */
        r = -EINVAL;
    evc_rcu_unlock();
    if (host != NULL)
        evc_host_notify(host);
    return r;
}

int evc_send(struct evc_domain *domain, evc_port port)
{
    const struct evc_bucket *bucket;
    uint64_t chan = EVC_FREE;

    evc_rcu_lock();
    bucket = evc_table_find(&domain->table, port);
    if (bucket != NULL) /* C2, pairs with C1 */
        chan = evc_a64_load_acq(&bucket->chan[port % 64]);
    switch (evc_chan_way(chan)) {
    case EVC_INTERDOMAIN:
        (void)post_peer(domain, chan);
        break;
    case EVC_IPI:
        (void)evc_domain_post(domain, port);
        break;
    case EVC_UNBOUND: /* nobody is there as yet: dropped */
        break;
    default:
        return send_other(domain, port, chan);
    }
    evc_rcu_unlock();
    return 0;
}

int evc_unmask(struct evc_domain *domain, evc_port port)
{
    const struct evc_bucket *bucket;
    unsigned post;
    int r = 0;

    evc_rcu_lock();
    bucket = evc_table_find(&domain->table, port);
    if (bucket == NULL) {
        r = -EINVAL;
    } else if (evc_chan_kind(evc_a64_load_acq(&bucket->chan[port % 64])) >
               EVC_RESERVED) {
        post = evc_post_unmask(evc_domain_delivery(domain), port);
        evc_domain_posted(domain, port, post);
    }
    evc_rcu_unlock();
    return r;
}
