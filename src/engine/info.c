/* SPDX-License-Identifier: MIT */
/*
 * Looking: what a tool may ask of a port or a domain, without disturbing it.
 */
#include "engine.h"

static void describe(struct evc_domain *domain, evc_port port,
                     struct evc_port_info *out)
{
    const struct evc_delivery *to = atomic_load(&domain->delivery);
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);
    uint32_t word = evc_a32_load_rlx(&bucket->delivery[port % 64]);
    uint64_t chan = evc_table_chan(&domain->table, port);
    enum evc_kind kind = evc_chan_kind(chan);
    static const uint32_t status[] = {
        [EVC_FREE] = EVTCHNSTAT_closed,
        [EVC_RESERVED] = EVTCHNSTAT_closed,
        [EVC_UNBOUND] = EVTCHNSTAT_unbound,
        [EVC_INTERDOMAIN] = EVTCHNSTAT_interdomain,
        [EVC_PIRQ] = EVTCHNSTAT_pirq,
        [EVC_VIRQ] = EVTCHNSTAT_virq,
        [EVC_IPI] = EVTCHNSTAT_ipi,
    };

    *out = (struct evc_port_info){
        .port = port,
        .status = status[kind],
        .vcpu = evc_delivery_vcpu(word),
        .priority = evc_delivery_priority(word),
        .remote_domain = evc_chan_domid(chan),
        .remote_port = kind == EVC_INTERDOMAIN ? evc_chan_number(chan) : 0,
        .irq = kind == EVC_PIRQ || kind == EVC_VIRQ ? evc_chan_number(chan)
                                                    : 0,
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

    pthread_mutex_lock(&domain->lock);
    if (evc_table_find(&domain->table, port) == NULL)
        r = -EINVAL;
    else
        describe(domain, port, out);
    pthread_mutex_unlock(&domain->lock);
    return r;
}

evc_port evc_port_next(struct evc_domain *domain, evc_port after)
{
    evc_port port = after;

    pthread_mutex_lock(&domain->lock);
    do /* busy ports are used, but closed */
        port = port < EVC_PORTS_MAX ? evc_table_next(&domain->table, port) : 0;
    while (port != 0 &&
           evc_chan_kind(evc_table_chan(&domain->table, port)) <= EVC_RESERVED);
    pthread_mutex_unlock(&domain->lock);
    return port;
}

void evc_domain_info(struct evc_domain *domain, struct evc_domain_info *out)
{
    const struct evc_delivery *to;
    uint32_t shut_down = evc_a32_load_sc(&domain->shut_down);

    pthread_mutex_lock(&domain->lock);
    to = atomic_load(&domain->delivery);
    *out = (struct evc_domain_info){
        .id = domain->id,
        .layout = evc_layout_of(to->shape),
        .vcpus = domain->vcpus,
        .max_port = evc_port_limit(domain),
        .valid_ports = evc_table_valid(&domain->table),
        .open_ports = domain->table.open,
        .paused = evc_a32_load_sc(&domain->paused),
        .privileged = domain->privileged,
        .dying = domain->dying,
        .shut_down = shut_down != 0,
        .fifo = to->fifo != NULL,
        .shutdown_reason = shut_down != 0 ? shut_down - 1 : 0,
        .fifo_pages = to->fifo != NULL ? to->fifo->pages : 0,
    };
    pthread_mutex_unlock(&domain->lock);
}
