/* SPDX-License-Identifier: MIT */
/*
 * Closing one port, and closing them all: close, reset, death.
 *
 * Closing one end of an interdomain channel changes two domains, so two locks
 * are taken, in the order of their ids; between letting one go and having both,
 * the port is looked at again.
 */
#include "bind.h"

/* ---- one port ----------------------------------------------------------- */

/* The peer's end becomes unbound, offered to the closer's domain. */
static void unbind_peer(struct evc_domain *domain, struct evc_domain *peer,
                        uint64_t chan)
{
    uint32_t pport = evc_chan_number(chan);
    uint64_t pchan = evc_table_chan(&peer->table, pport);
    evc_domid offered = domain->id;

    /* Whoever gets the dead domain's id must not get its channels with it. */
    if (domain->dying && !evc_is_xen_417(domain->engine))
        offered = EVC_NO_DOMAIN;
    evc_count_close(peer, pport, domain->id);
    evc_table_set_chan(
        &peer->table, pport,
        evc_chan(EVC_UNBOUND | (pchan & EVC_CHAN_HOST), offered, 0));
}

/* Locks: the domain's, and the peer's where there is one. */
static void close_locked(struct evc_domain *domain, struct evc_domain *peer,
                         uint32_t port, uint64_t chan)
{
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);
    unsigned vcpu =
        evc_delivery_vcpu(evc_a32_load_rlx(&bucket->delivery[port % 64]));
    evc_domid peer_id = EVC_NO_DOMAIN;

    switch (evc_chan_kind(chan)) {
    case EVC_INTERDOMAIN:
        peer_id = evc_chan_domid(chan);
        if (peer != NULL) {
            evc_change_begin(domain, peer);
            unbind_peer(domain, peer, chan);
        }
        break;
    case EVC_VIRQ:
        evc_virq_released(domain, evc_chan_number(chan), vcpu);
        break;
    case EVC_PIRQ:
        evc_pirq_released(domain, evc_chan_number(chan));
        break;
    default:
        break;
    }
    evc_count_close(domain, port, peer_id);
    if (chan & (EVC_CHAN_HOST | EVC_CHAN_TO_HOST))
        evc_host_detach(domain, port);
    evc_port_free(domain, port);
    if (peer != NULL)
        evc_change_end(domain, peer);
}

/* What a caller may close: open, and not the host's unless it is the host. */
static bool may_close(struct evc_domain *domain, uint32_t port, bool host,
                      uint64_t *chan)
{
    if (evc_table_find(&domain->table, port) == NULL)
        return false;
    *chan = evc_table_chan(&domain->table, port);
    return evc_chan_kind(*chan) > EVC_RESERVED &&
           (host || !(*chan & EVC_CHAN_HOST));
}

/* Does this channel have a port of another (or the same) domain behind it? */
static bool has_peer(uint64_t chan)
{
    return evc_chan_kind(chan) == EVC_INTERDOMAIN && !(chan & EVC_CHAN_TO_HOST);
}

/*
 * With one lock held, close what needs no other; else tell whose lock it does.
 * 0: closed; 1: a peer is in *peer, counted; -EINVAL.
 */
static int close_alone(struct evc_domain *domain, uint32_t port, bool host,
                       struct evc_domain **peer)
{
    uint64_t chan;
    int r = 0;

    evc_spin_lock(&domain->lock);
    if (!may_close(domain, port, host, &chan)) {
        r = -EINVAL;
    } else if (has_peer(chan) && evc_chan_domid(chan) != domain->id) {
        *peer = evc_domain_get(domain->engine, evc_chan_domid(chan));
        r = 1;
    } else {
        close_locked(domain, has_peer(chan) ? domain : NULL, port, chan);
    }
    evc_spin_unlock(&domain->lock);
    return r;
}

/*
 * With both locks: close, if the peer is still the one, or gone by itself: one
 * that keeps binding and closing must not keep us from it.  True: done.
 */
static bool close_with(struct evc_domain *domain, uint32_t port, bool host,
                       struct evc_domain *peer, int *r)
{
    uint64_t chan;
    bool done = true;

    evc_domain_lock_two(domain, peer);
    *r = 0;
    if (!may_close(domain, port, host, &chan))
        *r = -EINVAL;
    else if (!has_peer(chan))
        close_locked(domain, NULL, port, chan);
    else if (evc_chan_domid(chan) == peer->id)
        close_locked(domain, peer, port, chan);
    else
        done = false;
    evc_domain_unlock_two(domain, peer);
    return done;
}

/*
 * The other domain that a port's channel leads to just now, counted, or NULL.
 * No lock is held: close_with() looks again, and so does close_alone().
 */
static struct evc_domain *guess_peer(struct evc_domain *domain, uint32_t port)
{
    uint64_t chan = evc_table_look(&domain->table, port);

    if (!has_peer(chan) || evc_chan_domid(chan) == domain->id)
        return NULL;
    return evc_domain_get(domain->engine, evc_chan_domid(chan));
}

int evc_port_close(struct evc_domain *domain, uint32_t port, bool host)
{
    for (;;) { /* each further turn means that a third one has bound to it */
        struct evc_domain *peer = guess_peer(domain, port);
        bool done;
        int r = 1;

        if (peer == NULL)
            r = close_alone(domain, port, host, &peer);
        if (r <= 0)
            return r;
        if (peer == NULL)
            continue; /* it died: its kill is about to unbind us */
        done = close_with(domain, port, host, peer, &r);
        evc_domain_put(peer);
        if (done)
            return r;
    }
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
