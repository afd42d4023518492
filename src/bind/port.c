/* SPDX-License-Identifier: MIT */
/*
 * One port of a domain: finding a free one, opening and freeing it.  The caller
 * holds the domain's lock.
 */
#include "bind.h"

uint32_t evc_port_limit(const struct evc_domain *domain)
{
    const struct evc_delivery *delivery = atomic_load(&domain->delivery);
    uint32_t abi = delivery->fifo ? EVC_FIFO_PORTS : delivery->shape->ports;

    return domain->max_port < abi - 1 ? domain->max_port : abi - 1;
}

bool evc_port_linked(const void *domain, uint32_t port)
{
    const struct evc_domain *d = domain;

    return evc_post_is_linked(atomic_load(&d->delivery), port);
}

int evc_port_lowest(struct evc_domain *domain)
{
    if (domain->dying)
        return -EINVAL;
    return evc_table_lowest(&domain->table, evc_port_limit(domain),
                            evc_port_linked, domain);
}

void evc_port_open(struct evc_domain *domain, uint32_t port, uint64_t chan,
                   unsigned vcpu)
{
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);

    evc_table_take(&domain->table, port);
    /* Relaxed: C1 publishes it. */
    evc_a32_store_rlx(&bucket->delivery[port % 64],
                      evc_delivery_word(vcpu, EVC_DEFAULT_PRIORITY));
    if (chan & EVC_CHAN_HOST)
        domain->host_ports++;
    if (evc_is_counting(domain)) /* without memory it goes uncounted */
        (void)evc_count_prepare(bucket);
    evc_table_set_chan(&domain->table, port, chan); /* C1, pairs with C2 */
}

void evc_port_free(struct evc_domain *domain, uint32_t port)
{
    struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);
    uint32_t delivery;

    if (evc_table_chan(&domain->table, port) & EVC_CHAN_HOST)
        domain->host_ports--;
    /* X1, then X2: a sender either sees the port free or is cleared after. */
    evc_table_set_chan(&domain->table, port, evc_chan(EVC_FREE, 0, 0));
    evc_post_clear(atomic_load(&domain->delivery), port);
    /* The priority stays until the port is opened again, as in Xen. */
    delivery = evc_a32_load_rlx(&bucket->delivery[port % 64]);
    evc_a32_store_rel(&bucket->delivery[port % 64],
                      evc_delivery_word(0, evc_delivery_priority(delivery)));
    evc_table_release(&domain->table, port);
}
