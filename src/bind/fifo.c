/* SPDX-License-Identifier: MIT */
/*
 * A domain's ABI: to FIFO by the first init_control, growing by expand_array,
 * back to two-level by reset, and to another width by the host.
 */
#include "bind.h"

#include <stdlib.h>

#include <evc/abi/layouts.h>

/* ---- to FIFO ------------------------------------------------------------ */

/* Every port starts its FIFO life at the default priority, on no queue. */
static void reset_queues(struct evc_domain *domain)
{
    uint32_t valid = evc_table_valid(&domain->table);

    for (uint32_t port = 0; port < valid; port++) {
        struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);
        evc_a32 *word = &bucket->delivery[port % 64];
        unsigned vcpu = evc_delivery_vcpu(evc_a32_load_rlx(word));

        evc_a32_store_rlx(word, evc_delivery_word(vcpu, EVC_DEFAULT_PRIORITY));
        evc_a32_store_rlx(&bucket->last[port % 64], EVC_DELIVERY_NONE);
    }
}

/* What was pending in the two-level bits waits for its event word. */
static void save_pending(struct evc_domain *domain)
{
    const struct evc_delivery *to = &domain->delivery;
    uint32_t valid = evc_table_valid(&domain->table);

    for (uint32_t port = 1; port < valid; port++) {
        struct evc_bucket *bucket = evc_table_bucket(&domain->table, port);

        if (evc_twolevel_is_pending(to, port))
            (void)evc_a64_set_sc(&bucket->saved, UINT64_C(1) << port % 64);
    }
}

static void enter_fifo(struct evc_domain *domain, struct evc_fifo *fifo)
{
    reset_queues(domain);
    evc_domain_change(domain, fifo);
    evc_rcu_wait(); /* senders that are still setting two-level bits */
    save_pending(domain);
}

static int add_block(struct evc_domain *domain, struct evc_fifo *fifo,
                     const struct evtchn_init_control *arg)
{
    const struct evc_ops *ops = &domain->engine->ops;
    void *page = NULL;
    int r;

    r = ops->map(domain->cookie, arg->control_gfn, &page);
    if (r < 0) /* whatever is wrong with it, Xen says this */
        return r == -ENOMEM ? r : -EINVAL;
    r = evc_fifo_add_block(fifo, arg->vcpu, page, arg->control_gfn,
                           arg->offset);
    if (r < 0)
        ops->unmap(domain->cookie, arg->control_gfn, page);
    return r;
}

static int init_first(struct evc_domain *domain,
                      const struct evtchn_init_control *arg)
{
    struct evc_fifo *fifo = evc_fifo_create(domain->vcpus);
    int r;

    if (fifo == NULL)
        return -ENOMEM;
    r = add_block(domain, fifo, arg);
    if (r == 0)
        enter_fifo(domain, fifo);
    else
        evc_fifo_destroy(fifo, domain->vcpus);
    return r;
}

bool evc_block_fits(uint32_t offset)
{
    return offset <= EVC_PAGE_SIZE - EVC_ABI_FIFO_CONTROL_BLOCK_SIZE &&
           offset % 8 == 0;
}

int evc_op_init_control(struct evc_domain *domain,
                        struct evtchn_init_control *arg)
{
    struct evc_fifo *fifo;
    int r;

    if (arg->vcpu >= domain->vcpus)
        return -ENOENT;
    if (!evc_block_fits(arg->offset))
        return -EINVAL;

    evc_spin_lock(&domain->lock);
    fifo = evc_delivery_fifo(&domain->delivery);
    if (domain->dying)
        r = -EINVAL;
    else if (fifo == NULL)
        r = init_first(domain, arg);
    else if (atomic_load(&fifo->block[arg->vcpu]) != NULL)
        r = -EINVAL;
    else
        r = add_block(domain, fifo, arg);
    evc_delivery_choose(&domain->delivery, domain->vcpus);
    evc_spin_unlock(&domain->lock);

    if (r == 0)
        arg->link_bits = 17;
    return r;
}

/* ---- growing ------------------------------------------------------------ */

/* Raise what was kept back for want of the newest page, lowest port first. */
static void raise_saved(struct evc_domain *domain, uint32_t first)
{
    const struct evc_delivery *to = &domain->delivery;
    uint32_t valid = evc_table_valid(&domain->table);
    uint32_t end = first + EVC_FIFO_PAGE_PORTS;

    for (uint32_t port = first; port < end && port < valid; port++) {
        if (evc_fifo_take_saved(to, port))
            evc_domain_posted(domain, port, evc_post(to, port));
    }
}

int evc_op_expand_array(struct evc_domain *domain,
                        const struct evtchn_expand_array *arg)
{
    const struct evc_ops *ops = &domain->engine->ops;
    struct evc_fifo *fifo;
    void *page = NULL;
    int r = 0;

    evc_spin_lock(&domain->lock);
    fifo = evc_delivery_fifo(&domain->delivery);
    if (fifo == NULL)
        r = -EOPNOTSUPP;
    else if (fifo->pages == EVC_FIFO_PAGES)
        r = -ENOSPC;
    else
        r = ops->map(domain->cookie, arg->array_gfn, &page);
    if (r == 0) {
        evc_fifo_add_page(fifo, page, arg->array_gfn);
        raise_saved(domain, (fifo->pages - 1) * EVC_FIFO_PAGE_PORTS);
    } else if (r != -EOPNOTSUPP && r != -ENOSPC && r != -ENOMEM) {
        r = -EINVAL;
    }
    evc_spin_unlock(&domain->lock);
    return r;
}

int evc_op_set_priority(struct evc_domain *domain,
                        const struct evtchn_set_priority *arg)
{
    struct evc_bucket *bucket;
    evc_a32 *word;
    uint64_t chan;
    int r = 0;

    evc_spin_lock(&domain->lock);
    bucket = evc_table_find(&domain->table, arg->port);
    chan = bucket ? evc_table_chan(&domain->table, arg->port) : 0;
    if (bucket == NULL)
        r = -EINVAL;
    else if (evc_delivery_fifo(&domain->delivery) == NULL)
        r = -ENOSYS;
    else if (evc_chan_kind(chan) <= EVC_RESERVED || (chan & EVC_CHAN_HOST))
        r = -EACCES;
    else if (arg->priority >= EVC_FIFO_QUEUES)
        r = -EINVAL;
    if (r == 0) {
        word = &bucket->delivery[arg->port % 64];
        evc_a32_store_sc(
            word, evc_delivery_word(evc_delivery_vcpu(evc_a32_load_rlx(word)),
                                    arg->priority));
    }
    evc_spin_unlock(&domain->lock);
    return r;
}

/* ---- and back ----------------------------------------------------------- */

static void forget_saved(struct evc_domain *domain)
{
    uint32_t valid = evc_table_valid(&domain->table);

    for (uint32_t port = 0; port < valid; port += EVC_BUCKET_PORTS)
        evc_a64_store_sc(&evc_table_bucket(&domain->table, port)->saved, 0);
}

void evc_domain_leave_fifo(struct evc_domain *domain)
{
    struct evc_fifo *fifo = evc_delivery_fifo(&domain->delivery);

    if (fifo == NULL)
        return;
    evc_domain_change(domain, NULL);
    evc_rcu_wait(); /* senders that are still linking */
    if (!domain->delivery.ghosts)
        forget_saved(domain);
    evc_domain_retire(domain, fifo);
}

/* ---- another width ------------------------------------------------------ */

static bool fits(struct evc_domain *domain, uint32_t ports)
{
    for (uint32_t p = ports - 1; (p = evc_table_next(&domain->table, p)) != 0;)
        if (evc_chan_kind(evc_table_chan(&domain->table, p)) > EVC_RESERVED)
            return false;
    return true;
}

/* Moved ones stay where they are: that must be a good place there, too. */
static bool infos_fit(const struct evc_domain *domain,
                      const struct evc_shape *shape)
{
    for (unsigned v = 0; v < domain->vcpus; v++) {
        const uint8_t *page = domain->vcpu[v].info_page;
        const uint8_t *info = atomic_load(&domain->info[v]);

        if (page != NULL && !evc_info_fits(shape, (uint64_t)(info - page)))
            return false;
    }
    return true;
}

/* vcpu_info of vCPUs that have not moved theirs is where the layout says. */
static void place_infos(struct evc_domain *domain,
                        const struct evc_shape *shape)
{
    for (unsigned v = 0; v < domain->vcpus; v++) {
        if (domain->vcpu[v].info_page == NULL)
            atomic_store(&domain->info[v],
                         v < shape->slots ? (void *)(domain->shared_info +
                                                     v * shape->info_size)
                                          : (void *)domain->slots[v].bytes);
    }
}

int evc_domain_set_layout(struct evc_domain *domain, enum evc_layout layout)
{
    const struct evc_shape *shape = evc_shape_of(layout);
    struct evc_delivery *to = &domain->delivery;
    int r = 0;

    if (shape == NULL)
        return -EINVAL;
    evc_spin_lock(&domain->lock);
    if (evc_delivery_fifo(to) != NULL || !fits(domain, shape->ports) ||
        !infos_fit(domain, shape)) {
        r = -EBUSY;
    } else {
        place_infos(domain, shape);
        evc_domain_reshape(domain, shape);
        evc_rcu_wait(); /* senders that go by the old one */
    }
    evc_spin_unlock(&domain->lock);
    return r;
}
