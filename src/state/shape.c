/* SPDX-License-Identifier: MIT */
/*
 * The shape of what a domain shares with its guest, and another ABI for it.
 *
 * Who changes the ABI stores it, waits until no sender goes by the old one, and
 * only then gives up what that one needed.
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
    wide = evc_delivery_shape(&domain->delivery)->wide;
    evc_rcu_unlock();
    return wide;
}

_Static_assert(EVC_ABI_X86_64_VCPU_INFO_PENDING_SEL == EVC_WIDE_SELECTOR &&
                   EVC_ABI_ARM_VCPU_INFO_PENDING_SEL == EVC_WIDE_SELECTOR,
               "where senders to 64-bit words look for the selector");

static void set_limit(struct evc_domain *domain)
{
    const struct evc_delivery *to = &domain->delivery;
    uint32_t ports = evc_delivery_fifo(to) != NULL
                         ? EVC_FIFO_PORTS
                         : evc_delivery_shape(to)->ports;

    domain->limit = domain->max_port < ports - 1 ? domain->max_port : ports - 1;
}

void evc_domain_reshape(struct evc_domain *domain,
                        const struct evc_shape *shape)
{
    atomic_store(&domain->delivery.shape, shape);
    evc_delivery_choose(&domain->delivery, domain->vcpus);
    set_limit(domain);
}

void evc_domain_change(struct evc_domain *domain, struct evc_fifo *fifo)
{
    evc_delivery_change(&domain->delivery, fifo, domain->vcpus);
    set_limit(domain);
}

/* Nobody uses `fifo` any more: unmap what it had, free it. */
void evc_domain_retire(struct evc_domain *domain, struct evc_fifo *fifo)
{
    const struct evc_ops *ops = &domain->engine->ops;

    for (unsigned v = 0; v < domain->vcpus; v++) {
        struct evc_block *block = atomic_load(&fifo->block[v]);

        if (block != NULL)
            ops->unmap(domain->cookie, block->gfn, block->page);
    }
    for (unsigned i = 0; i < fifo->pages; i++)
        ops->unmap(domain->cookie, fifo->gfn[i], atomic_load(&fifo->page[i]));
    evc_fifo_destroy(fifo, domain->vcpus);
}
