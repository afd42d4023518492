/* SPDX-License-Identifier: MIT */
/*
 * Looking: what a guest may ask of a port (status), and what a tool may ask of
 * a port or a domain, without disturbing it.
 */
#include "engine.h"

static const uint32_t status_of[] = {
    [EVC_FREE] = EVTCHNSTAT_closed,
    [EVC_RESERVED] = EVTCHNSTAT_closed,
    [EVC_UNBOUND] = EVTCHNSTAT_unbound,
    [EVC_INTERDOMAIN] = EVTCHNSTAT_interdomain,
    [EVC_PIRQ] = EVTCHNSTAT_pirq,
    [EVC_VIRQ] = EVTCHNSTAT_virq,
    [EVC_IPI] = EVTCHNSTAT_ipi,
};

/* ---- status ------------------------------------------------------------- */

/*
 * What a port is and whom it tells, of one moment: a port that changes between
 * the two words is read again.  A guest that never stops changing it gets what
 * was there last.
 */
static inline uint64_t look(const struct evc_table *table, uint32_t port,
                            uint32_t *vcpu)
{
    const struct evc_bucket *bucket = evc_table_bucket(table, port);
    uint64_t chan, again = evc_table_chan(table, port);
    int tries = 4;

    do {
        chan = again;
        *vcpu =
            evc_delivery_vcpu(evc_a32_load_acq(&bucket->delivery[port % 64]));
        again = evc_table_chan(table, port);
    } while (again != chan && --tries > 0);
    return chan;
}

/* Of a moment in which no channel of the domain is half changed. */
static inline bool look_calmly(const struct evc_domain *domain, uint32_t port,
                               uint64_t *chan, uint32_t *vcpu)
{
    uint32_t before = evc_a32_load_acq(&domain->changes); /* Q3 */

    *chan = look(&domain->table, port, vcpu);
    return before % 2 == 0 && evc_a32_load_rlx(&domain->changes) == before;
}

static __attribute__((noinline)) int tell_other(const struct evc_domain *caller,
                                                struct evtchn_status *arg,
                                                uint64_t chan, uint32_t vcpu)
{
    enum evc_kind kind = evc_chan_kind(chan);

    if ((chan & EVC_CHAN_HOST) && evc_is_xen_417(caller->engine))
        return -EACCES;
    arg->status = status_of[kind];
    if (kind == EVC_UNBOUND) {
        arg->u.unbound.dom = evc_chan_domid(chan);
    } else if (kind == EVC_INTERDOMAIN) {
        arg->u.interdomain.dom = evc_chan_domid(chan);
        arg->u.interdomain.port = evc_chan_number(chan);
    } else if (kind == EVC_PIRQ) {
        arg->u.pirq = evc_chan_number(chan);
    } else if (kind == EVC_VIRQ) {
        arg->u.virq = evc_chan_number(chan);
    }
    /* A port that is just being opened or freed tells nobody. */
    arg->vcpu = kind > EVC_RESERVED ? vcpu : 0;
    return 0;
}

/* Nearly all ports are the first thing. */
static inline int tell(const struct evc_domain *caller,
                       struct evtchn_status *arg, uint64_t chan, uint32_t vcpu)
{
    if ((chan & (EVC_CHAN_KIND | EVC_CHAN_HOST)) != EVC_INTERDOMAIN)
        return tell_other(caller, arg, chan, vcpu);
    arg->status = EVTCHNSTAT_interdomain;
    arg->vcpu = vcpu;
    arg->u.interdomain.dom = evc_chan_domid(chan);
    arg->u.interdomain.port = evc_chan_number(chan);
    return 0;
}

/* May it ask, is there such a port? */
static int status_begin(struct evc_domain *caller, struct evc_domain *domain,
                        const struct evtchn_status *arg)
{
    if (domain == NULL)
        return -ESRCH;
    if (evc_table_find(&domain->table, arg->port) == NULL)
        return -EINVAL;
    return evc_engine_policy(caller, EVC_ACTION_STATUS, domain, arg->port);
}

/* It must wait: for the domain's lock. */
static int status_locked(struct evc_domain *caller, evc_domid id,
                         struct evtchn_status *arg)
{
    struct evc_domain *domain = evc_domain_get(caller->engine, id);
    uint64_t chan;
    uint32_t vcpu;
    int r;

    if (domain == NULL)
        return -ESRCH;
    evc_spin_lock(&domain->lock);
    r = status_begin(caller, domain, arg);
    if (r == 0) {
        chan = look(&domain->table, arg->port, &vcpu);
        r = tell(caller, arg, chan, vcpu);
    }
    evc_spin_unlock(&domain->lock);
    evc_domain_put(domain);
    return r;
}

static __attribute__((noinline)) int status_of_any(struct evc_domain *caller,
                                                   struct evtchn_status *arg)
{
    evc_domid id = arg->dom == DOMID_SELF ? caller->id : arg->dom;
    struct evc_domain *domain;
    bool calm = false;
    uint64_t chan = 0;
    uint32_t vcpu = 0;
    int r;

    evc_rcu_lock();
    domain = evc_engine_peer(caller->engine, id);
    r = status_begin(caller, domain, arg);
    if (r == 0)
        calm = look_calmly(domain, arg->port, &chan, &vcpu);
    evc_rcu_unlock();
    if (r < 0)
        return r;
    return calm ? tell(caller, arg, chan, vcpu)
                : status_locked(caller, id, arg);
}

/* Nobody forbids the caller to ask for its own port. */
static inline bool is_plain(const struct evc_domain *caller,
                            const struct evtchn_status *arg, uint32_t port)
{
    if (arg->dom != DOMID_SELF && arg->dom != caller->id)
        return false;
    return port < evc_table_valid(&caller->table) &&
           caller->engine->ops.policy == NULL;
}

/*
 * Without a lock, for tools ask for every port there is, unless it must wait.
 * Of its own ports a domain may always ask, and they do not go away meanwhile.
 */
int evc_op_status(struct evc_domain *caller, struct evtchn_status *arg)
{
    uint32_t port = arg->port;
    const struct evc_bucket *bucket;
    uint32_t before, delivery;
    uint64_t chan;

    if (!is_plain(caller, arg, port))
        return status_of_any(caller, arg);
    /* Q3, and at the end; an odd one does not come back as an even one. */
    before = evc_a32_load_acq(&caller->changes) & ~1u;
    bucket = evc_table_bucket(&caller->table, port);
    chan = evc_a64_load_acq(&bucket->chan[port % 64]);
    delivery = evc_a32_load_acq(&bucket->delivery[port % 64]);
    if (evc_a64_load_acq(&bucket->chan[port % 64]) != chan ||
        evc_a32_load_rlx(&caller->changes) != before)
        return status_of_any(caller, arg);
    return tell(caller, arg, chan, evc_delivery_vcpu(delivery));
}

/* ---- for tools ---------------------------------------------------------- */

static void describe(struct evc_domain *domain, evc_port port,
                     struct evc_port_info *out)
{
    const struct evc_delivery *to = &domain->delivery;
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);
    uint32_t word = evc_a32_load_rlx(&bucket->delivery[port % 64]);
    uint64_t chan = evc_table_chan(&domain->table, port);
    enum evc_kind kind = evc_chan_kind(chan);

    *out = (struct evc_port_info){
        .port = port,
        .status = status_of[kind],
        .vcpu = evc_delivery_vcpu(word),
        .priority = evc_delivery_priority(word),
        .remote_domain = evc_chan_domid(chan),
        .remote_port = kind == EVC_INTERDOMAIN ? evc_chan_number(chan) : 0,
        .irq = kind == EVC_PIRQ || kind == EVC_VIRQ ? evc_chan_number(chan) : 0,
        .host_consumer = chan & EVC_CHAN_HOST,
        .pending = evc_post_is_pending(to, port),
        .masked = evc_post_is_masked(to, port),
        .linked = evc_post_is_linked(to, port),
        .saved = evc_a64_load_sc(&bucket->saved) >> port % 64 & 1,
    };
}

int evc_port_info(struct evc_domain *domain, evc_port port,
                  struct evc_port_info *out)
{
    int r = 0;

    evc_spin_lock(&domain->lock);
    if (evc_table_find(&domain->table, port) == NULL)
        r = -EINVAL;
    else
        describe(domain, port, out);
    evc_spin_unlock(&domain->lock);
    return r;
}

evc_port evc_port_next(struct evc_domain *domain, evc_port after)
{
    evc_port port = after;

    evc_spin_lock(&domain->lock);
    do /* busy ports are used, but closed */
        port = port < EVC_PORTS_MAX ? evc_table_next(&domain->table, port) : 0;
    while (port != 0 &&
           evc_chan_kind(evc_table_chan(&domain->table, port)) <= EVC_RESERVED);
    evc_spin_unlock(&domain->lock);
    return port;
}

void evc_domain_info(struct evc_domain *domain, struct evc_domain_info *out)
{
    const struct evc_delivery *to = &domain->delivery;
    const struct evc_fifo *fifo;
    uint32_t shut_down = evc_a32_load_sc(&domain->shut_down);

    evc_spin_lock(&domain->lock);
    fifo = evc_delivery_fifo(to);
    *out = (struct evc_domain_info){
        .id = domain->id,
        .layout = evc_layout_of(evc_delivery_shape(to)),
        .vcpus = domain->vcpus,
        .max_port = evc_port_limit(domain),
        .valid_ports = evc_table_valid(&domain->table),
        .open_ports = domain->table.open,
        .paused = evc_a32_load_sc(&domain->paused),
        .privileged = domain->privileged,
        .dying = domain->dying,
        .shut_down = shut_down != 0,
        .fifo = fifo != NULL,
        .shutdown_reason = shut_down != 0 ? shut_down - 1 : 0,
        .fifo_pages = fifo != NULL ? fifo->pages : 0,
    };
    evc_spin_unlock(&domain->lock);
}
