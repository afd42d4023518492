/* SPDX-License-Identifier: MIT */
/*
 * Delivery, off the path of most sends: the other ways to post, choosing one,
 * clearing and looking, in whichever ABI the domain uses.
 */
#include "delivery.h"

unsigned evc_post(const struct evc_delivery *to, uint32_t port)
{
    unsigned post = evc_post_begin(to, port);

    return post & EVC_POST_UNDONE ? evc_post_end(to, port, post) : post;
}

static bool has_blocks(const struct evc_fifo *fifo, unsigned vcpus)
{
    for (unsigned v = 0; v < vcpus; v++)
        if (atomic_load(&fifo->block[v]) == NULL)
            return false;
    return true;
}

void evc_delivery_choose(struct evc_delivery *to, unsigned vcpus)
{
    enum evc_way way = EVC_WAY_OTHER;

    if (to->fifo != NULL && has_blocks(to->fifo, vcpus))
        way = EVC_WAY_FIFO;
    else if (to->fifo == NULL && to->shape->wide &&
             to->shape->ports == EVC_TWOLEVEL_PORTS)
        way = EVC_WAY_TWOLEVEL;
    evc_a32_store_rel(&to->way, way); /* B3, pairs with B4 */
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
