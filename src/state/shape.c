/* SPDX-License-Identifier: MIT */
/*
 * The shape of what a domain shares with its guest, and the one object that
 * senders reach it by.
 *
 * Changing it builds a new struct evc_delivery, publishes it, waits until no
 * sender uses the old one, and only then gives up what that one needed.
 */
#include "state.h"

#include <stdlib.h>

#include <evc/abi/layouts.h>

#define SHAPE(L, bits, has_mask_)                          \
    {                                                      \
        .wide = (bits) == 64, .has_mask = (has_mask_),     \
        .sel_offset = EVC_ABI_##L##_VCPU_INFO_PENDING_SEL, \
        .pending = EVC_ABI_##L##_SHARED_INFO_PENDING,      \
        .mask = EVC_ABI_##L##_SHARED_INFO_MASK,            \
        .ports = EVC_ABI_##L##_TWOLEVEL_PORTS,             \
        .slots = EVC_ABI_##L##_VCPU_SLOTS,                 \
        .info_size = EVC_ABI_##L##_VCPU_INFO_SIZE,         \
        .time_offset = EVC_ABI_##L##_VCPU_INFO_TIME,       \
        .wallclock = EVC_ABI_##L##_SHARED_INFO_WC_VERSION, \
        .wc_sec_hi = EVC_ABI_##L##_SHARED_INFO_WC_SEC_HI,  \
    }

static const struct evc_shape shapes[] = {
    [EVC_LAYOUT_X86_64] = SHAPE(X86_64, 64, true),
    [EVC_LAYOUT_X86_32] = SHAPE(X86_32, 32, true),
    [EVC_LAYOUT_ARM] = SHAPE(ARM, 64, false),
};

const struct evc_shape *evc_shape_of(enum evc_layout layout)
{
    size_t n = sizeof(shapes) / sizeof(shapes[0]);

    return (unsigned)layout < n ? &shapes[layout] : NULL;
}

enum evc_layout evc_layout_of(const struct evc_shape *shape)
{
    return (enum evc_layout)(shape - shapes);
}

bool evc_domain_is_wide(struct evc_domain *domain)
{
    bool wide;

    evc_rcu_lock();
    wide = evc_domain_delivery(domain)->shape->wide;
    evc_rcu_unlock();
    return wide;
}

/* ---- publishing --------------------------------------------------------- */

static uint32_t limit_of(const struct evc_domain *domain,
                         const struct evc_shape *shape,
                         const struct evc_fifo *fifo)
{
    uint32_t ports = fifo != NULL ? EVC_FIFO_PORTS : shape->ports;

    return domain->max_port < ports - 1 ? domain->max_port : ports - 1;
}

struct evc_delivery *evc_delivery_create(struct evc_domain *domain,
                                         const struct evc_shape *shape,
                                         struct evc_fifo *fifo)
{
    struct evc_delivery *delivery = calloc(1, sizeof(*delivery));

    if (delivery == NULL)
        return NULL;
    delivery->table = &domain->table;
    delivery->info = domain->info;
    delivery->shape = shape;
    delivery->pending = domain->shared_info + shape->pending;
    delivery->mask = domain->shared_info + shape->mask;
    delivery->fifo = fifo;
    delivery->ghosts = evc_is_xen_417(domain->engine);
    delivery->limit = limit_of(domain, shape, fifo);
    evc_delivery_choose(delivery, domain->vcpus);
    return delivery;
}

struct evc_delivery *evc_delivery_publish(struct evc_domain *domain,
                                          struct evc_delivery *next)
{
    /* A1, pairs with A2 */
    return atomic_exchange(&domain->delivery, next);
}

/* Nobody uses `old` any more: unmap what it had, free it. */
void evc_delivery_retire(struct evc_domain *domain, struct evc_delivery *old)
{
    const struct evc_ops *ops = &domain->engine->ops;
    struct evc_fifo *fifo = old->fifo;

    free(old);
    if (fifo == NULL)
        return;
    for (unsigned v = 0; v < domain->vcpus; v++) {
        struct evc_block *block = atomic_load(&fifo->block[v]);

        if (block != NULL)
            ops->unmap(domain->cookie, block->gfn, block->page);
    }
    for (unsigned i = 0; i < fifo->pages; i++)
        ops->unmap(domain->cookie, fifo->gfn[i], atomic_load(&fifo->page[i]));
    evc_fifo_destroy(fifo, domain->vcpus);
}
