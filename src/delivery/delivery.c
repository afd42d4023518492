/* SPDX-License-Identifier: MIT */
/*
 * Delivery, the fork in the road: one look at the port's delivery word, then
 * the ABI that the domain uses.
 */
#include "delivery.h"

static uint32_t delivery_of(const struct evc_delivery *to, uint32_t port)
{
    const struct evc_bucket *bucket = evc_table_bucket(to->table, port);

    /* Relaxed: a vCPU that is being replaced may still be told once. */
    return evc_a32_load_rlx(&bucket->delivery[port % 64]);
}

unsigned evc_post(const struct evc_delivery *to, uint32_t port)
{
    uint32_t delivery = delivery_of(to, port);
    unsigned vcpu = evc_delivery_vcpu(delivery);
    unsigned post = to->fifo != NULL ? evc_fifo_post(to, port, delivery)
                                     : evc_twolevel_post(to, port, vcpu);

    return post | vcpu << EVC_POST_VCPU_SHIFT;
}

unsigned evc_post_unmask(const struct evc_delivery *to, uint32_t port)
{
    uint32_t delivery = delivery_of(to, port);
    unsigned vcpu = evc_delivery_vcpu(delivery);
    unsigned post = to->fifo != NULL ? evc_fifo_unmask(to, port, delivery)
                                     : evc_twolevel_unmask(to, port, vcpu);

    return post | vcpu << EVC_POST_VCPU_SHIFT;
}

void evc_post_clear(const struct evc_delivery *to, uint32_t port)
{
    if (to->fifo != NULL)
        evc_fifo_clear(to, port);
    else
        evc_twolevel_clear(to, port);
}

/* The event word's bits, 0 where there is no word. */
static uint32_t word_bits(const struct evc_delivery *to, uint32_t port)
{
    const evc_a32 *word = evc_fifo_word(to->fifo, port);

    return word != NULL ? evc_a32_load_sc(word) : 0;
}

bool evc_post_is_pending(const struct evc_delivery *to, uint32_t port)
{
    if (to->fifo == NULL)
        return evc_twolevel_test(to, to->pending, port);
    return word_bits(to, port) >> 31 & 1;
}

bool evc_post_is_masked(const struct evc_delivery *to, uint32_t port)
{
    if (to->fifo == NULL)
        return evc_twolevel_test(to, to->mask, port);
    return word_bits(to, port) >> 30 & 1;
}

bool evc_post_is_linked(const struct evc_delivery *to, uint32_t port)
{
    return to->fifo != NULL && (word_bits(to, port) >> 29 & 1);
}
