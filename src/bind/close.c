/* SPDX-License-Identifier: MIT */
/*
 * Closing one port, and closing them all: close, reset, death.
 *
 * Closing one end of an interdomain channel changes two domains, so two locks
 * are taken, in the order of their ids; if the first one has to be let go of to
 * have both, the port is looked at again.
 */
#include "bind.h"

/* ---- one port ----------------------------------------------------------- */

/* What a channel has behind it: an interrupt, or the port of a domain. */
static inline bool is_irq(uint64_t chan)
{
    return evc_chan_kind(chan) == EVC_VIRQ || evc_chan_kind(chan) == EVC_PIRQ;
}

static inline bool has_peer(uint64_t chan)
{
    return evc_chan_kind(chan) == EVC_INTERDOMAIN && !(chan & EVC_CHAN_TO_HOST);
}

/* Of another domain?  That one is alive until its kill has closed the port. */
static inline bool is_elsewhere(const struct evc_domain *domain, uint64_t chan)
{
    return has_peer(chan) && evc_chan_domid(chan) != domain->id;
}

/*
 * The channel of a port that a caller may close: open, and not the host's unless
 * it is the host.  Else EVC_FREE.
 */
static inline uint64_t closable(const struct evc_domain *domain, uint32_t port,
                                bool host)
{
    uint64_t chan = evc_table_look(&domain->table, port);

    if (evc_chan_kind(chan) <= EVC_RESERVED)
        return EVC_FREE;
    return !(chan & EVC_CHAN_HOST) || host ? chan : EVC_FREE;
}

/* The peer's end becomes unbound, offered to the closer's domain. */
static inline void unbind_peer(struct evc_domain *domain,
                               struct evc_domain *peer, uint64_t chan)
{
    uint32_t pport = evc_chan_number(chan);
    struct evc_bucket *bucket = evc_table_bucket(&peer->table, pport);
    unsigned host = evc_bucket_chan(bucket, pport) & EVC_CHAN_HOST;
    evc_domid offered = domain->id;

    /* Whoever gets the dead domain's id must not get its channels with it. */
    if (domain->dying && !evc_is_xen_417(domain->engine))
        offered = EVC_NO_DOMAIN;
    evc_bucket_set_chan(bucket, pport,
                        evc_chan(EVC_UNBOUND | host, offered, 0));
}

/* The interrupt is free again, for others. */
static void release_irq(struct evc_domain *domain, uint32_t port, uint64_t chan)
{
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);
    uint32_t delivery = evc_a32_load_rlx(&bucket->delivery[port % 64]);

    if (evc_chan_kind(chan) == EVC_VIRQ)
        evc_virq_released(domain, evc_chan_number(chan),
                          evc_delivery_vcpu(delivery));
    else
        evc_pirq_released(domain, evc_chan_number(chan));
}

/* Whoever counted the port's events, or held an end of it, has to know. */
static void tell_all(struct evc_domain *domain, struct evc_domain *peer,
                     uint32_t port, uint64_t chan)
{
    bool is_end = evc_chan_kind(chan) == EVC_INTERDOMAIN;

    if (peer != NULL)
        evc_count_close(peer, evc_chan_number(chan), domain->id);
    if (is_irq(chan))
        release_irq(domain, port, chan);
    evc_count_close(domain, port,
                    is_end ? evc_chan_domid(chan) : EVC_NO_DOMAIN);
    if (chan & (EVC_CHAN_HOST | EVC_CHAN_TO_HOST))
        evc_host_detach(domain, port, chan);
}

/* Locks: the domain's, and the peer's where there is one. */
static void close_locked(struct evc_domain *domain, struct evc_domain *peer,
                         uint32_t port, uint64_t chan)
{
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);

    if (peer != NULL)
        evc_change_begin(domain, peer);
    tell_all(domain, peer, port, chan);
    if (peer != NULL)
        unbind_peer(domain, peer, chan);
    evc_table_unfill(&domain->table, port);
    evc_port_free(domain, bucket, port);
    evc_clear_end(&domain->delivery, port); /* X2, the rest of it */
    if (peer != NULL)
        evc_change_end(domain, peer);
}

/*
 * Any port, with the lock held, which is let go of at the end.  If that has to
 * be done before, since somebody has the lock of the other domain, the channel
 * is looked at again, with both: what counts is how it is then.  Each further
 * turn means that a third domain has bound to it.
 */
static __attribute__((noinline)) int close_any(struct evc_domain *domain,
                                               uint32_t port, bool host)
{
    struct evc_domain *held = NULL, *peer = NULL;
    uint64_t chan = closable(domain, port, host);

    while (is_elsewhere(domain, chan) &&
           (held == NULL || held->id != evc_chan_domid(chan))) {
        if (held != NULL)
            evc_spin_unlock(&held->lock);
        if (evc_domain_lock_in_order(domain, evc_chan_domid(chan), &held))
            break;
        chan = closable(domain, port, host);
    }
    if (has_peer(chan))
        peer = is_elsewhere(domain, chan) ? held : domain;
    if (chan != EVC_FREE)
        close_locked(domain, peer, port, chan);
    if (held != NULL)
        evc_spin_unlock(&held->lock);
    evc_spin_unlock(&domain->lock);
    return chan != EVC_FREE ? 0 : -EINVAL;
}

static __attribute__((noinline)) int close_later(struct evc_domain *domain,
                                                 uint32_t port, bool host)
{
    evc_spin_lock(&domain->lock);
    return close_any(domain, port, host);
}

/* An end of a channel that has nothing special about it. */
static inline int close_end(struct evc_domain *domain, uint32_t port, bool host,
                            uint64_t chan)
{
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);
    struct evc_domain *peer =
        evc_engine_bound(domain->engine, evc_chan_domid(chan));

    /* A loop's is always taken. */
    if (evc_is_counting(peer) || !evc_spin_try(&peer->lock))
        return close_any(domain, port, host);
    evc_change_begin(domain, peer);
    unbind_peer(domain, peer, chan);
    evc_port_free(domain, bucket, port);
    evc_change_end(domain, peer);
    evc_spin_unlock(&peer->lock);
    evc_spin_unlock(&domain->lock);
    return 0;
}

/* The everyday way, without a call: an offer that is alone, or one end of two. */
int evc_port_close(struct evc_domain *domain, uint32_t port, bool host)
{
    struct evc_bucket *bucket;
    uint64_t chan;

    if (!evc_spin_try(&domain->lock))
        return close_later(domain, port, host);
    if (port >= evc_table_valid(&domain->table))
        return close_any(domain, port, host);
    bucket = evc_table_bucket(&domain->table, port);
    chan = evc_bucket_chan(bucket, port);
    if (!evc_port_is_plain(domain, bucket, port))
        return close_any(domain, port, host);
    if (evc_chan_way(chan) == EVC_INTERDOMAIN)
        return close_end(domain, port, host, chan);
    if (evc_chan_way(chan) != EVC_UNBOUND)
        return close_any(domain, port, host);
    evc_port_free(domain, bucket, port);
    evc_spin_unlock(&domain->lock);
    return 0;
}

int evc_op_close(struct evc_domain *caller, uint32_t port)
{
    return evc_port_close(caller, port, false);
}

/* ---- all ports ---------------------------------------------------------- */

void evc_ports_close(struct evc_domain *domain, bool host)
{
    uint32_t port = 0;

    do { /* a lock a port: others get their turn in between */
        evc_spin_give_way(&domain->lock);
        evc_spin_lock(&domain->lock);
        port = evc_table_next(&domain->table, port);
        evc_spin_unlock(&domain->lock);
        if (port != 0)
            (void)evc_port_close(domain, port, host);
    } while (port != 0);
}

/* ---- reset -------------------------------------------------------------- */

/* Begin a reset: one at a time. */
static int reset_begin(struct evc_domain *caller, struct evc_domain *domain)
{
    int r = 0;

    if (domain != caller && evc_a32_load_sc(&domain->paused) == 0)
        return -EINVAL;
    evc_spin_lock(&domain->lock);
    if (domain->resetting)
        r = -EBUSY;
    domain->resetting = true;
    evc_spin_unlock(&domain->lock);
    return r;
}

static int reset_finish(struct evc_domain *domain)
{
    int r = 0;

    evc_spin_lock(&domain->lock);
    if (domain->table.open > domain->host_ports)
        r = -EAGAIN;
    else
        evc_domain_leave_fifo(domain);
    domain->resetting = false;
    evc_spin_unlock(&domain->lock);
    return r;
}

int evc_op_reset(struct evc_domain *caller, evc_domid id)
{
    struct evc_domain *domain = evc_domain_resolve(caller, id);
    int r;

    if (domain == NULL)
        return -ESRCH;
    r = evc_engine_policy(caller, EVC_ACTION_RESET, domain, 0);
    if (r == 0)
        r = reset_begin(caller, domain);
    if (r == 0) {
        evc_ports_close(domain, false);
        r = reset_finish(domain);
    }
    evc_domain_resolved(caller, domain);
    return r;
}

/* Xen 4.17 lets guests call its own continuation, which then finds nothing. */
int evc_op_reset_cont(struct evc_domain *caller, evc_domid id)
{
    struct evc_domain *domain = evc_domain_resolve(caller, id);
    int r;

    if (domain == NULL)
        return -ESRCH;
    r = evc_engine_policy(caller, EVC_ACTION_RESET, domain, 0);
    if (r == 0 && domain != caller && evc_a32_load_sc(&domain->paused) == 0)
        r = -EINVAL;
    evc_domain_resolved(caller, domain);
    return r < 0 ? r : -EBUSY;
}
